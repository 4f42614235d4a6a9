"""How many IVR legs one core carries: `ringback bench media --legs 400 --seconds 20`.

Every leg plays a looping prompt and listens for keys in the audio and for speech, G.711 both ways. The server
(this process and its media worker) is pinned to one core, the far ends to another.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from bench import holding
from bench import options as common
from bench.holding import ENOUGH, SETTLE
from bench.load import FarEnds, Punctuality
from bench.machine import busy, cpu, memory, on_core
from bench.results import Figure
from bench.session import Session
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

PULSE = 1.0
"""Of these at most so many pass until the worker's counters have come."""


class Run:
    """One run's figures."""

    heard: Punctuality
    """What the far ends got."""

    def __init__(self, legs: int, seconds: float) -> None:
        self.legs = legs
        self.seconds = seconds
        self.worker_cpu = 0.0
        self.control_cpu = 0.0
        self.gateway_cpu = 0.0
        """Of the process that writes recordings, where there is one."""
        self.memory_per_leg = 0.0
        self.events = 0
        self.told = TickStatistics()
        """The worker's last pulse."""
        self.ticks = Ticks.of(self.told)
        """What of that was while it was measured."""
        self.floor: float | None = None
        """Microseconds per leg and tick of a C loop that only receives and sends."""
        self.others = 0.0
        """The share of the server's core that went to others."""

    @property
    def core(self) -> float:
        """The share of the core that all of it took."""
        return (self.worker_cpu + self.control_cpu + self.gateway_cpu) / self.seconds

    @property
    def microseconds(self) -> float:
        """Processor time per leg and 20 ms, everything together."""
        return self.core / self.legs / 50 * 1e6

    @property
    def good(self) -> bool:
        """Every leg was on time, and no tick took more than 20 ms."""
        return self.heard.worst_leg >= ENOUGH and self.ticks.kept


def prompt(seconds: float) -> Source:
    """A prompt that is no simple tone."""
    time = np.arange(int(seconds * 8000)) / 8000
    wave = 8000 * np.sin(2 * np.pi * 300 * time) * np.sin(2 * np.pi * 2 * time)
    return Source("bench-prompt", wave.astype("<i2").tobytes())


async def settled(plane: MediaPlane) -> TickStatistics:
    """The worker's next pulse."""
    before = plane.stats().workers[0].ticks
    while plane.stats().workers[0].ticks == before:  # noqa: ASYNC110 - a pulse comes once a second
        await asyncio.sleep(0.05)
    return plane.stats().workers[0]


async def measure(
    legs: int, seconds: float, cores: tuple[int, int], transport: str, recordings: Path | None = None
) -> Run:
    """Open the legs, let the far ends talk, and note what it cost; each recorded into that folder, if any."""
    run = Run(legs, seconds)
    far = FarEnds(seconds + 2 * SETTLE, cores[1])
    await far.start()
    plane = MediaPlane(
        port_range=(20000, 29999), cores=(cores[0],), transport=transport, legs_per_worker=2000
    )
    await plane.start()
    pid = (await settled(plane)).pid
    idle = memory(pid)

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
    before = Ticks.of(await settled(plane))
    begun = cpu(pid), cpu(os.getpid()), cpu(gateway) if gateway else 0.0, busy(cores[0])
    await asyncio.sleep(seconds)
    at_work = busy(cores[0]) - begun[3]
    run.worker_cpu, run.control_cpu = cpu(pid) - begun[0], cpu(os.getpid()) - begun[1]
    run.gateway_cpu = cpu(gateway) - begun[2] if gateway else 0.0
    run.memory_per_leg = (memory(pid) - idle) / legs
    run.others = at_work / seconds - run.core
    run.told = await settled(plane)
    run.ticks = Ticks.of(run.told).since(before)
    run.heard = await exchange
    await asyncio.gather(*(leg.close() for leg in opened))
    await plane.stop()
    return run


def table(runs: list[Run]) -> Table:
    """A line a run."""
    shown = Table(title="IVR legs of the media plane on one core, with speech detection")
    for heading in (
        "legs",
        "transport",
        "µs/leg·tick",
        "core",
        "media/control",
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
            f"{run.worker_cpu / run.seconds:.0%}/{run.control_cpu / run.seconds:.0%}",
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
    return holding.figure("media", runs)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("media", __doc__, runs=1)
    common.add_legs(parser)
    parser.add_argument("--transport", choices=("auto", "io_uring", "sockets"), default="auto")
    return parser


def main() -> None:
    """Read the command line and measure."""
    session = Session(arguments(), width=140, compiler=True)
    options, cores = session.options, session.cores
    floor = session.floor()
    with on_core(cores[0]):
        runs = [
            asyncio.run(measure(legs, options.seconds, cores, options.transport))
            for legs in options.legs
            for _ in range(options.runs)
        ]
    for run in runs:
        run.floor = floor
    session.console.print(table(runs))
    session.conclude([figure(runs)], runs)


if __name__ == "__main__":
    main()
