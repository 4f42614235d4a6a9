"""How many calls a second can be placed by REST: `ringback bench outbound --rates 50,100,150 --seconds 5`.

Every call is a whole one: `POST …/Calls`, an INVITE to a far end that answers at once, one question to the
application, one second of prompt (cached), the server's BYE, the status callback durable and delivered, media
both ways meanwhile. The whole server shares one core; the load (client, far ends, application) has another.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table

from bench import options as common
from bench.api import Api
from bench.application import Application
from bench.callees import Callees
from bench.cps import DOCUMENTS, ENDED, LOAD_LIMIT, WRAP_UP, percentiles
from bench.load import Echo
from bench.machine import busy, cpu, on_core
from bench.results import Figure, conclude
from bench.system import System, system

RATES = "50,100,150,200,240"
AIM = 240
P99_MS = 200.0
"""What a rate must keep: the 99th percentile of the request's time."""
WARM_UP = 20
TRUNK = """
[[trunk]]
name = "far"
host = "{address}"
"""


class Placed:
    """One call on its way. Times are of the monotonic clock, 0.0 before they are there."""

    def __init__(self, number: int) -> None:
        self.from_ = f"+1415{2_000_000 + number:07d}"
        self.to = f"+1416{2_000_000 + number:07d}"
        self.posted = 0.0
        self.status = 0
        """The request's HTTP status; 0 when nothing came."""
        self.accepted = 0.0
        self.called = 0.0
        """The INVITE came, and was answered."""
        self.asked = 0.0
        self.ended = 0.0
        """The server hung up."""
        self.told = 0.0

    @property
    def whole(self) -> bool:
        """It was placed, answered, asked about and ended."""
        return bool(self.accepted and self.called and self.asked and self.ended)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rate's figures. Times in ms: (median, 99th percentile)."""

    rate: float
    calls: int
    failed: int
    statuses: dict[int, int]
    """How many of the failed had which HTTP status."""
    untold: int
    repeated: int
    posting: tuple[float, float]
    """The request until its reply."""
    inviting: tuple[float, float]
    """The request until the INVITE at the far end."""
    asking: tuple[float, float]
    """The far end's 200 to the question at the application."""
    telling: tuple[float, float]
    """The server's BYE to the callback at the application."""
    cpu: dict[str, float]
    """Processor ms a call, by process."""
    core: float
    load: float
    others: float

    @property
    def good(self) -> bool:
        """The rate was held."""
        return not self.failed and not self.untold and self.posting[1] <= P99_MS

    @property
    def milliseconds(self) -> float:
        """Processor time of a call, everything together."""
        return sum(self.cpu.values())


class Load:
    """Client, far ends and application of one server, brought together."""

    def __init__(
        self, server: System, application: Application, far: Echo, callees: Callees, api: Api
    ) -> None:
        self._server = server
        self._application = application
        self._far = far
        self._callees = callees
        self._api = api
        self._by_identity: dict[str, Placed] = {}
        self._next = 0
        callees.on_called = self._called
        callees.on_ended = self._ended
        application.on_asked = self._asked
        application.on_told = self._told

    async def step(self, rate: float, seconds: float, core: int) -> Step:
        """Calls at this rate for that long, until all is done."""
        async with self._api.session() as session, asyncio.TaskGroup() as requests:
            usage, load, others = self._server.usage(), self._spent(), busy(core)
            began, repeated = time.monotonic(), self._callees.repeated
            calls = []
            for number in range(max(1, int(rate * seconds))):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                calls.append(self._new())
                requests.create_task(self._place(session, calls[-1]))
            elapsed = time.monotonic() - began
            used = self._server.usage().since(usage)
            load, others = self._spent() - load, busy(core) - others - sum(used.values())
            await self._done(calls)
        await self._server.idle()
        total = self._server.usage().since(usage)
        return _step_of(
            calls,
            rate=rate,
            repeated=self._callees.repeated - repeated,
            cpu={role: spent * 1000 / len(calls) for role, spent in total.items()},
            core=sum(used.values()) / elapsed,
            load=load / elapsed,
            others=others / elapsed,
        )

    def _new(self) -> Placed:
        call = Placed(self._next)
        self._by_identity[call.from_.removeprefix("+")] = call
        self._next += 1
        return call

    async def _place(self, session: aiohttp.ClientSession, call: Placed) -> None:
        order = self._api.order(call.from_, call.to, self._application.url)
        call.posted = time.monotonic()
        try:
            async with session.post(self._api.base, **order) as reply:
                await reply.read()
                call.status = reply.status
        except (aiohttp.ClientError, TimeoutError):
            return
        if call.status in (200, 201):
            call.accepted = time.monotonic()

    async def _done(self, calls: list[Placed]) -> None:
        until = time.monotonic() + WRAP_UP
        # Thousands of calls: looking now and then is cheaper than an event for each.
        while time.monotonic() < until:
            refused = (call.status and not call.accepted for call in calls)
            if all(over or (call.whole and call.told) for call, over in zip(calls, refused, strict=True)):
                return
            await asyncio.sleep(0.05)

    def _called(self, identity: str, _: int) -> None:
        call = self._by_identity.get(identity.removeprefix("+"))
        if call is not None:
            call.called = time.monotonic()

    def _ended(self, identity: str) -> None:
        call = self._by_identity.get(identity.removeprefix("+"))
        if call is not None:
            call.ended = call.ended or time.monotonic()

    def _asked(self, identity: str) -> None:
        call = self._by_identity.get(identity.removeprefix("+"))
        if call is not None:
            call.asked = call.asked or time.monotonic()

    def _told(self, identity: str, status: str) -> None:
        call = self._by_identity.get(identity.removeprefix("+"))
        if call is not None and status in ENDED:
            call.told = time.monotonic()

    def _spent(self) -> float:
        return time.process_time() + cpu(self._far.pid)


def _step_of(
    calls: list[Placed],
    *,
    rate: float,
    repeated: int,
    cpu: dict[str, float],
    core: float,
    load: float,
    others: float,
) -> Step:
    whole = [call for call in calls if call.whole]
    failed = [call for call in calls if not call.whole]
    return Step(
        rate=rate,
        calls=len(calls),
        failed=len(failed),
        statuses=Counter(call.status for call in failed),
        untold=sum(not call.told for call in calls),
        repeated=repeated,
        posting=percentiles([call.accepted - call.posted for call in whole]),
        inviting=percentiles([call.called - call.posted for call in whole]),
        asking=percentiles([max(0.0, call.asked - call.called) for call in whole]),
        telling=percentiles([max(0.0, call.told - call.ended) for call in whole if call.told]),
        cpu=cpu,
        core=core,
        load=load,
        others=others,
    )


def middle(steps: Sequence[Step]) -> Step:
    """One step for several runs of the same rate: the median of each figure, the sum of what failed."""

    def of(name: str) -> tuple[float, float]:
        pairs = [getattr(step, name) for step in steps]
        return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)

    failed: Counter[int] = Counter()
    for step in steps:
        failed.update(step.statuses)
    return Step(
        rate=steps[0].rate,
        calls=sum(step.calls for step in steps),
        failed=sum(step.failed for step in steps),
        statuses=failed,
        untold=sum(step.untold for step in steps),
        repeated=sum(step.repeated for step in steps),
        posting=of("posting"),
        inviting=of("inviting"),
        asking=of("asking"),
        telling=of("telling"),
        cpu={role: statistics.median(step.cpu.get(role, 0.0) for step in steps) for role in steps[0].cpu},
        core=statistics.median(step.core for step in steps),
        load=max(step.load for step in steps),
        others=max(step.others for step in steps),
    )


async def ramp(
    rates: Sequence[float], seconds: float, cores: tuple[int, int], dialect: str, runs: int
) -> list[Step]:
    """Measure rate after rate on one server, each so many times, until one is not held."""
    application = Application(DOCUMENTS, prompt_seconds=1.0)
    await application.start()
    far = Echo(cores[1])
    await far.start()
    callees = Callees(far.port, ("PCMU",))
    settings = TRUNK.format(address=callees.address)
    steps: list[Step] = []
    try:
        async with system(application.url, cores[0], settings=settings) as server:
            load = Load(server, application, far, callees, Api(dialect, server.http))
            await load.step(WARM_UP, 1.0, cores[0])
            for rate in rates:
                steps.append(middle([await load.step(rate, seconds, cores[0]) for _ in range(runs)]))
                if not steps[-1].good:
                    break
    finally:
        callees.close()
        await application.stop()
        await far.stop()
    return steps


def table(steps: Sequence[Step], dialect: str) -> Table:
    """A line a rate."""
    shown = Table(title=f"Calls placed by REST ({dialect}), the whole server on one core; ms: median/p99")
    for heading in (
        "calls/s",
        "calls",
        "failed",
        "not told",
        "resent",
        "POST→reply",
        "POST→INVITE",
        "200→question",
        "BYE→callback",
        "CPU ms/call",
        "control/media",
        "core",
        "load core",
    ):
        shown.add_column(heading, justify="right")
    for step in steps:
        shown.add_row(*_row(step), style="" if step.good else "red")
    return shown


def _row(step: Step) -> list[str]:
    times = (step.posting, step.inviting, step.asking, step.telling)
    return [
        f"{step.rate:g}",
        str(step.calls),
        str(step.failed),
        str(step.untold),
        str(step.repeated),
        *(f"{median:.1f}/{p99:.1f}" for median, p99 in times),
        f"{step.milliseconds:.2f}",
        "/".join(f"{step.cpu.get(role, 0.0):.2f}" for role in ("control", "media")),
        f"{step.core:.0%}",
        f"{step.load:.0%}",
    ]


def figure(steps: Sequence[Step], dialect: str, floor: float | None) -> Figure:
    """The highest rate that was held, in one row."""
    held = [step for step in steps if step.good]
    if not held:
        return Figure("outbound", f"{dialect}: not even {steps[0].rate:g} were held", reached=False)
    best = held[-1]
    tried = max(step.rate for step in steps)
    return Figure(
        "outbound",
        f"{dialect}: {best.rate:g} held, POST p99 {best.posting[1]:.0f} ms, "
        f"{best.milliseconds:.1f} ms of processor time a call, {best.core:.0%} of the core",
        reached=True if best.rate >= AIM else None if best.rate == tried else False,
        ratio=best.milliseconds * 1000 / floor if floor else None,
        values={
            "rate": best.rate,
            "post_p99_ms": best.posting[1],
            "cpu_ms": best.milliseconds,
            "core": best.core,
        },
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("outbound", __doc__, runs=1)
    parser.add_argument(
        "--rates", type=common.rates, default=common.rates(RATES), help="calls a second, with commas"
    )
    parser.add_argument(
        "--seconds", type=common.seconds, default=5.0, help="how long calls are placed at each rate"
    )
    parser.add_argument("--dialect", choices=tuple(DOCUMENTS), default="laml")
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when what was tried was held."""
    options = arguments().parse_args()
    console = Console(width=max(160, Console().width), highlight=False)
    cores = common.cores_of(options, console)
    with on_core(cores[1]):
        floor = common.floor(cores, console)
        steps = asyncio.run(ramp(options.rates, options.seconds, cores, options.dialect, options.runs))
    console.print(table(steps, options.dialect))
    for step in steps:
        if step.statuses:
            reasons = ", ".join(f"{status} ({count})" for status, count in sorted(step.statuses.items()))
            console.print(f"failed at {step.rate:g} calls a second, by HTTP status: {reasons}")
    if max(step.load for step in steps) > LOAD_LIMIT:
        console.print("THE LOAD WAS BUSY: its own core may have been the limit")
    others = max(step.others for step in steps)
    found = [figure(steps, options.dialect, floor)]
    sys.exit(conclude(console, options.json, "outbound", found, runs=options.runs, others=others))


if __name__ == "__main__":
    main()
