"""Calls one after another, each heard by an ear of its own, while others are up and only stay."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence

import msgspec

from bench.callers import Caller, Callers
from bench.ear import Ear, Line
from bench.load import LiveEnds

IDLE = 2_000_000
"""From this on the numbers of callers are of those who only stay."""
PATIENCE = 20.0
BETWEEN = 0.03, 0.06
"""Seconds from the end of a call to the next one, at least and at most: nothing of the one is left to do."""
STAYING = '<Gather timeout="1"/><Pause length="3600"/>'
"""What those who only stay are answered in XML: a Pause alone would only let them ring for longer."""
SETUP_RATE = 50.0
SETTLE = 1.0


class Visit(msgspec.Struct, frozen=True):
    """A call that is up."""

    call: Caller
    line: Line
    answered: int
    """When the 200 came, in nanoseconds of `time.time_ns`."""


class Visits:
    """Calls a number of a server's. `far` is the far end of those who only stay."""

    def __init__(self, server: tuple[str, int], number: str, far: LiveEnds, codecs: Sequence[str]) -> None:
        self._ear = Ear()
        self._callers = Callers(server, number, self._ear.port, codecs)
        self._callers.on_answered = lambda call: self._answered[call].set_result(time.time_ns())
        self._callers.on_ended = self._ended
        self._answered: dict[Caller, asyncio.Future[int]] = {}
        self._over: dict[Caller, asyncio.Event] = {}
        self._idle = Callers(server, number, far.port)
        self._idle.on_answered = lambda call: far.add(call.port)

    def close(self) -> None:
        """No more calls."""
        self._callers.close()
        self._idle.close()
        self._ear.close()

    async def fill(self, legs: int) -> None:
        """So many calls that stay until `empty`. Raises RuntimeError where one is not answered."""
        for number in range(legs):
            self._idle.call(IDLE + number)
            await asyncio.sleep(1 / SETUP_RATE)
        until = time.monotonic() + PATIENCE
        while silent := sum(not call.answered for call in self._idle.calls):
            if time.monotonic() > until:
                raise RuntimeError(f"{silent} of {legs} calls that were to stay were not answered")
            await asyncio.sleep(0.02)
        await asyncio.sleep(SETTLE)

    def empty(self) -> None:
        """Hang them up."""
        for call in self._idle.calls:
            self._idle.hang_up(call)

    @contextlib.asynccontextmanager
    async def visit(self, number: int) -> AsyncIterator[Visit]:
        """One call, hung up when the block ends. Raises TimeoutError where it is not answered."""
        await asyncio.sleep(random.uniform(*BETWEEN))
        call = self._callers.call(number)
        answered = self._answered[call] = asyncio.get_running_loop().create_future()
        over = self._over[call] = asyncio.Event()
        async with asyncio.timeout(PATIENCE):
            await answered
        line = self._ear.line(call.port)
        try:
            yield Visit(call, line, answered.result())
        finally:
            line.close()
            self._callers.hang_up(call)
            await over.wait()

    def _ended(self, call: Caller) -> None:
        answered = self._answered[call]
        if not answered.done():
            answered.set_exception(TimeoutError())
        self._over[call].set()


def quantile(values: Sequence[float], part: float) -> float:
    """The value that this part of them does not exceed; 0 for nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
