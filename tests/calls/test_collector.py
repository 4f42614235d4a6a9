"""The timers and keys of a Gather, in plain numbers: what was pressed when, and how and when it ended."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ringback.calls.collector import DigitCollector
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.verbs import Gather, Pause

PROMPT = (Pause(seconds=3),)


def collected(
    keys: str, *, prompts_end: float = 0.0, hang_up: float = math.inf, **verb: Any
) -> tuple[Outcome, float]:
    """Play a scene such as `1@0.5 2@1`; the outcome and its moment."""
    collector = DigitCollector(Gather(**verb))
    scene = [(float(at), key) for key, at in (press.split("@") for press in keys.split())]
    scene += [(prompts_end, "prompts end"), (hang_up, "hang up")]
    for at, what in sorted(scene, key=lambda moment: moment[0]):
        if collector.deadline is not None and collector.deadline <= at:
            at = collector.deadline
            collector.expire()
        elif what == "prompts end":
            collector.prompts_ended(at)
        elif what == "hang up":
            collector.hung_up()
        else:
            collector.key(what, at)
        if collector.outcome is not None:
            return collector.outcome, at
    raise AssertionError("it goes on for ever")


@pytest.mark.parametrize(
    ("verb", "keys", "prompts_end", "digits", "finish_key", "at"),
    [
        pytest.param({"max_digits": 2}, "1@1 2@2", 0, "12", None, 2, id="as many keys as wanted"),
        pytest.param({"max_digits": 2}, "1@1", 0, "1", None, 6, id="fewer, then nothing more"),
        pytest.param({"inter_digit_timeout": 2.0}, "1@1 2@2.5", 0, "12", None, 4.5, id="each key waits anew"),
        pytest.param({}, "1@1 #@2", 0, "1", "#", 2, id="the finish key ends it and is left out"),
        pytest.param({}, "#@2", 0, "", "#", 2, id="the finish key alone"),
        pytest.param({"finish_keys": frozenset()}, "#@1", 0, "#", None, 6, id="no finish key: it is a digit"),
        pytest.param(
            {"finish_keys": frozenset("*1")}, "2@1 1@2", 0, "2", "1", 2, id="any key may be the finish key"
        ),
        pytest.param(
            {"start_keys": frozenset("9")}, "1@1 9@2 1@3", 0, "91", None, 8, id="input begins with such a key"
        ),
        pytest.param(
            {"inter_digit_timeout": None},
            "1@2",
            0,
            "1",
            None,
            5,
            id="without the second timer the first runs on",
        ),
        pytest.param(
            {"first_digit_timeout": None}, "1@60", 0, "1", None, 65, id="no first timer: any time to think"
        ),
        pytest.param({"prompts": PROMPT}, "1@1", 3, "1", None, 6, id="a key in the prompt starts the wait"),
        pytest.param(
            {"prompts": PROMPT, "barge_in": False},
            "1@1",
            9,
            "1",
            None,
            14,
            id="without barge-in the prompt comes first",
        ),
        pytest.param(
            {"prompts": PROMPT, "barge_in": False, "max_digits": 1},
            "1@1",
            9,
            "1",
            None,
            1,
            id="but enough is enough",
        ),
        pytest.param({"min_digits": 2}, "1@1 2@2", 0, "12", None, 7, id="the least there must be"),
    ],
)
def test_what_counts_as_entered(
    verb: dict[str, Any], keys: str, prompts_end: float, digits: str, finish_key: str | None, at: float
) -> None:
    outcome, when = collected(keys, prompts_end=prompts_end, **verb)
    assert outcome == Outcome(digits=digits, finish_key=finish_key)
    assert when == at


@pytest.mark.parametrize(
    ("verb", "keys", "prompts_end", "at"),
    [
        pytest.param({}, "", 0, 5, id="nothing was pressed"),
        pytest.param({"prompts": PROMPT}, "", 3, 8, id="the wait begins when the prompts end"),
        pytest.param({"first_digit_timeout": 0.0}, "", 3, 3, id="no wait at all"),
        pytest.param({"min_digits": 3}, "1@1 2@2", 0, 7, id="too little"),
        pytest.param({"start_keys": frozenset("9")}, "1@1 2@2", 0, 5, id="ignored keys do not prolong it"),
        pytest.param({"accepts_digits": False}, "1@1 #@2", 0, 5, id="keys are not listened for"),
    ],
)
def test_what_counts_as_nothing(verb: dict[str, Any], keys: str, prompts_end: float, at: float) -> None:
    outcome, when = collected(keys, prompts_end=prompts_end, **verb)
    assert outcome == Outcome(end=EndOfVerb.TIMEOUT)
    assert when == at


@pytest.mark.parametrize(("keys", "digits"), [("", None), ("1@1 2@2", "12")])
def test_a_hang_up_ends_it_with_what_there_is(keys: str, digits: str | None) -> None:
    outcome, when = collected(keys, hang_up=4.0)
    assert outcome == Outcome(end=EndOfVerb.HUNG_UP, digits=digits)
    assert when == 4.0


def test_keys_after_the_end_change_nothing() -> None:
    collector = DigitCollector(Gather(max_digits=1))
    collector.key("1", 0.0)
    collector.key("2", 0.1)
    assert collector.outcome == Outcome(digits="1")
    assert collector.digits == "1"
