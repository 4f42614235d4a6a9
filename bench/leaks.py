"""Whether many calls leave the server as it was: `ringback bench leaks --calls 2000`.

After so many calls that as many as ever are remembered and caches are full, and again after all of them, the
server gets the time in which SIP forgets a call (32 seconds), and then is looked at: memory of each process,
file descriptors (sockets and so ports are among them), threads, asyncio tasks, legs in use, objects of its
own classes. Every call is a whole one, as `ringback bench cps` makes them. `--calls 100000` takes most of an
hour.

Descriptors, threads, tasks and legs must be where they were, but for what pools may keep: some connections
to the application. Objects may be some more, but fewer than one for twenty calls. Memory may grow by what
allocators keep of a busier moment, which does not depend on how many calls there were (6 MB), and by
100 octets a call: less than anything that is known by a call's name. Calls must be freed as they end, and
not wait for garbage to be looked for: memory would grow until then, and every call stop meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from bench import options as common
from bench.cps import Incoming
from bench.inside import HOLDINGS_FILE, Holdings
from bench.machine import Usage, family
from bench.rates import Step
from bench.results import Figure
from bench.scene import scene
from bench.session import Session
from bench.system import System

CALLS, RATE = 2000, 40.0
FORGOTTEN = 35.0
"""Seconds after the last call: SIP keeps a transaction for 32 (RFC 3261, timers B, F, H, J)."""
WARM_UP = 1500
"""Calls before the first look, at the least: what is remembered of values that differ from call to call
(URIs, Vias) is at most 1,024 of each kind, and a full set of such is some MB."""
ALLOWANCE_MB = 6.0
"""By so much memory differs from one look at a server that does not grow to the next: free pages that malloc
and Python's allocator hold between what is in use, connections that are pooled."""
LEAK_OCTETS = 100
POOLED = 8
"""Descriptors and tasks that more or fewer kept connections make."""
OBJECTS = 0.05
"""How many more objects of any class a call may leave."""
GARBAGE, FEW = 1.0, 500
"""How many objects of a call a look for garbage may have to free (a call has some two hundred), and what is
left behind now and then that belongs to no call: statements that are compiled, connections."""
HOLDINGS_TIMEOUT = 10.0
FAILED = 0.01
"""The share of calls that may fail: beyond it calls pile up, and are still there at the end."""


class Held(msgspec.Struct, frozen=True):
    """What the server holds at one moment."""

    memory: dict[str, int]
    descriptors: int
    threads: int
    tasks: int
    legs: int
    """Rows of the media workers in use, each with two ports."""
    objects: dict[str, int]
    garbage: int = 0
    """Objects that only a look for garbage freed, so far."""

    @property
    def megabytes(self) -> float:
        """All processes together."""
        return sum(self.memory.values()) / 2**20


async def held(server: System, number: int) -> Held:
    """Look at a server; `number`: for the how-manieth time. Raises TimeoutError."""
    server.signal(signal.SIGUSR1)
    file = server.data / HOLDINGS_FILE
    async with asyncio.timeout(HOLDINGS_TIMEOUT):
        while (said := _said(file)) is None or said.number < number:  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.05)
    members = family(server.pid)
    health = await server.health()
    return Held(
        memory=Usage.of(server.pid).memory,
        descriptors=sum(_entries(pid, "fd") for pid in members),
        threads=sum(_entries(pid, "task") for pid in members),
        tasks=said.tasks,
        legs=sum(worker["legs"] for worker in health["media"]),
        objects=said.objects,
        garbage=said.garbage,
    )


def _said(file: Path) -> Holdings | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Holdings)
    except FileNotFoundError:
        return None


def _entries(pid: int, folder: str) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/{folder}"))
    except OSError:
        return 0


async def measure(
    calls: int, rate: float, cores: tuple[int, int], dialect: str, say: Callable[[str], Any]
) -> tuple[Held, Held, Step]:
    """What is held before and after so many calls, and how those went."""
    async with scene(cores, module=("bench.inside",)) as around:
        server = around.server
        load = Incoming(server, around.application, around.far, dialect)
        seconds = max(FORGOTTEN, WARM_UP / rate)
        say(f"calls for {seconds:.0f} s to warm up; {FORGOTTEN:.0f} s until SIP has forgotten them …")
        await load.step(rate, seconds)
        await asyncio.sleep(FORGOTTEN)
        before = await held(server, 1)
        began = time.monotonic()
        step = await load.step(rate, calls / rate)
        say(f"{step.calls} calls in {time.monotonic() - began:.0f} s; {FORGOTTEN:.0f} s to forget …")
        await asyncio.sleep(FORGOTTEN)
        after = await held(server, 2)
        load.close()
        return before, after, step


def grown(before: Held, after: Held, calls: int) -> dict[str, int]:
    """The classes of which a call leaves more objects than it may: how many more."""
    more = {name: count - before.objects.get(name, 0) for name, count in after.objects.items()}
    return {name: count for name, count in more.items() if count > max(POOLED, calls * OBJECTS)}


def leaks(before: Held, after: Held, calls: int) -> list[str]:
    """What is not where it was, in words."""
    found = []
    allowed = ALLOWANCE_MB + calls * LEAK_OCTETS / 2**20
    if after.megabytes - before.megabytes > allowed:
        found.append(f"memory grew by {after.megabytes - before.megabytes:.1f} MB, {allowed:.1f} may be")
    for name, allowance in (("descriptors", POOLED), ("threads", 2), ("tasks", POOLED), ("legs", 0)):
        more = getattr(after, name) - getattr(before, name)
        if more > allowance:
            found.append(f"{more} more {name}")
    if (garbage := after.garbage - before.garbage) > max(FEW, calls * GARBAGE):
        found.append(f"{garbage / calls:.0f} objects a call were freed by a look for garbage only")
    found += [f"{count} more of {name}" for name, count in grown(before, after, calls).items()]
    return found


def table(before: Held, after: Held, calls: int) -> Table:
    """A line for each thing that is looked at."""
    shown = Table(title=f"What {calls:,} calls leave")
    for heading in ("", "before", "after"):
        shown.add_column(heading, justify="right")
    for role in sorted(after.memory):
        sizes = (f"{each.memory.get(role, 0) / 2**20:.1f}" for each in (before, after))
        shown.add_row(f"{role}, MB", *sizes)
    shown.add_row("memory, MB", f"{before.megabytes:.1f}", f"{after.megabytes:.1f}")
    for name in ("descriptors", "threads", "tasks", "legs"):
        shown.add_row(name, str(getattr(before, name)), str(getattr(after, name)))
    counts = (str(sum(each.objects.values())) for each in (before, after))
    shown.add_row("objects of its own", *counts)
    shown.add_row("objects freed as garbage", str(before.garbage), str(after.garbage))
    return shown


def figure(before: Held, after: Held, step: Step) -> Figure:
    """The row."""
    if step.failed > step.calls * FAILED:
        said = f"{step.failed:,} of {step.calls:,} calls failed: that was too fast, and says nothing of leaks"
        return Figure("leaks", said, values={"calls": float(step.calls), "failed": float(step.failed)})
    found = leaks(before, after, step.calls)
    more = after.megabytes - before.megabytes
    said = "; ".join(found) or (
        f"{more:+.1f} MB, {after.descriptors - before.descriptors:+d} descriptors, "
        f"{after.tasks - before.tasks:+d} tasks, {after.legs - before.legs:+d} legs"
    )
    values = {
        "calls": float(step.calls),
        "megabytes": more,
        "octets_a_call": more * 2**20 / step.calls,
        "descriptors": float(after.descriptors - before.descriptors),
        "tasks": float(after.tasks - before.tasks),
        "garbage_a_call": (after.garbage - before.garbage) / step.calls,
    }
    failed = f" ({step.failed} failed)" if step.failed else ""
    return Figure("leaks", f"{step.calls:,} calls{failed}: {said}", not found, values=values)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("leaks", __doc__, runs=1)
    parser.add_argument("--calls", type=common.positive, default=CALLS, help="how many calls come")
    parser.add_argument("--rate", type=common.rate, default=RATE, help="calls a second")
    common.add_dialect(parser)
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when nothing is left."""
    session = Session(arguments())
    options, say = session.options, session.console.print
    runs = session.repeat(lambda: measure(options.calls, options.rate, session.cores, options.dialect, say))
    for before, after, step in runs:
        say(table(before, after, step.calls))
    found = [figure(*run) for run in runs]
    worst = [each for each in found if not each.reached] or found
    session.conclude(worst[:1], [step for _, _, step in runs])


if __name__ == "__main__":
    main()
