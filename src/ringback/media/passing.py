"""Packets that were passed to a partner and go no further, until they are counted.

They are only counted in the next tick, whosever it is, so that it is done for many at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media import rtp
from ringback.media.quality import Reception
from ringback.media.routes import BURST
from ringback.media.straight import Words
from ringback.media.streams import LENGTH, MARKS

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


class Passing:
    """`reception` counts. Rows are the worker's."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._rows: list[Int64] = []
        self._marks: list[Int64] = []
        self._arrivals: list[Float64] = []

    def note(self, rows: Int64, marks: Int64, arrivals: Float64) -> None:
        """Packets were passed; see `ringback.media.arrivals.Many`."""
        self._rows.append(rows)
        self._marks.append(marks)
        self._arrivals.append(arrivals)

    def note_few(self, rows: list[int], words: Words, lengths: list[int], arrivals: list[float]) -> None:
        """The same of a few, with the words of their headers."""
        marks = np.zeros((len(rows), MARKS), np.int64)
        marks[:, :LENGTH] = words
        marks[:, LENGTH] = lengths
        self.note(np.array(rows), marks, np.array(arrivals))

    def account(self, offset: float) -> None:
        """Count what was passed; `offset` is what the clock of arrivals is ahead of ours."""
        if not self._rows:
            return
        rows, marks = np.concatenate(self._rows), np.concatenate(self._marks)
        arrivals = np.concatenate(self._arrivals) - offset
        for kept in (self._rows, self._marks, self._arrivals):
            kept.clear()
        size = marks[:, LENGTH] - rtp.HEADER
        parts, _ = rtp.waves(rows, np.arange(len(rows)), BURST)
        for part in parts:
            if len(part) == len(rows):
                self._count(rows, marks, size, arrivals)
            else:
                self._count(rows[part], marks[part], size[part], arrivals[part])

    def _count(self, rows: Int64, marks: Int64, size: Int64, arrivals: Float64) -> None:
        reception, sequence = self._reception, marks[:, 0] & 0xFFFF
        if not reception.follow(rows, sequence, marks[:, 1], marks[:, 2], size, arrivals):
            # One that came twice at once, for example.
            fresh, ahead = reception.observe(rows, sequence, marks[:, 2])
            reception.packets[rows] += 1
            reception.octets[rows] += size
            reception.count_audio(rows[fresh], size[fresh])
            reception.measure(rows[ahead], marks[ahead, 1], arrivals[ahead])
