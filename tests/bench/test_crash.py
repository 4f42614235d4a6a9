"""The bench of kill -9: what counts as delivered once, when the aim is reached, and one short run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from tests.bench.running import ran

from bench import crash

GOOD = crash.Run(calls=20, settled=2.0, repeats=0, open=0, lost=0.6, others=0.0)


@pytest.mark.parametrize(
    ("changes", "reached"),
    [
        ({}, True),
        ({"calls": 4}, None),
        ({"settled": 5.1}, False),
        ({"settled": None}, False),
        ({"repeats": 1}, False),
        ({"open": 1}, False),
        ({"lost": 1.1}, False),
    ],
)
def test_all_must_be_as_it_should(changes: dict[str, float | None], reached: bool | None) -> None:
    assert crash.figure([msgspec.structs.replace(GOOD, **changes)]).reached is reached


@pytest.mark.parametrize(
    ("taken", "repeats"),
    [
        ({}, 0),
        ({"a": Counter(x=1), "b": Counter(y=1)}, 0),
        ({"a": Counter(x=2)}, 1),
        ({"a": Counter(z=1)}, 1),
        ({"b": Counter(y=1, z=1)}, 1),
    ],
)
def test_a_callback_is_delivered_once_by_its_token(taken: dict[str, Counter[str]], repeats: int) -> None:
    application = crash.Application()
    application.left, application.taken = {"a": "x"}, taken
    assert application.repeats == repeats


def test_a_short_run_of_crash(tmp_path: Path) -> None:
    found, said = ran("crash", tmp_path, "--calls", "4", warned=True)
    assert "kill -9 amid calls, and the next start" in said
    [figure] = found.figures
    assert figure.values["repeats"] == figure.values["open"] == 0
    assert figure.reached is not True  # four calls say nothing of twenty
