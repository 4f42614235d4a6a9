"""Synthesised greetings, as RTP through the media plane's tick into the detector: who answered?"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from bench.greetings import VOICES, Heard, corpus

from bench import amd
from ringback.calls.verbs import MachineDetection


@pytest.fixture(scope="module")
def lines() -> list[Heard]:
    """One voice, with and without noise."""
    return asyncio.run(corpus(VOICES[1:2], (None, -40.0)))


def found(lines: list[Heard], wanted: MachineDetection) -> dict[str, set[str]]:
    """Every verdict that there was on lines of each kind."""
    table: dict[str, Counter[str]] = amd.confusion(lines, amd.detect(lines, wanted))
    return {kind: set(verdicts) for kind, verdicts in table.items()}


def test_as_soon_as_known(lines: list[Heard]) -> None:
    assert found(lines, MachineDetection()) == {
        "person": {"human"},
        "person, long greeting": {"machine-start"},
        "machine, beep": {"machine-start"},
        "machine, late beep": {"machine-start"},
        "machine, no beep": {"machine-start"},
        "machine, hello and a long pause": {"human"},
        "machine, brief greeting and beep": {"machine-start"},
        "fax that calls": {"fax"},
        "fax that answers": {"fax"},
        "nobody": {"unknown"},
    }


def test_at_the_end_of_the_greeting(lines: list[Heard]) -> None:
    verdicts = found(lines, MachineDetection(wait_for_end=True))
    assert verdicts["person"] == {"human"}
    assert verdicts["machine, beep"] == {"machine-end-beep"}
    assert verdicts["machine, no beep"] == {"machine-end-silence"}
    assert verdicts["machine, late beep"] == {"machine-end-silence"}
    assert verdicts["machine, brief greeting and beep"] == {"machine-end-beep"}
    assert verdicts["fax that calls"] == verdicts["fax that answers"] == {"fax"}
    assert verdicts["nobody"] == {"unknown"}
