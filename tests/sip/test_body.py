from __future__ import annotations

import pytest

from ringback.sip.body import check_body, multipart, sdp_body
from ringback.sip.errors import SipParseError
from ringback.sip.fields import MediaType
from ringback.sip.message import Request
from ringback.sip.uri import Uri

MIXED = MediaType.parse('multipart/mixed;boundary="a b"')
PARTS = (
    b"preamble\r\n--a b \r\nContent-Type: text/plain\r\n\r\nhello\r\n"
    b"--a b\r\nC: application/sdp\r\nContent-Disposition:\r\n session\r\n\r\nv=0\r\n\r\n"
    b"--a b\r\n\r\nno fields\r\n--a b--\r\nepilogue"
)


def request(content_type: str | None, body: bytes, **fields: str) -> Request:
    message = Request("INVITE", Uri.parse("sip:h"), body=body)
    if content_type is not None:
        message.headers.set("Content-Type", content_type)
    for name, value in fields.items():
        message.headers.set(name.replace("_", "-"), value)
    return message


def test_multipart() -> None:
    text, sdp, bare = multipart(MIXED, PARTS)
    assert (text.content_type.essence, text.body) == ("text/plain", b"hello")
    assert (sdp.content_type.essence, sdp.body) == ("application/sdp", b"v=0\r\n")
    assert sdp.headers.get("Content-Disposition") == "session"
    assert (bare.content_type.essence, bare.body) == ("text/plain", b"no fields")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/mixed", b"--x--"),
        ("multipart/mixed;boundary=x", b""),
        ("multipart/mixed;boundary=x", b"--x\r\n\r\nopen"),
        ("multipart/mixed;boundary=x", b"--xyz\r\n\r\na\r\n--x--"),
        ("multipart/mixed;boundary=x", b"--x\r\n\r\n" * 50),
    ],
)
def test_malformed_multipart(content_type: str, body: bytes) -> None:
    with pytest.raises(SipParseError) as caught:
        multipart(MediaType.parse(content_type), body)
    assert caught.value.status == 400


def test_sdp_body() -> None:
    assert sdp_body(request("application/sdp", b"v=0")) == b"v=0"
    assert sdp_body(request("Application/SDP;charset=utf-8", b"v=0")) == b"v=0"
    assert sdp_body(request('multipart/mixed;boundary="a b"', PARTS)) == b"v=0\r\n"
    assert sdp_body(request("text/plain", b"v=0")) is None
    assert sdp_body(request("application/sdp", b"")) is None
    assert sdp_body(request(None, b"v=0")) is None


def test_sdp_in_nested_parts() -> None:
    inner = b"--y\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--y--"
    body = b"--x\r\nContent-Type: multipart/alternative;boundary=y\r\n\r\n" + inner + b"\r\n--x--"
    assert sdp_body(request("multipart/mixed;boundary=x", body)) == b"v=0"


def test_nesting_is_bounded() -> None:
    body, boundary = b"v=0", "application/sdp"
    for level in range(6):
        body = b"--b%d\r\nContent-Type: %s\r\n\r\n%s\r\n--b%d--" % (level, boundary.encode(), body, level)
        boundary = f"multipart/mixed;boundary=b{level}"
    assert sdp_body(request(boundary, body)) is None


def test_content_codings_are_refused() -> None:
    for message in (
        request("application/sdp", b"v=0", Content_Encoding="gzip"),
        request("multipart/mixed;boundary=x", b"--x\r\nc: application/sdp\r\ne: gzip\r\n\r\nv=0\r\n--x--"),
    ):
        with pytest.raises(SipParseError) as caught:
            sdp_body(message)
        assert caught.value.status == 415
    assert sdp_body(request("application/sdp", b"v=0", Content_Encoding="Identity")) == b"v=0"


def test_check_body() -> None:
    check_body(request(None, b""))
    check_body(request("application/sdp", b"v=0"))
    check_body(request("image/png", b"x", Content_Disposition="icon; handling = optional"))
    check_body(request("application/dtmf-relay", b"x"), {"application/dtmf-relay"})
    for message, status in (
        (request(None, b"x"), 400),
        (request("image/png", b"x"), 415),
        (request("application/sdp", b"x", Content_Encoding="gzip"), 415),
    ):
        with pytest.raises(SipParseError) as caught:
            check_body(message)
        assert caught.value.status == status
