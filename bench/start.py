"""How soon after its start the server answers a call, and what it does at rest: `ringback bench start`.

The clock runs from the start of the process to the 200 of a call that is sent as soon as the server says
where it listens: on an empty data directory, whose database is made first, and on one that is there. At rest
no call is up, and nobody asks for anything.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from bench import options as common
from bench.callers import Caller, Callers
from bench.machine import busy, on_core
from bench.results import Figure
from bench.scene import scene
from bench.session import Session, doing
from bench.system import NUMBERS
from ringback.store import Store

LIMIT = 2.0
"""Seconds, until the first call is answered."""
IDLE = 0.001
"""The share of the core that may be called none."""
WATCHED = 20.0
"""Seconds at rest, over all runs, of which fewer say nothing of that."""
SETTLE = 3.0
ANSWER_TIMEOUT = 20.0


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """One start. Seconds since the process was begun; shares of the core."""

    listening: float
    answered: float
    cpu: float
    """Processor seconds until then."""
    rest: float
    """Seconds for which it was watched at rest."""
    idle: dict[str, float]
    """The share of the core at rest, by process; empty where nobody waited for it."""
    others: float


async def started(cores: tuple[int, int], *, again: bool, rest: float) -> Started:
    """Start a server and call it; then watch it at rest for so many seconds. Raises TimeoutError."""
    began = 0.0

    async def prepare(data: Path) -> None:
        nonlocal began
        if again:
            async with await Store.open("sqlite", data):
                pass
        began = time.monotonic()

    async with scene(cores, prepare=prepare) as around:
        server = around.server
        listening = time.monotonic() - began
        call = await _call(Callers(server.sip, NUMBERS["laml"], around.far.port))
        cpu = sum(server.usage().cpu.values())
        idle, others = {}, 0.0
        if rest:
            await server.idle()
            await asyncio.sleep(SETTLE)
            usage, before, now = server.usage(), busy(cores[0]), time.monotonic()
            await asyncio.sleep(rest)
            used, elapsed = server.usage().since(usage), time.monotonic() - now
            idle = {role: spent / elapsed for role, spent in used.items()}
            others = (busy(cores[0]) - before - sum(used.values())) / elapsed
        return Started(
            listening=listening, answered=call.answered - began, cpu=cpu, rest=rest, idle=idle, others=others
        )


async def _call(callers: Callers) -> Caller:
    answered = asyncio.Event()
    callers.on_answered = lambda _: answered.set()
    try:
        call = callers.call(1)
        await asyncio.wait_for(answered.wait(), ANSWER_TIMEOUT)
        ended = asyncio.Event()
        callers.on_ended = lambda _: ended.set()
        await asyncio.wait_for(ended.wait(), ANSWER_TIMEOUT)
    finally:
        callers.close()
    return call


def table(new: Sequence[Started], again: Sequence[Started]) -> Table:
    """A line for each kind of start: medians."""
    shown = Table(title=f"From the start of the process to the first call (medians of {len(new)} runs)")
    for heading in ("data directory", "listening s", "first call answered s", "at the most", "CPU s"):
        shown.add_column(heading, justify="right")
    for name, runs in (("new", new), ("there already", again)):
        shown.add_row(
            name,
            f"{statistics.median(run.listening for run in runs):.2f}",
            f"{statistics.median(run.answered for run in runs):.2f}",
            f"{max(run.answered for run in runs):.2f}",
            f"{statistics.median(run.cpu for run in runs):.2f}",
        )
    return shown


def figures(new: Sequence[Started], again: Sequence[Started]) -> list[Figure]:
    """Both rows."""
    first = statistics.median(run.answered for run in new)
    later = statistics.median(run.answered for run in again)
    shares = [sum(run.idle.values()) for run in again]
    share = statistics.median(shares)
    rest = {role: statistics.median(run.idle.get(role, 0.0) for run in again) for role in again[0].idle}
    parts = ", ".join(f"{role} {used:.2%}" for role, used in sorted(rest.items()))
    return [
        Figure(
            "start",
            f"{later:.2f} s; with a new data directory {first:.2f} s",
            max(first, later) <= LIMIT,
            values={"again_s": later, "new_s": first},
        ),
        Figure(
            "idle",
            f"{share:.2%} of the core ({parts}); at the most {max(shares):.2%}",
            share <= IDLE and (True if sum(run.rest for run in again) >= WATCHED else None),
            values={"core": share, "core_at_most": max(shares)},
        ),
    ]


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("start", __doc__, runs=5)
    parser.add_argument(
        "--rest",
        type=common.seconds,
        default=10.0,
        help="seconds for which it is watched at rest, in each run",
    )
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when it was soon enough, and quiet afterwards."""
    session = Session(arguments())
    options, cores = session.options, session.cores
    new, again = [], []
    with on_core(cores[1]):
        for number in range(1, options.runs + 1):
            doing(f"run {number} of {options.runs}")
            new.append(asyncio.run(started(cores, again=False, rest=0.0)))
            again.append(asyncio.run(started(cores, again=True, rest=options.rest)))
    session.console.print(table(new, again))
    session.conclude(figures(new, again), again)


if __name__ == "__main__":
    main()
