"""What becomes of a server that is asked for more than it can do: `ringback bench overload`.

A short ramp of calls a second finds the capacity: the most calls answered within 200 ms, every callback told.
Then one, two and three times that many are offered, while calls are up that should notice nothing. At each
rate those calls count that come when calls end as fast as they come: in the first 1.5 seconds a server that
falls behind looks as if it did not. Every call is a whole one, as in `ringback bench cps`; the whole server
shares one core, the load has another.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Sequence

import msgspec
from rich.table import Table

from bench import options as common
from bench import rates
from bench.callers import Caller, Callers
from bench.cps import Incoming
from bench.documents import PLAY, waiting
from bench.load import LiveEnds, Punctuality
from bench.ramp import rate_of
from bench.rates import P99_MS, TICKS, Step, missed, ticks_of
from bench.refusals import Cost, over_sockets, raw
from bench.results import Figure
from bench.scene import scene
from bench.session import Session, doing
from bench.system import NUMBERS, System

FIRST = 80.0
"""Calls a second at which the ramp begins."""
STEP = 1.5
"""Each rate of the ramp against the one before."""
RAMP_SECONDS = 4.0
"""How long calls are counted at each rate of the ramp, at the most."""
LEAD = 1.5
"""Seconds of each rate before calls are counted: until they end as fast as they come."""
FALLEN = 0.9
"""The ramp ends when less of what is offered is good."""
KEPT = 0.9
"""The share of the peak's goodput that must be left at three times the capacity."""
ON_TIME = 0.99
"""The share of its packets that a running call must have on time."""
TIMES = (1.0, 2.0, 3.0)
REFUSALS = 20_000
REFUSAL_US = 100.0
HELD_RATE = 50.0
"""Calls a second while those are set up that are to stay up."""
SETTLE = 1.0
"""Seconds between that and the load."""
HELD = "callapi"
"""The dialect of the calls that are up meanwhile; the others speak LaML."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A rate, and what became of it."""

    times: float
    """Of the capacity; 0 for a step of the ramp."""
    step: Step
    seconds: float
    """In which the calls came that were counted."""
    good: int
    """Calls answered within 200 ms whose end the application was told, of those that were counted."""
    punctuality: Punctuality | None = None
    """Of the calls that were up."""

    @property
    def refused(self) -> int:
        """How many calls were."""
        return self.step.failed - self.step.failures.get(0, 0)

    @property
    def goodput(self) -> float:
        """Good calls a second."""
        return self.good / self.seconds


class Bench:
    """One server, and its loads."""

    def __init__(self, server: System, load: Incoming, cores: tuple[int, int], seconds: float) -> None:
        self._server = server
        self._load = load
        self._cores = cores
        self._seconds = seconds
        self._number = 5_000_000

    async def ramp(self) -> list[Offer]:
        """Rates until one is too much."""
        offers: list[Offer] = []
        rate = FIRST
        while not offers or offers[-1].goodput >= FALLEN * offers[-1].step.rate:
            offers.append(await self._offer(0.0, rate, min(self._seconds, RAMP_SECONDS)))
            rate *= STEP
        return offers

    async def beyond(self, times: float, capacity: float, held: int) -> Offer:
        """A multiple of the capacity, while `held` calls are up."""
        if not held:
            return await self._offer(times, times * capacity, self._seconds)
        far = LiveEnds(self._cores[1])
        await far.start()
        callers = Callers(self._server.sip, NUMBERS[HELD], far.port)
        callers.on_answered = lambda call: far.add(call.port)
        calls = [await self._held(callers) for _ in range(held)]
        await asyncio.sleep(SETTLE)
        measuring = asyncio.create_task(far.measure(LEAD + self._seconds))
        self._load.beside = held
        offer = await self._offer(times, times * capacity, self._seconds)
        heard = await measuring
        for call in calls:
            callers.hang_up(call)
        self._load.beside = 0
        await self._server.idle()
        callers.close()
        return msgspec.structs.replace(offer, punctuality=heard)

    async def _held(self, callers: Callers) -> Caller:
        self._number += 1
        call = callers.call(self._number)
        await asyncio.sleep(1 / HELD_RATE)
        return call

    async def _offer(self, times: float, rate: float, seconds: float) -> Offer:
        doing(f"{rate:.0f} calls a second")
        step = await self._load.step(rate, LEAD + seconds)
        calls = self._load.calls[-step.calls :]
        counted = [call for call in calls if call.invited >= calls[0].invited + LEAD]
        good = sum(
            call.status == 200 and bool(call.told) and call.answered - call.invited <= P99_MS / 1000
            for call in counted
        )
        return Offer(
            times=times, step=step, seconds=span([call.invited for call in counted], rate), good=good
        )


def span(moments: Sequence[float], rate: float) -> float:
    """The seconds in which calls were placed at these moments, and which the last of them has for itself too;
    at `rate` where that was at one moment."""
    return len(moments) / (rate_of(moments) or rate)


class Found(msgspec.Struct, frozen=True):
    """One run."""

    ramp: list[Offer]
    """None of it where the capacity was given."""
    beyond: list[Offer]
    """The multiples of it."""
    costs: tuple[Cost, Cost]
    """Of a refusal: the bytes alone, and over sockets."""

    @property
    def offers(self) -> list[Offer]:
        """All of them, in order."""
        return [*self.ramp, *self.beyond]

    @property
    def peak(self) -> float:
        """The most good calls a second at any rate."""
        return max(offer.goodput for offer in self.offers)

    @property
    def kept(self) -> float:
        """The share of the peak at the largest multiple."""
        return self.beyond[-1].goodput / self.peak

    @property
    def others(self) -> float:
        """The share of the server's core that others had."""
        return max(offer.step.others for offer in self.offers)


async def measure(cores: tuple[int, int], seconds: float, capacity: float, held: int) -> Found:
    """The ramp (none where the capacity is given), and the multiples of what it found."""
    costs = raw(REFUSALS), await over_sockets(REFUSALS, cores[0])
    async with scene(cores, documents={**PLAY, HELD: waiting(HELD)}) as around:
        load = Incoming(around.server, around.application, around.far, "laml")
        bench = Bench(around.server, load, cores, seconds)
        await load.warm_up()
        ramp = [] if capacity else await bench.ramp()
        peak = capacity or max(offer.goodput for offer in ramp)
        beyond = [await bench.beyond(times, peak, held) for times in TIMES]
        load.close()
        return Found(ramp, beyond, costs)


def table(offers: Sequence[Offer]) -> Table:
    """A line a rate."""
    shown = Table(title="Overload, the whole server on one core; times in ms: median/p99")
    for heading in (
        "times",
        "calls/s",
        "good/s",
        "of offered",
        "refused",
        "failed otherwise",
        "resent",
        "INVITE→200",
        "running calls on time",
        "worst of them",
        TICKS,
        "core",
        "load core",
    ):
        shown.add_column(heading, justify="right")
    for offer in offers:
        shown.add_row(*_row(offer))
    return shown


def _row(offer: Offer) -> list[str]:
    step, heard = offer.step, offer.punctuality
    on_time = heard.punctual / max(1, heard.expected) if heard is not None else None
    return [
        f"{offer.times:g}" if offer.times else "ramp",
        f"{step.rate:.0f}",
        f"{offer.goodput:.1f}",
        f"{offer.goodput / step.rate:.0%}",
        str(offer.refused),
        str(step.failed - offer.refused),
        str(step.repeated),
        "{:.1f}/{:.1f}".format(*step.waited),
        "" if on_time is None else f"{on_time:.2%}",
        "" if heard is None else f"{heard.worst_leg:.2%}",
        missed(step.ticks),
        f"{step.spent.core:.0%}",
        f"{step.spent.load:.0%}",
    ]


def figures(runs: Sequence[Found]) -> list[Figure]:
    """Against the aims: medians, and the worst of running calls."""
    peak, kept = (statistics.median(getattr(run, what) for run in runs) for what in ("peak", "kept"))
    goodput = statistics.median(run.beyond[-1].goodput for run in runs)
    heard = [run.beyond[-1].punctuality for run in runs]
    worst = min((each.worst_leg for each in heard if each is not None), default=1.0)
    bare, whole = (statistics.median(run.costs[which].microseconds for run in runs) for which in (0, 1))
    words = f"{goodput:.0f} of at most {peak:.0f} good calls a second, {kept:.0%}"
    if any(heard):
        words += f"; of running calls the worst had {worst:.1%} of its packets on time"
    ticks = ticks_of(offer.step for run in runs for offer in run.beyond)
    words += "; {slow_ticks} ticks over 20 ms, {left_out_ticks} left out".format(**ticks)
    return [
        Figure(
            "overload",
            words,
            kept >= KEPT and worst >= ON_TIME,
            values={"kept": kept, "peak": peak, "goodput": goodput, "worst_leg": worst, **ticks},
        ),
        Figure(
            "refusal",
            f"{whole:.0f} µs with sockets and ACK, {bare:.0f} for the bytes alone",
            whole <= REFUSAL_US,
            values={"refusal_us": whole, "raw_us": bare},
        ),
    ]


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("overload", __doc__, runs=1)
    parser.add_argument(
        "--seconds", type=common.seconds, default=6.0, help="how long calls are counted at each rate"
    )
    parser.add_argument("--capacity", type=float, default=0.0, help="calls a second; 0: found by a ramp")
    parser.add_argument("--held", type=common.natural, default=50, help="calls that are up meanwhile")
    return parser


def main() -> None:
    """Read the command line and measure."""
    session = Session(arguments(), width=160)
    options = session.options
    runs = session.repeat(lambda: measure(session.cores, options.seconds, options.capacity, options.held))
    for run in runs:
        session.console.print(table(run.offers))
    for doubt in rates.doubts([offer.step for run in runs for offer in run.offers]):
        session.console.print(doubt)
    session.conclude(figures(runs), runs)


if __name__ == "__main__":
    main()
