"""How many bridged pairs one core carries, and how long the relay keeps a packet: `ringback bench pairs
--pairs 100,400,700 --seconds 10 --runs 3 [--legs 1000]`.

On the media plane directly: worker and this process share one core, the load has another. The two of a pair
speak G.711 with telephone events all the time, 20 ms packets at their own moments; `--legs` adds as many IVR
legs, each with a looping prompt and listening for keys in the audio. The delay is from the moment in which a
far end sends a packet to the kernel's time stamp of its arrival at the other.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics

import msgspec
from rich.console import Console
from rich.table import Table

from bench import holding
from bench import options as common
from bench.holding import SETTLE
from bench.load import Delays, Pairs
from bench.machine import busy, cpu, memory, on_core
from bench.media import prompt, settled
from bench.results import Figure
from bench.session import Session
from ringback.media.plane import MediaEvent, MediaLeg, MediaPlane, RemoteMedia, TickStatistics

MEDIAN_MS, P99_MS, CORE = 1.0, 10.0, 0.8
"""What is to be kept: added delay, and the share of the core."""
LOST = 0.001
AIM = 700


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run's figures. Processor time in seconds over `seconds`."""

    pairs: int
    legs: int
    seconds: float
    worker: float
    control: float
    memory_per_leg: float
    delays: Delays
    ticks: TickStatistics
    others: float
    """The share of the server's core that went to others."""

    @property
    def core(self) -> float:
        """The share of the core that the media worker and this process, which controls it, took."""
        return (self.worker + self.control) / self.seconds

    @property
    def lost(self) -> float:
        """The share of packets that did not come through."""
        return 1 - self.delays.received / max(1, self.delays.sent)

    @property
    def good(self) -> bool:
        """Everything came, in time, and room was left."""
        delays = self.delays
        quick = delays.delay_median_ms <= MEDIAN_MS and delays.delay_p99_ms <= P99_MS
        return quick and self.lost <= LOST and self.core <= CORE


async def measure(
    pairs: int, legs: int, seconds: float, cores: tuple[int, int], transport: str, ports: tuple[int, int]
) -> Run:
    """Open and bridge the legs, let the far ends talk, and note what it cost."""
    far = Pairs(seconds + 2 * SETTLE, pairs, cores[1])
    await far.start()
    plane = MediaPlane(port_range=ports, cores=(cores[0],), transport=transport, legs_per_worker=4096)
    await plane.start()
    pid = (await settled(plane)).pid
    idle = memory(pid)
    opened = await _open(plane, far.port, pairs, legs)
    exchange = asyncio.create_task(far.run([leg.address[1] for leg in opened]))
    await asyncio.sleep(SETTLE)
    begun = cpu(pid), cpu(os.getpid()), busy(cores[0])
    await asyncio.sleep(seconds)
    worker, control, all_of_it = cpu(pid) - begun[0], cpu(os.getpid()) - begun[1], busy(cores[0]) - begun[2]
    ticks = plane.stats().workers[0]
    used = memory(pid) - idle
    delays = await exchange
    await asyncio.gather(*(leg.close() for leg in opened))
    await plane.stop()
    return Run(
        pairs=pairs,
        legs=legs,
        seconds=seconds,
        worker=worker,
        control=control,
        memory_per_leg=used / len(opened),
        delays=delays,
        ticks=ticks,
        others=(all_of_it - worker - control) / seconds,
    )


async def _open(plane: MediaPlane, port: int, pairs: int, legs: int) -> list[MediaLeg]:
    """Bridged legs first, two and two, then those that play."""

    def on_event(_event: MediaEvent) -> None:
        pass

    audio = prompt(10)
    events = frozenset({101})
    opened: list[MediaLeg] = []
    for number in range(2 * pairs + legs):
        while not plane.available:  # noqa: ASYNC110 - the plane lends more within a tick
            await asyncio.sleep(0.005)
        leg = plane.open_leg(on_event)
        opened.append(leg)
        if number >= 2 * pairs:
            leg.set_remote(RemoteMedia("127.0.0.1", port))
            leg.play([audio], loop=0, offset_ms=number * 37 % 10000)
            continue
        leg.set_remote(RemoteMedia("127.0.0.1", port, send_dtmf_pt=101, receive_dtmf_pts=events))
        if number % 2:
            leg.bridge(opened[-2])
    return opened


def show(runs: list[list[Run]], console: Console) -> None:
    """A table: of each number of pairs the median run, by delay."""
    table = Table(title=f"Bridged pairs on one core (medians of {len(runs[0])} runs)")
    for heading in (
        "pairs",
        "legs",
        "delay, ms: median",
        "p99",
        "max",
        "lost",
        "of the core",
        "µs a packet",
        "tick p99/max ms",
        "overruns",
        "KB/leg",
    ):
        table.add_column(heading, justify="right")

    for same in runs:

        def middle(what: str, same: list[Run] = same) -> float:
            return statistics.median(float(getattr(run.delays, what)) for run in same)

        first = same[0]
        core = statistics.median(run.core for run in same)
        packets = (2 * first.pairs + first.legs) * 50
        table.add_row(
            str(first.pairs),
            str(first.legs),
            f"{middle('delay_median_ms'):.2f}",
            f"{middle('delay_p99_ms'):.2f}",
            f"{middle('delay_max_ms'):.1f}",
            f"{statistics.median(run.lost for run in same):.3%}",
            f"{core:.0%}",
            f"{core / packets * 1e6:.1f}",
            f"{statistics.median(run.ticks.tick_p99_ms for run in same):.2f}"
            f"/{max(run.ticks.tick_max_ms for run in same):.1f}",
            str(max(run.ticks.overruns for run in same)),
            f"{statistics.median(run.memory_per_leg for run in same) / 1024:.0f}",
        )
    console.print(table)
    console.print(f"transport {runs[0][0].ticks.transport}")


def figure(runs: list[Run], floor: float | None) -> Figure:
    """The largest number of pairs that most of its runs relayed well, else the smallest that was tried."""
    same, well = holding.best(runs, lambda run: run.pairs, lambda run: run.good)
    pairs, legs = same[0].pairs, same[0].legs
    core = statistics.median(run.core for run in same)
    median = statistics.median(run.delays.delay_median_ms for run in same)
    p99 = statistics.median(run.delays.delay_p99_ms for run in same)
    cost = core / ((2 * pairs + legs) * 50) * 1e6
    beside = f" and {legs:,} legs" if legs else ""
    return Figure(
        "pairs",
        f"{pairs:,} pairs{beside}{'' if well else ' NOT'} relayed in time: {core:.0%} of the core, "
        f"delay {median:.2f} ms median, {p99:.2f} ms p99",
        well and (True if pairs >= AIM else None),
        cost / floor if floor else None,
        {"pairs": pairs, "legs": legs, "core": core, "delay_median_ms": median, "delay_p99_ms": p99},
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("pairs", __doc__, runs=1)
    parser.add_argument(
        "--pairs",
        type=common.counts,
        default=[100, 400, 700],
        metavar="N,N",
        help="how many pairs; one after the other",
    )
    parser.add_argument("--legs", type=common.natural, default=0, help="IVR legs beside them")
    common.add_seconds(parser, 10.0, "how long each number of pairs is measured")
    common.add_transport(parser)
    parser.add_argument("--ports", default="20000-29999", metavar="A-B", help="UDP ports of the media plane")
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when most runs of each number were good."""
    session = Session(arguments(), width=140, compiler=True)
    options, cores = session.options, session.cores
    floor = session.floor()
    first, _, last = options.ports.partition("-")
    ports = int(first), int(last)
    runs: list[list[Run]] = []
    with on_core(cores[0]):
        for pairs in options.pairs:
            runs.append([])
            for _ in range(options.runs):
                work = measure(pairs, options.legs, options.seconds, cores, options.transport, ports)
                run = asyncio.run(work)
                runs[-1].append(run)
                session.console.print(
                    f"{pairs} pairs: {run.delays.delay_median_ms:.2f} ms median, "
                    f"{run.delays.delay_p99_ms:.2f} ms p99, {run.core:.0%} of the core"
                )
    show(runs, session.console)
    every = [run for same in runs for run in same]
    session.conclude([figure(every, floor)], every)


if __name__ == "__main__":
    main()
