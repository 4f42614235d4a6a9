"""Time lines: whose a SIP message is, what of it is kept, and in which order it is read."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import msgspec
import pytest
from tests.calls.making import ACCOUNT, CALL, NOON, FakeStore, record

from ringback.calls import events
from ringback.calls.rows import to_row
from ringback.calls.timeline import REFUSED, Line, SocketMessage, TimeLine, current_call, lines_of
from ringback.net.http import Exchange
from ringback.sip.flow import Trace
from ringback.store.records import Append
from ringback.store.store import Store
from ringback.webhooks.delivery import Delivery
from ringback.webhooks.retry import Outcome


def sip(start: str, call_id: str, *, direction: str = "in", at: float = 1.0, name: str = "Call-ID") -> Trace:
    message = f"{start}\r\n{name}: {call_id}\r\n\r\n".encode()
    return trace(message, direction=direction, at=at)


def trace(message: bytes, *, direction: str = "in", at: float = 1.0) -> Trace:
    return Trace(direction, at, "192.0.2.9:5060", "192.0.2.1:5060", "udp", message)


class Watched:
    """A time line and everything it passed on."""

    def __init__(self) -> None:
        self.time_line = TimeLine(cast("Store", FakeStore()))
        self.lines: list[Line] = []

    @property
    def texts(self) -> list[tuple[str, str]]:
        return [(line.call_id, line.text) for line in self.lines]


@pytest.fixture
async def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize("name", ["Call-ID", "i", "call-id "])
async def test_an_invite_belongs_to_the_call_that_comes_of_it(watched: Watched, name: str) -> None:
    with watched.time_line.listening(watched.lines.append):
        watched.time_line.sip(sip("INVITE sip:100@a SIP/2.0", "abc", name=name))
        assert watched.texts == []
        watched.time_line.follow("abc", "the call")
        watched.time_line.sip(sip("SIP/2.0 100 Trying", "abc", direction="out", name=name))
        watched.time_line.sip(sip("INVITE sip:100@a SIP/2.0", "another", name=name))
    assert watched.texts == [
        ("the call", "<- udp 192.0.2.1:5060  INVITE sip:100@a SIP/2.0"),
        ("the call", "-> udp 192.0.2.1:5060  SIP/2.0 100 Trying"),
    ]


async def test_a_call_that_is_over_is_followed_no_longer(watched: Watched) -> None:
    with watched.time_line.listening(watched.lines.append):
        watched.time_line.follow("abc", "the call")
        watched.time_line.forget("abc")
        watched.time_line.forget("abc")
        watched.time_line.sip(sip("BYE sip:a SIP/2.0", "abc"))
    assert watched.lines == []


async def test_what_belongs_to_nobody_is_kept_within_bounds(watched: Watched) -> None:
    for number in range(400):
        for _ in range(20):
            watched.time_line.sip(sip("OPTIONS sip:a SIP/2.0", f"stray-{number}"))
    with watched.time_line.listening(watched.lines.append):
        watched.time_line.follow("stray-0", "old")
        watched.time_line.follow("stray-399", "new")
    assert len(watched.lines) == 8
    assert {line.call_id for line in watched.lines} == {"new"}


async def test_a_message_without_call_id_is_nobodys(watched: Watched) -> None:
    watched.time_line.sip(trace(b"\0\xff"))


async def test_a_listener_hears_until_its_block_ends(watched: Watched) -> None:
    key = events.DigitReceived(key="1", method="info")
    with watched.time_line.listening(watched.lines.append):
        watched.time_line.happened(record(), key, NOON)
    watched.time_line.happened(record(), key, NOON)
    assert watched.texts == [(str(CALL), "key 1 (info)")]


async def test_a_fetch_belongs_to_the_call_in_whose_name_it_is_made(watched: Watched) -> None:
    exchange = Exchange(
        method="POST",
        url="http://app.example/voice",
        status=200,
        elapsed_ms=12.3,
        request_body=b"CallSid=1",
        response_body=b"<Response/>" + b"x" * 9000,
        error="",
    )
    with watched.time_line.listening(watched.lines.append):
        watched.time_line.fetched(exchange)
        token = current_call.set("the call")
        watched.time_line.fetched(exchange)
        current_call.reset(token)
    [line] = watched.lines
    assert (line.call_id, line.kind) == ("the call", "webhook")
    assert line.text == "POST http://app.example/voice  200  12 ms"
    assert len(line.data["response"]) == 4096


@pytest.mark.parametrize(
    ("delivery", "text"),
    [
        ({"fields": (("CallStatus", "completed"),)}, "POST http://app.example/s  completed  204"),
        (
            {"encoding": "json", "json": b'{"call_status":"ringing"}'},
            "POST http://app.example/s  ringing  204",
        ),
        ({"encoding": "json", "json": b"[1]"}, "POST http://app.example/s    204"),
    ],
)
async def test_a_callback_names_the_status_it_tells(
    watched: Watched, delivery: dict[str, object], text: str
) -> None:
    made = Delivery(
        id="1",
        account_id=str(ACCOUNT),
        call_id="the call",
        url="http://app.example/s",
        **delivery,  # type: ignore[arg-type]
    )
    with watched.time_line.listening(watched.lines.append):
        watched.time_line.delivered(made, Outcome(attempts=1, delivered=True, status=204))
    assert watched.texts == [("the call", text)]


async def test_messages_over_a_socket_are_webhooks_and_callbacks(watched: Watched) -> None:
    """With what was said, but no credentials, neither in the URL nor beside it."""
    url = "wss://u:secret@app.example/ivr"
    hook = {"url": "https://u:secret@app.example", "username": "u", "password": "secret"}
    with watched.time_line.listening(watched.lines.append):
        watched.time_line.messaged(
            SocketMessage(
                call_id="the call", dialect="jambonz", url=url, kind="webhook", name="verb:hook /menu",
                data={"digits": "1"}, result="ack",
                elapsed_ms=12.3, answer=[{"verb": "play", "url": "x" * 9000, "actionHook": hook}],
            )
        )  # fmt: skip
        watched.time_line.messaged(
            SocketMessage(
                call_id="the call", dialect="jambonz", url=url, kind="callback", name="call:status",
                data={"call_status": "ringing", "hook": hook}, result="sent",
            )
        )  # fmt: skip
        watched.time_line.messaged(
            SocketMessage(
                call_id="the call", dialect="jambonz", url=url, kind="callback", name="verb:hook /going",
                data={"event": "transfer-status", "call_status": 180}, result="sent",
            )
        )  # fmt: skip
    asked, told, going = watched.lines
    assert going.text == "WS verb:hook /going wss://app.example/ivr  180  sent"
    assert (asked.kind, asked.text) == ("webhook", "WS verb:hook /menu wss://app.example/ivr  ack  12 ms")
    assert asked.data["request"] == '{"digits":"1"}'
    assert len(asked.data["response"]) == 4096
    assert (told.kind, told.text) == ("callback", "WS call:status wss://app.example/ivr  ringing  sent")
    assert told.data["fields"]["call_status"] == "ringing"
    assert "secret" not in repr(watched.lines)


async def test_a_refused_call_leaves_a_line(watched: Watched) -> None:
    with watched.time_line.listening(watched.lines.append):
        watched.time_line.refused("udp:192.0.2.1:5060", 403, "nobody knows it")
    assert watched.texts == [(REFUSED, "call from udp:192.0.2.1:5060 refused with 403: nobody knows it")]


async def test_it_is_read_in_order_of_time(tmp_path: Path) -> None:
    """Events of the log and lines of the trace become one."""
    async with await Store.open("sqlite", tmp_path) as store:
        time_line, heard = TimeLine(store), list[Line]()
        time_line.follow("abc", str(CALL))
        for sequence, (at, key) in enumerate([(2.0, "1"), (4.0, "2")]):
            event = events.DigitReceived(key=key, method="info")
            await store.append(
                Append(
                    call_id=str(CALL),
                    sequence=sequence,
                    kind=events.kind_of(event),
                    at=at,
                    payload=events.encode(event),
                    row=to_row(record()),
                )
            )
        with time_line.listening(heard.append):
            time_line.sip(sip("BYE sip:a SIP/2.0", "abc", at=5.0))
        time_line.sip(sip("INFO sip:a SIP/2.0", "abc", at=3.0))
        time_line.sip(sip("INVITE sip:a SIP/2.0", "abc", at=1.0))
        lines = await lines_of(store, str(CALL))
    assert [line.at for line in lines] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert [line.kind for line in lines] == ["sip", "key", "sip", "key", "sip"]
    assert lines[-1:] == heard


async def test_what_is_kept_of_a_message_holds_no_credentials(tmp_path: Path) -> None:
    message = b"REGISTER sip:a SIP/2.0\r\nCall-ID: abc\r\nAuthorization: Digest x\r\nSubject: \xe9\r\n\r\n"
    async with await Store.open("sqlite", tmp_path) as store:
        time_line = TimeLine(store)
        time_line.follow("abc", str(CALL))
        time_line.sip(trace(message, direction="out"))
        [entry] = await store.traces(str(CALL))
        [line] = await lines_of(store, str(CALL))
    assert b"Digest" not in entry.data
    assert line.text == "-> udp 192.0.2.1:5060  REGISTER sip:a SIP/2.0"
    assert line.data["message"].splitlines()[2:4] == ["Authorization: (removed)", "Subject: \ufffd"]


async def test_lines_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """They kept SIP messages as lines, too."""
    line = Line(call_id=str(CALL), at=1.0, kind="sip", text="<- udp h  BYE", data={"message": "BYE"})
    async with await Store.open("sqlite", tmp_path) as store:
        store.trace(line.call_id, line.at, line.kind, msgspec.json.encode(line))
        assert await lines_of(store, str(CALL)) == [line]
