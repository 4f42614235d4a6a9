"""What becomes of the calls when there are too many, in virtual time: see `tests.calls.loaded`."""

from __future__ import annotations

import random

import pytest
from tests.calls.loaded import CAPACITY, IN_TIME, NOBODY, LoadedServer

from ringback.routing.throttle import RELEASE

SECONDS = 12.0
LEAD = 2.0
"""Seconds until calls end as fast as they come, and a limit is found."""
SEEDS = (1, 2, 3)
SHORT, LONG = (3.0, 0.006), (0.4, 0.05)
"""Pauses: how many a second, and how long."""


def pauses(seed: int) -> list[tuple[float, float]]:
    """Those of a machine that does other things as well."""
    chance, found = random.Random(seed), []
    for often, seconds in (SHORT, LONG):
        when = 0.0
        while (when := when + chance.expovariate(often)) < 2 * SECONDS:
            found.append((when, seconds))
    return found


LEFT = 1.0 - sum(often * seconds for often, seconds in (SHORT, LONG))
"""The share of the time that pauses leave."""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("even", [True, False])
def test_nobody_is_refused_for_what_does_not_hurt(even: bool, seed: int) -> None:
    server = LoadedServer(seed=seed, pauses=pauses(seed))
    server.load(SECONDS, 0.8 * CAPACITY, even=even)
    server.load(1.0, 1.0)
    outcome = server.outcome(0.0, SECONDS)
    assert outcome.refused <= 0.001 * outcome.offered
    assert outcome.p99 <= IN_TIME


@pytest.mark.parametrize("seed", SEEDS)
def test_a_little_below_what_it_can_do_few_are_refused(seed: int) -> None:
    server = LoadedServer(seed=seed, pauses=pauses(seed))
    server.load(SECONDS, 0.9 * CAPACITY)
    server.load(1.0, 1.0)
    outcome = server.outcome(0.0, SECONDS)
    assert outcome.good >= 0.97 * outcome.offered


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("times", [1.2, 2.0, 3.0, 5.0])
def test_asked_for_more_it_does_what_it_can(times: float, even: bool, seed: int) -> None:
    server = LoadedServer(seed=seed, pauses=pauses(seed))
    server.load(SECONDS, times * CAPACITY, even=even)
    server.load(1.0, 1.0)
    outcome = server.outcome(LEAD, SECONDS)
    assert outcome.goodput >= 0.95 * LEFT * CAPACITY
    assert outcome.p99 <= 1.05 * IN_TIME
    first = server.outcome(0.0, LEAD)
    assert first.goodput >= 0.85 * LEFT * CAPACITY, "it is noticed at once"


def test_a_ramp_to_three_times_the_capacity_keeps_the_goodput() -> None:
    server = LoadedServer()
    for step in range(11):
        server.load(2.0, CAPACITY * (0.5 + 0.25 * step))
    server.load(1.0, 1.0)
    goodput = [server.outcome(second, second + 2.0).goodput for second in range(0, 22, 2)]
    assert goodput[-1] >= 0.95 * max(goodput)


@pytest.mark.parametrize("seconds", [0.3, 1.0])
def test_after_a_standstill_it_finds_its_rate_again(seconds: float) -> None:
    server = LoadedServer(pauses=[(5.0, seconds)])
    server.load(SECONDS, 2.0 * CAPACITY)
    server.load(1.0, 1.0)
    again = 5.0 + seconds + 1.0
    assert server.outcome(again, again + 1.0).goodput >= 0.85 * CAPACITY
    assert server.outcome(again, SECONDS).goodput >= 0.9 * CAPACITY


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("seconds", [0.3, 0.4, 0.5])
def test_a_pause_of_the_disk_is_over_when_it_is_over(seconds: float, seed: int) -> None:
    server = LoadedServer(seed=seed, stalls=[(5.0, seconds)])
    server.load(5.0, 2.0 * CAPACITY)
    before = server.rates[-1] or 0.0
    looks = len(server.rates)
    server.load(seconds + 1.0, 2.0 * CAPACITY)
    assert min(rate or CAPACITY for rate in server.rates[looks:]) >= 0.9 * before
    server.load(3.0, 2.0 * CAPACITY)
    server.load(1.0, 1.0)
    again = 5.0 + seconds + 0.6
    assert server.outcome(again, again + 2.0).goodput >= 0.9 * CAPACITY


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_refused_for_a_pause_of_the_disk(seed: int) -> None:
    server = LoadedServer(seed=seed, stalls=[(5.0 + second, 0.3 + 0.1 * second) for second in range(3)])
    server.load(SECONDS, 0.5 * CAPACITY)
    assert not server.capacity.refused


@pytest.mark.parametrize("seed", SEEDS)
def test_a_disk_that_stays_slow_is_not_asked_for_more(seed: int) -> None:
    """Two writes of a call, 2.5 ms each: the disk can do as much as the processor, but no other way."""
    server = LoadedServer(seed=seed, each=0.0025)
    server.load(SECONDS, 3.0 * CAPACITY)
    server.load(1.0, 1.0)
    outcome = server.outcome(2.0 * LEAD, SECONDS)
    assert outcome.goodput >= 0.55 * CAPACITY
    assert outcome.p99 <= 1.5 * IN_TIME


@pytest.mark.parametrize("stalls", [[(5.0, 3.0)], [(5.0, 0.3)] * 10])
def test_a_disk_that_hangs_is_protected_from_more(stalls: list[tuple[float, float]]) -> None:
    server = LoadedServer(stalls=stalls)
    server.load(5.0, 2.0 * CAPACITY)
    before = server.rates[-1] or 0.0
    server.load(3.0, 2.0 * CAPACITY)
    assert (server.rates[-1] or CAPACITY) <= 0.4 * before


def test_those_who_ask_for_nobody_take_nobodys_place() -> None:
    server = LoadedServer()
    server.load(5.0, 1.5 * CAPACITY)
    server.load(2.0, 1.5 * CAPACITY, strangers=400.0)
    server.load(1.0, 1.0)
    left = 1.0 - 400.0 * NOBODY
    assert server.outcome(5.0, 7.0).goodput >= 0.95 * left * CAPACITY


def test_the_limit_ends_with_the_overload() -> None:
    server = LoadedServer()
    server.load(5.0, 2 * CAPACITY)
    server.load(RELEASE + 5.0, 0.3 * CAPACITY)
    assert server.capacity.refused
    assert not server.capacity.limited
    before = server.capacity.refused
    server.load(5.0, 0.3 * CAPACITY)
    assert server.capacity.refused == before
