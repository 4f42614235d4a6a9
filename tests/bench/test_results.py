"""The form that all benches' results have."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from bench.results import Figure, Machine
from rich.console import Console

from bench import results


def concluded(figures: list[Figure], file: Path | None = None, others: float = 0.0) -> tuple[int, str]:
    """The exit code and what was printed."""
    out = StringIO()
    code = results.conclude(Console(file=out, width=500), file, "ivr", figures, runs=3, others=others)
    return code, out.getvalue()


def test_a_file_says_all_that_one_must_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ivr.json"
    monkeypatch.setattr(sys, "argv", ["ivr.py", "--legs", "400", "--json", str(file), "--runs", "3"])
    figure = Figure("ivr", "400 calls", ratio=2.5, values={"legs": 400.0})
    assert concluded([figure], file, others=0.2)[0] == 3
    report = results.read(file)
    assert report.figures == [figure]
    assert (report.mode, report.runs, report.others, report.quiet) == ("ivr", 3, 0.2, False)
    assert report.command == "ringback bench ivr --legs 400 --runs 3"
    assert report.machine == Machine.this()
    assert report.date.endswith("+00:00")


def test_what_is_printed_stands_against_the_aim() -> None:
    code, said = concluded([Figure("start", "1.2 s", reached=True), Figure("refusal", "1 ms", reached=False)])
    assert code == 1
    assert "reached: start of the server to its first call answered: 1.2 s (aim: ≤ 2 s)" in said
    assert "NOT REACHED: processor time of a refusal: 1 ms" in said
    assert "quiet: others had 0%" in said


def test_a_ratio_is_to_the_bare_loop() -> None:
    assert (
        "400 calls; 2.5 times the bare C loop (aim:" in concluded([Figure("ivr", "400 calls", ratio=2.5)])[1]
    )


@pytest.mark.parametrize("reached", [True, None])
def test_less_than_the_aim_asks_for_is_no_failure(reached: bool | None) -> None:
    assert concluded([Figure("ivr", "10 calls", reached=reached)])[0] == 0


def test_nothing_is_reached_while_others_are_at_work() -> None:
    reached, below = Figure("start", "1.2 s", reached=True), Figure("refusal", "1 ms", reached=False)
    code, said = concluded([reached], others=0.1)
    assert code == 3
    assert said.startswith("DOUBTFUL (not quiet), reached: start")
    assert concluded([reached, below], others=0.1)[0] == 1


def test_a_figure_of_no_row_is_an_error() -> None:
    with pytest.raises(KeyError):
        concluded([Figure("speed", "fast")])


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], "ringback bench cps"),
        (["--json=x.json", "--rates", "5,10"], "ringback bench cps --rates 5,10"),
        (["--folder", "a b"], "ringback bench cps --folder 'a b'"),
    ],
)
def test_the_command_that_measures_it_again(arguments: list[str], command: str) -> None:
    assert results.command_of("cps", arguments) == command


def test_a_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("{}")
    with pytest.raises(msgspec.DecodeError):
        results.read(file)
