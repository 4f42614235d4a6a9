"""How long the server keeps the packets of connected calls: `ringback bench relay-delay --pairs 100
--seconds 10 --runs 3`.

Whole calls of the whole server: each pair is an inbound call whose application has it dial another one. Both
ends talk all the time, 20 ms packets at their own moments; a packet carries the moment in which it was sent,
and the delay is from that to the kernel's time stamp of its arrival at the other end. Three ways: `plain`
(PCMU on both sides), `transcoded` (PCMU on one, PCMA on the other), `recorded` (plain, and each call recorded
on two channels).

The server has one core, the load another.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from functools import partial

import msgspec
from rich.table import Table

from bench import options as common
from bench.application import VOICE, Application
from bench.callees import Callees
from bench.callers import CODECS, Caller, Callers
from bench.documents import waiting
from bench.floor import bare
from bench.holding import SETTLE
from bench.load import Heard, LiveEnds
from bench.machine import busy
from bench.results import Figure
from bench.session import Session
from bench.system import NUMBERS, System, system
from bench.ticks import HEADING, PULSE, Ticks

MEDIAN_MS, P99_MS = 1.0, 10.0
CONNECTED = 100
"""Pairs, fewer of which say nothing of what is to be reached."""
"""What is to be kept."""
LOST = 0.001
"""The share of packets that may not come through."""
SETUP_RATE = 50.0
"""Legs a second while they are set up."""
UP_WITHIN = 10.0
"""Seconds after the last call was placed in which all are up."""
PAIRS = 1_000_000
"""From this on the numbers of callers are of those who are connected with somebody."""
WAYS = {
    "plain": ("PCMU", ""),
    "transcoded": ("PCMA", ""),
    "recorded": ("PCMU", ' record="record-from-answer-dual"'),
}
"""The callees' codec, and what is said of the Dial."""
DIAL = "<Response><Dial{how}><Sip>{uri}</Sip></Dial></Response>"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run's figures. Processor time in seconds over `seconds`."""

    way: str
    pairs: int
    legs: int
    """IVR calls beside them."""
    up: int
    """Legs that were there, of both kinds."""
    seconds: float
    cpu: dict[str, float]
    heard: Heard
    ticks: Ticks
    """Of the window that was measured."""
    floor: float
    """Microseconds per leg and tick of a C loop that only receives and sends."""
    others: float
    """The share of the server's core that went to others."""

    @property
    def core(self) -> float:
        """The share of the core that the server took."""
        return sum(self.cpu.values()) / self.seconds

    @property
    def ratio(self) -> float:
        """Processor time per leg and tick, against the bare loop's."""
        return self.core / (2 * self.pairs + self.legs) / 50 * 1e6 / self.floor

    @property
    def lost(self) -> float:
        """The share of packets that did not come through."""
        return 1 - self.heard.relay.received / max(1, self.heard.relay.sent)

    @property
    def complete(self) -> bool:
        """Every leg was up, and nothing was lost."""
        return self.up == 2 * self.pairs + self.legs and self.lost <= LOST


class Party:
    """Callers and callees of one server."""

    def __init__(self, server: System, far: LiveEnds, callees: Callees, codec: str) -> None:
        self.up = 0
        self._far = far
        self._type = CODECS[codec]
        self._callers = Callers(server.sip, NUMBERS["laml"], far.port)
        self._callers.on_answered = self._answered
        callees.on_called = self._called

    async def come(self, pairs: int, legs: int) -> None:
        """Place the calls, and wait until all are up."""
        for number in range(legs):
            self._callers.call(number)
            await asyncio.sleep(1 / SETUP_RATE)
        for number in range(pairs):
            self._callers.call(PAIRS + number)
            await asyncio.sleep(2 / SETUP_RATE)
        until = time.monotonic() + UP_WITHIN
        while self.up < 2 * pairs + legs and time.monotonic() < until:  # noqa: ASYNC110 - looking is cheaper
            await asyncio.sleep(0.05)
        await asyncio.sleep(SETTLE)

    def go(self) -> None:
        """Hang up."""
        for call in self._callers.calls:
            self._callers.hang_up(call)

    def close(self) -> None:
        """Close the socket."""
        self._callers.close()

    def _answered(self, call: Caller) -> None:
        self.up += 1
        if call.number >= PAIRS:
            self._far.add_bridged(call.port, CODECS["PCMU"])
        else:
            self._far.add(call.port)

    def _called(self, _: str, port: int) -> None:
        self.up += 1
        self._far.add_bridged(port, self._type)


async def measure(way: str, pairs: int, legs: int, seconds: float, cores: tuple[int, int]) -> Run:
    """Set the calls up, let them talk, and note what it costs, beside the bare loop just before."""
    floor = await bare(2 * pairs + legs, min(3.0, seconds), cores)
    codec, how = WAYS[way]
    far = LiveEnds(cores[1])
    await far.start()
    callees = Callees(far.port, (codec,))
    dial = "application/xml", DIAL.format(how=how, uri=callees.uri)
    application = Application({"laml": waiting("laml"), "laml/dial": dial}, prompt_seconds=10.0)
    application.which = lambda caller: "dial" if Caller.number_of(caller) >= PAIRS else VOICE
    await application.start()
    try:
        async with system(application.url, cores[0]) as server:
            party = Party(server, far, callees, codec)
            await party.come(pairs, legs)
            ticks = Ticks.of((await server.health())["media"][0])
            began, usage, others = time.monotonic(), server.usage(), busy(cores[0])
            heard = await far.measure_all(seconds)
            used, elapsed = server.usage().since(usage), time.monotonic() - began
            others = busy(cores[0]) - others - sum(used.values())
            await asyncio.sleep(PULSE)
            ticks = Ticks.of((await server.health())["media"][0]).since(ticks)
            party.go()
            await server.idle()
            party.close()
    finally:
        callees.close()
        await application.stop()
        await far.stop()
    return Run(
        way=way,
        pairs=pairs,
        legs=legs,
        up=party.up,
        seconds=elapsed,
        cpu=used,
        heard=heard,
        ticks=ticks,
        floor=floor,
        others=others / elapsed,
    )


def table(title: str, runs: Sequence[Run]) -> Table:
    """A line a run."""
    shown = Table(title=title)
    for heading in (
        "",
        "pairs",
        "IVR legs",
        "up",
        "delay ms: median",
        "p99",
        "max",
        "lost",
        "IVR on time",
        "worst leg",
        HEADING,
        "core",
        "ctl/media/files",
        "x bare C",
    ):
        shown.add_column(heading, justify="right" if heading else "left")
    for run in runs:
        shown.add_row(*_row(run))
    return shown


def _row(run: Run) -> list[str]:
    heard, relay = run.heard, run.heard.relay
    shares = [run.cpu.get(role, 0.0) / run.seconds for role in ("control", "media", "recordings")]
    return [
        run.way,
        str(run.pairs),
        str(run.legs),
        str(run.up),
        f"{relay.delay_median_ms:.2f}",
        f"{relay.delay_p99_ms:.2f}",
        f"{relay.delay_max_ms:.1f}",
        f"{run.lost:.3%}",
        f"{heard.punctual / heard.expected:.2%}" if heard.expected else "-",
        f"{heard.worst_leg:.2%}" if run.legs else "-",
        str(run.ticks),
        f"{run.core:.0%}",
        "/".join(f"{share:.0%}" for share in shares),
        f"{run.ratio:.1f}",
    ]


def load_of(runs: Sequence[Run]) -> str:
    """How well the load kept its own time: what it was late with looks like delay."""
    late = max(run.heard.relay.load_late_ms for run in runs)
    busiest = max(run.heard.load_cpu_seconds / run.seconds for run in runs)
    return f"the far ends took up to {busiest:.0%} of their core, and were {late:.1f} ms late at the worst"


def middle(runs: Sequence[Run], what: str) -> float:
    """The median of a delay."""
    return statistics.median(float(getattr(run.heard.relay, what)) for run in runs)


def figure(runs: Sequence[Run]) -> Figure:
    """The result of one way."""
    median, p99 = middle(runs, "delay_median_ms"), middle(runs, "delay_p99_ms")
    words = f"{runs[0].way}, {runs[0].pairs} pairs: {median:.2f} ms median, {p99:.2f} ms p99"
    complete = all(run.complete for run in runs)
    if not complete:
        words += "; LEGS OR PACKETS MISSING"
    values = {"median_ms": median, "p99_ms": p99, "core": statistics.median(run.core for run in runs)}
    well = complete and median <= MEDIAN_MS and p99 <= P99_MS
    reached = well and (True if runs[0].pairs >= CONNECTED else None)
    return Figure("relay-delay", words, reached, statistics.median(run.ratio for run in runs), values)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("relay-delay", __doc__, runs=1)
    parser.add_argument("--pairs", type=common.positive, default=CONNECTED, help="connected calls")
    parser.add_argument(
        "--way", choices=(*WAYS, "all"), default="all", help="what is done with them, as above"
    )
    common.add_seconds(parser, 10.0, "how long each way is measured")
    return parser


def main() -> None:
    """Read the command line and measure."""
    session = Session(arguments(), width=150, compiler=True)
    options = session.options
    ways = list(WAYS) if options.way == "all" else [options.way]
    runs = [
        run
        for way in ways
        for run in session.repeat(partial(measure, way, options.pairs, 0, options.seconds, session.cores))
    ]
    session.console.print(table("Connected calls, the whole server on one core", runs))
    session.console.print(load_of(runs))
    figures = [figure([run for run in runs if run.way == way]) for way in ways]
    session.conclude(figures, runs)


if __name__ == "__main__":
    main()
