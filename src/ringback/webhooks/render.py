"""A request's fields as the bytes that are sent: query, form or JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec

from ringback.net.reply import Headers, Sign
from ringback.webhooks.sign import Fields, SigningScheme, signature_headers, with_body_sha256

FORM = "application/x-www-form-urlencoded; charset=UTF-8"
JSON = "application/json"

_QUOTABLE = re.compile(rb"[^A-Za-z0-9_.~-]")
_ESCAPES = {bytes((octet,)): b"%%%02X" % octet for octet in range(256)} | {b" ": b"+"}


class Rendered(msgspec.Struct, frozen=True):
    """What goes out: `url` still with its credentials and fragment, `fields` those of a form body."""

    method: str
    url: str
    body: bytes = b""
    headers: Headers = ()
    fields: tuple[tuple[str, str | None], ...] = ()


def form_encode(fields: Fields) -> str:
    """`application/x-www-form-urlencoded`, UTF-8. A value of None is a bare name without `=`."""
    return "&".join(
        [_quoted(name) if value is None else f"{_quoted(name)}={_quoted(value)}" for name, value in fields]
    )


@lru_cache(maxsize=4096)  # names, statuses and numbers come again with every callback
def _quoted(text: str) -> str:
    """`urllib.parse.quote_plus` in one pass of a regular expression."""
    return _QUOTABLE.sub(_escape, text.encode()).decode("ascii")


def _escape(octet: re.Match[bytes]) -> bytes:
    return _ESCAPES[octet[0]]


def append_query(url: str, fields: Fields) -> str:
    """The URL with fields added to the query that it has."""
    if not fields:
        return url
    base, mark, fragment = url.partition("#")
    joint = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
    return f"{base}{joint}{form_encode(fields)}{mark}{fragment}"


def render(
    method: str,
    url: str,
    *,
    fields: Fields | None = None,
    json: bytes | None = None,
    query_to_body: bool = False,
    hash_body: bool = False,
) -> Rendered:
    """Lay out a request.

    GET and HEAD carry `fields` in the query, appended to what is there. Other methods post them as a form;
    with `query_to_body` the URL's own query joins the form and leaves the URL. `json` is posted as it is;
    `hash_body` adds `bodySHA256` to the URL for it.
    """
    verb = method.upper()
    if verb in ("GET", "HEAD"):
        return Rendered(verb, append_query(url, fields or ()))
    if json is not None:
        at = with_body_sha256(url, json) if hash_body else url
        return Rendered(verb, at, json, (("Content-Type", JSON),))
    form = list(fields or ())
    if query_to_body:
        url, moved = _without_query(url)
        form = [*moved, *form]
    return Rendered(verb, url, form_encode(form).encode(), (("Content-Type", FORM),), tuple(form))


def signer(
    scheme: SigningScheme, key: str, rendered: Rendered, now: float, unsent: bytes = b""
) -> Sign | None:
    """What signs each step of an exchange: the fields count only while they are still the body.

    `unsent` is the payload that jambonz signs on a GET, which carries none.
    """
    if scheme == "none" or not key:
        return None

    def sign(method: str, url: str, body: bytes) -> Sequence[tuple[str, str]]:
        fields = rendered.fields if body and body == rendered.body else ()
        signed = body or (unsent if scheme == "jambonz" else b"")
        return signature_headers(scheme, key, url=url, fields=fields, body=signed, now=now)

    return sign


def _without_query(url: str) -> tuple[str, list[tuple[str, str | None]]]:
    base, mark, fragment = url.partition("#")
    base, _, query = base.partition("?")
    return f"{base}{mark}{fragment}", list(parse_qsl(query, keep_blank_values=True))
