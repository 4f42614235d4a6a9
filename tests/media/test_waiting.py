"""Packets between the relay and their rows' ticks."""

from __future__ import annotations

import numpy as np

from ringback.media.waiting import Waiting


def slots_of(waiting: Waiting, number: int) -> list[int]:
    kept = waiting.take(number)
    return [] if kept is None else kept.slots.tolist()


def test_each_phase_takes_its_own_in_order() -> None:
    waiting = Waiting(4)
    waiting.put_few([10, 11, 12], [1, 2, 5], [(1, 2, 3), (4, 5, 6), (7, 8, 9)])
    waiting.put(np.array([13, 14]), np.array([1, 3]), np.array([[10, 11, 12], [13, 14, 15]]))
    waiting.put_few([15], [1], [(16, 17, 18)])
    kept = waiting.take(1)
    assert kept is not None
    assert kept.slots.tolist() == [10, 12, 13, 15]
    assert kept.rows.tolist() == [1, 5, 1, 1]
    assert kept.words.tolist() == [[1, 2, 3], [7, 8, 9], [10, 11, 12], [16, 17, 18]]
    assert waiting.take(1) is None
    assert [slots_of(waiting, number) for number in (0, 2, 3)] == [[], [11], [14]]


def test_what_a_leg_leaves_is_given_back() -> None:
    waiting = Waiting(4)
    assert not len(waiting.forget(1))
    waiting.put_few([10, 11, 12], [1, 5, 1], [(0, 0, 0)] * 3)
    assert waiting.forget(1).tolist() == [10, 12]
    assert slots_of(waiting, 1) == [11]
