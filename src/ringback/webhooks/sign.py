"""Request signatures, as each service's validators expect them. Pure functions.

Sources: Twilio "Webhooks security" and "Validating signatures", SignalWire "Webhook signature",
jambonz "Securing webhooks".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from ringback.net.reply import Headers

Fields = Sequence[tuple[str, str | None]]
SigningScheme = Literal["none", "twilio", "signalwire", "jambonz"]


def form_signature(key: str, url: str, fields: Fields = (), *, algorithm: str = "sha1") -> str:
    """Base64 of HMAC(key, url + names and values), names by code point, the values of one name sorted and
    without repeats. `url` is the one requested, without fragment; GET and JSON requests pass no fields."""
    # Sorting pairs sorts by name, then by value; a set drops the repeats.
    pairs = sorted({(name, value or "") for name, value in fields})
    text = url + "".join([name + value for name, value in pairs])
    return base64.b64encode(_hmac(key, text.encode(), algorithm)).decode()


def body_sha256(body: bytes) -> str:
    """Hex SHA-256 of a raw body, the value of `bodySHA256`."""
    return hashlib.sha256(body).hexdigest()


def with_body_sha256(url: str, body: bytes) -> str:
    """The URL that a JSON body is posted to, and that is signed: `bodySHA256` joins the query."""
    base, mark, fragment = url.partition("#")
    joint = "&" if "?" in base else "?"
    return f"{base}{joint}bodySHA256={body_sha256(body)}{mark}{fragment}"


def json_signature(key: str, url: str, body: bytes, *, algorithm: str = "sha1") -> str:
    """SignalWire's signature of a JSON request: hex of HMAC(key, url + raw body)."""
    return _hmac(key, url.encode() + body, algorithm).hex()


def jambonz_signature(secret: str, body: bytes, timestamp: int) -> str:
    """The `Jambonz-Signature` value: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`.

    `body` is the exact JSON that is sent; for a GET the one that would have been sent.
    """
    return f"t={timestamp},v1={_hmac(secret, f'{timestamp}.'.encode() + body, 'sha256').hex()}"


def signature_headers(
    scheme: SigningScheme, key: str, *, url: str, fields: Fields = (), body: bytes = b"", now: float = 0.0
) -> Headers:
    """The headers that sign one request about to be sent; none without a key.

    `fields` are the form's (POST only); `body` is signed by jambonz, and by SignalWire where a request
    has a body but no fields. `now`: epoch seconds.
    """
    if not key or scheme == "none":
        return ()
    if scheme == "jambonz":
        return (("Jambonz-Signature", jambonz_signature(key, body, int(now))),)
    if scheme == "twilio":
        return (("X-Twilio-Signature", form_signature(key, url, fields)),)
    if body and not fields:
        return (
            ("X-SignalWire-Signature", json_signature(key, url, body)),
            ("X-SignalWire-SHA256-Signature", json_signature(key, url, body, algorithm="sha256")),
        )
    # No SHA-256 header here: validators that know it let it decide, and expect the JSON form.
    return (("X-SignalWire-Signature", form_signature(key, url, fields)),)


def _hmac(key: str, message: bytes, algorithm: str) -> bytes:
    keyed = _keyed(key, algorithm).copy()
    keyed.update(message)
    return keyed.digest()


@lru_cache(maxsize=256)  # an account's key signs all its requests, and taking it up is half of the work
def _keyed(key: str, algorithm: str) -> hmac.HMAC:
    return hmac.new(key.encode(), digestmod=algorithm)
