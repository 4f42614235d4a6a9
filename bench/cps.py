"""How many calls a second one core takes: `ringback bench cps --rates 20,50,100,150,200 --seconds 10`.

Every call is a whole one: an INVITE, one question to the application, one second of prompt (cached), the
server's BYE, the status callback durable and delivered, media both ways meanwhile. The whole server shares
one core; the load (callers, application, far ends of RTP) has another, and says how much of it it took.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from bench import options as common
from bench.application import Application
from bench.callers import Caller, Callers
from bench.load import Echo, compiled
from bench.machine import busy, cpu, on_core
from bench.parts import PARTS_FILE, Parts, parts_of
from bench.results import Figure, conclude
from bench.system import NUMBERS, System, system

RATES = "20,50,100,150,200"
AIM = 300
P99_MS = 200.0
"""What a rate must keep: the 99th percentile of INVITE to 200."""
HOPELESS_MS = 2000.0
"""Beyond this no higher rate is tried."""
WARM_UP = 20
WRAP_UP = 20.0
"""Seconds after the last call in which every one must end, and its callback come."""
LOAD_LIMIT = 0.8
"""The share of its core above which the load may be what is measured."""
DOCUMENTS = {
    "laml": ("application/xml", "<Response><Play>{url}/prompt.wav</Play></Response>"),
    "callapi": ("application/xml", "<Response><Play>{url}/prompt.wav</Play></Response>"),
    "jambonz": ("application/json", '[{"verb":"play","url":"{url}/prompt.wav"},{"verb":"hangup"}]'),
}
ENDED = frozenset({"completed", "failed", "busy", "no-answer", "canceled"})


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rate's figures. Times in ms: (median, 99th percentile)."""

    rate: float
    calls: int
    failed: int
    refusals: dict[int, int]
    """How many of the failed got which status; 0 for calls that were not ended in time."""
    shed: int = 0
    """How many of them the server refused for want of time, by its own account."""
    untold: int
    """Calls of whose end the application was not told in time."""
    retransmissions: int
    setup: tuple[float, float]
    """INVITE to 200."""
    asking: tuple[float, float]
    """INVITE to the question at the application."""
    answering: tuple[float, float]
    """The application's reply to 200."""
    telling: tuple[float, float]
    """BYE to the callback at the application."""
    cpu: dict[str, float]
    """Processor ms a call, by process."""
    core: float
    """The share of its core that the server took while calls came."""
    load: float
    others: float

    @property
    def good(self) -> bool:
        """The rate was held."""
        return not self.failed and not self.untold and self.setup[1] <= P99_MS


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile in ms; zeros for nothing."""
    if not seconds:
        return 0.0, 0.0
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2] * 1000, ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000


class Load:
    """Callers and application of one server, brought together."""

    def __init__(self, server: System, application: Application, far: Echo, dialect: str) -> None:
        self._server = server
        self._far = far
        self._callers = Callers(server.sip, NUMBERS[dialect], far.port)
        self._by_identity: dict[str, Caller] = {}
        self._next = 0
        self.beside = 0
        """Calls that others have up meanwhile."""
        application.on_asked = self._asked
        application.on_told = self._told

    @property
    def calls(self) -> list[Caller]:
        """All calls so far, in order."""
        return self._callers.calls

    def close(self) -> None:
        """No more calls."""
        self._callers.close()

    async def step(self, rate: float, seconds: float, core: int) -> Step:
        """Calls at this rate for that long, until all is done."""
        shed = await self._server.shed()
        usage, load, others = self._server.usage(), self._spent(), busy(core)
        began = time.monotonic()
        calls = [await self._placed(began, rate, number) for number in range(max(1, int(rate * seconds)))]
        elapsed = time.monotonic() - began
        used = self._server.usage().since(usage)
        load, others = self._spent() - load, busy(core) - others - sum(used.values())
        await self._done(calls)
        await self._server.idle(calls=self.beside)
        total = self._server.usage().since(usage)
        return _step_of(
            calls,
            rate=rate,
            shed=await self._server.shed() - shed,
            cpu={role: spent * 1000 / len(calls) for role, spent in total.items()},
            core=sum(used.values()) / elapsed,
            load=load / elapsed,
            others=others / elapsed,
        )

    async def _placed(self, began: float, rate: float, number: int) -> Caller:
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        call = self._callers.call(self._next)
        self._by_identity[call.identity.removeprefix("+")] = call
        self._next += 1
        return call

    async def _done(self, calls: list[Caller]) -> None:
        until = time.monotonic() + WRAP_UP
        while time.monotonic() < until and not all(map(_done, calls)):  # noqa: ASYNC110 - thousands of events cost more
            await asyncio.sleep(0.05)

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


def _done(call: Caller) -> bool:
    """It has ended, and the application was told, unless there was nothing to tell: it was refused."""
    return bool(call.ended and (call.told or call.status != 200))


def _step_of(
    calls: list[Caller],
    *,
    rate: float,
    shed: int,
    cpu: dict[str, float],
    core: float,
    load: float,
    others: float,
) -> Step:
    answered = [call for call in calls if call.status == 200 and call.asked]
    failed = [call for call in calls if not (call.status == 200 and call.ended)]
    return Step(
        rate=rate,
        calls=len(calls),
        failed=len(failed),
        refusals=Counter(call.status if call.ended else 0 for call in failed),
        shed=shed,
        untold=sum(not call.told for call in calls),
        retransmissions=sum(call.retransmissions for call in calls),
        setup=percentiles([call.answered - call.invited for call in answered]),
        asking=percentiles([call.asked - call.invited for call in answered]),
        answering=percentiles([call.answered - call.asked for call in answered]),
        telling=percentiles(
            [max(0.0, call.told - call.ended) for call in answered if call.told and call.ended]
        ),
        cpu=cpu,
        core=core,
        load=load,
        others=others,
    )


async def ramp(
    rates: Sequence[float], seconds: float, cores: tuple[int, int], dialect: str, *, sampled: bool = False
) -> tuple[list[Step], Parts | None]:
    """Measure rate after rate on one server. `sampled`: also where its processor time goes."""
    application = Application(DOCUMENTS, prompt_seconds=1.0)
    await application.start()
    far = Echo(cores[1])
    await far.start()
    module = ("bench.parts",) if sampled else ("ringback", "serve")
    try:
        async with system(application.url, cores[0], module=module) as server:
            load = Load(server, application, far, dialect)
            await load.step(WARM_UP, 1.0, cores[0])
            if sampled:
                server.signal(signal.SIGUSR1)
            steps = await _steps(load, rates, seconds, cores[0])
            load.close()
            await server.stop()
            return steps, parts_of(server.data / PARTS_FILE) if sampled else None
    finally:
        await application.stop()
        await far.stop()


async def _steps(load: Load, rates: Sequence[float], seconds: float, core: int) -> list[Step]:
    steps: list[Step] = []
    for rate in rates:
        steps.append(await load.step(rate, seconds, core))
        if steps[-1].failed or steps[-1].setup[1] > HOPELESS_MS:
            break
    return steps


def table(steps: Sequence[Step]) -> Table:
    """A line a rate."""
    shown = Table(title="Calls a second, the whole server on one core; times in ms: median/p99")
    for heading in (
        "calls/s",
        "calls",
        "failed",
        "not told",
        "resent",
        "INVITE→200",
        "INVITE→question",
        "reply→200",
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
    times = (step.setup, step.asking, step.answering, step.telling)
    shares = [step.cpu.get(role, 0.0) for role in ("control", "media")]
    return [
        f"{step.rate:g}",
        str(step.calls),
        str(step.failed),
        str(step.untold),
        str(step.retransmissions),
        *(f"{median:.1f}/{p99:.1f}" for median, p99 in times),
        f"{sum(step.cpu.values()):.2f}",
        "/".join(f"{share:.2f}" for share in shares),
        f"{step.core:.0%}",
        f"{step.load:.0%}",
    ]


def remarks(steps: Sequence[Step]) -> list[str]:
    """The result, and what one must know to believe it."""
    held = [step.rate for step in steps if step.good]
    said = [
        f"highest rate held (no failure, every callback, p99 ≤ {P99_MS:.0f} ms): "
        + (f"{max(held):g} calls a second" if held else "none of these")
    ]
    for step in steps:
        if step.refusals:
            reasons = ", ".join(f"{status} ({count})" for status, count in sorted(step.refusals.items()))
            said.append(f"failed at {step.rate:g} calls a second: {reasons}; 0 is a call that did not end")
            said.append(
                f"THE SERVER PROTECTED ITSELF: of those, {step.shed} were refused for want of time"
                if step.shed
                else "none of those were refused for want of time; why they failed is in what the server said"
            )
    if max(step.load for step in steps) > LOAD_LIMIT:
        said.append("THE LOAD WAS BUSY: its own core may have been the limit")
    if not compiled():
        said.append("no C compiler: the far ends of RTP are a slow stand-in in Python")
    return said


def figure(steps: Sequence[Step], floor: float | None) -> Figure:
    """The highest rate that was held, in one row."""
    held = [step for step in steps if step.good]
    if not held:
        return Figure("cps", f"not even {steps[0].rate:g} were held", reached=False)
    best, tried = max(held, key=lambda step: step.rate), max(step.rate for step in steps)
    cost = sum(best.cpu.values())
    return Figure(
        "cps",
        f"{best.rate:g} held: INVITE to 200 p99 {best.setup[1]:.0f} ms, {best.retransmissions} sent twice, "
        f"{cost:.1f} ms of processor time a call, {best.core:.0%} of the core",
        reached=not best.retransmissions if best.rate >= AIM else None if best.rate == tried else False,
        ratio=cost * 1000 / floor if floor else None,
        values={"rate": best.rate, "setup_p99_ms": best.setup[1], "cpu_ms": cost, "core": best.core},
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("cps", __doc__, runs=1)
    parser.add_argument(
        "--rates", type=common.rates, default=common.rates(RATES), help="calls a second, with commas"
    )
    parser.add_argument(
        "--seconds", type=common.seconds, default=10.0, help="how long calls come at each rate"
    )
    parser.add_argument("--dialect", choices=tuple(DOCUMENTS), default="laml")
    parser.add_argument(
        "--parts", action="store_true", help="also show where the processor time of a call goes"
    )
    return parser


def middle(ramps: Sequence[Sequence[Step]]) -> list[Step]:
    """Of each rate that every ramp came to, the run with the median time from INVITE to 200 at the 99th
    percentile; of others, none."""
    return [
        sorted(same, key=lambda step: step.setup[1])[len(same) // 2] for same in zip(*ramps, strict=False)
    ]


def main() -> None:
    """Read the command line and measure; exit 0 when what was tried was held."""
    options = arguments().parse_args()
    console = Console(width=max(160, Console().width), highlight=False)
    cores = common.cores_of(options, console)
    with on_core(cores[1]):
        floor = common.floor(cores, console)
        ramps = []
        for _ in range(options.runs):
            work = ramp(options.rates, options.seconds, cores, options.dialect)
            ramps.append(asyncio.run(work)[0])
        steps = middle(ramps)
        console.print(table(steps))
        for remark in remarks(steps):
            console.print(remark)
        if options.parts:
            rate = min(options.rates)
            sampled, parts = asyncio.run(ramp([rate], options.seconds, cores, options.dialect, sampled=True))
            assert parts is not None
            console.print(parts.table(sampled[0].calls))
    others = max(step.others for step in steps)
    found = [figure(steps, floor)]
    sys.exit(conclude(console, options.json, "cps", found, runs=options.runs, others=others))


if __name__ == "__main__":
    main()
