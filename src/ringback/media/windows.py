"""Spans of ticks after which something is looked at, such as two seconds; each row has its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.rows import Rows

Int64 = npt.NDArray[np.int64]
_NOBODY = np.zeros(0, np.int64)


class Windows(Rows):
    """Each is `length` ticks long, and followed by the next."""

    def __init__(self, capacity: int, length: int) -> None:
        super().__init__(capacity)
        self._length = length
        self._now = 0
        self._soonest = length
        """No window is over before."""
        self._begun = self.column(np.int64)
        self.warm(0, capacity)

    def reset(self, row: int) -> None:
        self._begun[row] = self._now

    def restart(self, rows: Int64) -> None:
        """Windows of these rows begin now."""
        self._begun[rows] = self._now

    def tick(self, count: int) -> Int64:
        """A tick has passed. Returns which of rows 0 to `count` have a window that is over."""
        self._now += 1
        if self._now < self._soonest:
            return _NOBODY
        begun = self._begun[:count]
        rows = (begun <= self._now - self._length).nonzero()[0]
        begun[rows] = self._now
        self._soonest = int(begun.min(initial=self._now)) + self._length
        return rows
