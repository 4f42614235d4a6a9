from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.sip.errors import SipParseError
from ringback.sip.message import Message, Request
from ringback.sip.stream import KeepAlive, StreamParser

Item = Message | KeepAlive | SipParseError


def message(method: str = "OPTIONS", *fields: str, body: bytes = b"", length: str | None = "") -> bytes:
    lines = [
        f"{method} sip:h SIP/2.0",
        "Via: SIP/2.0/TCP h;branch=z9hG4bK1",
        "From: <sip:a@h>;tag=1",
        "To: <sip:b@h>",
        "Call-ID: x",
        f"CSeq: 1 {method}",
        *fields,
    ]
    if length is not None:
        lines.append(f"Content-Length: {length or len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def tell(items: list[Item]) -> list[str]:
    told: list[str] = []
    for item in items:
        if isinstance(item, KeepAlive):
            told.append(item.name)
        elif isinstance(item, SipParseError):
            told.append(f"{item.status} {item.reason}{' fatal' if item.fatal else ''}")
        else:
            assert isinstance(item, Request)
            told.append(f"{item.method} {item.body.decode()}")
    return told


STREAM = (
    message("INVITE", body=b"one")
    + b"\r\n\r\n"
    + message("BYE", "Subject: \r\n folded")
    + message("OPTIONS", "Call-ID: twice", body=b"skipped")
    + b"\r\n"
    + message("INFO", body=b"two\r\n\r\n")
)
TOLD = ["INVITE one", "PING", "BYE ", "400 Repeated Call-ID", "PONG", "INFO two\r\n\r\n"]


def test_all_at_once() -> None:
    parser = StreamParser()
    assert tell(parser.feed(STREAM)) == TOLD
    assert parser.idle


def test_byte_by_byte() -> None:
    parser = StreamParser()
    told = [item for index in range(len(STREAM)) for item in tell(parser.feed(STREAM[index : index + 1]))]
    # A ping that comes in halves reads as two pongs: nobody is kept waiting for the other half.
    assert told == [*TOLD[:1], "PONG", "PONG", *TOLD[2:]]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_any_cut(cuts: list[int]) -> None:
    parser = StreamParser()
    bounds = [0, *sorted(cuts), len(STREAM)]
    told = [item for start, end in pairwise(bounds) for item in tell(parser.feed(STREAM[start:end]))]
    assert [item for item in told if item not in ("PING", "PONG")] == [TOLD[0], *TOLD[2:4], TOLD[5]]


def test_waiting() -> None:
    parser = StreamParser()
    assert parser.idle
    whole = message(body=b"abc")
    assert parser.feed(whole[:-2]) == []
    assert not parser.idle
    assert tell(parser.feed(whole[-2:])) == ["OPTIONS abc"]
    assert parser.feed(b"") == []
    assert parser.idle


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (message(length=None), "400 Missing Content-Length fatal"),
        (message(length="1x"), "400 Malformed Content-Length fatal"),
        (message("OPTIONS", "l: 0", length="0"), "400 Repeated Content-Length fatal"),
        (message("OPTIONS", "X: a\rb"), "400 Control Character in Header Field fatal"),
        (message("OPTIONS", "X: a\nl: 5"), "400 Control Character in Header Field fatal"),
        (message(length="70000"), "513 Message Too Large fatal"),
        (message("OPTIONS", "no colon", length="70000"), "400 Malformed Header Field fatal"),
        (b"x" * 70_000, "513 Message Too Large fatal"),
        (b"GET / HTTP/1.1\r\n\r\n", "400 Malformed Start Line fatal"),
    ],
)
def test_a_lost_stream_is_read_no_further(data: bytes, told: str) -> None:
    parser = StreamParser()
    assert tell(parser.feed(data + message())) == [told]
    assert parser.feed(message()) == []


def test_fatal_errors_can_be_answered() -> None:
    for data in (message(length=None), message(length="70000")):
        (error,) = StreamParser().feed(data)
        assert isinstance(error, SipParseError)
        assert error.partial is not None


def test_a_refused_message_is_skipped_with_its_body() -> None:
    parser = StreamParser()
    bad = message("OPTIONS", "no colon", body=message("BYE"))
    assert tell(parser.feed(bad + message("INFO"))) == ["400 Malformed Header Field", "INFO "]


def test_size_limit() -> None:
    parser = StreamParser(max_size=1000)
    assert tell(parser.feed(message(body=b"x" * 1000)))[0].startswith("OPTIONS xxx")
    assert tell(parser.feed(message(body=b"x" * 1001))) == ["513 Message Too Large fatal"]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_never_raises(chunks: list[bytes]) -> None:
    parser = StreamParser()
    for chunk in chunks:
        parser.feed(chunk)
        parser.feed(b"OPTIONS sip:h SIP/2.0\r\n")
