"""Calls at a rate: what a step of so many a second gives, several runs of it, and what is said of a ramp."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec
from rich.table import Table

from bench.load import compiled
from bench.results import Figure
from bench.session import SLOW_ENDS
from bench.ticks import Ticks

P99_MS = 200.0
"""What a rate must keep: the 99th percentile of the first of its times."""
ENOUGH = 0.99
"""The share of a rate that must really have been offered."""
LOAD_LIMIT = 0.8
"""The share of its core above which the load may be what is measured."""
Times = tuple[float, float]
"""Median and 99th percentile in ms."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What a step cost."""

    cpu: dict[str, float]
    """Processor ms a call, by process."""
    core: float
    """The share of its core that the server took while calls came."""
    load: float
    """The same of the load."""
    others: float
    """The share of the server's core that others had."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rate's figures."""

    rate: float
    calls: int
    offered: float | None = None
    """Calls a second by the time in which they were placed, where more than one was."""
    failures: dict[int, int]
    """How many failed with which status; 0 for calls that were not ended in time."""
    shed: int = 0
    """How many of them the server refused for want of time, by its own account."""
    untold: int
    """Calls of whose end the application was not told in time."""
    repeated: int
    """Messages that were sent again, by either side."""
    times: dict[str, Times]
    """From what to what; the caller's wait for an answer is the first."""
    spent: Spent
    ticks: Ticks | None = None
    """How the media workers kept time meanwhile."""

    @property
    def failed(self) -> int:
        """How many did."""
        return sum(self.failures.values())

    @property
    def waited(self) -> Times:
        """For the answer."""
        return next(iter(self.times.values()))

    @property
    def whole(self) -> bool:
        """As many calls a second were offered as should be."""
        return self.offered is None or self.offered >= ENOUGH * self.rate

    @property
    def good(self) -> bool:
        """The rate was held."""
        return self.whole and not self.failed and not self.untold and self.waited[1] <= P99_MS

    @property
    def milliseconds(self) -> float:
        """Processor time of a call, everything together."""
        return sum(self.spent.cpu.values())

    @property
    def others(self) -> float:
        """The share of the server's core that others had."""
        return self.spent.others


def percentiles(seconds: Sequence[float]) -> Times:
    """Median and 99th percentile in ms; zeros for nothing."""
    if not seconds:
        return 0.0, 0.0
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2] * 1000, ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000


def middle(steps: Sequence[Step]) -> Step:
    """One step for several runs of the same rate: the median of each figure, the sum of what failed or came
    too late, the least that was offered."""
    failures: Counter[int] = Counter()
    for step in steps:
        failures.update(step.failures)
    spent = [step.spent for step in steps]
    ticks = [step.ticks for step in steps if step.ticks is not None]
    return Step(
        rate=steps[0].rate,
        calls=sum(step.calls for step in steps),
        offered=min((step.offered for step in steps if step.offered is not None), default=None),
        failures=dict(failures),
        shed=sum(step.shed for step in steps),
        untold=sum(step.untold for step in steps),
        repeated=sum(step.repeated for step in steps),
        times={name: _both([step.times[name] for step in steps]) for name in steps[0].times},
        spent=Spent(
            cpu={role: statistics.median(each.cpu.get(role, 0.0) for each in spent) for role in spent[0].cpu},
            core=statistics.median(each.core for each in spent),
            load=max(each.load for each in spent),
            others=max(each.others for each in spent),
        ),
        ticks=Ticks.together(ticks) if ticks else None,
    )


def _both(times: Sequence[Times]) -> Times:
    return statistics.median(each[0] for each in times), statistics.median(each[1] for each in times)


def table(title: str, steps: Sequence[Step]) -> Table:
    """A line a rate."""
    shown = Table(title=f"{title}, the whole server on one core; times in ms: median/p99")
    for heading in (
        "calls/s",
        "offered",
        "calls",
        "failed",
        "not told",
        "resent",
        *steps[0].times,
        "CPU ms/call",
        "control/media",
        TICKS,
        "core",
        "load core",
    ):
        shown.add_column(heading, justify="right")
    for step in steps:
        shown.add_row(*_row(step), style="" if step.good else "red")
    return shown


def _row(step: Step) -> list[str]:
    spent = step.spent
    return [
        f"{step.rate:g}",
        "" if step.offered is None else f"{step.offered:.1f}",
        str(step.calls),
        str(step.failed),
        str(step.untold),
        str(step.repeated),
        *(f"{median:.1f}/{p99:.1f}" for median, p99 in step.times.values()),
        f"{step.milliseconds:.2f}",
        "/".join(f"{spent.cpu.get(role, 0.0):.2f}" for role in ("control", "media")),
        missed(step.ticks),
        f"{spent.core:.0%}",
        f"{spent.load:.0%}",
    ]


TICKS = "ticks >20 ms/left out"
"""What `missed` shows."""


def missed(ticks: Ticks | None) -> str:
    """How many of the media workers' ticks took too long, and how many were left out."""
    return "" if ticks is None else f"{ticks.slow}/{ticks.overruns}"


def remarks(steps: Sequence[Step]) -> list[str]:
    """The result, and what one must know to believe it."""
    held = [step.rate for step in steps if step.good]
    said = [
        f"highest rate held (no failure, every callback, p99 ≤ {P99_MS:.0f} ms, "
        f"at least {ENOUGH:.0%} of it offered): "
        + (f"{max(held):g} calls a second" if held else "none of these")
    ]
    for step in steps:
        if step.failed:
            reasons = ", ".join(f"{status} ({count})" for status, count in sorted(step.failures.items()))
            said.append(f"failed at {step.rate:g} calls a second: {reasons}; 0 is a call that did not end")
            said.append(
                f"THE SERVER PROTECTED ITSELF: of those, {step.shed} were refused for want of time"
                if step.shed
                else "none of those were refused for want of time; why they failed is in what the server said"
            )
    return said + doubts(steps)


def doubts(steps: Sequence[Step]) -> list[str]:
    """What speaks against the figures."""
    said = [
        f"THE LOAD FELL BEHIND at {step.rate:g} calls a second: {step.offered:.1f} were placed in one"
        for step in steps
        if not step.whole
    ]
    if max(step.spent.load for step in steps) > LOAD_LIMIT:
        said.append("THE LOAD WAS BUSY: its own core may have been the limit")
    if not compiled():
        said.append(SLOW_ENDS)
    return said


def figure(
    row: str, aim: float, steps: Sequence[Step], floor: float | None, told: Callable[[Step], str]
) -> Figure:
    """The highest rate that was held, for a row of `bench.aims`; `told` says more of it in words."""
    held = [step for step in steps if step.good]
    if not held:
        return Figure(row, f"not even {steps[0].rate:g} were held", reached=False)
    best, tried = max(held, key=lambda step: step.rate), max(step.rate for step in steps)
    cost, core, p99 = best.milliseconds, best.spent.core, best.waited[1]
    kept, values = "", {"rate": best.rate, "p99_ms": p99, "cpu_ms": cost, "core": core}
    if best.offered is not None:
        values["offered"] = best.offered
    if best.ticks is not None:
        kept = f", {best.ticks.slow} ticks over 20 ms and {best.ticks.overruns} left out"
        values |= ticks_of([best])
    return Figure(
        row,
        f"{best.rate:g} held: {told(best)}, {cost:.1f} ms of processor time a call, {core:.0%} of the core"
        + kept,
        reached=not best.repeated if best.rate >= aim else None if best.rate == tried else False,
        ratio=cost * 1000 / floor if floor else None,
        values=values,
    )


def ticks_of(steps: Iterable[Step]) -> dict[str, float]:
    """The media workers' ticks of some steps, for a figure's values."""
    ticks = [step.ticks for step in steps if step.ticks is not None]
    return {
        "slow_ticks": sum(each.slow for each in ticks),
        "left_out_ticks": sum(each.overruns for each in ticks),
    }
