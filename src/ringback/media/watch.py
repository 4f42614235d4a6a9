"""Notices when the media of a peer that should be sending does not come.

A peer that suppresses silence without a word of comfort noise (RFC 3551, 4.1) cannot be told from a broken
path, so what is noticed here is for people to read, and ends no call.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ringback.media.rows import Rows

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

PATIENCE = 10.0
"""How many times longer silence may last after comfort noise: then it is the peer's silence, not the
network's.
"""


class Watch(Rows):
    """Times are of the monotonic clock. `comfort` says of which rows the latest packet was comfort noise."""

    def __init__(self, capacity: int, limit: float, comfort: Bool) -> None:
        super().__init__(capacity)
        self._limit = limit
        self._comfort = comfort
        self.expecting = self.column(np.bool_)
        self.heard = self.column(np.bool_)
        """Something came since the remote was set."""
        self.silent = self.column(np.bool_)
        """The absence was reported."""
        self.last = self.column(np.float64)
        self._soonest = math.inf
        """Nothing is to be noticed before."""

    def expect(self, row: int, expecting: bool, changed: bool, now: float) -> None:
        """Begin to wait for media, or stop. A changed remote is waited for anew."""
        if expecting and (changed or not self.expecting[row]):
            self.last[row] = now
            self.silent[row] = False
        if changed:
            self.heard[row] = False
            self._comfort[row] = False
        self.expecting[row] = expecting
        if expecting:
            self._soonest = min(self._soonest, now + self._limit)

    def hear(self, rows: Int64, now: float) -> tuple[list[int], list[tuple[int, float]]]:
        """Packets were admitted.

        Returns the rows that heard their first, and (row, seconds) where media came back.
        """
        first = rows[~self.heard[rows]]
        back = rows[self.silent[rows]]
        resumed = [(row, now - float(self.last[row])) for row in sorted(set(back.tolist()))]
        self.heard[first] = True
        if resumed:
            self.silent[back] = False
            self._soonest = min(self._soonest, now + self._limit)
        self.last[rows] = now
        return sorted(set(first.tolist())), resumed

    def keep(self, rows: Int64, now: float) -> None:
        """Packets of rows that have been heard, and are not silent."""
        self.last[rows] = now

    def check(self, count: int, now: float) -> list[int]:
        """The rows below `count` that have newly been without media for too long."""
        if now < self._soonest:
            return []
        limit = np.where(self._comfort[:count], self._limit * PATIENCE, self._limit)
        awaited = self.expecting[:count] & ~self.silent[:count]
        rows = (awaited & (now - self.last[:count] > limit)).nonzero()[0]
        self.silent[rows] = True
        awaited[rows] = False
        self._soonest = self._limit + float(self.last[:count].min(where=awaited, initial=math.inf))
        return rows.tolist()
