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
    strain.look([pulse(2, late=SECOND // 20)])
    assert strain.lateness == pytest.approx(1 / 20 / LATE_SHARE)
    strain.look([pulse(2, late=SECOND // 20)])
    assert strain.lateness == pytest.approx(1 / 20 / LATE_SHARE), "the same pulse tells nothing new"
    strain.look([pulse(3, late=SECOND // 20, overruns=5)])
    assert strain.lateness == pytest.approx(5 * FRAME / (1.0 + 5 * FRAME) / LATE_SHARE)
    strain.look([pulse(4, late=SECOND // 20, overruns=5)])
    assert strain.lateness == 0.0


def test_a_worker_that_hardly_ticks_is_not_strained_by_one_late_tick() -> None:
    strain = Strain()
    strain.look([TickStatistics(pid=1, ticks=10)])
    strain.look([TickStatistics(pid=1, ticks=13, late=1, cpu_seconds=0.02)])
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
    strain.look([pulse(3, pid=1, cpu=1.98, late=200)])
    assert strain.full
    assert strain.lateness > 1.0
    strain.look([])
    assert (strain.full, strain.lateness) == (False, 0.0)
