"""Windows of rows are over when they have lasted, each row's from where it began."""

from __future__ import annotations

import numpy as np

from ringback.media.windows import Windows


def over(windows: Windows, ticks: int, count: int = 3) -> dict[int, list[int]]:
    """By tick (from 1): the rows whose windows are over then."""
    found = {tick: windows.tick(count).tolist() for tick in range(1, ticks + 1)}
    return {tick: rows for tick, rows in found.items() if rows}


def test_each_window_is_followed_by_the_next() -> None:
    assert over(Windows(3, 4), 9) == {4: [0, 1, 2], 8: [0, 1, 2]}


def test_windows_begin_when_they_are_restarted() -> None:
    windows = Windows(3, 4)
    windows.tick(3)
    windows.restart(np.array([1]))
    windows.tick(3)
    windows.reset(2)
    assert over(windows, 8) == {2: [0], 3: [1], 4: [2], 6: [0], 7: [1], 8: [2]}


def test_rows_that_are_not_in_use_are_not_looked_at() -> None:
    windows = Windows(3, 4)
    assert over(windows, 9, count=1) == {4: [0], 8: [0]}
    windows.reset(2)
    assert over(windows, 4)[4] == [2]
