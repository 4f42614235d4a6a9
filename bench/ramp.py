"""What brings whole calls to a server at a rate, whichever way they come, and watches what they cost."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from bench.application import Application
from bench.documents import ENDED
from bench.load import Far
from bench.machine import busy, cpu
from bench.rates import Spent, Step, middle
from bench.session import doing
from bench.system import System
from bench.ticks import PULSE

WARM_UP = 20
"""Calls in the second before anything is measured."""
WRAP_UP = 20.0
"""Seconds after the last call in which every one must end, and its callback come."""


class Timed(Protocol):
    """A call on its way, with a clock on it: moments of the monotonic clock, 0.0 before they are there."""

    asked: float
    """The application was asked."""
    told: float
    """The application was told of the end."""

    @property
    def identity(self) -> str:
        """The calling number: each call has its own, so that webhooks can be told apart."""

    @property
    def done(self) -> bool:
        """Nothing more is to come."""


Call = TypeVar("Call", bound=Timed)


class Watch:
    """What the server, the load and others use from now on."""

    def __init__(self, server: System, far: Far) -> None:
        self._server = server
        self._far = far
        self._usage, self._load, self._busy = server.usage(), self._own(), busy(server.core)
        self.began = time.monotonic()
        self._shares = (0.0, 0.0, 0.0)

    def placed(self) -> None:
        """The last call was placed: shares are of the time until now."""
        elapsed = time.monotonic() - self.began
        used = sum(self._server.usage().since(self._usage).values())
        others = busy(self._server.core) - self._busy - used
        self._shares = used / elapsed, (self._own() - self._load) / elapsed, others / elapsed

    def over(self, calls: int) -> Spent:
        """All of so many calls are over."""
        total = self._server.usage().since(self._usage)
        core, load, others = self._shares
        cost = {role: spent * 1000 / calls for role, spent in total.items()}
        return Spent(cpu=cost, core=core, load=load, others=others)

    def _own(self) -> float:
        return time.process_time() + cpu(self._far.pid)


class Load(abc.ABC, Generic[Call]):
    """Calls and application of one server, brought together."""

    def __init__(self, server: System, application: Application, far: Far) -> None:
        self.server = server
        self._far = far
        self._by_identity: dict[str, Call] = {}
        self.placed = 0
        """How many calls were, so far."""
        self.beside = 0
        """Calls that others have up meanwhile."""
        application.on_asked = self._asked
        application.on_told = self._told

    @abc.abstractmethod
    def place(self, number: int) -> Call:
        """Place a call; each has its own number."""

    @abc.abstractmethod
    def step_of(self, calls: Sequence[Call], rate: float, spent: Spent) -> Step:
        """What became of them."""

    @contextlib.asynccontextmanager
    async def placing(self) -> AsyncIterator[None]:
        """What is needed while calls are placed."""
        yield

    async def step(self, rate: float, seconds: float) -> Step:
        """Calls at this rate for that long, until all is done."""
        shed, ticks = await self.server.shed(), await self.server.ticks()
        async with self.placing():
            watch, calls, moments = Watch(self.server, self._far), [], []
            for number in range(max(1, int(rate * seconds))):
                await asyncio.sleep(max(0.0, watch.began + number / rate - time.monotonic()))
                moments.append(time.monotonic())
                calls.append(self._placed())
            watch.placed()
            await _all_done(calls)
        await self.server.idle(calls=self.beside)
        await asyncio.sleep(PULSE)  # until the workers have told of their last ticks, too
        step = self.step_of(calls, rate, watch.over(len(calls)))
        return msgspec.structs.replace(
            step,
            offered=rate_of(moments),
            shed=await self.server.shed() - shed,
            ticks=(await self.server.ticks()).since(ticks),
        )

    async def ramp(self, rates: Sequence[float], seconds: float, runs: int) -> list[Step]:
        """Rate after rate, each so many times, until one is not held."""
        steps: list[Step] = []
        for rate in rates:
            doing(f"{rate:g} calls a second")
            steps.append(middle([await self.step(rate, seconds) for _ in range(runs)]))
            if not steps[-1].good:
                break
        return steps

    async def warm_up(self) -> None:
        """Some calls of which nobody is told."""
        await self.step(WARM_UP, 1.0)

    def find(self, identity: str) -> Call | None:
        """The call of that number; a missing + is forgiven."""
        return self._by_identity.get(identity.removeprefix("+"))

    def _placed(self) -> Call:
        call = self.place(self.placed)
        self._by_identity[call.identity.removeprefix("+")] = call
        self.placed += 1
        return call

    def _asked(self, identity: str) -> None:
        call = self.find(identity)
        if call is not None:
            call.asked = call.asked or time.monotonic()

    def _told(self, identity: str, status: str) -> None:
        call = self.find(identity)
        if call is not None and status in ENDED:
            call.told = time.monotonic()


def rate_of(moments: Sequence[float]) -> float | None:
    """How many came a second, of what came at these; None where that was at one moment."""
    passed = moments[-1] - moments[0] if moments else 0.0
    return (len(moments) - 1) / passed if passed > 0.0 else None


async def _all_done(calls: Sequence[Timed]) -> None:
    """Wait until they are, or it has taken too long."""
    until = time.monotonic() + WRAP_UP
    while not (time.monotonic() > until or all(call.done for call in calls)):  # noqa: ASYNC110 - looking is cheaper
        await asyncio.sleep(0.05)
