"""What becomes of a server that is asked for more than it can do: `ringback bench overload`.

A short ramp of calls a second finds the capacity: the most calls answered within 200 ms, every callback told.
Then one, two and three times that many are offered, while some calls are up that should notice nothing. Every
call is a whole one, as in `bench.cps`; the whole server shares one core, the load has another.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from bench import options as common
from bench import results
from bench.application import Application
from bench.callers import Caller, Callers
from bench.cps import DOCUMENTS, LOAD_LIMIT, P99_MS, WARM_UP, Load, Step
from bench.load import Echo, LiveEnds, Punctuality, compiled
from bench.machine import on_core
from bench.refusals import Cost, over_sockets, raw
from bench.results import Figure
from bench.system import NUMBERS, System, system

FIRST = 80.0
"""Calls a second at which the ramp begins."""
STEP = 1.5
"""Each rate of the ramp against the one before."""
RAMP_SECONDS = 3.0
"""How long calls come at each rate of the ramp, at the most."""
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
_HELD_DOCUMENT = (
    '<Response><Gather input="dtmf" timeout="86400" action="{url}/callapi/voice">'
    '<Play loop="0">{url}/prompt.wav</Play></Gather></Response>'
)


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A rate, and what became of it."""

    times: float
    """Of the capacity; 0 for a step of the ramp."""
    step: Step
    seconds: float
    good: int
    """Calls answered within 200 ms whose end the application was told."""
    refused: int
    punctuality: Punctuality | None = None
    """Of the calls that were up."""

    @property
    def goodput(self) -> float:
        """Good calls a second."""
        return self.good / self.seconds


class Bench:
    """One server, and its loads."""

    def __init__(self, server: System, load: Load, cores: tuple[int, int], seconds: float) -> None:
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
        measuring = asyncio.create_task(far.measure(self._seconds))
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
        step = await self._load.step(rate, seconds, self._cores[0])
        calls = self._load.calls[-step.calls :]
        good = sum(
            call.status == 200 and bool(call.told) and call.answered - call.invited <= P99_MS / 1000
            for call in calls
        )
        refused = sum(count for status, count in step.refusals.items() if status)
        return Offer(times=times, step=step, seconds=seconds, good=good, refused=refused)


async def measure(
    cores: tuple[int, int], seconds: float, capacity: float, held: int
) -> tuple[list[Offer], list[Offer]]:
    """The ramp (none where the capacity is given), and the multiples of what it found."""
    documents = {**DOCUMENTS, HELD: ("application/xml", _HELD_DOCUMENT)}
    application = Application(documents, prompt_seconds=1.0)
    await application.start()
    far = Echo(cores[1])
    await far.start()
    try:
        async with system(application.url, cores[0]) as server:
            load = Load(server, application, far, "laml")
            bench = Bench(server, load, cores, seconds)
            await load.step(WARM_UP, 1.0, cores[0])
            ramp = [] if capacity else await bench.ramp()
            peak = capacity or max(offer.goodput for offer in ramp)
            beyond = [await bench.beyond(times, peak, held) for times in TIMES]
            load.close()
            return ramp, beyond
    finally:
        await application.stop()
        await far.stop()


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
        str(step.retransmissions),
        f"{step.setup[0]:.1f}/{step.setup[1]:.1f}",
        "" if on_time is None else f"{on_time:.2%}",
        "" if heard is None else f"{heard.worst_leg:.2%}",
        f"{step.core:.0%}",
        f"{step.load:.0%}",
    ]


def figures(ramp: Sequence[Offer], beyond: Sequence[Offer], costs: Sequence[Cost]) -> list[Figure]:
    """Against the aims. `costs`: of the bytes alone, and over sockets."""
    peak = max(offer.goodput for offer in (*ramp, *beyond))
    most = beyond[-1]
    kept = most.goodput / peak
    heard = most.punctuality
    worst = heard.worst_leg if heard is not None else 1.0
    bare, whole = costs
    words = f"{most.goodput:.0f} of at most {peak:.0f} good calls a second, {kept:.0%}"
    if heard is not None:
        words += f"; of running calls the worst had {worst:.1%} of its packets on time"
    return [
        Figure(
            "overload",
            words,
            kept >= KEPT and worst >= ON_TIME,
            values={"kept": kept, "peak": peak, "goodput": most.goodput, "worst_leg": worst},
        ),
        Figure(
            "refusal",
            f"{whole.microseconds:.0f} µs with sockets and ACK, {bare.microseconds:.0f} for the bytes alone",
            whole.microseconds <= REFUSAL_US,
            values={"refusal_us": whole.microseconds, "raw_us": bare.microseconds},
        ),
    ]


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.bare_parser("overload", __doc__)
    parser.add_argument(
        "--seconds", type=common.seconds, default=6.0, help="how long calls come at each rate"
    )
    parser.add_argument("--capacity", type=float, default=0.0, help="calls a second; 0: found by a ramp")
    parser.add_argument("--held", type=common.natural, default=50, help="calls that are up meanwhile")
    results.add_option(parser)
    return parser


def main() -> None:
    """Read the command line and measure."""
    options = arguments().parse_args()
    console = Console(width=max(160, Console().width), highlight=False)
    cores = common.cores_of(options, console)
    with on_core(cores[1]):
        costs = [raw(REFUSALS), asyncio.run(over_sockets(REFUSALS, cores[0]))]
        ramp, beyond = asyncio.run(measure(cores, options.seconds, options.capacity, options.held))
    offers = [*ramp, *beyond]
    console.print(table(offers))
    if max(offer.step.load for offer in offers) > LOAD_LIMIT:
        console.print("THE LOAD WAS BUSY: its own core may have been the limit")
    if not compiled():
        console.print("no C compiler: the far ends of RTP are a slow stand-in in Python")
    others = max(offer.step.others for offer in offers)
    found = figures(ramp, beyond, costs)
    sys.exit(results.conclude(console, options.json, "overload", found, runs=1, others=others))


if __name__ == "__main__":
    main()
