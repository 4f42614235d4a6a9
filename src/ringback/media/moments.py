"""When what a row hears was said: the places of its audio on the time line of recordings.

A jitter buffer holds audio for a time that differs from row to row and changes; a recording must not show it.
So a row's audio is placed by when it came. The quickest packets count, as the others were held up on their
way: the offset between positions in the buffer and the time line follows the earliest arrivals, upwards at
once and downwards (a clock that is slower than ours, a longer way) once none of two seconds was as early.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from ringback.media.conceal import BLOCK, FRAME
from ringback.media.jitter import JUMP, NEVER, WINDOW
from ringback.media.rows import Rows
from ringback.media.rtp import Batch
from ringback.media.tapline import LOOKBACK
from ringback.media.windows import Windows

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

TOLERANCE = BLOCK
"""Samples by which the offset may be wrong: each change of it is a small crack in the recording."""


def ahead() -> float:
    """Seconds by which the clock of packets' arrivals is ahead of ours.

    The kernel stamps packets by the time of day; everything here goes by a clock that is never set.
    """
    return time.time() - time.monotonic()


def on_our_clock(batch: Batch) -> Batch:
    """Packets whose arrivals are by our clock."""
    return batch._replace(arrivals=batch.arrivals - ahead())


class Moments(Rows):
    """Places are samples on the phase's time line of frames; positions are the jitter buffers'."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._offset = self.column(np.int64, initial=-NEVER)
        """Position less place."""
        self._best = self.column(np.int64, initial=-NEVER)
        self._windows = Windows(capacity, WINDOW)

    def reset(self, row: int) -> None:
        super().reset(row)
        self._windows.reset(row)

    def observe(self, rows: Int64, ends: Int64, places: Int64) -> None:
        """Packets whose last sample is before position `ends` came at `places`, at most one per row.

        A packet of one frame lies where it came, as one that is sent lies where it leaves; of a longer one
        the last frame does.
        """
        offset = ends - FRAME * BLOCK - places
        ahead = offset - self._offset[rows]
        self._best[rows] = np.maximum(self._best[rows], offset)
        moved: Bool = (ahead > TOLERANCE) | (ahead < -JUMP * BLOCK)
        if np.count_nonzero(moved):
            self._begin(rows[moved], offset[moved])

    def forget(self, rows: Int64) -> None:
        """What comes next of these rows is like the first."""
        self._offset[rows] = self._best[rows] = -NEVER

    def pass_frame(self, count: int) -> None:
        """20 ms have passed for rows 0 to `count`."""
        over = self._windows.tick(count)
        if len(over):
            self._follow(over)

    def lags(self, count: int, frame: int, play: Int64) -> Int64:
        """How many blocks before the tick `frame` that belongs which is at `play` (blocks) in rows 0 to
        `count`.
        """
        offset = self._offset[:count]
        lags = frame * FRAME - play + (offset + BLOCK // 2) // BLOCK
        # Nothing has come yet: silence may lie anywhere.
        return np.where(offset > -NEVER, np.minimum(np.maximum(lags, 0), LOOKBACK * FRAME), 0)

    def _follow(self, rows: Int64) -> None:
        best = self._best[rows]
        later = (best > -NEVER) & (best < self._offset[rows] - TOLERANCE)
        self._offset[rows[later]] = best[later]
        self._best[rows] = -NEVER

    def _begin(self, rows: Int64, offset: Int64) -> None:
        self._offset[rows] = self._best[rows] = offset
        self._windows.restart(rows)
