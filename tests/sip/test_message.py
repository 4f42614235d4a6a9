from __future__ import annotations

import pytest

from ringback.sip.errors import SipParseError
from ringback.sip.fields import Via
from ringback.sip.message import Headers, Request, Response, make_response
from ringback.sip.parse import parse_message
from ringback.sip.uri import Uri

INVITE = (
    b"INVITE sip:bob@biloxi.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP proxy;branch=z9hG4bK2, SIP/2.0/UDP phone;branch=z9hG4bK1\r\n"
    b"Via: SIP/2.0/TCP first;branch=z9hG4bK0\r\n"
    b"Max-Forwards: 70\r\n"
    b"To: Bob <sip:bob@biloxi.com>\r\n"
    b"From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Record-Route: <sip:p2;lr>,<sip:p1;lr>\r\n"
    b"Route: <sip:next;lr>\r\n"
    b"Contact: <sip:alice@pc33.atlanta.com>, <sip:alice@192.0.2.1>\r\n"
    b"Supported: timer, 100rel\r\n"
    b"k: Replaces\r\n"
    b"Require: a\r\n"
    b"Unsupported: c,,d\r\n"
    b"Allow: invite, ACK\r\n"
    b"Expires: 60\r\n"
    b'P-Asserted-Identity: "A" <sip:a@h>, <tel:+1>\r\n'
    b"Diversion: <sip:d@h>;reason=no-answer\r\n"
    b"Refer-To: <sip:r@h?Replaces=x>\r\n"
    b"Timestamp: 54\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"v=0\n"
)


def invite() -> Request:
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    return message


def test_typed_fields() -> None:
    message = invite()
    message.validate()
    assert str(message.via) == "SIP/2.0/UDP proxy;branch=z9hG4bK2"
    assert [via.host for via in message.vias] == ["proxy", "phone", "first"]
    assert (message.from_.tag, message.to.tag) == ("1928301774", None)
    assert message.call_id == "a84b4c76e66710@pc33.atlanta.com"
    assert str(message.cseq) == "314159 INVITE"
    assert message.contact is not None
    assert message.contact.uri.host == "pc33.atlanta.com"
    assert [str(item.uri) for item in message.contacts] == [
        "sip:alice@pc33.atlanta.com",
        "sip:alice@192.0.2.1",
    ]
    assert [item.uri.host for item in message.record_routes] == ["p2", "p1"]
    assert [item.uri.host for item in message.routes] == ["next"]
    assert message.supported == ["timer", "100rel", "replaces"]
    assert (message.require, message.unsupported) == (["a"], ["c", "d"])
    assert message.allow == ["INVITE", "ACK"]
    assert (message.max_forwards, message.expires) == (70, 60)
    assert [item.display_name for item in message.asserted_identities] == ["A", ""]
    assert message.diversions[0].params["reason"] == "no-answer"
    assert message.refer_to is not None
    assert message.refer_to.uri.headers == "Replaces=x"
    assert message.content_type is not None
    assert message.content_type.essence == "application/sdp"


def test_what_is_missing() -> None:
    message = Request("OPTIONS", Uri.parse("sip:h"))
    assert message.contact is None
    assert message.contacts == []
    assert (message.max_forwards, message.expires, message.content_type, message.refer_to) == (None,) * 4
    for name in ("via", "from_", "to", "call_id", "cseq"):
        with pytest.raises(SipParseError, match="Missing"):
            getattr(message, name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Max-Forwards", "256"),
        ("Max-Forwards", "x"),
        ("Expires", "-1"),
        ("Expires", "\u0661"),
        ("Contact", "<"),
        ("Route", ";"),
    ],
)
def test_malformed_fields(name: str, value: str) -> None:
    message = invite()
    message.headers.set(name, value)
    with pytest.raises(SipParseError):
        message.validate()


def test_large_expires_is_the_largest() -> None:
    message = invite()
    for value in ("4294967296", "9" * 100):
        message.headers.set("Expires", value)
        assert message.expires == 2**32 - 1


def test_contact_wildcard() -> None:
    message = invite()
    assert not message.contact_is_wildcard
    message.headers.set("Contact", "*")
    assert message.contact_is_wildcard
    assert message.contact is None


def test_vias_are_changed_from_the_top() -> None:
    message = invite()
    message.replace_top_via(message.via.with_params({"received": "192.0.2.9"}))
    assert [via.received for via in message.vias] == ["192.0.2.9", None, None]
    message.headers.insert_first("Via", str(Via("UDP", "new")))
    assert message.via.host == "new"


def test_typed_fields_follow_changes() -> None:
    message = invite()
    assert message.to.tag is None
    message.headers.set("To", str(message.to.with_tag("x")))
    assert message.to.tag == "x"


def test_encode() -> None:
    message = Request(
        "BYE", Uri.parse("sip:a@h"), [("Via", "SIP/2.0/UDP h"), ("l", "999"), ("X-y", "ü")], b"body"
    )
    assert message.encode() == (
        b"BYE sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nX-y: \xc3\xbc\r\nContent-Length: 4\r\n\r\nbody"
    )
    assert repr(message) == "<Request BYE sip:a@h>"
    response = Response(404, headers=Headers([("To", "<sip:a@h>")]))
    assert response.encode() == b"SIP/2.0 404 Not Found\r\nTo: <sip:a@h>\r\nContent-Length: 0\r\n\r\n"
    assert repr(response) == "<Response 404 Not Found>"
    assert Response(599).reason == ""


def test_start_lines_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="one line"):
        Response(200, "OK\r\nVia: x").encode()
    with pytest.raises(ValueError, match="Malformed"):
        Request("BYE", Uri(host="h SIP/2.0\r\nVia: x")).encode()
    with pytest.raises(ValueError, match="method"):
        Request("BYE sip:x SIP/2.0\r\nVia: x", Uri(host="h")).encode()


def test_response_to_a_request() -> None:
    response = make_response(invite(), 180, to_tag="tag", record_route=True)
    assert list(response.headers.items()) == [
        ("Via", "SIP/2.0/UDP proxy;branch=z9hG4bK2, SIP/2.0/UDP phone;branch=z9hG4bK1"),
        ("Via", "SIP/2.0/TCP first;branch=z9hG4bK0"),
        ("From", "Alice <sip:alice@atlanta.com>;tag=1928301774"),
        ("To", "Bob <sip:bob@biloxi.com>;tag=tag"),
        ("Call-ID", "a84b4c76e66710@pc33.atlanta.com"),
        ("CSeq", "314159 INVITE"),
        ("Record-Route", "<sip:p2;lr>,<sip:p1;lr>"),
    ]
    assert response.reason == "Ringing"
    assert make_response(invite(), 480, "Gone Fishing").reason == "Gone Fishing"


def test_trying_has_no_tag_and_echoes_the_timestamp() -> None:
    response = make_response(invite(), 100, to_tag="tag")
    assert response.to.tag is None
    assert response.headers.get("Timestamp") == "54"
    assert "Record-Route" not in response.headers


def test_a_to_tag_is_kept() -> None:
    request = invite()
    request.headers.set("To", "<sip:bob@biloxi.com>;tag=theirs")
    assert make_response(request, 200, to_tag="ours").to.tag == "theirs"


def test_a_response_does_not_share_rows_with_the_request() -> None:
    request = invite()
    response = make_response(request, 200)
    response.headers.add("Via", "SIP/2.0/UDP more")
    assert len(request.vias) == 3
