from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.sip.errors import SipParseError
from ringback.sip.message import Message, Request, make_response
from ringback.sip.parse import MAX_FIELDS, MAX_LINE, MAX_MESSAGE, MAX_URI, classify, parse_message

TORTURE = [path.read_bytes() for path in sorted((Path(__file__).parent / "torture").glob("*.dat"))]


def options(
    *fields: str, start: str = "OPTIONS sip:h SIP/2.0", cseq: str = "1 OPTIONS", body: bytes = b""
) -> bytes:
    lines = [
        start,
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1",
        "From: <sip:a@h>;tag=1",
        "To: <sip:b@h>",
        "Call-ID: x",
        f"CSeq: {cseq}",
        *fields,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def refused(data: bytes) -> SipParseError:
    with pytest.raises(SipParseError) as caught:
        parse_message(data)
    return caught.value


@pytest.mark.parametrize(
    ("datagram", "kind"),
    [
        (b"", "keepalive"),
        (b"\r\n\r\n", "keepalive"),
        (b"\0\0\0\0", "keepalive"),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), "stun"),
        (b"\x01\x01\x00\x0c\x21\x12\xa4\x42" + bytes(24), "stun"),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42", "garbage"),
        (b"OPTIONS sip:h SIP/2.0\r\n\r\n", "sip"),
        (b"\r\nOPTIONS sip:h SIP/2.0\r\n\r\n", "sip"),
        (b"SIP/2.0 200 OK\r\n", "sip"),
        (b"sip/2.0 200 OK\r\n", "sip"),
        (b"GET / HTTP/1.1\r\n\r\n", "garbage"),
        (b"\x80\x00\x01\x02" + bytes(160), "garbage"),
        (b"x" * 100, "garbage"),
    ],
)
def test_classify(datagram: bytes, kind: str) -> None:
    assert classify(datagram) == kind


def test_bodies_of_datagrams() -> None:
    assert parse_message(options(body=b"all of it")).body == b"all of it"
    assert parse_message(options("Content-Length: 3", body=b"abcdef")).body == b"abc"
    assert parse_message(options("l:0", body=b"abcdef")).body == b""
    assert parse_message(b"\r\n\r\n" + options()).body == b""
    error = refused(options("Content-Length: 4", body=b"abc"))
    assert (error.status, error.reason) == (400, "Content-Length Exceeds Message")
    assert error.partial is not None


@pytest.mark.parametrize(
    "name",
    ["From", "f", "To", "Call-ID", "i", "CSeq", "Content-Length", "Max-Forwards", "Content-Type", "Expires"],
)
def test_repeated_fields_are_refused(name: str) -> None:
    values = {"from": "<sip:a@h>;tag=1", "f": "<sip:a@h>;tag=1", "to": "<sip:b@h>", "call-id": "x", "i": "x"}
    value = values.get(name.lower(), "1 OPTIONS" if name == "CSeq" else "1")
    assert refused(options(f"{name}: {value}", f"{name.upper()} : {value}")).reason.startswith("Repeated")


@pytest.mark.parametrize("control", ["\x00", "\x01", "\x0b", "\x0c", "\r", "\n", "\x1f", "\x7f"])
def test_control_characters_are_not_white_space(control: str) -> None:
    for field in (
        f"X:{control}y",
        f"X{control}: y",
        f"X: a{control}b",
        f'X: "{control}"',
        f'X: "\\{control}',
    ):
        assert refused(options(field)).status == 400
    if control not in "\r\n":
        assert parse_message(options(f'X: "\\{control}"')).headers.get("X") == f'"\\{control}"'


def test_other_white_space_is_not_white_space() -> None:
    for space in ("\u00a0", "\u2003", "\u0085"):
        message = parse_message(options(f"X:{space}y"))
        assert message.headers.get("X") == f"{space}y"
        assert refused(options(f"From{space}: <sip:c@h>")).reason == "Malformed Header Field"


def test_folding() -> None:
    message = parse_message(options("X: a  \r\n\t b\r\n c", "Subject:\r\n s"))
    assert message.headers.get("X") == "a b c"
    assert message.headers.get("Subject") == "s"
    assert refused(b"OPTIONS sip:h SIP/2.0\r\n folded\r\n\r\n").status == 400


def test_names_in_latin_1_are_read() -> None:
    data = options().replace(b"<sip:b@h>", b"\xfcber <sip:b@h>")
    message = parse_message(data)
    assert message.to.display_name == "\u00fcber"
    assert "\u00fcber".encode() in message.encode()


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ("OPTIONS sip:h SIP/3.0", 505),
        ("OPTIONS sip:h SIP/2.00", 505),
        ("OPTIONS isbn:1 SIP/2.0", 416),
        (f"OPTIONS sip:{'u' * MAX_URI}@h SIP/2.0", 414),
        ("OPTIONS sip:h  SIP/2.0", 400),
        ("OPTIONS  sip:h SIP/2.0", 400),
        ("OPTIONS sip:h SIP/2.0 ", 400),
        (" OPTIONS sip:h SIP/2.0", 400),
        ("OPTIONS sip:h", 400),
        ("OPTIONS", 400),
        ("OPT(IONS sip:h SIP/2.0", 400),
        ("OPTIONS sip:h?a=b SIP/2.0", 400),
    ],
)
def test_request_lines(start: str, status: int) -> None:
    error = refused(options(start=start))
    assert error.status == status
    assert error.partial is not None
    assert make_response(error.partial, error.status).headers.get("Call-ID") == "x"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "start",
    ["SIP/2.0 99 x", "SIP/2.0 700 x", "SIP/2.0 2000 x", "SIP/2.0", "SIP/2.0  200 OK", "SIP/3.0 200 OK"],
)
def test_status_lines(start: str) -> None:
    assert refused(options(start=start)).partial is None


def test_lower_case_version_and_tel_uri() -> None:
    message = parse_message(options(start="OPTIONS tel:+1 sip/2.0"))
    assert isinstance(message, Request)
    assert message.uri.scheme == "tel"


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_missing_fields(name: str) -> None:
    lines = [line for line in options().split(b"\r\n") if not line.startswith(name.encode() + b":")]
    error = refused(b"\r\n".join(lines))
    assert (error.status, error.reason) == (400, f"Missing {name}")
    assert (error.partial is None) == (name == "Via")


def test_an_ack_is_never_answered() -> None:
    ack = options("Content-Length: 9", start="ACK sip:h SIP/2.0", cseq="1 ACK")
    assert refused(ack).partial is None
    assert refused(options(start="ACK isbn:1 SIP/2.0", cseq="1 ACK")).partial is None


@pytest.mark.parametrize(
    "field", ["Call-ID: ", "Call-ID: a b", "CSeq: 1 BYE", "To: <", "Max-Forwards: -1", "l: 1x"]
)
def test_malformed_fields(field: str) -> None:
    name = field.partition(":")[0]
    lines = [line for line in options().split(b"\r\n") if not line.startswith(name.encode() + b":")]
    lines.insert(1, field.encode())
    assert refused(b"\r\n".join(lines)).status == 400


def test_limits() -> None:
    assert refused(options("X: " + "y" * MAX_MESSAGE)).status == 513
    assert refused(options("X: " + "y" * MAX_LINE)).reason == "Header Field Too Long"
    assert refused(options(*["X: y"] * MAX_FIELDS)).reason == "Too Many Header Fields"
    assert parse_message(options("X: " + "y" * (MAX_LINE - 10), "Y: " + "y" * 5000))
    assert refused(b"OPTIONS sip:h SIP/2.0\r\nVia: x\r\n").reason == "Missing End of Header Fields"
    assert refused(b"").status == 400
    assert refused(options("no colon")).reason == "Malformed Header Field"


def attempt(data: bytes) -> Message | SipParseError:
    try:
        return parse_message(data)
    except SipParseError as error:
        return error


def check_total(data: bytes) -> None:
    """A message or SipParseError, nothing else; and whatever could be read can be answered and written."""
    assert classify(data) in ("sip", "keepalive", "stun", "garbage")
    message = attempt(data)
    if isinstance(message, SipParseError):
        assert 400 <= message.status < 600
        if message.partial is not None:
            assert isinstance(message.partial, Request)
            assert make_response(message.partial, message.status, message.reason, "tag").encode()
        return
    try:
        message.validate()
    except SipParseError:
        pass
    again = parse_message(message.encode())
    assert repr(again) == repr(message)
    assert again.headers.get_all("Via") == message.headers.get_all("Via")
    if isinstance(message, Request):
        response = make_response(message, 200, to_tag="tag", record_route=True)
        answered = parse_message(response.encode())
        assert answered.via == message.via
        assert answered.to.tag == (message.to.tag if "tag" in message.to.params else "tag")


@given(st.binary(max_size=400))
def test_total_on_noise(data: bytes) -> None:
    check_total(data)
    check_total(b"INVITE sip:h SIP/2.0\r\n" + data)
    check_total(options("X: y") + data)


@settings(max_examples=300)
@given(st.data())
def test_total_on_damaged_messages(data: st.DataObject) -> None:
    """Torture messages with pieces cut out, doubled, or replaced by noise."""
    message = data.draw(st.sampled_from(TORTURE))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(message)))
        end = min(len(message), start + data.draw(st.integers(0, 40)))
        noise = data.draw(
            st.one_of(st.binary(max_size=8), st.sampled_from([b'"', b"<", b">", b",", b";", b"\r\n", b"\0"]))
        )
        message = message[:start] + noise + message[end:]
    check_total(message)


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=60),
    st.sampled_from(["From", "To", "Via", "Contact", "CSeq"]),
)
def test_total_on_odd_values(value: str, name: str) -> None:
    lines = [line for line in options().split(b"\r\n") if not line.startswith(name.encode() + b":")]
    lines.insert(1, f"{name}: {value}".encode())
    check_total(b"\r\n".join(lines))
