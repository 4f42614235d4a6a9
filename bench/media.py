"""How many IVR legs one core carries: `ringback bench media --legs 400 --seconds 20`.

Every leg plays a looping prompt and listens for keys in the audio and for speech, G.711 both ways. The far
ends speak 60 % of the time (`--speech`), 1.2 seconds in every two, so that speech begins and ends on every
leg; in the pauses there is a line's noise, too quiet to look for keys in it. The server (this process and its
media worker) is pinned to one core, the far ends to another.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from rich.table import Table

from bench import holding
from bench import options as common
from bench.holding import ENOUGH, SETTLE
from bench.load import FarEnds, Punctuality
from bench.machine import busy, cpu, memory, on_core
from bench.results import Figure
from bench.session import Session, doing
from bench.ticks import HEADING, Ticks
from ringback.media.plane import (
    MediaEvent,
    MediaLeg,
    MediaPlane,
    RemoteMedia,
    Source,
    SpeechDetection,
    TickStatistics,
)

SPEECH = 0.6
"""The share of the time in which far ends speak."""
PULSE = 1.0
"""Of these at most so many pass until the worker's counters have come."""


class Run:
    """One run's figures."""

    heard: Punctuality
    """What the far ends got."""

    def __init__(self, legs: int, seconds: float) -> None:
        self.legs = legs
        self.seconds = seconds
        self.by_worker: list[float] = []
        """Processor seconds of each media worker."""
        self.control_cpu = 0.0
        self.gateway_cpu = 0.0
        """Of the process that writes recordings, where there is one."""
        self.memory_per_leg = 0.0
        self.events = 0
        self.told = TickStatistics()
        """The worker's last pulse."""
        self.ticks = Ticks.of(self.told)
        """What of that was while it was measured."""
        self.unrecorded = 0
        """Frames that no recording got, in that time."""
        self.floor: float | None = None
        """Microseconds per leg and tick of a C loop that only receives and sends."""
        self.others = 0.0
        """The share of the server's core that went to others."""

    @property
    def worker_cpu(self) -> float:
        """Of all media workers."""
        return sum(self.by_worker)

    @property
    def core(self) -> float:
        """The share of the core that all of it took; of several workers' cores, their shares together."""
        return (self.worker_cpu + self.control_cpu + self.gateway_cpu) / self.seconds

    @property
    def microseconds(self) -> float:
        """Processor time per leg and 20 ms, everything together."""
        return self.core / self.legs / 50 * 1e6

    @property
    def good(self) -> bool:
        """Every leg was on time, and no tick took more than 20 ms."""
        return self.heard.worst_leg >= ENOUGH and self.ticks.kept


class Spent(msgspec.Struct, frozen=True):
    """Processor seconds so far: of processes, and of all that ran on a core."""

    cpu: dict[int, float]
    busy: float

    @classmethod
    def now(cls, workers: Sequence[int], gateway: int | None, core: int) -> Spent:
        """Of the media plane and of this process."""
        known = [*workers, os.getpid(), *([gateway] if gateway else [])]
        return cls({pid: cpu(pid) for pid in known}, busy(core))

    def since(self, before: Spent) -> Spent:
        """What was added."""
        added = {pid: spent - before.cpu.get(pid, 0.0) for pid, spent in self.cpu.items()}
        return Spent(added, self.busy - before.busy)


def prompt(seconds: float) -> Source:
    """A prompt that is no simple tone."""
    time = np.arange(int(seconds * 8000)) / 8000
    wave = 8000 * np.sin(2 * np.pi * 300 * time) * np.sin(2 * np.pi * 2 * time)
    return Source("bench-prompt", wave.astype("<i2").tobytes())


async def settled(plane: MediaPlane) -> TickStatistics:
    """The only worker's next pulse."""
    return (await all_settled(plane))[0]


async def all_settled(plane: MediaPlane) -> Sequence[TickStatistics]:
    """Each worker's next pulse."""
    before = plane.stats().workers
    while True:
        pulses = plane.stats().workers
        if all(now.ticks != then.ticks for now, then in zip(pulses, before, strict=True)):
            return pulses
        await asyncio.sleep(0.05)  # a pulse comes once a second


def spread(workers: int, cores: tuple[int, int]) -> tuple[int, ...]:
    """A core for each worker: the server's, those that nobody has, the load's as well when there are no more;
    in turn where workers are more than that."""
    free = sorted(os.sched_getaffinity(0) - {*cores})
    order = [*dict.fromkeys((cores[0], *free, cores[1]))]
    return tuple(order[number % len(order)] for number in range(workers))


async def measure(
    legs: int,
    seconds: float,
    cores: tuple[int, int],
    transport: str,
    recordings: Path | None = None,
    workers: Sequence[int] = (),
    speech: float = SPEECH,
) -> Run:
    """Open the legs, let the far ends talk for that share of the time, and note what it cost; each recorded
    into that folder, if any. `workers`: the cores of several workers; one has the server's."""
    doing(f"{legs} legs")
    run = Run(legs, seconds)
    far = FarEnds(seconds + 2 * SETTLE, cores[1], speech)
    await far.start()
    where = tuple(workers) or (cores[0],)
    plane = MediaPlane(
        port_range=(20000, 29999),
        workers=len(where),
        cores=where,
        transport=transport,
        legs_per_worker=2000,
    )
    await plane.start()
    pids = [pulse.pid for pulse in await all_settled(plane)]
    beside = [pid for pid, core in zip(pids, where, strict=True) if core == cores[0]]
    idle = sum(map(memory, pids))

    def on_event(_event: MediaEvent) -> None:
        run.events += 1

    audio = prompt(10)
    opened: list[MediaLeg] = []
    for number in range(legs):
        while not plane.available:  # noqa: ASYNC110 - the plane lends more within a tick
            await asyncio.sleep(0.005)
        leg = plane.open_leg(on_event)
        leg.set_remote(RemoteMedia("127.0.0.1", far.port))
        leg.listen(dtmf_inband=True, speech=SpeechDetection())
        leg.play([audio], loop=0, offset_ms=number * 37 % 10000)
        if recordings is not None:
            leg.record(str(recordings / f"{number}.wav"), channels=2)
        opened.append(leg)
    exchange = asyncio.create_task(far.run([leg.address[1] for leg in opened]))
    await asyncio.sleep(SETTLE - PULSE)
    gateway = plane.gateway_pid
    before = await all_settled(plane)
    spent = Spent.now(pids, gateway, cores[0])
    await asyncio.sleep(seconds)
    spent = Spent.now(pids, gateway, cores[0]).since(spent)
    run.by_worker = [spent.cpu[pid] for pid in pids]
    run.control_cpu, run.gateway_cpu = spent.cpu[os.getpid()], spent.cpu.get(gateway or 0, 0.0)
    run.memory_per_leg = (sum(map(memory, pids)) - idle) / legs
    ours = sum(spent.cpu[pid] for pid in beside) + run.control_cpu + run.gateway_cpu
    run.others = (spent.busy - ours) / seconds
    pulses = await all_settled(plane)
    run.told = pulses[0]
    windows = list(zip(pulses, before, strict=True))
    run.ticks = Ticks.together(Ticks.of(pulse).since(Ticks.of(then)) for pulse, then in windows)
    run.unrecorded = sum(pulse.frames_unrecorded - then.frames_unrecorded for pulse, then in windows)
    run.heard = await exchange
    await asyncio.gather(*(leg.close() for leg in opened))
    await plane.stop()
    return run


def table(runs: list[Run]) -> Table:
    """A line a run."""
    shown = Table(title="IVR legs of the media plane, with speech detection")
    for heading in (
        "legs",
        "transport",
        "µs/leg·tick",
        "core",
        "each worker/control",
        "on time",
        "worst leg",
        "off, ms",
        "tick p99 ms",
        HEADING,
        "KB/leg",
    ):
        shown.add_column(heading, justify="right")
    for run in runs:
        far = run.heard
        shown.add_row(
            str(run.legs),
            run.told.transport,
            f"{run.microseconds:.1f}",
            f"{run.core:.0%}",
            "/".join(f"{spent / run.seconds:.0%}" for spent in (*run.by_worker, run.control_cpu)),
            f"{far.punctual / max(1, far.expected):.3%}",
            f"{far.worst_leg:.2%}",
            f"{far.largest_deviation_ms:.1f}",
            f"{run.ticks.p99_ms:.2f}",
            str(run.ticks),
            f"{run.memory_per_leg / 1024:.0f}",
        )
    return shown


def figure(runs: Sequence[Run]) -> Figure:
    """The largest number of legs of which most runs were good, in one row."""
    found = holding.figure("media", runs)
    found = msgspec.structs.replace(found, result=f"{found.result}, by {runs[0].told.transport}")
    workers = len(runs[0].by_worker)
    if workers == 1:
        return found
    # The aim is of one core.
    reached = None if found.reached else found.reached
    return msgspec.structs.replace(found, result=f"by {workers} workers: {found.result}", reached=reached)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("media", __doc__, runs=1)
    common.add_legs(parser)
    parser.add_argument(
        "--workers",
        type=common.positive,
        default=1,
        help="media workers, each on a core of its own where there are enough",
    )
    parser.add_argument(
        "--speech", type=common.share, default=SPEECH, help="the share of the time in which far ends speak"
    )
    common.add_transport(parser)
    return parser


def main() -> None:
    """Read the command line and measure."""
    session = Session(arguments(), width=140, compiler=True)
    options, cores = session.options, session.cores
    floor = session.floor()
    workers = spread(options.workers, cores)
    if options.workers > 1:
        where = ", ".join(map(str, workers))
        session.console.print(f"media workers on cores {where}; the load on {cores[1]}")
    with on_core(cores[0]):
        runs = [
            asyncio.run(
                measure(
                    legs, options.seconds, cores, options.transport, workers=workers, speech=options.speech
                )
            )
            for legs in options.legs
            for _ in range(options.runs)
        ]
    for run in runs:
        run.floor = floor
    session.console.print(table(runs))
    session.conclude([figure(runs)], runs)


if __name__ == "__main__":
    main()
