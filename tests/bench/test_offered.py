"""What was really offered, and how media kept time meanwhile: what makes a rate one that was held."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from io import StringIO
from types import SimpleNamespace
from typing import Any, cast

import pytest
from bench.callers import Caller
from bench.machine import Usage
from bench.rates import Spent, Step
from bench.ticks import Ticks
from rich.console import Console

from bench import cps, overload, ramp, rates

SPENT = Spent(cpu={"control": 4.0}, core=0.5, load=0.1, others=0.0)


def step(rate: float, offered: float | None, ticks: Ticks | None = None) -> Step:
    """A rate at which all went well, but for this."""
    return Step(
        rate=rate,
        calls=100,
        offered=offered,
        failures={},
        untold=0,
        repeated=0,
        times={"INVITE→200": (5.0, 50.0)},
        spent=SPENT,
        ticks=ticks,
    )


class Server:
    """What a load asks its server, and a media worker that has been slow once more each time."""

    core = 0

    def __init__(self) -> None:
        self.slow = 0

    def usage(self) -> Usage:
        return Usage.of(os.getpid())

    async def shed(self) -> int:
        return 0

    async def idle(self, calls: int) -> None:
        assert calls == 0

    async def ticks(self) -> Ticks:
        self.slow += 1
        return Ticks(self.slow, 0, 0, 1.0)


class Slow(ramp.Load[Caller]):
    """A load that needs so long for a call."""

    takes = 0.0

    def place(self, number: int) -> Caller:
        time.sleep(self.takes)
        call = Caller(number)
        call.told, call.ended = 1.0, 1.0
        return call

    def step_of(self, calls: Sequence[Caller], rate: float, spent: Spent) -> Step:
        return step(rate, None)


@pytest.mark.parametrize(("takes", "whole"), [(0.0, True), (0.02, False)])
async def test_a_load_that_falls_behind_is_noticed(
    takes: float, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ramp, "PULSE", 0.0)
    monkeypatch.setattr(rates, "ENOUGH", 0.8)  # this machine has other things to do
    monkeypatch.setattr(Caller, "done", True)
    load = Slow(
        cast(Any, Server()), cast(Any, SimpleNamespace()), cast(Any, SimpleNamespace(pid=os.getpid()))
    )
    load.takes = takes
    found = await load.step(100.0, 0.3)
    assert found.offered is not None
    assert found.offered <= 50.0 or not takes
    assert found.whole is whole
    assert found.ticks == Ticks(1, 0, 0, 1.0), "those of this step"


def test_a_rate_is_held_only_when_it_was_offered() -> None:
    assert step(300.0, 297.0).good
    late = step(300.0, 270.0)
    assert not late.good
    said = rates.remarks([step(200.0, 200.0), late])
    assert "200 calls a second" in said[0]
    assert any("FELL BEHIND at 300 calls a second: 270.0" in line for line in said)
    assert not any("FELL BEHIND" in line for line in rates.remarks([step(200.0, 199.0)]))
    assert not rates.middle([step(300.0, 300.0), late, step(300.0, 300.0)]).good
    assert "200 held" in cps.figure([step(200.0, 200.0), late], None).result


def test_ticks_that_took_too_long_are_shown() -> None:
    together = rates.middle(
        [step(300.0, 300.0, Ticks(2, 9, 1, 4.0)), step(300.0, 300.0, Ticks(1, 0, 0, 6.0))]
    )
    assert together.ticks == Ticks(3, 9, 1, 6.0)
    out = StringIO()
    Console(file=out, width=200).print(rates.table("Calls a second", [together]))
    assert rates.TICKS in out.getvalue()
    assert " 3/1 " in out.getvalue()
    figure = cps.figure([together], None)
    assert "3 ticks over 20 ms and 1 left out" in figure.result
    assert (figure.values["slow_ticks"], figure.values["left_out_ticks"]) == (3, 1)


def test_goodput_is_of_the_time_in_which_calls_came() -> None:
    late = [number / 50 for number in range(100)]
    assert overload.span(late, 100.0) == pytest.approx(2.0), "at 100 a second it should have been one"
    assert overload.span([3.0], 10.0) == pytest.approx(0.1)
    assert ramp.rate_of([]) is None
    offer = overload.Offer(times=0.0, step=step(100.0, 50.0), seconds=overload.span(late, 100.0), good=100)
    assert offer.goodput == pytest.approx(50.0)
