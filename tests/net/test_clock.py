from __future__ import annotations

from datetime import UTC

from ringback.net.clock import ManualClock, SystemClock, elapsed_ms, utcnow


def test_utcnow_is_aware() -> None:
    assert utcnow().tzinfo is UTC


def test_the_system_clock_moves_forward() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    assert elapsed_ms(before) >= 0.0
    assert abs(clock.now() - utcnow().timestamp()) < 1.0


def test_a_manual_clock_stands_still_until_moved() -> None:
    clock = ManualClock(1000.0)
    assert (clock.now(), clock.monotonic()) == (1000.0, 0.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (1002.5, 2.5)
