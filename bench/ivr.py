"""How many IVR calls one core holds: `ringback bench ivr --legs 400 --seconds 20 --runs 3`.

The whole server (control, media, speech, store) shares one core. Every leg is a real SIP call whose
application answers with a looping prompt inside a Gather, with G.711 both ways; no telephone events are
offered, so that keys are listened for in the audio. The callers speak all the time, and never so quietly that
keys need not be looked for. The load has another core.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence

import msgspec
from rich.table import Table

from bench import holding
from bench import options as common
from bench.application import Application
from bench.callers import Caller, Callers
from bench.documents import waiting
from bench.floor import bare
from bench.holding import ENOUGH, SETTLE
from bench.load import LiveEnds, Punctuality, compiled
from bench.machine import busy, on_core
from bench.results import Figure
from bench.session import NO_COMPILER, Session, doing
from bench.system import NUMBERS, System, system
from bench.ticks import HEADING, PULSE, Ticks

SETUP_RATE = 50.0
"""Calls a second while the legs are set up."""
STAND_IN_LEGS = 100


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run's figures. Processor time in seconds over `seconds`, memory in octets."""

    legs: int
    answered: int
    seconds: float
    cpu: dict[str, float]
    idle_memory: dict[str, int]
    idle_cpu: float
    memory_per_leg: float
    heard: Punctuality
    """What the far ends got."""
    ticks: Ticks
    """Of the window that was measured."""
    floor: float | None
    """Microseconds per leg and tick of a C loop that only receives and sends."""
    others: float
    """The share of the server's core that went to others."""

    @property
    def core(self) -> float:
        """The share of the core that the server took."""
        return sum(self.cpu.values()) / self.seconds

    @property
    def microseconds(self) -> float:
        """Processor time per leg and 20 ms, everything together."""
        return self.core / self.legs / 50 * 1e6

    @property
    def good(self) -> bool:
        """Every leg was there and on time, and no tick took more than 20 ms."""
        return self.answered == self.legs and self.heard.worst_leg >= ENOUGH and self.ticks.kept


async def measure(legs: int, seconds: float, cores: tuple[int, int], floor: float | None) -> Run:
    """Set the calls up, let them talk, and note what it costs."""
    application = Application({"laml": waiting("laml")}, prompt_seconds=10.0)
    await application.start()
    far = LiveEnds(cores[1])
    await far.start()
    try:
        async with system(application.url, cores[0]) as server:
            return await _measured(server, far, legs, seconds, cores, floor)
    finally:
        await application.stop()
        await far.stop()


async def _measured(
    server: System, far: LiveEnds, legs: int, seconds: float, cores: tuple[int, int], floor: float | None
) -> Run:
    await asyncio.sleep(SETTLE)  # starting is not idling
    idle = server.usage()
    await asyncio.sleep(SETTLE)
    idle_cpu = sum(server.usage().since(idle).values()) / SETTLE
    callers = Callers(server.sip, NUMBERS["laml"], far.port)
    callers.on_answered = lambda call: far.add(call.port)
    calls = [await _placed(callers, number) for number in range(legs)]
    await asyncio.sleep(SETTLE)
    ticks = Ticks.of((await server.health())["media"][0])
    began, usage, others = time.monotonic(), server.usage(), busy(cores[0])
    heard = await far.measure(seconds)
    cpu = server.usage().since(usage)
    others = busy(cores[0]) - others - sum(cpu.values())
    elapsed = time.monotonic() - began
    memory = server.usage().total_memory
    await asyncio.sleep(PULSE)
    ticks = Ticks.of((await server.health())["media"][0]).since(ticks)
    for call in calls:
        callers.hang_up(call)
    await server.idle()
    callers.close()
    return Run(
        legs=legs,
        answered=sum(call.status == 200 for call in calls),
        seconds=elapsed,
        cpu=cpu,
        idle_memory=idle.memory,
        idle_cpu=idle_cpu,
        memory_per_leg=(memory - idle.total_memory) / legs,
        heard=heard,
        ticks=ticks,
        floor=floor,
        others=others / elapsed,
    )


async def _placed(callers: Callers, number: int) -> Caller:
    call = callers.call(number)
    await asyncio.sleep(1 / SETUP_RATE)
    return call


def table(runs: list[Run]) -> Table:
    """All runs, a line each, and their medians."""
    shown = Table(title="IVR calls, the whole server on one core")
    for heading in (
        "legs",
        "on time",
        "worst leg",
        "off, ms",
        "µs/leg·tick",
        "x bare C",
        "core",
        "control/media",
        "tick p99 ms",
        HEADING,
        "KB/leg",
        "idle MB",
        "idle CPU",
    ):
        shown.add_column(heading, justify="right")
    for run in runs:
        shown.add_row(*_row(run))
    if len(runs) > 1:
        shown.add_section()
        shown.add_row(*_median_row(runs))
    return shown


def _row(run: Run) -> list[str]:
    far = run.heard
    shares = [run.cpu.get(role, 0.0) / run.seconds for role in ("control", "media")]
    return [
        str(run.answered),
        f"{far.punctual / max(1, far.expected):.3%}",
        f"{far.worst_leg:.2%}",
        f"{far.largest_deviation_ms:.1f}",
        f"{run.microseconds:.1f}",
        f"{run.microseconds / run.floor:.1f}" if run.floor else "-",
        f"{run.core:.0%}",
        "/".join(f"{share:.0%}" for share in shares),
        f"{run.ticks.p99_ms:.2f}",
        str(run.ticks),
        f"{run.memory_per_leg / 1024:.0f}",
        f"{sum(run.idle_memory.values()) / 2**20:.0f}",
        f"{run.idle_cpu:.1%}",
    ]


def _median_row(runs: list[Run]) -> list[str]:
    against = holding.ratio(runs)
    return [
        "median",
        f"{statistics.median(run.heard.punctual / max(1, run.heard.expected) for run in runs):.3%}",
        "",
        "",
        f"{statistics.median(run.microseconds for run in runs):.1f}",
        f"{against:.1f}" if against else "-",
        f"{statistics.median(run.core for run in runs):.0%}",
        "",
        f"{statistics.median(run.ticks.p99_ms for run in runs):.2f}",
        "",
        f"{statistics.median(run.memory_per_leg for run in runs) / 1024:.0f}",
        f"{statistics.median(sum(run.idle_memory.values()) for run in runs) / 2**20:.0f}",
        f"{statistics.median(run.idle_cpu for run in runs):.1%}",
    ]


def remarks(runs: list[Run]) -> list[str]:
    """What one must know to believe the figures."""
    said = []
    memory = "  ".join(f"{role} {size / 2**20:.0f} MB" for role, size in sorted(runs[-1].idle_memory.items()))
    said.append(f"idle memory (PSS): {memory}")
    floors = [run.floor for run in runs if run.floor]
    if floors:
        floor = statistics.median(floors)
        said.append(f"bare C loop, receive and send only, just before: {floor:.1f} µs a packet each way")
    else:
        said.append("no C compiler: no bare loop to compare with, and the far ends are slow ones in Python")
    load = max(run.heard.load_cpu_seconds / run.seconds for run in runs)
    said.append(f"the far ends took up to {load:.0%} of their core")
    if not all(run.good for run in runs):
        said.append(
            f"NOT REACHED: every leg up, {ENOUGH:.0%} of each one's packets within 5 ms of its schedule, "
            "and no tick over 20 ms"
        )
    return said


def bench(legs: list[int], seconds: float, runs: int, cores: tuple[int, int]) -> list[Run]:
    """Measure each number of legs so many times."""
    done = []
    with on_core(cores[1]):
        for count in legs:
            for _ in range(runs):
                doing(f"{count} calls")
                floor = asyncio.run(bare(count, min(5.0, seconds), cores)) if compiled() else None
                done.append(asyncio.run(measure(count, seconds, cores, floor)))
    return done


def affordable(legs: int, session: Session) -> int:
    """So many legs, or what far ends without a compiler can do, which is said."""
    if compiled() or legs <= STAND_IN_LEGS:
        return legs
    session.console.print(f"{NO_COMPILER}, and {STAND_IN_LEGS} legs at most")
    return STAND_IN_LEGS


def figure(runs: Sequence[Run]) -> Figure:
    """The largest number of legs that most of its runs held, in one row."""
    return holding.figure("ivr", runs)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("ivr", __doc__, runs=1)
    common.add_legs(parser)
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when every leg was on time."""
    session = Session(arguments(), width=150)
    options = session.options
    legs = [affordable(count, session) for count in options.legs]
    runs = bench(legs, options.seconds, options.runs, session.cores)
    session.console.print(table(runs))
    for remark in remarks(runs):
        session.console.print(remark)
    session.conclude([figure(runs)], runs)


if __name__ == "__main__":
    main()
