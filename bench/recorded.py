"""How many recorded legs one core carries: `ringback bench recorded --legs 800 --seconds 20`.

As `bench.media`, with a recording of two channels on every leg: the media plane, the process that writes the
files and this one share a core. Afterwards the files are looked at: they must be whole.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from bench import options as common
from bench.load import compiled
from bench.machine import on_core
from bench.media import Run, measure
from bench.media import good as on_time
from bench.results import Figure, conclude
from bench.ticks import HEADING
from ringback.media import wav

AIM = 800
LEAST_HEARD = 0.4
"""The share of a file in which either channel must hold something: the far ends speak half of the time."""


class Files(msgspec.Struct, frozen=True):
    """What became of the recordings."""

    whole: int
    """How many are as long as the run and hold both sides."""
    shortest: float
    octets: int


def look(folder: Path, seconds: float) -> Files:
    """Read all files. Each must have the run's `seconds` of both sides at least."""
    whole, shortest, octets = 0, float("inf"), 0
    for path in folder.iterdir():
        audio = wav.read(str(path))
        length = len(audio) / wav.RATE
        frames = audio[: len(audio) // 160 * 160].reshape(-1, 160, 2)
        heard = np.abs(frames).max(axis=1) > 0
        whole += length >= seconds and bool((heard.mean(axis=0) >= LEAST_HEARD).all())
        shortest = min(shortest, length)
        octets += path.stat().st_size
    return Files(whole, shortest, octets)


def table(runs: list[tuple[Run, Files]]) -> Table:
    """A line for each run."""
    shown = Table(title="Recorded legs on one core, two channels each")
    for heading in (
        "legs",
        "on time",
        "worst leg",
        "core",
        "media/files/control",
        "µs/leg·tick",
        "tick p99 ms",
        HEADING,
        "frames lost",
        "files whole",
        "MB/s",
    ):
        shown.add_column(heading, justify="right")
    for run, files in runs:
        far = run.punctuality
        assert far is not None
        parts = (run.worker_cpu, run.gateway_cpu, run.control_cpu)
        shown.add_row(
            str(run.legs),
            f"{far.punctual / max(1, far.expected):.3%}",
            f"{far.worst_leg:.2%}",
            f"{run.core:.0%}",
            "/".join(f"{part / run.seconds:.0%}" for part in parts),
            f"{run.microseconds:.1f}",
            f"{run.window.p99_ms:.2f}",
            str(run.window),
            str(run.ticks.frames_unrecorded),
            f"{files.whole} of {run.legs}",
            f"{run.legs * wav.RATE * 4 / 1e6:.1f}",
        )
    return shown


def good(run: Run, files: Files) -> bool:
    """Every leg was on time, no tick took more than 20 ms, and every file is whole."""
    return on_time(run) and files.whole == run.legs


def figure(runs: list[tuple[Run, Files]], floor: float | None) -> Figure:
    """The largest number of legs of which most runs were good, else the smallest that was tried."""
    counts = sorted({run.legs for run, _ in runs}, reverse=True)
    by_count = {legs: [each for each in runs if each[0].legs == legs] for legs in counts}
    held = [legs for legs in counts if 2 * sum(good(*each) for each in by_count[legs]) > len(by_count[legs])]
    legs = held[0] if held else counts[-1]
    same = by_count[legs]
    core = statistics.median(run.core for run, _ in same)
    cost = statistics.median(run.microseconds for run, _ in same)
    worst = statistics.median(run.punctuality.worst_leg if run.punctuality else 0.0 for run, _ in same)
    whole = min(files.whole for _, files in same)
    kept = 2 * sum(run.window.kept for run, _ in same) > len(same)
    return Figure(
        "recorded",
        f"{legs:,}{'' if held else ' NOT'} held: {core:.0%} of the core, {cost:.1f} µs a leg and tick, "
        f"worst leg {worst:.2%} on time, {whole:,} of {legs:,} files whole"
        f"{'' if kept else '; TICKS OVER 20 MS OR LEFT OUT'}",
        bool(held) and (True if legs >= AIM else None),
        cost / floor if floor else None,
        {"legs": legs, "core": core, "microseconds": cost, "worst_leg": worst},
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("recorded", __doc__, runs=1)
    parser.add_argument("--legs", type=common.positive, nargs="+", default=[400])
    parser.add_argument("--seconds", type=common.seconds, default=20.0)
    parser.add_argument("--folder", help="where the recordings go meanwhile; default: a temporary one")
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when every leg was on time and every file whole."""
    options = arguments().parse_args()
    console = Console(width=max(140, Console().width), highlight=False)
    if not compiled():
        console.print("the far ends need a C compiler (cc, gcc or clang)")
        sys.exit(2)
    cores = common.cores_of(options, console)
    floor = common.floor(cores, console)
    runs = []
    for legs in (legs for legs in options.legs for _ in range(options.runs)):
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="ringback-bench-") as folder:
            with on_core(cores[0]):
                run = asyncio.run(measure(legs, options.seconds, cores, "auto", Path(folder)))
            runs.append((run, look(Path(folder), options.seconds)))
    console.print(table(runs))
    others = max(run.others for run, _ in runs)
    found = [figure(runs, floor)]
    sys.exit(conclude(console, options.json, "recorded", found, runs=options.runs, others=others))


if __name__ == "__main__":
    main()
