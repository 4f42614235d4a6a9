"""The throttle on a model of a server: a queue of pieces of work, and one processor that does them."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from ringback.routing.throttle import CALM, FLOOR, RELEASE, REST, Throttle

LATE = 0.01
"""Seconds of lateness that make a pressure of 1."""
SET_UP = (0.0010, 0.0012, 0.0013)
"""Seconds of work for each turn of a call's set-up; between them an application is asked."""
ENDING, REFUSAL, ASKING, TALK = 0.0025, 0.00006, 0.004, 1.0
CAPACITY = 1 / (sum(SET_UP) + ENDING)
"""Calls a second that fill the processor."""
PATIENCE = 0.2
"""Seconds within which a caller wants to be answered."""


class Machine:
    """Does in each turn what was there when it began, as an event loop does."""

    def __init__(self, seed: int = 1) -> None:
        self.now = 0.0
        self.throttle = Throttle(lambda: self.now)
        self.answered: list[float] = []
        """When calls were answered in time."""
        self.late = 0
        self.refused = 0
        self.rates: list[float | None] = []
        self._chance = random.Random(seed)
        self._numbers = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, when: float, work: Callable[[], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._due, (when, self._numbers, work))

    def run(self, *phases: tuple[float, float]) -> None:
        """Calls come at a rate for so many seconds: (seconds, rate), one phase after the other."""
        when = 0.0
        for seconds, rate in phases:
            until = when + seconds
            while (when := when + self._chance.expovariate(rate)) < until:
                self.at(when, partial(self._call, when))
            when = until
        self._sample(0.05)
        ready: deque[Callable[[], None]] = deque()
        while self.now < when:
            while self._due and self._due[0][0] <= self.now:
                ready.append(heapq.heappop(self._due)[2])
            if not ready:
                self.now = self._due[0][0]
            for _ in range(len(ready)):
                ready.popleft()()

    def _sample(self, due: float) -> None:
        def sample() -> None:
            self.throttle.measured((self.now - due) / LATE)
            self.rates.append(self.throttle.rate)
            self._sample(self.now + 0.05)

        self.at(due, sample)

    def _call(self, began: float) -> None:
        if self.throttle.full():
            self.throttle.refuse()
            self.refused += 1
            self.now += REFUSAL
        else:
            self.throttle.enter()
            self._turn(began, SET_UP)

    def _turn(self, began: float, left: Sequence[float]) -> None:
        self.now += left[0]
        if len(left) > 1:
            self.at(self.now + ASKING, lambda: self._turn(began, left[1:]))
            return
        if self.now - began <= PATIENCE:
            self.answered.append(self.now)
        else:
            self.late += 1
        self.at(self.now + TALK, self._end)

    def _end(self) -> None:
        self.now += ENDING

    def goodput(self, first: float, last: float) -> float:
        """Good calls a second between two moments."""
        return sum(first < when <= last for when in self.answered) / (last - first)


def test_what_a_server_has_time_for_is_not_limited() -> None:
    machine = Machine()
    machine.run((10.0, 0.6 * CAPACITY))
    assert machine.refused == machine.late == 0
    assert set(machine.rates) == {None}


@pytest.mark.parametrize("times", [1.2, 2.0, 3.0, 5.0])
def test_asked_for_more_it_does_what_it_can(times: float) -> None:
    machine = Machine()
    machine.run((5.0, 0.6 * CAPACITY), (20.0, times * CAPACITY))
    assert machine.goodput(7.0, 25.0) >= 0.9 * CAPACITY
    seconds = [machine.goodput(second, second + 1) for second in range(9, 25)]
    assert min(seconds) >= 0.7 * CAPACITY, "it does not swing"
    assert machine.late <= 0.25 * times * CAPACITY, "those who came before it was noticed"


def test_a_ramp_to_three_times_the_capacity_keeps_the_goodput() -> None:
    machine = Machine()
    machine.run(*((2.0, CAPACITY * (0.5 + 0.25 * step)) for step in range(11)))
    peak = max(machine.goodput(second, second + 2) for second in range(0, 20, 2))
    assert machine.goodput(18.0, 22.0) >= 0.9 * peak


def test_the_limit_ends_with_the_overload() -> None:
    machine = Machine()
    machine.run((5.0, 2 * CAPACITY), (RELEASE + 5.0, 0.3 * CAPACITY))
    assert machine.refused
    assert machine.throttle.rate is None
    before = machine.refused
    machine.run((5.0, 0.3 * CAPACITY))
    assert machine.refused == before


class Hand:
    """A throttle, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.throttle = Throttle(lambda: self.now)

    def measure(self, *pressures: float) -> None:
        for pressure in pressures:
            self.now += 0.05
            self.throttle.measured(pressure)

    def offer(self, calls: int) -> int:
        """How many of so many get in."""
        entered = 0
        for _ in range(calls):
            if self.throttle.full():
                self.throttle.refuse()
            else:
                self.throttle.enter()
                entered += 1
        return entered


def test_one_pause_is_no_overload() -> None:
    hand = Hand()
    hand.now += 3.0
    hand.measure(100.0, 0.1, 0.1, 100.0, 0.1)
    assert hand.throttle.rate is None
    hand.measure(5.0, 5.0)
    assert hand.throttle.rate is not None


def test_a_pause_hides_nobody() -> None:
    """Who comes while everything stands still is only seen afterwards."""
    hand = Hand()
    for _ in range(40):
        hand.offer(10)
        hand.measure(0.5)
    hand.now += 0.5
    hand.measure(10.0, 5.0)
    assert hand.throttle.rate is not None
    assert hand.throttle.rate > 80.0, "of 200 a second"


def test_however_late_it_is_some_come_in() -> None:
    hand = Hand()
    hand.measure(*[50.0] * 100)
    assert hand.throttle.rate == FLOOR
    entered = 0
    for _ in range(100):
        hand.measure(50.0)
        entered += hand.offer(10)
    assert entered == pytest.approx(6.0 * FLOOR, abs=1), "five seconds, and what may come at once"


@pytest.mark.parametrize("rate", [1.0, 2.0, 5.0])
def test_after_one_bad_second_few_callers_notice_nothing(rate: float) -> None:
    refused = []
    for seed in range(20):
        chance, hand, due, before = random.Random(seed), Hand(), 0.0, 0
        for look in range(400):
            while due <= look * 0.05:
                before += 1 - hand.offer(1)
                due += chance.expovariate(rate)
            hand.measure(5.0 if 100 <= look < 120 else 0.1)
        assert hand.throttle.rate is None
        refused.append(before)
    assert sorted(refused)[10] == 0
    assert max(refused) <= 2


def test_refusals_alone_keep_no_limit_up() -> None:
    hand = Hand()
    hand.measure(*[5.0] * 40)
    assert hand.throttle.rate == FLOOR
    for _ in range(round((REST + 3.0) / 0.05)):
        hand.offer(2)
        hand.measure(0.1)
    assert hand.throttle.rate is None, "of 40 a second"


def test_a_rate_that_nobody_asks_for_neither_grows_nor_goes() -> None:
    hand = Hand()
    for _ in range(20):
        hand.offer(10)
        hand.measure(2.0)
    rate = hand.throttle.rate
    assert rate is not None
    hand.measure(*[2 * CALM] * 100)
    assert 0.95 * rate <= (hand.throttle.rate or 0.0) <= 1.05 * rate
    hand.measure(*[CALM / 2] * round(1.2 * REST / 0.05))
    assert hand.throttle.rate is None, "until nothing is late at all"


def test_a_clock_that_stands_still_changes_nothing() -> None:
    hand = Hand()
    hand.throttle.measured(9.0)
    hand.throttle.measured(9.0)
    assert (hand.throttle.rate, hand.throttle.pressure) == (None, 0.0)
