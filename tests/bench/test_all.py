"""The table of all results: rows of several figures, doubtful ones, and what the whole exits with."""

from __future__ import annotations

import pytest
from bench.results import Figure, Machine, Report

from bench import all as every


def ended(mode: str, *figures: Figure, others: float = 0.0) -> every.Ended:
    """What became of a bench, made up."""
    report = Report(
        mode=mode,
        command=f"ringback bench {mode}",
        date="2026-11-28T00:00:00+00:00",
        machine=Machine.this(),
        runs=1,
        others=others,
        quiet=others <= 0.03,
        figures=list(figures),
    )
    return every.Ended(mode, report.command, report, "")


FAST = Figure("first-audio", "laml: 12 ms", True, 2.0)
SLOW = Figure("first-audio", "jambonz: 90 ms", False, 3.0)
FEW = Figure("first-audio", "texml: 12 ms", None)


def test_a_dialect_that_fails_is_seen_behind_one_that_does_not() -> None:
    (row,) = every.rows([ended("first-audio", FAST, SLOW)])
    assert row[2:5] == ("NOT REACHED", "laml: 12 ms; **jambonz: 90 ms**", "3.0")


@pytest.mark.parametrize(
    ("figures", "others", "said"),
    [
        ([FAST], 0.0, "reached"),
        ([FAST, FEW], 0.0, "measured"),
        ([FEW, SLOW], 0.0, "NOT REACHED"),
        ([FAST], 0.2, "DOUBTFUL (not quiet), reached"),
    ],
)
def test_a_row_is_as_good_as_its_worst_figure(figures: list[Figure], others: float, said: str) -> None:
    assert [row[2] for row in every.rows([ended("first-audio", *figures, others=others)])] == [said]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([ended("first-audio", FAST)], 0),
        ([ended("first-audio", FAST, others=0.2)], 3),
        ([ended("first-audio", FAST, others=0.2), ended("first-audio", FAST, SLOW)], 1),
        ([every.Ended("room", "", None, "there are none")], 0),
        ([every.Ended("ivr", "", None, "it took too long")], 1),
    ],
)
def test_what_it_exits_with(found: list[every.Ended], code: int) -> None:
    assert every.code(found) == code
