"""Whether workers keep time, and have time for more legs, by their pulses."""

from __future__ import annotations

import pytest

from ringback.media.clockwork import FRAME, LATE, STEP, Clockwork
from ringback.media.model import TickStatistics
from ringback.media.strain import FREE, FULL, LATE_SHARE, Strain

SECOND = round(1 / STEP)
"""Ticks in a second."""


def pulse(second: int, *, late: int = 0, overruns: int = 0, cpu: float = 0.0, pid: int = 1) -> TickStatistics:
    return TickStatistics(pid=pid, ticks=second * SECOND, late=late, overruns=overruns, cpu_seconds=cpu)


def test_late_ticks_are_counted() -> None:
    clock = Clockwork(100.0, epoch=0.0)
    for late in (0.0, LATE / 2, LATE * 1.5, LATE * 3):
        clock.begin(clock.due + late)
        clock.end(0.001)
    assert clock.statistics().late == 2


def test_ticks_that_are_late_strain_and_frames_left_out_more() -> None:
    strain = Strain()
    strain.look([pulse(1)])
    assert strain.lateness == 0.0
    strain.look([pulse(2, late=SECOND // 10)])
    strain.look([pulse(3, late=SECOND // 10 + SECOND // 20)])
    assert strain.lateness == pytest.approx(1 / 20 / LATE_SHARE)
    strain.look([pulse(4, late=SECOND // 10 + SECOND // 20, overruns=5)])
    strain.look([pulse(5, late=SECOND // 10 + SECOND // 20, overruns=10)])
    assert strain.lateness == pytest.approx(5 * FRAME / (1.0 + 5 * FRAME) / LATE_SHARE)
    strain.look([pulse(6, late=SECOND // 10 + SECOND // 20, overruns=10)])
    assert strain.lateness == 0.0


def test_one_bad_pulse_is_a_pause_however_often_it_is_looked_at() -> None:
    strain = Strain()
    strain.look([pulse(1)])
    for _ in range(20):
        strain.look([pulse(2, overruns=15)])
        assert strain.lateness == 0.0
    strain.look([pulse(3, overruns=15)])
    strain.look([pulse(4, overruns=30)])
    assert strain.lateness == 0.0


def test_a_worker_that_comes_to_rest_is_not_strained_any_more() -> None:
    strain = Strain()
    for second in (1, 2, 3):
        strain.look([pulse(second, late=second * 100, cpu=second * 0.99)])
    assert strain.lateness > 1.0
    assert strain.full
    strain.look([pulse(3, late=300, cpu=2.971)])
    assert (strain.full, strain.lateness) == (False, 0.0)


def test_a_worker_that_hardly_ticks_is_not_strained_by_one_late_tick() -> None:
    strain = Strain()
    strain.look([TickStatistics(pid=1, ticks=10)])
    strain.look([TickStatistics(pid=1, ticks=13, late=1, cpu_seconds=0.02)])
    strain.look([TickStatistics(pid=1, ticks=16, late=2, cpu_seconds=0.04)])
    assert strain.lateness <= 0.1
    assert not strain.full


def test_a_worker_without_time_takes_no_more_until_it_has_some() -> None:
    strain = Strain()
    seen, cpu = [], 0.0
    for second, busy in enumerate((0.5, FULL + 0.02, (FULL + FREE) / 2, FREE - 0.02, (FULL + FREE) / 2), 1):
        cpu += busy
        strain.look([pulse(second, cpu=cpu)])
        seen.append(strain.full)
    assert seen == [False, True, True, False, False]


def test_a_new_leg_goes_where_there_is_time() -> None:
    strain = Strain()
    strain.look([pulse(1, pid=1), pulse(1, pid=2)])
    strain.look([pulse(2, pid=1, cpu=0.99, late=100), pulse(2, pid=2, cpu=0.3)])
    assert (strain.full, strain.lateness) == (False, 0.0)
    strain.look([pulse(3, pid=1, cpu=1.98, late=200), pulse(3, pid=2, cpu=0.6)])
    assert (strain.full, strain.lateness) == (False, 0.0)
    strain.look([pulse(4, pid=1, cpu=2.97, late=300)])
    assert strain.full
    assert strain.lateness > 1.0
    strain.look([])
    assert (strain.full, strain.lateness) == (False, 0.0)
