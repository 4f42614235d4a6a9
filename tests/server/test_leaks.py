"""Two hundred short calls leave nothing behind: no task, no descriptor, no call, no port."""

from __future__ import annotations

import asyncio
import gc
import os
from functools import partial
from itertools import cycle
from pathlib import Path

from tests.server.site import DIALECTS, NUMBERS, SPEAKS, serve_tone, site_settings

from ringback.calls.call import Call
from ringback.testing.kit import RunningServer, WebApp
from ringback.testing.softphone import CallFailed, Softphone

CALLS, AT_ONCE = 200, 40
POOL = CALLS // 10
"""Kept connections may differ by so many; what every tenth call leaves behind would show."""


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
            await call.ended(10)
        except CallFailed:
            pass
    await call.close()


async def crowd(phone: Softphone, calls: int) -> None:
    for first in range(0, calls, AT_ONCE):
        await asyncio.gather(*(short_call(phone, first + n) for n in range(min(AT_ONCE, calls - first))))


def living_calls() -> int:
    gc.collect()
    return sum(isinstance(thing, Call) for thing in gc.get_objects())


async def test_short_calls_leave_nothing_behind(data: Path) -> None:
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
            await server.settled(30)
            assert len(asyncio.all_tasks()) - before[0] < POOL
            assert descriptors() - before[1] < POOL
        assert server.switchboard.live == 0
        assert server.plane.stats().legs == 0
        assert server.deliverer.queued == 0
        app.forget()
        assert living_calls() <= 2
