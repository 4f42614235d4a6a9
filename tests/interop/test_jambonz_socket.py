"""A jambonz application over its WebSocket, end to end: a telephone on one side, it on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.interop.socket_app import PROTOCOL, Conversation, Message, SocketApp
from tests.patience import PATIENCE

from ringback.calls.timeline import lines_of
from ringback.config.tables import ApplicationTable
from ringback.testing.kit import NUMBER, RunningServer, settings_for
from ringback.testing.softphone import Softphone

pytestmark = pytest.mark.interop

GATHER: Message = {
    "verb": "gather",
    "input": ["digits"],
    "numDigits": 2,
    "timeout": 10,
    "actionHook": "/gathered",
    "say": {"text": "Two keys, please."},
}
HOLD_ON: Message = {"verb": "pause", "length": 60}
HANG_UP: Message = {"verb": "hangup"}


@pytest.fixture
async def app() -> AsyncIterator[SocketApp]:
    async with SocketApp() as app:
        yield app


@pytest.fixture
async def server(app: SocketApp, data: Path) -> AsyncIterator[RunningServer]:
    application = ApplicationTable(name="ivr", dialect="jambonz", voice_url=app.url, status_callback=app.url)
    async with RunningServer(settings_for(data, application)) as server:
        yield server


@pytest.fixture
async def phone(server: RunningServer) -> AsyncIterator[Softphone]:
    async with server.phone() as phone:
        yield phone


def _statuses(conversation: Conversation) -> list[str]:
    return [status["call_status"] for status in conversation.statuses]


async def test_a_call_from_its_beginning_to_its_end(
    app: SocketApp, server: RunningServer, phone: Softphone
) -> None:
    call = await phone.call(NUMBER)
    talk = await app.connection()
    assert talk.protocol == PROTOCOL
    opening = await talk.next("session:new")
    assert opening["data"]["call_sid"] == opening["call_sid"]
    assert (opening["data"]["direction"], opening["data"]["to"]) == ("inbound", NUMBER)
    await talk.acknowledge(opening, [GATHER])

    await call.answered()
    await call.hears(0.5)
    await call.press("42")
    gathered = await talk.next("verb:hook")
    assert gathered["hook"] == "/gathered"
    assert (gathered["data"]["digits"], gathered["data"]["reason"]) == ("42", "dtmfDetected")
    await talk.acknowledge(gathered, [HOLD_ON])

    await talk.command("redirect", [{"verb": "say", "text": "Good bye."}, HANG_UP])
    assert await call.ended() == "remote"
    assert await asyncio.wait_for(talk.closed, PATIENCE) == 1000
    assert _statuses(talk) == ["trying", "in-progress", "completed"]
    last = talk.statuses[-1]
    assert (last["call_sid"], last["call_termination_by"]) == (opening["call_sid"], "jambonz")
    assert last["duration"] >= 0
    await server.settled()

    lines = await lines_of(server.store, opening["call_sid"])
    seen = [(line.kind, line.text.split()) for line in lines if line.text.startswith("WS ")]
    assert [(kind, words[:4]) for kind, words in seen if kind == "callback"] == [
        ("callback", ["WS", "call:status", app.url, status["call_status"]]) for status in talk.statuses
    ]
    asked = sorted(words[1:] for kind, words in seen if kind == "webhook")
    assert [words[:-2] for words in asked[1:]] == [  # without the milliseconds
        ["session:new", app.url, "ack"],
        ["verb:hook", "/gathered", app.url, "ack"],
    ]
    assert asked[0] == ["command", "redirect", app.url]


async def test_a_caller_who_hangs_up(app: SocketApp, server: RunningServer, phone: Softphone) -> None:
    call = await phone.call(NUMBER)
    talk = await app.connection()
    await talk.acknowledge(await talk.next("session:new"), [GATHER])
    await call.answered()
    call.hang_up()
    assert await asyncio.wait_for(talk.closed, PATIENCE) == 1000
    assert talk.statuses[-1]["call_status"] == "completed"
    assert talk.statuses[-1]["call_termination_by"] == "caller"
    await server.settled()


async def test_a_connection_that_drops_is_made_again(
    app: SocketApp, server: RunningServer, phone: Softphone
) -> None:
    call = await phone.call(NUMBER)
    talk = await app.connection()
    opening = await talk.next("session:new")
    await talk.acknowledge(opening, [GATHER])
    await call.answered()
    await talk.drop()

    again = await app.connection()
    reopening = await again.next("session:reconnect")
    assert reopening["call_sid"] == opening["call_sid"]
    assert reopening["data"] == opening["data"]
    await again.acknowledge(reopening)
    await call.press("17")
    gathered = await again.next("verb:hook")
    assert gathered["data"]["digits"] == "17"
    await again.acknowledge(gathered, [HANG_UP])
    assert await call.ended() == "remote"
    assert await asyncio.wait_for(again.closed, PATIENCE) == 1000
    assert _statuses(talk) + _statuses(again) == ["trying", "in-progress", "completed"]
    await server.settled()
