"""When a limit begins, and when it ends. What it does for a server is in `tests/calls/test_overload.py`."""

from __future__ import annotations

import random

import pytest

from ringback.routing.throttle import BEGIN, CALM, FLOOR, REST, SPARED, Throttle


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
    hand.measure(*[0.9 * BEGIN] * 100)
    assert hand.throttle.rate is None, "what is a little late goes by itself"
    hand.measure(BEGIN, BEGIN)
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


def test_a_rest_hides_nobody() -> None:
    """At rest it is measured once a second only, until somebody comes."""
    hand = Hand()
    for _ in range(20):
        hand.now += 1.0
        hand.throttle.measured(0.1)
    hand.now += 0.9
    for _ in range(2):
        hand.offer(30)
        hand.measure(BEGIN)
    assert hand.throttle.rate is not None
    assert hand.throttle.rate > 180.0, "of 600 a second, not yet more"


@pytest.mark.parametrize("rate", [12.0, 15.0, 20.0])
def test_few_calls_are_counted_as_they_come(rate: float) -> None:
    """A limit begins at the rate of those who came, wherever between two of them it begins."""
    begun = []
    for looks in range(200, 220):
        hand, due = Hand(), 0.0
        for look in range(looks):
            while due <= look * 0.05:
                hand.offer(1)
                due += 1 / rate
            hand.measure(BEGIN if look >= looks - 2 else 0.1)
        assert hand.throttle.rate is not None
        begun.append(hand.throttle.rate)
    assert rate - 1.0 <= sum(begun) / len(begun) <= rate + 1.0


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


def test_what_came_to_nothing_takes_little_of_the_limit() -> None:
    hand = Hand()
    hand.measure(*[5.0] * 40)
    assert hand.throttle.rate == FLOOR
    hand.now += 10.0
    nobody = 0
    while not hand.throttle.full():
        hand.throttle.enter()
        hand.throttle.spare()
        nobody += 1
    assert nobody == pytest.approx((FLOOR - 1.0) / (1.0 - SPARED), abs=2)
