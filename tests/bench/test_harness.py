"""The benches of memory, start and leaks, and the table of all: their pieces, and a tiny run of each."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from bench.aims import AIMS
from bench.inside import holdings
from bench.results import Figure, Machine, Report
from bench.session import Session
from tests.bench.running import CHECKOUT, ran, said_by

from bench import all as every
from bench import leaks, options, outbound, results, room, start
from ringback.cli.bench import MODES


def report(*figures: Figure, others: float = 0.0) -> Report:
    """A report, made up."""
    return Report(
        mode="x",
        command="ringback bench x",
        date="2026-11-28T00:00:00+00:00",
        machine=Machine.this(),
        runs=1,
        others=others,
        quiet=others <= 0.03,
        figures=list(figures),
    )


def held(**changes: int) -> leaks.Held:
    """What a server holds, made up."""
    return leaks.Held(
        memory={"control": 100 * 2**20 + changes.get("octets", 0), "media": 30 * 2**20},
        descriptors=50 + changes.get("descriptors", 0),
        threads=10,
        tasks=20 + changes.get("tasks", 0),
        legs=changes.get("legs", 0),
        objects={"ringback.a.B": 10 + changes.get("objects", 0)},
        garbage=400 + changes.get("garbage", 0),
    )


# -- the table


def test_every_mode_is_run_and_every_row_has_a_bench() -> None:
    modes = {job.mode for job in every.JOBS}
    assert modes == MODES.keys() - {"all"}
    assert {aim.mode for aim in AIMS.values()} == modes


@pytest.mark.parametrize("job", every.JOBS, ids=lambda job: job.mode)
def test_a_row_of_the_whole_is_of_three_runs_at_least(job: every.Job) -> None:
    given = dict(zip(*[iter(job.whole.split())] * 2, strict=True))
    virtual = job.mode in ("room", "quality")
    assert virtual or job.mode == "leaks" or int(given["--runs"]) >= 3


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_a_module(mode: str) -> None:
    assert (CHECKOUT / "bench" / f"{mode.replace('-', '_')}.py").is_file()


def test_a_row_says_what_was_found() -> None:
    good = every.Ended("start", "ringback bench start", report(Figure("start", "1.2 s", True)), "")
    bad = every.Ended(
        "cps", "ringback bench cps", report(Figure("cps", "9 | 8", False, 2222.0), others=0.2), ""
    )
    none = every.Ended("room", "ringback bench room", None, "there are none")
    table = every.markdown([good, bad, none])
    assert "| 1.2 s | - | yes | `ringback bench start` |" in table
    assert "| **9 \\| 8** | 2,222 | no: others had 20% | `ringback bench cps` |" in table
    assert "not measured: there are none" in table
    assert "not measured: no figure" in table  # `start` gave nothing for the row `idle`
    assert AIMS["memory-leg"].what not in table
    assert f"; data on {Machine.this().data}" in table.splitlines()[0]


@pytest.mark.parametrize(("only", "count"), [("", len(every.JOBS)), ("ivr, cps", 2), ("leaks,", 1)])
def test_some_may_be_chosen(only: str, count: int) -> None:
    assert len(every.chosen(only)) == count


def test_what_is_no_bench_cannot_be_chosen() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no such bench 'speed'; there are start, "):
        every.chosen("ivr,speed")


def test_a_bench_that_fails_says_so_in_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = every.Job("start", "--runs never", 1, "--runs never", 1)
    ended = every.run(job, quick=False, folder=tmp_path, cores=(0, 0))
    assert ended.report is None
    assert "expected a whole number from 1, got 'never'" in ended.why


# -- options


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--server-core", "9999"], "no such core 9999: there are "),
        (["--load-core", "one"], "expected a whole number from 0, got 'one'"),
        (["--runs", "0"], "expected a whole number from 1, got '0'"),
        (["--rates", "abc"], "expected calls a second with commas, such as 20,50, got 'abc'"),
        (["--rates", "20,0"], "expected calls a second with commas, such as 20,50, got '20,0'"),
        (["--seconds", "inf"], "expected seconds, such as 5 or 0.5, got 'inf'"),
    ],
)
def test_a_wrong_option_is_told_what_is_expected(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        outbound.arguments().parse_args(given)
    assert said in capsys.readouterr().err


def test_numbers_with_commas() -> None:
    assert options.counts("100,400") == [100, 400]
    with pytest.raises(argparse.ArgumentTypeError, match="such as 100,400, got '100,0'"):
        options.counts("100,0")


# -- start


def start_of(*shares: float, rest: float = 7.0) -> list[start.Started]:
    """Starts with so much of the core used at rest, made up."""
    return [
        start.Started(
            listening=0.5,
            answered=0.6,
            cpu=0.4,
            rest=rest,
            idle={"control": share, "media": 0.0},
            others=0.0,
        )
        for share in shares
    ]


def test_rest_is_the_median_of_all_runs() -> None:
    runs = start_of(0.0002, 0.03, 0.001)
    first, rest = start.figures(runs, runs)
    assert (first.reached, rest.reached) == (True, True)
    assert rest.result == "0.10% of the core (control 0.10%, media 0.00%); at the most 3.00%"
    assert start.figures(runs, start_of(0.03, 0.03, 0.0))[1].reached is False


def test_a_moment_of_rest_reaches_nothing() -> None:
    assert start.figures(start_of(0.0), start_of(0.0, rest=3.0))[1].reached is None
    assert start.figures(start_of(0.0), start_of(0.1, rest=3.0))[1].reached is False


# -- leaks


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"octets": 5 * 2**20, "descriptors": 3, "tasks": -2, "objects": 8}, []),
        ({"octets": 20 * 2**20}, ["memory grew by 20.0 MB, 6.2 may be"]),
        ({"descriptors": 9}, ["9 more descriptors"]),
        ({"tasks": 9}, ["9 more tasks"]),
        ({"legs": 1}, ["1 more legs"]),
        ({"garbage": 2000}, []),
        ({"garbage": 440_000}, ["220 objects a call were freed by a look for garbage only"]),
        ({"objects": 101}, ["101 more of ringback.a.B"]),
    ],
)
def test_what_is_a_leak(changes: dict[str, int], found: list[str]) -> None:
    assert leaks.leaks(held(), held(**changes), 2000) == found


async def test_what_is_held_is_counted() -> None:
    kept = [report() for _ in range(3)]
    said = holdings(7)
    assert (said.number, said.tasks) == (7, 1)
    assert kept


# -- the whole


def test_there_is_no_room(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["room.py"])
    room.main()
    assert "no conference rooms" in capsys.readouterr().out


def test_a_short_run_of_memory(tmp_path: Path) -> None:
    found, said = ran("memory", tmp_path, "--runs", "1", "--legs", "5")
    assert "Memory (sum of PSS)" in said
    assert [each.aim for each in found.figures] == ["memory-idle", "memory-leg"]
    assert found.figures[1].reached is not True  # five legs say nothing of five hundred


def test_a_short_run_of_overload(tmp_path: Path) -> None:
    found, said = ran("overload", tmp_path, "--seconds", "0.5", "--capacity", "6", "--held", "2")
    assert "running calls on time" in said
    overload, refusal = found.figures
    assert overload.values["peak"] > 0
    assert "left out" in overload.result
    assert overload.values.keys() >= {"slow_ticks", "left_out_ticks"}
    assert refusal.values["raw_us"] > 0


def test_a_short_run_of_start(tmp_path: Path) -> None:
    found, said = ran("start", tmp_path, "--runs", "1", "--rest", "0.5")
    assert "there already" in said
    assert 0 < found.figures[0].values["again_s"] < 60


def test_a_short_run_of_leaks(tmp_path: Path) -> None:
    brief = "from bench import leaks; leaks.FORGOTTEN, leaks.WARM_UP = 0.5, 5; leaks.main()"
    file = tmp_path / "result.json"
    said = said_by(["-c", brief, "--calls", "5", "--rate", "10", "--json", str(file)])
    assert "What 5 calls leave" in said
    assert results.read(file).figures[0].values["calls"] == 5


def test_a_table_of_some(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    said = said_by(["-m", "bench", "all", "--quick", "--only", "start,room", "--folder", str(folder)])
    assert "[1/2] start" in said
    table = (folder / "table.md").read_text()
    assert "start of the server to its first call answered" in table
    assert "| not measured: no conference rooms in this version |" in table
    assert results.read(folder / "start.json").mode == "start"


def test_a_bench_says_what_takes_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    async def measured() -> int:
        return 7

    parser = options.parser("x", None, runs=2)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.argv", ["bench"])
        assert Session(parser).repeat(measured) == [7, 7]
    assert "run 1 of 2 …\nrun 2 of 2 …\n" in capsys.readouterr().out


@pytest.mark.parametrize(("seconds", "said"), [(5.0, "1 minute"), (80.0, "1 minute"), (1980.0, "33 minutes")])
def test_how_long_it_takes(seconds: float, said: str) -> None:
    assert every.lasting(seconds) == said
