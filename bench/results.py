"""What a bench found, the same way in each: against its aim in words, and with `--json FILE` for programs.

results.add_option(parser)
...
figures = [Figure("ivr", "400 calls, 28 % of the core", ratio=2.4, values={"legs": 400})]
sys.exit(results.conclude(console, options.json, "ivr", figures, runs=3, others=0.01))
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from bench.aims import AIMS
from bench.machine import QUIET, file_system, python_build, quietness

VERDICTS = {True: "reached", False: "NOT REACHED", None: "measured"}
DOUBTFUL = "DOUBTFUL (not quiet)"
"""What is said before a verdict where others had too much of the core: nothing is reached then."""
BELOW, IN_DOUBT = 1, 3
"""Exit codes; 2 is for what cannot be measured at all."""
OPTION = "--json"


class Figure(msgspec.Struct, frozen=True):
    """One row's result: medians over the runs."""

    aim: str
    """Which row, by its name in `bench.aims`."""
    result: str
    """In words, with units; short enough for a table."""
    reached: bool | None = None
    """None where this run cannot say so: less was asked for than the aim."""
    ratio: float | None = None
    """Processor time of a leg's tick, a call, a request, against a packet each way of the bare C loop in the
    same run; None where that makes no sense."""
    values: dict[str, float] = {}
    """The numbers behind the words, by name with the unit: `p99_ms`, `core`, `legs`."""


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    model: str
    cores: int
    kernel: str
    python: str
    """Its version, and how it was built: that alone may be a fifth of what Python code takes."""
    data: str
    """The file system on which servers have their data meanwhile: what a sync costs."""

    @classmethod
    def this(cls) -> Machine:
        """The one we run on."""
        return cls(
            model=_model(),
            cores=len(os.sched_getaffinity(0)),
            kernel=platform.release(),
            python=python_build(),
            data=file_system(Path(tempfile.gettempdir())),
        )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a result's file."""

    mode: str
    command: str
    date: str
    """UTC, ISO 8601."""
    machine: Machine
    runs: int
    others: float
    """The share of the server's core that others had, at its highest."""
    quiet: bool
    """Whether that was little enough to believe the figures."""
    figures: list[Figure]


def verdict(figure: Figure, *, quiet: bool) -> str:
    """The result against its aim, in a word or two."""
    said = VERDICTS[figure.reached]
    return said if quiet else f"{DOUBTFUL}, {said}"


def code(figures: Sequence[Figure], *, quiet: bool) -> int:
    """What a bench exits with: 1 when something was not reached, else 3 when others were at work, else 0."""
    if any(figure.reached is False for figure in figures):
        return BELOW
    return 0 if quiet else IN_DOUBT


def add_option(parser: argparse.ArgumentParser) -> None:
    """Give a bench its `--json FILE`."""
    parser.add_argument(OPTION, type=target, metavar="FILE", help="also write the result there, as JSON")


def target(text: str) -> Path:
    """A file that can be written when all is measured, in a folder that is made if need be. Raises
    ArgumentTypeError."""
    file = Path(text)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"no folder for {file}: {error.strerror}") from None
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{file} cannot be written")
    return file


def conclude(
    console: Console, file: Path | None, mode: str, figures: Sequence[Figure], *, runs: int, others: float
) -> int:
    """Say what was found against what is to be reached, and whether to believe it; write the file, if any.
    Returns the exit code, as `code` has it."""
    quiet = others <= QUIET
    for figure in figures:
        aim = AIMS[figure.aim]
        ratio = f"; {spoken(figure.ratio)} times the bare C loop" if figure.ratio else ""
        console.print(
            f"{verdict(figure, quiet=quiet)}: {aim.what}: {figure.result}{ratio} (aim: {aim.reach})",
            soft_wrap=True,
        )
    console.print(quietness(others))
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(_report(mode, figures, runs, others))))
    return code(figures, quiet=quiet)


def spoken(ratio: float) -> str:
    """A ratio with as many digits as mean something."""
    return f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"


def read(file: Path) -> Report:
    """What `conclude` wrote. Raises OSError, or msgspec.DecodeError for a file that is none."""
    return msgspec.json.decode(file.read_bytes(), type=Report)


def command_of(mode: str, arguments: Sequence[str]) -> str:
    """The command that measures the same again: the arguments without the file to write."""
    kept = list(arguments)
    if OPTION in kept:
        at = kept.index(OPTION)
        del kept[at : at + 2]
    kept = [argument for argument in kept if not argument.startswith(f"{OPTION}=")]
    return shlex.join(["ringback", "bench", mode, *kept])


def _report(mode: str, figures: Sequence[Figure], runs: int, others: float) -> Report:
    return Report(
        mode=mode,
        command=command_of(mode, sys.argv[1:]),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine=Machine.this(),
        runs=runs,
        others=others,
        quiet=others <= QUIET,
        figures=list(figures),
    )


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
