from __future__ import annotations

import hashlib
import hmac

import pytest
from twilio.request_validator import RequestValidator

from ringback.webhooks.sign import (
    body_sha256,
    form_signature,
    jambonz_signature,
    json_signature,
    signature_headers,
    with_body_sha256,
)

KEY = "12345"
VOICE = "https://mycompany.com/myapp.php?foo=1&bar=2"
FIELDS = (
    ("To", "+18005551212"),
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
)


def test_published_vectors() -> None:
    assert form_signature(KEY, VOICE, FIELDS) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    repeated = (("B", ""), ("Ü", "é"), ("A", "2"), ("A", "1"), ("A", "2"))
    assert form_signature(KEY, "https://ex.com/a", repeated) == "AyhGNz5x/oKoueyvu9LQgvyYMWk="
    assert form_signature(KEY, "https://ex.com/a?CallSid=CA1&From=%2B1") == "I5b1e5x/O6hkq37vSMBH/4VZf78="


def test_body_hash() -> None:
    body = b'{"property": "value", "boolean": true}'
    digest = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    assert body_sha256(body) == digest
    assert with_body_sha256("https://ex.com/a", body) == f"https://ex.com/a?bodySHA256={digest}"
    assert with_body_sha256("https://ex.com/a?x=1#f", body) == f"https://ex.com/a?x=1&bodySHA256={digest}#f"


@pytest.mark.parametrize(
    "url",
    [
        VOICE,
        "http://app.example:8080/voice",
        "https://app.example/x?a=%2B1&b=ü",
        "https://app.example:8443/x",
    ],
)
def test_the_official_validator_agrees(url: str) -> None:
    validator = RequestValidator(KEY)
    assert validator.validate(url, dict(FIELDS), form_signature(KEY, url, FIELDS))
    body = b'{"a":1}'
    hashed = with_body_sha256(url, body)
    assert validator.validate(hashed, body.decode(), form_signature(KEY, hashed))
    assert not validator.validate(url, dict(FIELDS), form_signature("other", url, FIELDS))


def test_jambonz() -> None:
    body = '{"call_sid":"é"}'.encode()
    expected = hmac.new(b"wh_secret_x", b"1700000000." + body, hashlib.sha256).hexdigest()
    assert jambonz_signature("wh_secret_x", body, 1700000000) == f"t=1700000000,v1={expected}"


def test_headers_by_scheme() -> None:
    def headers(scheme: str, **more: object) -> dict[str, str]:
        return dict(signature_headers(scheme, KEY, url=VOICE, **more))  # type: ignore[arg-type]

    form = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert headers("none") == {}
    assert signature_headers("twilio", "", url=VOICE) == ()
    assert headers("twilio", fields=FIELDS) == {"X-Twilio-Signature": form}
    assert headers("signalwire", fields=FIELDS, body=b"x") == {"X-SignalWire-Signature": form}
    assert headers("jambonz", body=b"{}", now=7.9)["Jambonz-Signature"].startswith("t=7,v1=")
    json = headers("signalwire", body=b"{}")
    assert json["X-SignalWire-Signature"] == json_signature(KEY, VOICE, b"{}")
    assert json["X-SignalWire-SHA256-Signature"] == json_signature(KEY, VOICE, b"{}", algorithm="sha256")
