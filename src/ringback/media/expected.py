"""What the next packet of each row is like, if nothing unusual happens. Nearly all packets are so, and need
no closer look.

Its marks (header, length and source, see `ringback.media.streams`) are those of the one before, a sequence
number and a packet's samples later. Whatever changes what would be done with it has its row forgotten here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.rows import Rows
from ringback.media.rtp import Batch
from ringback.media.streams import HEAD, LENGTH, MARKS, REMOTE

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_ALL = 0x0101010101010101
"""Eight flags that are set, as one number."""
_ROW = np.dtype(f"V{8 * MARKS}")


class Expected(Rows):
    """A row expects nothing until a packet has come that can be gone on from."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._marks = self.column(np.int64, (MARKS,), initial=-1)
        self._mark_rows = self._marks.view(_ROW).reshape(-1)
        self.shape = self.column(np.int64)
        """What the packet is to the row, as it was told."""

    def match(self, rows: Int64, marks: Int64) -> Bool:
        """Which packets are the expected ones, and the only ones of their rows."""
        expected: Bool = (marks == self._marks.take(rows, axis=0)).view(np.int64)[:, 0] == _ALL
        many = np.bincount(rows) > 1
        if np.count_nonzero(many):
            expected &= ~many[rows]
        return expected

    def advance(self, rows: Int64, marks: Int64, samples: int) -> None:
        """Packets with these marks, at most one per row, have come: their like is to follow.

        Writes over the marks.
        """
        first = marks[:, 0]
        marks[:, 0] = (first & ~0xFFFF) | ((first + 1) & 0xFFFF)
        marks[:, 1] = (marks[:, 1] + samples) & 0xFFFFFFFF
        self._mark_rows[rows] = marks.view(_ROW)[:, 0]

    def forget(self, rows: Int64 | int) -> None:
        """Nothing is expected of these rows any more."""
        self._marks[rows] = -1


def marks_of(batch: Batch, words: Int64) -> Int64:
    """The marks of packets with these header words, [packet, mark]."""
    marks = np.empty((len(words), MARKS), np.int64)
    marks[:, HEAD] = words
    marks[:, LENGTH] = batch.lengths
    marks[:, REMOTE] = batch.sources.view(np.int64)
    return marks
