"""How many recorded legs one core carries: `ringback bench recorded --legs 800 --seconds 20`.

As `ringback bench media`, with a recording of two channels on every leg: the media plane, the process that
writes the files and this one share a core. No frame may miss its recording meanwhile; afterwards the files
are looked at: they must be whole.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path

import msgspec
import numpy as np
from rich.table import Table

from bench import holding
from bench import options as common
from bench.machine import on_core
from bench.media import Run, measure
from bench.results import Figure
from bench.session import Session
from bench.ticks import HEADING
from ringback.media import wav

AIM = 800
FRAME = wav.RATE // 50


class Files(msgspec.Struct, frozen=True):
    """What became of the recordings."""

    whole: int
    """How many hold both sides for as long as the run was."""
    shortest: float
    octets: int


def look(folder: Path, seconds: float) -> Files:
    """Read all files. Each must have the run's `seconds` of both sides at least. These are never silent: the
    far end has a line's noise where it does not speak, and the prompt has no pause."""
    whole, shortest, octets = 0, float("inf"), 0
    for path in folder.iterdir():
        audio = wav.read(str(path))
        length = len(audio) / wav.RATE
        frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME, 2)
        heard = (np.abs(frames).max(axis=1) > 0).sum(axis=0) * FRAME
        whole += bool((heard >= round(seconds * wav.RATE)).all())
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
        far = run.heard
        parts = (run.worker_cpu, run.gateway_cpu, run.control_cpu)
        shown.add_row(
            str(run.legs),
            f"{far.punctual / max(1, far.expected):.3%}",
            f"{far.worst_leg:.2%}",
            f"{run.core:.0%}",
            "/".join(f"{part / run.seconds:.0%}" for part in parts),
            f"{run.microseconds:.1f}",
            f"{run.ticks.p99_ms:.2f}",
            str(run.ticks),
            str(run.unrecorded),
            f"{files.whole} of {run.legs}",
            f"{run.legs * wav.RATE * 4 / 1e6:.1f}",
        )
    return shown


def good(run: Run, files: Files) -> bool:
    """Every leg was on time, no tick took more than 20 ms, no frame was lost, and every file is whole."""
    return run.good and not run.unrecorded and files.whole == run.legs


def figure(runs: list[tuple[Run, Files]], floor: float | None) -> Figure:
    """The largest number of legs of which most runs were good, else the smallest that was tried."""
    same, held = holding.best(runs, lambda each: each[0].legs, lambda each: good(*each))
    legs = same[0][0].legs
    core = statistics.median(run.core for run, _ in same)
    cost = statistics.median(run.microseconds for run, _ in same)
    worst = min(run.heard.worst_leg for run, _ in same)
    whole = min(files.whole for _, files in same)
    lost = max(run.unrecorded for run, _ in same)
    kept = 2 * sum(run.ticks.kept for run, _ in same) > len(same)
    return Figure(
        "recorded",
        f"{legs:,}{'' if held else ' NOT'} held: {core:.0%} of the core, {cost:.1f} µs a leg and tick, "
        f"worst leg of all runs {worst:.2%} on time, {whole:,} of {legs:,} files whole and "
        f"{lost:,} frames lost in the worst run"
        f"{'' if kept else '; TICKS OVER 20 MS OR LEFT OUT'}",
        held and (True if legs >= AIM else None),
        cost / floor if floor else None,
        {"legs": legs, "core": core, "microseconds": cost, "worst_leg": worst, "frames_lost": lost},
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("recorded", __doc__, runs=1)
    common.add_legs(parser)
    common.add_transport(parser)
    parser.add_argument(
        "--folder", type=common.folder, help="where the recordings go meanwhile; default: a temporary one"
    )
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when every leg was on time and every file whole."""
    session = Session(arguments(), width=140, compiler=True)
    options, cores = session.options, session.cores
    floor = session.floor()
    runs = []
    for legs in (legs for legs in options.legs for _ in range(options.runs)):
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="ringback-bench-") as folder:
            with on_core(cores[0]):
                run = asyncio.run(measure(legs, options.seconds, cores, options.transport, Path(folder)))
            runs.append((run, look(Path(folder), options.seconds)))
    session.console.print(table(runs))
    session.conclude([figure(runs, floor)], [run for run, _ in runs])


if __name__ == "__main__":
    main()
