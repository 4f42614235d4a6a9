"""Every bench, one after the other, and one table of the results: `ringback bench all --quick`.

Each is a process of its own. What they print goes into a folder, with their results as JSON and the table as
Markdown.
"""

from __future__ import annotations

import argparse
import datetime
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench import options as common
from bench import results
from bench.aims import AIMS
from bench.load import compiled
from bench.machine import IN_MEMORY
from bench.results import BELOW, IN_DOUBT, Figure, Machine, Report, verdict
from bench.session import NO_COMPILER, Session
from ringback.cli.attended import STOPPED, attended

FOLDER = Path("bench-results")
TABLE_FILE = "table.md"
PATIENCE = 4
"""A bench that takes so many times as long as it should is ended."""
HEADINGS = ("what", "aim", "verdict", "result", "ratio", "quiet", "command")


class Job(msgspec.Struct, frozen=True):
    """How a bench is run here, with all the time and with little of it; about how many seconds each takes."""

    mode: str
    whole: str
    whole_seconds: int
    quick: str
    quick_seconds: int


JOBS = (
    Job("start", "--runs 3", 75, "--runs 1 --rest 5", 18),
    Job("crash", "--runs 3", 45, "--calls 8", 12),
    Job("memory", "--runs 3", 75, "--runs 1 --legs 200", 18),
    Job("ivr", "--legs 1000 --seconds 8 --runs 3", 160, "--legs 400 --seconds 5", 28),
    Job("media", "--legs 1000 --seconds 5 --runs 3", 45, "--legs 400 --seconds 4", 14),
    Job("recorded", "--legs 800 --seconds 5 --runs 3", 55, "--legs 200 --seconds 4", 12),
    Job("pairs", "--pairs 700 --seconds 5 --runs 3", 40, "--pairs 200 --seconds 4", 12),
    Job("mixed", "--seconds 8 --runs 3", 190, "--legs 200 --pairs 30 --seconds 4", 25),
    Job("room", "", 1, "", 1),
    Job("cps", "--rates 150,200,250,300 --seconds 4 --runs 3", 110, "--rates 50,150 --seconds 3", 18),
    Job("outbound", "--rates 100,150,200,240 --seconds 4 --runs 3", 120, "--rates 50,100 --seconds 3", 22),
    Job("rest", "--seconds 0.5 --runs 3", 135, "--seconds 0.1", 25),
    Job("first-audio", "--calls 30 --fresh 10 --runs 3", 180, "--calls 8 --fresh 2 --dialect laml", 20),
    Job("barge-in", "--calls 20 --runs 3", 180, "--calls 5", 20),
    Job("relay-delay", "--way plain --seconds 8 --runs 3", 100, "--way plain --pairs 30 --seconds 4", 18),
    Job("overload", "--seconds 5 --runs 3", 200, "--seconds 2 --held 20", 30),
    Job("sockets", "--streams 200,700 --runs 5", 120, "--streams 200 --runs 1", 15),
    Job("quality", "", 30, "--seeds 1", 15),
    Job("leaks", "--calls 1600", 170, "--calls 100 --rate 40", 130),
)


class Ended(msgspec.Struct, frozen=True):
    """What became of a job: its report, or why there is none."""

    mode: str
    command: str
    report: Report | None
    why: str


def run(job: Job, *, quick: bool, folder: Path, cores: tuple[int, int]) -> Ended:
    """Run one bench; what it says goes into the folder. Raises KeyboardInterrupt when it is stopped."""
    arguments = shlex.split(job.quick if quick else job.whole)
    file, said = folder / f"{job.mode}.json", folder / f"{job.mode}.txt"
    file.unlink(missing_ok=True)
    pinned = ["--server-core", str(cores[0]), "--load-core", str(cores[1])] if _pins(job.mode) else []
    command = [sys.executable, "-m", "bench", job.mode, *arguments, *pinned, results.OPTION, str(file)]
    seconds = job.quick_seconds if quick else job.whole_seconds
    spoken = results.command_of(job.mode, arguments)
    with said.open("w") as out:
        try:
            stopped = attended(command, output=out, timeout=60 + PATIENCE * seconds) == STOPPED
        except subprocess.TimeoutExpired:
            return Ended(job.mode, spoken, None, "it took too long")
    if stopped:
        raise KeyboardInterrupt
    try:
        return Ended(job.mode, spoken, results.read(file), "")
    except (OSError, msgspec.DecodeError):
        lines = said.read_text().strip().splitlines()
        return Ended(job.mode, spoken, None, lines[-1] if lines else "it said nothing")


def _pins(mode: str) -> bool:
    return mode not in ("room", "quality")  # these have no server


def rows(ended: Sequence[Ended]) -> list[tuple[str, ...]]:
    """The table's rows, in the order of the aims; benches that were not run are left out."""
    by_mode = {each.mode: each for each in ended}
    found: list[tuple[str, ...]] = []
    for name, aim in AIMS.items():
        one = by_mode.get(aim.mode)
        if one is None:
            continue
        figure = _together([each for each in one.report.figures if each.aim == name]) if one.report else None
        if one.report is None or figure is None:
            why = f"not measured: {one.why or 'no figure'}"
            found.append((aim.what, aim.reach, "", why, "", "", one.command))
            continue
        said = verdict(figure, quiet=one.report.quiet)
        ratio = results.spoken(figure.ratio) if figure.ratio else "-"
        quiet = "yes" if one.report.quiet else f"no: others had {one.report.others:.0%}"
        found.append((aim.what, aim.reach, said, figure.result, ratio, quiet, one.command))
    return found


def _together(figures: Sequence[Figure]) -> Figure | None:
    """All that a bench found for one row, such as a figure for each dialect: it is as good as its worst."""
    if not figures:
        return None
    verdicts = {each.reached for each in figures}
    return Figure(
        figures[0].aim,
        "; ".join(each.result if each.reached is not False else f"**{each.result}**" for each in figures),
        False if False in verdicts else None if None in verdicts else True,
        max((each.ratio for each in figures if each.ratio), default=None),
    )


def markdown(ended: Sequence[Ended]) -> str:
    """The table with what must be known of it."""
    machine = Machine.this()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        f"{today}; {machine.cores} cores of {machine.model}, Linux {machine.kernel}, {machine.python}; "
        f"data on {machine.data}{' (NOT DURABLE)' if machine.data in IN_MEMORY else ''}. "
        "In bold: below the aim. Ratio: processor time of a leg's tick, a call or a request against a packet "
        "each way of the bare C loop in the same run.",
        "",
        _line(HEADINGS),
        _line(["---"] * len(HEADINGS)),
    ]
    lines += [_line([*cells[:-1], f"`{cells[-1]}`"]) for cells in rows(ended)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def chosen(only: str) -> list[Job]:
    """The jobs of these modes, separated by commas; all for nothing. Raises ArgumentTypeError for others."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    there = [job.mode for job in JOBS]
    for name in names:
        if name not in there:
            raise argparse.ArgumentTypeError(f"no such bench {name!r}; there are {', '.join(there)}")
    return [job for job in JOBS if not names or job.mode in names]


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    whole, quick = (
        lasting(sum(getattr(job, f"{name}_seconds") for job in JOBS)) for name in ("whole", "quick")
    )
    about = f"{__doc__}\nIt takes about {whole}, with --quick {quick}."
    parser = common.bare_parser("all", about)
    parser.add_argument("--quick", action="store_true", help="smaller and shorter: a first impression")
    parser.add_argument(
        "--only",
        type=chosen,
        default=list(JOBS),
        metavar="MODES",
        help="such as ivr,cps; default: all of them",
    )
    parser.add_argument("--folder", type=common.folder, default=FOLDER, help="where it goes")
    return parser


def main() -> None:
    """Run them all; exit 1 when something was below its aim, or could not be measured, else 3 when others
    were at work."""
    session = Session(arguments())
    options, console = session.options, session.console
    if not compiled():
        console.print(NO_COMPILER)
    options.folder.mkdir(parents=True, exist_ok=True)  # the default one was not asked about
    seconds = sum(job.quick_seconds if options.quick else job.whole_seconds for job in options.only)
    console.print(f"{_counted(len(options.only), 'bench', 'benches')}, about {lasting(seconds)}")
    ended, table, began = [], "", time.monotonic()
    for number, job in enumerate(options.only, 1):
        console.print(f"[{number}/{len(options.only)}] {job.mode} …", markup=False)
        ended.append(run(job, quick=options.quick, folder=options.folder, cores=session.cores))
        console.print(_spoken(ended[-1]), markup=False)
        table = markdown(ended)
        (options.folder / TABLE_FILE).write_text(table)  # each time: whoever stops us keeps what there is
    console.print()
    console.print(table, markup=False, soft_wrap=True)
    console.print(f"{(time.monotonic() - began) / 60:.1f} minutes; all of it is in {options.folder}/")
    sys.exit(code(ended))


def lasting(seconds: float) -> str:
    """So long, in words."""
    return _counted(max(1, round(seconds / 60)), "minute", "minutes")


def _counted(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _spoken(ended: Ended) -> str:
    if ended.report is None:
        return f"    not measured: {ended.why}"
    quiet = ended.report.quiet
    return "\n".join(f"    {verdict(each, quiet=quiet)}: {each.result}" for each in ended.report.figures)


def code(ended: Sequence[Ended]) -> int:
    """What it exits with."""
    codes = {_code(each) for each in ended}
    return BELOW if BELOW in codes else IN_DOUBT if IN_DOUBT in codes else 0


def _code(ended: Ended) -> int:
    if ended.report is None:
        return 0 if ended.mode == "room" else BELOW  # of rooms there is none, and it says so
    return results.code(ended.report.figures, quiet=ended.report.quiet)


if __name__ == "__main__":
    main()
