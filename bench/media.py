"""How many IVR legs one core carries: `python -m bench.media --legs 400 --seconds 20`.

Every leg plays a looping prompt and listens for keys in the audio and for speech, G.711 both ways. The server
(this process and its media worker) is pinned to one core, the far ends to another.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.load import FarEnds, Punctuality, program
from ringback.media.plane import (
    MediaEvent,
    MediaLeg,
    MediaPlane,
    RemoteMedia,
    Source,
    SpeechDetection,
    TickStatistics,
)

SETTLE = 2.0
"""Seconds at both ends of a run that are not measured."""


class Run:
    """One run's figures."""

    def __init__(self, legs: int, seconds: float) -> None:
        self.legs = legs
        self.seconds = seconds
        self.worker_cpu = 0.0
        self.control_cpu = 0.0
        self.gateway_cpu = 0.0
        """Of the process that writes recordings, where there is one."""
        self.memory_per_leg = 0.0
        self.events = 0
        self.punctuality: Punctuality | None = None
        self.ticks = TickStatistics()

    @property
    def microseconds(self) -> float:
        """Processor time per leg and 20 ms."""
        return self.worker_cpu / self.seconds / self.legs / 50 * 1e6


def prompt(seconds: float) -> Source:
    """A prompt that is no simple tone."""
    time = np.arange(int(seconds * 8000)) / 8000
    wave = 8000 * np.sin(2 * np.pi * 300 * time) * np.sin(2 * np.pi * 2 * time)
    return Source("bench-prompt", wave.astype("<i2").tobytes())


def memory(pid: int) -> int:
    """The proportional set size of a process, in octets."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
    await asyncio.sleep(SETTLE)
    gateway = plane.gateway_pid
    begun = cpu(pid), cpu(os.getpid()), cpu(gateway) if gateway else 0.0
    await asyncio.sleep(seconds)
    run.worker_cpu, run.control_cpu = cpu(pid) - begun[0], cpu(os.getpid()) - begun[1]
    run.gateway_cpu = cpu(gateway) - begun[2] if gateway else 0.0
    run.memory_per_leg = (memory(pid) - idle) / legs
    run.ticks = plane.stats().workers[0]
    run.punctuality = await exchange
    await asyncio.gather(*(leg.close() for leg in opened))
    await plane.stop()
    return run


async def bare(legs: int, seconds: float, cores: tuple[int, int]) -> float:
    """Microseconds per leg and 20 ms of a C loop that only receives and sends."""
    pipe = asyncio.subprocess.PIPE
    far = FarEnds(seconds, cores[1])
    await far.start()
    loop = await asyncio.create_subprocess_exec(
        "taskset",
        "-c",
        str(cores[0]),
        str(program()),
        "loop",
        "127.0.0.1",
        str(legs),
        str(seconds),
        stdout=pipe,
        stderr=pipe,
    )
    assert loop.stdout is not None
    ports = [int(await loop.stdout.readline()) for _ in range(legs)]
    await far.run(ports)
    _, errors = await loop.communicate()
    used = float(errors.decode().split(":")[1].strip(" }\n"))
    return used / seconds / legs / 50 * 1e6


def show(runs: list[Run], floor: float) -> None:
    """A table of the runs."""
    table = Table(title=f"IVR legs on one core (bare C loop: {floor:.1f} µs a leg and 20 ms)")
    for heading in (
        "legs",
        "transport",
        "µs/leg",
        "worker core",
        "control core",
        "on time",
        "worst leg",
        "off, ms",
        "tick mean/p99/max ms",
        "overruns",
        "KB/leg",
    ):
        table.add_column(heading, justify="right")
    for run in runs:
        ticks, far = run.ticks, run.punctuality
        assert far is not None
        table.add_row(
            str(run.legs),
            ticks.transport,
            f"{run.microseconds:.1f}",
            f"{run.worker_cpu / run.seconds:.0%}",
            f"{run.control_cpu / run.seconds:.0%}",
            f"{far.punctual / max(1, far.expected):.3%}",
            f"{far.worst_leg:.2%}",
            f"{far.largest_deviation_ms:.1f}",
            f"{ticks.tick_mean_ms:.2f}/{ticks.tick_p99_ms:.2f}/{ticks.tick_max_ms:.2f}",
            str(ticks.overruns),
            f"{run.memory_per_leg / 1024:.0f}",
        )
    Console(width=140).print(table)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--legs", type=int, nargs="+", default=[400])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--transport", choices=("auto", "io_uring", "sockets"), default="auto")
    options = parser.parse_args()
    cores = (options.server_core, options.load_core)
    os.sched_setaffinity(0, {options.server_core})
    floor = asyncio.run(bare(min(options.legs), 5.0, cores))
    runs = [asyncio.run(measure(legs, options.seconds, cores, options.transport)) for legs in options.legs]
    show(runs, floor)
    sys.exit(0 if all(run.punctuality and run.punctuality.worst_leg >= 0.99 for run in runs) else 1)


if __name__ == "__main__":
    main()
