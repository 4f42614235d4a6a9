"""What the kernel takes for a packet, by how it is asked: `ringback bench sockets --streams 200,700`.

So many streams of 172 octets each 20 ms, both ways, and nothing else done with them. In C, a socket for each
against one for all, whose packets are told apart by their sender; with the media plane's transports and NumPy
for all streams of a phase, a system call for each packet against io_uring. They take turns, each on the
server's core, while the other side has the load's.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from bench import options as common
from bench.bare_transport import Used
from bench.load import build
from bench.machine import busy, on_core
from bench.results import Figure
from bench.session import Session, doing
from ringback.media import uring

SOURCE = Path(__file__).with_name("sockets.c")
LEAST = 0.98
"""The share of packets that must have come for a run to count."""
OWN, SHARED, CALLS, RING = (
    "C, a socket each: recvfrom, sendto",
    "C, one for all: recvmmsg, sendmmsg",
    "NumPy, a socket each: recvmsg, sendto",
    "NumPy, a socket each: io_uring",
)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One way, once."""

    way: str
    streams: int
    used: Used
    expected: int
    others: float

    @property
    def microseconds(self) -> float:
        """Processor time of a packet received and one sent."""
        return self.used.cpu_seconds / (self.used.received + self.used.sent) * 2e6

    @property
    def whole(self) -> bool:
        """Nearly everything came and went."""
        return min(self.used.received, self.used.sent) >= LEAST * self.expected


def ways() -> dict[str, Sequence[str]]:
    """What can be measured here, with the command for it."""
    program = str(build(SOURCE))
    numpy = (sys.executable, "-m", "bench.bare_transport")
    found: dict[str, Sequence[str]] = {
        OWN: (program, "own"),
        SHARED: (program, "shared"),
        CALLS: (*numpy, "sockets"),
    }
    return {**found, RING: (*numpy, "io_uring")} if uring.works(socket.AF_INET) else found


async def measure(way: str, streams: int, seconds: float, cores: tuple[int, int]) -> Run:
    """Let both sides exchange packets for so long."""
    doing(f"{streams} streams, {way}")
    ours = await _started(ways()[way], streams, seconds, cores[0])
    theirs = await _started((str(build(SOURCE)), "peers"), streams, seconds + 0.5, cores[1])
    ports = [[await each.stdout.readline() for _ in range(streams)] for each in (ours, theirs) if each.stdout]
    before, loop = busy(cores[0]), asyncio.get_running_loop()
    began = loop.time()
    (said, _), _ = await asyncio.gather(
        ours.communicate(b"".join(ports[1])), theirs.communicate(b"".join(ports[0]))
    )
    used = msgspec.json.decode(said, type=Used)
    return Run(
        way=way,
        streams=streams,
        used=used,
        expected=round(streams * seconds * 50),
        others=(busy(cores[0]) - before - used.cpu_seconds) / (loop.time() - began),
    )


async def _started(
    command: Sequence[str], streams: int, seconds: float, core: int
) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    with on_core(core):
        return await asyncio.create_subprocess_exec(
            *command, str(streams), str(seconds), stdin=pipe, stdout=pipe
        )


def table(runs: Sequence[Run]) -> Table:
    """A line for each way and number of streams: the median, and from where to where."""
    shown = Table(title="Processor time of a packet received and one sent, µs")
    for heading in ("streams", "how", "median", "least to most", "runs"):
        shown.add_column(heading, justify="left" if heading == "how" else "right")
    for streams in dict.fromkeys(run.streams for run in runs):
        for way in dict.fromkeys(run.way for run in runs):
            same = [
                run.microseconds for run in runs if (run.way, run.streams) == (way, streams) and run.whole
            ]
            middle = f"{statistics.median(same):.2f}" if same else "packets missing"
            between = f"{min(same):.2f} - {max(same):.2f}" if same else ""
            shown.add_row(str(streams), way, middle, between, str(len(same)))
    return shown


def figure(runs: Sequence[Run]) -> Figure:
    """Each way at the largest number of streams, for comparison only. Ratio: what the media plane uses here,
    the last of the ways, against the C loop with a socket each."""
    streams = max(run.streams for run in runs)
    most = [run for run in runs if run.streams == streams]
    found: dict[str, float] = {}
    missing: list[str] = []
    for way in dict.fromkeys(run.way for run in most):
        if same := [run.microseconds for run in most if run.way == way and run.whole]:
            found[way] = statistics.median(same)
        else:
            missing.append(way)
    said = [f"{way} {cost:.2f} µs" for way, cost in found.items()]
    said += [f"{way}: packets missing" for way in missing]
    used = found.get(RING, found.get(CALLS)) if RING not in missing else None
    ratio = used / found[OWN] if used and found.get(OWN) else None
    return Figure("sockets", f"{streams:,} streams: {'; '.join(said)}", ratio=ratio, values=found)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("sockets", __doc__, runs=5)
    parser.add_argument(
        "--streams",
        type=common.counts,
        default=[200, 700],
        metavar="N,N",
        help="how many streams; one after the other",
    )
    parser.add_argument("--seconds", type=common.seconds, default=2.0, help="of each way, each time")
    return parser


def main() -> None:
    """Read the command line and measure, the ways taking turns."""
    session = Session(arguments(), compiler=True)
    options = session.options
    runs = [
        asyncio.run(measure(way, streams, options.seconds, session.cores))
        for streams in options.streams
        for _ in range(options.runs)
        for way in ways()
    ]
    session.console.print(table(runs))
    session.conclude([figure(runs)], runs)


if __name__ == "__main__":
    main()
