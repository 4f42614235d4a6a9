from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.sip.errors import SipParseError
from ringback.sip.fields import CSeq, MediaType, Via
from ringback.sip.headers import COMPACT, Headers, key_of


def test_names_have_one_key_in_every_spelling() -> None:
    for short, name in COMPACT.items():
        assert (
            key_of(short) == key_of(short.upper()) == key_of(name) == key_of(name.swapcase()) == name.lower()
        )
    assert key_of("X-Custom") == "x-custom"
    assert key_of("bad name") == ""


def test_rows() -> None:
    headers = Headers([("v", "one"), ("X-Custom", "  spaced\t"), ("Via", "two")])
    assert headers.get("VIA") == "one"
    assert headers.get_all("via") == ["one", "two"]
    assert list(headers.items()) == [("Via", "one"), ("Via", "two"), ("X-Custom", "spaced")]
    assert headers.get("missing") is None
    assert headers.get_all("missing") == []
    assert "x-custom" in headers
    assert "missing" not in headers
    assert 5 not in headers


def test_changes() -> None:
    headers = Headers([("Subject", "a")])
    headers.insert_first("Via", "1")
    headers.insert_first("Via", "0")
    headers.set("Subject", "b")
    headers.replace_first("Via", "zero")
    headers.replace_first("To", "t")
    assert list(headers.items()) == [("Via", "zero"), ("Via", "1"), ("Subject", "b"), ("To", "t")]
    twin = headers.copy()
    twin.remove("via")
    twin.remove("via")
    twin.add("X-new", "1")
    assert "Via" in headers
    assert "X-New" not in headers
    assert twin != headers
    assert headers == headers.copy()
    assert headers != "text"
    assert repr(Headers([("a", "b")])) == "Headers([('Accept-Contact', 'b')])"


def test_copy_from_and_repetition() -> None:
    one, other = Headers(), Headers([("Via", "1"), ("Via", "2"), ("From", "f"), ("New", "y")])
    one.copy_from(other, "Via", "New", "Missing")
    assert list(one.items()) == [("Via", "1"), ("Via", "2"), ("New", "y")]
    assert other.first_repeated(("from", "to", "via")) == "Via"
    assert other.first_repeated(("from",)) is None
    other.keep_first(("via", "to"))
    assert other.get_all("Via") == ["1"]


def test_a_row_is_lengthened_as_it_stands() -> None:
    headers = Headers([("To", '"a\\"b" <sip:a@h>'), ("To", "second")])
    headers.lengthen("t", ";tag=1")
    headers.lengthen("Subject", "new")
    assert list(headers.items()) == [("To", '"a\\"b" <sip:a@h>;tag=1'), ("To", "second"), ("Subject", "new")]
    assert list(headers.keys()) == ["To", "Subject"]


def test_what_was_parsed_is_forgotten_with_the_text() -> None:
    other = Headers([("To", "other")])
    changes: list[Callable[[Headers], object]] = [
        lambda headers: headers.add("t", "x"),
        lambda headers: headers.set("To", "x"),
        lambda headers: headers.insert_first("To", "x"),
        lambda headers: headers.replace_first("TO", "x"),
        lambda headers: headers.lengthen("To", "x"),
        lambda headers: headers.remove("to"),
        lambda headers: headers.copy_from(other, "To"),
        lambda headers: headers.keep_first(["to"]),
        lambda headers: headers.append_parsed(["t: x"]),
    ]
    for change in changes:
        headers = Headers([("To", "a"), ("To", "b")])
        headers.parsed["To"] = "a, parsed"
        headers.get("To")
        assert headers.copy().parsed == {}
        assert "To" in headers.parsed
        change(headers)
        assert "To" not in headers.parsed


def test_parsed_rows() -> None:
    headers = Headers()
    assert headers.append_parsed(["s : x", "New-One\t:\ty "])
    assert not headers.append_parsed(["no good: z"])
    assert not headers.append_parsed([":z"])
    assert not headers.append_parsed(["Subject"])
    assert list(headers.items()) == [("Subject", "x"), ("New-One", "y")]


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\r\nVia: x", "a\0", "\n", "\ud800"])
def test_nothing_can_be_injected(value: str) -> None:
    headers = Headers()
    for change in (headers.add, headers.set, headers.insert_first, headers.replace_first):
        with pytest.raises(ValueError):  # noqa: PT011  (a surrogate raises its own kind)
            change("X", value)
    with pytest.raises(ValueError, match="field name"):
        headers.add(f"X{value}", "v")
    assert list(headers.items()) == []


@given(st.text(), st.text())
def test_whatever_is_accepted_stays_on_its_line(name: str, value: str) -> None:
    headers = Headers()
    try:
        headers.add(name, value)
    except ValueError:
        return
    ((written, content),) = headers.items()
    line = f"{written}: {content}".encode()
    assert b"\r" not in line
    assert b"\n" not in line


def test_via() -> None:
    via = Via.parse("SIP / 2.0 / udp  [2001:DB8::1] : 5070 ;branch = z9hG4bKx;rport;received=[::2]")
    assert (via.transport, via.host, via.port, via.branch) == ("UDP", "2001:DB8::1", 5070, "z9hG4bKx")
    assert (via.rport, via.received, via.sent_by) == ("", "::2", "[2001:db8::1]:5070")
    assert str(via) == "SIP/2.0/UDP [2001:DB8::1]:5070;branch=z9hG4bKx;rport;received=[::2]"
    assert Via.parse(str(via)) == via
    assert via.magic_branch == "z9hg4bkx"
    changed = via.with_params({"rport": "9"}).with_(host="h", port=None)
    assert (changed.rport, str(changed)) == (9, "SIP/2.0/UDP h;branch=z9hG4bKx;rport=9;received=[::2]")
    assert changed.sent_by == "h"


def test_via_without_parameters() -> None:
    via = Via("TCP", "h")
    assert (via.branch, via.received, via.rport, via.magic_branch) == (None, None, None, None)
    assert [str(one) for one in Via.parse_many("SIP/2.0/TCP a,SIP/2.0/TLS b;branch=1")] == [
        "SIP/2.0/TCP a",
        "SIP/2.0/TLS b;branch=1",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "", "SIP/2.0/UDP", "SIP/2.0 h", "UDP h", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h;rport=x",
        "SIP/2.0/UDP h h", "SIP/2.0/UDP h;rport=99999", "SIP/2.0/UDP ::1", "SIP/2.0/UDP [zz]",
        "SIP/2.0/UDP h;a=1;a=2", "SIP/2.0/UDPh",
    ],
)  # fmt: skip
def test_via_refuses(text: str) -> None:
    with pytest.raises(SipParseError):
        Via.parse(text)


def test_cseq() -> None:
    cseq = CSeq.parse("0009\t INVITE")
    assert (cseq.number, cseq.method, str(cseq)) == (9, "INVITE", "9 INVITE")
    for text in ("", "1", "INVITE", "-1 INVITE", "2147483648 INVITE", "1 INVITE x", "1INVITE"):
        with pytest.raises(SipParseError):
            CSeq.parse(text)


def test_media_type() -> None:
    kind = MediaType.parse('Multipart/Mixed ; Boundary="a b"')
    assert (kind.essence, kind.params["boundary"], str(kind)) == (
        "multipart/mixed",
        "a b",
        'multipart/mixed;boundary="a b"',
    )
    for text in ("", "text", "text/", "text/plain/x", "text/plain;"):
        with pytest.raises(SipParseError):
            MediaType.parse(text)
