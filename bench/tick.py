"""What a tick of the media worker costs, by rows in the phase: its own code, with packets from memory and no
kernel.

Each row is an IVR leg: G.711 comes to it, a prompt loops, and keys are listened for in its audio, or not.
`cold` is with the processor's caches swept between ticks, as they are when the rest of the server had the
core meanwhile; `warm` without. `calls` is with legs of a second each: every tick has some that just began.

`taskset -c 1 python -m bench.tick`: on one core, linear algebra has one thread, as in a worker.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import socket
import statistics
import time

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from bench.options import counts, positive
from ringback.media import addresses, codecs
from ringback.media.clockwork import FRAME, PHASES
from ringback.media.exchange import Corner, Exchange
from ringback.media.model import RemoteMedia
from ringback.media.playout import SAMPLES, Arena
from ringback.media.protocol import Play, Segment
from ringback.media.rtp import HEADER, Batch
from ringback.media.tick import Phase

PEER = ("192.0.2.10", 40000)
CAPACITY = 256
SLOT = 1600
PROMPT_FRAMES = 500
EVENTS = 101
SECOND = 50
"""Ticks."""
SETTLE = 120
"""Ticks before any is measured: buffers have filled."""
SWEPT = 8 << 20
"""Octets that are read to sweep the caches."""

WAYS: dict[str, dict[str, bool]] = {
    "no keys, warm": {},
    "keys, warm": {"keys": True},
    "keys, cold": {"keys": True, "cold": True},
    "keys, cold, calls": {"keys": True, "cold": True, "calls": True},
}


class Bench:
    """One phase of four, in virtual time."""

    def __init__(self, rows: int, *, keys: bool) -> None:
        arena = Arena(1 << 20)
        self.phase = Phase(CAPACITY, arena, socket.AF_INET, Corner(Exchange(CAPACITY, PHASES), 0))
        self._noise = np.random.default_rng(1)
        self._tick = 0
        prompt = self._sound(PROMPT_FRAMES).astype("<i2").tobytes()
        arena.write(1, len(prompt), 0, prompt)
        events = frozenset[int]() if keys else frozenset({EVENTS})
        self._remote = RemoteMedia(*PEER, receive_dtmf_pts=events)
        for row in range(rows):
            self.phase.prepare(row)
            self._open(row)
        each = np.arange(rows)
        data = np.zeros((rows, SLOT), np.uint8)
        data[:, 0] = 0x80
        data[:, 8:12] = each.astype(">u4").view(np.uint8).reshape(-1, 4)
        self._payloads = codecs.encode(self._sound(50), codecs.PCMU).reshape(50, SAMPLES)
        sources = np.tile(addresses.pack(*PEER, socket.AF_INET), (rows, 1))
        self._batch = Batch(data, each, each, np.full(rows, HEADER + SAMPLES), sources, np.zeros(rows))

    def replace(self) -> None:
        """Some legs end, and others begin in their rows: each lives for a second."""
        for row in range(self._tick % SECOND, len(self._batch.rows), SECOND):
            self.phase.close(row, self._tick * FRAME)
            self._open(row)
        self.phase.events.clear()

    def tick(self) -> float:
        """One tick; the seconds of processor time that it took."""
        batch, now = self._packets(), self._tick * FRAME
        begun = time.thread_time()
        self.phase.begin(now)
        self.phase.receive(batch, now)
        self.phase.tick(now)
        spent = time.thread_time() - begun
        self.phase.events.clear()
        return spent

    def _open(self, row: int) -> None:
        now = self._tick * FRAME
        self.phase.open(row, 1, "bench", now)
        self.phase.set_remote(row, self._remote, now)
        prompt = [Segment(1, PROMPT_FRAMES * SAMPLES)]
        self.phase.play(row, Play(row, 1, row + 1, prompt, 0, 0, 0, False, False))

    def _packets(self) -> Batch:
        """The next packet of each row."""
        self._tick += 1
        batch = self._batch
        batch.data[:, 2:4] = np.frombuffer(self._tick.to_bytes(2, "big"), np.uint8)
        batch.data[:, 4:8] = np.frombuffer((self._tick * SAMPLES).to_bytes(4, "big"), np.uint8)
        batch.data[:, HEADER : HEADER + SAMPLES] = self._payloads[self._tick % len(self._payloads)]
        return batch._replace(arrivals=np.full(len(batch.rows), self._tick * FRAME))

    def _sound(self, frames: int) -> npt.NDArray[np.int16]:
        return self._noise.normal(0, 1000, frames * SAMPLES).astype(np.int16)


def measure(rows: int, ticks: int, *, keys: bool = False, cold: bool = False, calls: bool = False) -> float:
    """The median tick, in µs."""
    bench, swept = Bench(rows, keys=keys), np.zeros(SWEPT // 8, np.int64)
    for _ in range(SETTLE):
        bench.tick()
    spent = []
    for _ in range(ticks):
        if cold:
            swept += 1
        if calls:
            bench.replace()
        spent.append(bench.tick())
    return statistics.median(spent) * 1e6


def profile(rows: int, ticks: int, *, keys: bool) -> pstats.Stats:
    """What is called in so many ticks."""
    bench = Bench(rows, keys=keys)
    for _ in range(SETTLE):
        bench.tick()
    with cProfile.Profile() as profiler:
        for _ in range(ticks):
            bench.tick()
    return pstats.Stats(profiler)


def show(each: list[int], ticks: int, runs: int) -> Table:
    """The median of some runs with each number of rows, in each of the ways."""
    table = Table(title="A tick, µs of processor time")
    for heading in ("rows", *WAYS):
        table.add_column(heading, justify="right")
    for rows in each:
        cells = []
        for way in WAYS.values():
            found = [measure(rows, ticks, **way) for _ in range(runs)]
            cells.append(f"{statistics.median(found):.0f}")
        table.add_row(str(rows), *cells)
    return table


def main() -> None:
    """Measure with each number of rows."""
    given = argparse.ArgumentParser(prog="python -m bench.tick", description=__doc__)
    given.add_argument("--rows", type=counts, default=[5, 20, 40, 90, 250], metavar="N,N")
    given.add_argument("--ticks", type=positive, default=300, help="of each run; default: 300")
    given.add_argument("--runs", type=positive, default=5, help="the medians count; default: 5")
    given.add_argument("--calls", action="store_true", help="show the calls of a tick with the first number")
    options = given.parse_args()
    if options.calls:
        for keys in (True, False):
            found = profile(options.rows[0], 100, keys=keys)
            found.sort_stats("ncalls").print_stats(60)
        return
    Console(highlight=False).print(show(options.rows, options.ticks, options.runs))


if __name__ == "__main__":
    main()
