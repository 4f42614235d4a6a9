"""Notices when the media of a peer that should be sending does not come.

A peer that suppresses silence without a word of comfort noise (RFC 3551, 4.1) cannot be told from a broken
path, so what is noticed here is for people to read, and ends no call.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.rows import Rows

Int64 = npt.NDArray[np.int64]

PATIENCE = 10.0
"""How many times longer silence may last after comfort noise: then it is the peer's silence, not the
network's.
"""


class Watch(Rows):
    """Times are of the monotonic clock."""

    def __init__(self, capacity: int, limit: float) -> None:
        super().__init__(capacity)
        self._limit = limit
        self.expecting = self.column(np.bool_)
        self.heard = self.column(np.bool_)
        """Something came since the remote was set."""
        self.silent = self.column(np.bool_)
        """The absence was reported."""
        self.comfort = self.column(np.bool_)
        """The latest packet was comfort noise."""
        self.last = self.column(np.float64)

    def expect(self, row: int, expecting: bool, changed: bool, now: float) -> None:
        """Begin to wait for media, or stop. A changed remote is waited for anew."""
        if expecting and (changed or not self.expecting[row]):
            self.last[row] = now
            self.silent[row] = False
        if changed:
            self.heard[row] = False
            self.comfort[row] = False
        self.expecting[row] = expecting

    def hear(self, rows: Int64, now: float) -> tuple[list[int], list[tuple[int, float]]]:
        """Packets were admitted.

        Returns the rows that heard their first, and (row, seconds) where media came back.
        """
        first = set(rows[~self.heard[rows]].tolist())
        back = set(rows[self.silent[rows]].tolist())
        resumed = [(row, now - float(self.last[row])) for row in sorted(back)]
        self.heard[rows] = True
        self.silent[rows] = False
        self.last[rows] = now
        return sorted(first), resumed

    def check(self, count: int, now: float) -> list[int]:
        """The rows below `count` that have newly been without media for too long."""
        limit = np.where(self.comfort[:count], self._limit * PATIENCE, self._limit)
        late = self.expecting[:count] & ~self.silent[:count] & (now - self.last[:count] > limit)
        rows = np.nonzero(late)[0]
        self.silent[rows] = True
        return rows.tolist()
