"""How many legs were held, of several numbers that were tried several times each."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from bench.load import Punctuality
from bench.results import Figure
from bench.ticks import Ticks

SETTLE = 2.0
"""Seconds that are not measured before and after those that are."""
ENOUGH = 0.99
"""The share of its packets that the worst leg must have on time."""
AIM_LEGS, AIM_CORE, AIM_MICROSECONDS = 1000, 0.75, 13.0


class Held(Protocol):
    """A run with some legs."""

    @property
    def legs(self) -> int:
        """How many there were to be."""

    @property
    def core(self) -> float:
        """The share of the server's core that it took."""

    @property
    def microseconds(self) -> float:
        """Processor time per leg and 20 ms, everything together."""

    @property
    def good(self) -> bool:
        """All was in time."""

    @property
    def heard(self) -> Punctuality:
        """What the far ends got."""

    @property
    def floor(self) -> float | None:
        """The same of a C loop that only receives and sends."""

    @property
    def ticks(self) -> Ticks:
        """Of the window that was measured."""


Run = TypeVar("Run")


def best(
    runs: Sequence[Run], count: Callable[[Run], int], good: Callable[[Run], bool]
) -> tuple[Sequence[Run], bool]:
    """The runs of the largest number of which most were good, and yes; without one, those of the smallest
    number that was tried, and no."""
    counts = sorted({count(run) for run in runs}, reverse=True)
    tried = [[run for run in runs if count(run) == each] for each in counts]
    held = [same for same in tried if 2 * sum(map(good, same)) > len(same)]
    return (held[0], True) if held else (tried[-1], False)


def ratio(runs: Sequence[Held]) -> float | None:
    """The median of processor time against the bare loop's; None without one."""
    ratios = [run.microseconds / run.floor for run in runs if run.floor]
    return statistics.median(ratios) if ratios else None


def figure(row: str, runs: Sequence[Held]) -> Figure:
    """Legs with a prompt each, in one row of `bench.aims`."""
    same, held = best(runs, lambda run: run.legs, lambda run: run.good)
    legs = same[0].legs
    core = statistics.median(run.core for run in same)
    cost = statistics.median(run.microseconds for run in same)
    worst = min(run.heard.worst_leg for run in same)
    slow, left_out = max(run.ticks.slow for run in same), max(run.ticks.overruns for run in same)
    within = core <= AIM_CORE and cost <= AIM_MICROSECONDS
    return Figure(
        row,
        f"{legs:,}{'' if held else ' NOT'} held: {core:.0%} of the core, {cost:.1f} µs a leg and tick, "
        f"worst leg of all runs {worst:.2%} on time, {slow} ticks over 20 ms and {left_out} left out in the "
        "worst run",
        held and (within if legs >= AIM_LEGS else None),
        ratio(same),
        {
            "legs": legs,
            "core": core,
            "microseconds": cost,
            "worst_leg": worst,
            "slow": slow,
            "overruns": left_out,
        },
    )
