"""Whoever guesses passwords is slowed down, and costs nothing."""

from __future__ import annotations

from uuid import UUID

from ringback.routing.failures import Failures


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_after_so_many_failures_an_address_waits() -> None:
    clock = Clock()
    failures = Failures(clock, burst=3, per_minute=6.0)
    for _ in range(3):
        assert failures.barred("192.0.2.1") == 0
        failures.note("192.0.2.1")
    assert failures.barred("192.0.2.1") == 11
    assert failures.barred("192.0.2.2") == 0
    clock.now += 10.0
    assert failures.barred("192.0.2.1") == 0
    failures.note("192.0.2.1")
    assert failures.barred("192.0.2.1") > 0
    clock.now += 3600.0
    assert failures.barred("192.0.2.1") == 0


def test_an_ipv6_subscriber_is_one_address() -> None:
    failures = Failures(Clock(), burst=1, per_minute=1.0)
    failures.note("2001:db8::1")
    assert failures.barred("2001:db8::ffff") > 0
    assert failures.barred("2001:db8:0:1::1") == 0


def test_any_number_may_be_allowed() -> None:
    failures = Failures(Clock(), burst=0, per_minute=0.0)
    for _ in range(1000):
        failures.note("192.0.2.1")
    assert failures.barred("192.0.2.1") == 0


def test_no_more_at_all_without_a_rate() -> None:
    failures = Failures(Clock(), burst=1, per_minute=0.0)
    failures.note("not an address")
    assert failures.barred("not an address") == 3600


def test_an_address_is_barred_for_a_time() -> None:
    clock = Clock()
    failures = Failures(clock, burst=3, per_minute=6.0)
    failures.bar("192.0.2.1", 60.0)
    assert failures.barred("192.0.2.1") == 61
    clock.now += 60.0
    assert failures.barred("192.0.2.1") == 0


def test_the_word_of_one_account_counts_for_it_alone() -> None:
    one, other = UUID(int=1), UUID(int=2)
    failures = Failures(Clock(), burst=1, per_minute=1.0)
    failures.bar("192.0.2.1", 60.0, one)
    failures.note("192.0.2.2", one)
    assert failures.barred("192.0.2.1", one) == 61
    assert failures.barred("192.0.2.2", one) > 0
    for address in ("192.0.2.1", "192.0.2.2"):
        assert failures.barred(address, other) == failures.barred(address) == 0
    failures.note("192.0.2.3")  # a wrong password for what is known here counts everywhere
    assert failures.barred("192.0.2.3", one) > 0


def test_memory_is_bounded() -> None:
    failures = Failures(Clock(), burst=1, per_minute=1.0, most=10)
    for last in range(100):
        failures.note(f"192.0.2.{last}")
        failures.bar(f"198.51.100.{last}", 60.0)
    assert sum(failures.barred(f"192.0.2.{last}") > 0 for last in range(100)) == 10
    assert sum(failures.barred(f"198.51.100.{last}") > 0 for last in range(100)) == 10
