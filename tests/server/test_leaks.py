"""Short calls, and short pairs of calls, leave nothing behind: no task, no descriptor, no call, no port."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest
from tests.interop.socket_app import Message, SocketApp
from tests.patience import PATIENCE
from tests.server.neutral import HOOK, Neutral, callee
from tests.server.site import DIALECTS, NUMBERS, SPEAKS, serve_tone, site_settings

from ringback.calls.call import Call
from ringback.calls.control import ControlError
from ringback.calls.verbs import Dial, HangUp
from ringback.config.tables import ApplicationTable
from ringback.dialects.jambonz.line import Line
from ringback.dialects.jambonz.orders import Orders
from ringback.dialects.jambonz.webhook import JambonzApplication
from ringback.dialects.laml import Laml
from ringback.testing.kit import NUMBER, RunningServer, WebApp, settings_for
from ringback.testing.softphone import CallFailed, Softphone

CALLS, AT_ONCE = 200, 40
POOL = 2 * AT_ONCE
"""Connections that are kept open, to either side: as many as were needed at once. What every second call
leaves behind would show."""


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def short_call(phone: Softphone, number: int) -> None:
    """Some are rejected, some cancelled, some hung up by either side."""
    dialect = DIALECTS[number % len(DIALECTS)]
    call = await phone.call(NUMBERS[dialect])
    if number % 10 == 3:
        call.hang_up()
    else:
        try:
            await call.answered()
            if number % 2:
                call.hang_up()
            await call.ended()
        except CallFailed:
            pass
    await call.close()


async def crowd(phone: Softphone, calls: int) -> None:
    for first in range(0, calls, AT_ONCE):
        await asyncio.gather(*(short_call(phone, first + n) for n in range(min(AT_ONCE, calls - first))))


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """What is over is freed at once: looking for garbage stops every call, and meanwhile it piles up."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def living_calls() -> int:
    return sum(isinstance(thing, Call) for thing in gc.get_objects())


async def test_short_calls_leave_nothing_behind(data: Path) -> None:
    others = living_calls()
    async with WebApp() as app, RunningServer(site_settings(app, data)) as server:
        tone = serve_tone(app, "/tone.wav", 0.1)
        for dialect in DIALECTS:
            speaks = SPEAKS[dialect]
            answers = cycle(
                [
                    speaks.document(speaks.play(tone), speaks.hang_up()),
                    speaks.document(speaks.say("hello"), speaks.hang_up()),
                    speaks.document(speaks.reject_busy()),
                ]
            )
            app.reply(f"/{dialect}/voice", partial(lambda them, _: next(them), answers))
        async with server.phone("caller", "") as phone:
            await crowd(phone, AT_ONCE)
            await server.settled()
            before = (len(asyncio.all_tasks()), descriptors())
            await crowd(phone, CALLS)
            await server.settled()
            assert len(asyncio.all_tasks()) - before[0] < POOL
            assert descriptors() - before[1] < POOL
        assert server.switchboard.live == 0
        assert server.plane.stats().legs == 0
        assert server.deliverer.queued == 0
        app.forget()
        assert living_calls() <= others + 2


PAIRS = 40
ENDS = ("caller", "callee", "refused", "gives up", "redirected")


async def short_pair(server: RunningServer, caller: Softphone, bob: Softphone, how: str) -> None:
    """One that dials another, in a bridge or on the way there, and every way in which that may end."""
    call = await caller.call(NUMBERS["laml"])
    called = await bob.incoming()
    called.ring()
    if how == "refused":
        called.reject()
    elif how == "gives up":
        call.hang_up()
    else:
        called.answer()
        await call.answered()
        if how == "redirected":
            await redirect_all(server)
        (call if how == "caller" else called).hang_up()
    await asyncio.gather(call.ended(), called.ended())
    await asyncio.gather(call.close(), called.close())


async def redirect_all(server: RunningServer) -> None:
    """Whoever is up goes its own way, which is a short one."""
    for call in server.switchboard.engine.roster.calls:
        with contextlib.suppress(ControlError):
            record = call.record
            await server.switchboard.redirect(record.account_id, record.id, hook=HOOK)


async def test_short_pairs_leave_nothing_behind(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = living_calls()
    neutral = Neutral()
    monkeypatch.setattr(Laml, "application", lambda *_: neutral)
    async with WebApp() as app, RunningServer(site_settings(app, data)) as server:
        async with server.phone("caller", "") as caller, server.phone("bob", "") as bob:
            for number in range(2 * PAIRS):
                if number == PAIRS:
                    await server.settled()
                    before = (len(asyncio.all_tasks()), descriptors())
                neutral.answer("new-call", Dial(callees=(callee(bob),)), HangUp())
                neutral.answer("redirect", HangUp())
                await short_pair(server, caller, bob, ENDS[number % len(ENDS)])
            await server.settled()
            assert len(asyncio.all_tasks()) - before[0] < POOL
            assert descriptors() - before[1] < POOL
        assert server.switchboard.live == 0
        assert server.plane.stats().legs == 0
        neutral.told.clear()
        neutral.asked.clear()
        assert living_calls() <= others + 2


SPOKEN_TO: dict[str, Message] = {
    "the application": {"verb": "hangup"},
    "the caller": {"verb": "answer"},
    "a command": {"verb": "answer"},
    "the end of the socket": {"verb": "answer"},
    "a rejection": {"verb": "sip:decline", "status": 486},
}
"""What ends a call whose application speaks over a WebSocket, and the verb that it begins with."""


async def short_conversation(app: SocketApp, phone: Softphone, ends: str) -> None:
    """One call, and one command that is none."""
    call = await phone.call(NUMBER)
    talk = await app.connection()
    await talk.acknowledge(await talk.next("session:new"), [SPOKEN_TO[ends]])
    await talk.command("nonsense", {})
    try:
        await call.answered()
        if ends == "the caller":
            call.hang_up()
        elif ends == "a command":
            await talk.command("redirect", [{"verb": "hangup"}])
        elif ends == "the end of the socket":
            await talk.hang_up()
        await call.ended(20)
    except CallFailed:
        pass
    await call.close()
    await asyncio.wait_for(talk.closed, PATIENCE)


def living_conversations() -> int:
    return sum(isinstance(thing, JambonzApplication | Line | Orders) for thing in gc.get_objects())


async def test_short_calls_over_a_socket_leave_nothing_behind(data: Path) -> None:
    others = living_calls() + living_conversations()
    async with SocketApp() as app:
        table = ApplicationTable(name="app", dialect="jambonz", voice_url=app.url, status_callback=app.url)
        async with RunningServer(settings_for(data, table)) as server, server.phone() as phone:
            for _ in range(3):
                for ends in SPOKEN_TO:
                    await short_conversation(app, phone, ends)
            await server.settled(30)
            assert living_calls() + living_conversations() <= others + 2
