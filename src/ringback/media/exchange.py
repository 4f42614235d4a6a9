"""Where the rows of a worker hear each other: each row's latest frame, and who listens to whom.

A bridged row leaves its frame here in its own phase's tick, and takes its partner's, which is at most 20 ms
old: each frame is taken once, as both tick at the same pace.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.playout import SAMPLES
from ringback.media.quality import Reception
from ringback.media.streams import Streams

Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

NOBODY = -1


class Exchange:
    """For `capacity` rows in each of `phases`; rows here are the worker's."""

    def __init__(self, capacity: int, phases: int) -> None:
        self.phases = phases
        self._rows = capacity * phases
        self.audio = np.zeros((2 * self._rows, SAMPLES), np.int16)
        self.lags = np.zeros(2 * self._rows, np.int64)
        """How many blocks before the tick that left it the audio had come."""
        self.streams = Streams(capacity, phases)
        self.reception = Reception(capacity * phases)

    def elsewhere(self, row: int) -> int:
        """The place of what a row hears from a row of another worker."""
        return self._rows + row


class Corner:
    """The part of an exchange that is one phase's; rows here are those within the phase."""

    def __init__(self, exchange: Exchange, number: int) -> None:
        self._exchange = exchange
        self._number = number
        self._sources: dict[int, int] = {}
        self._rows: Int64 = np.zeros(0, np.int64)
        self._partners: Int64 = np.zeros(0, np.int64)
        self._places: Int64 = np.zeros(0, np.int64)
        self._behind: Int64 = np.zeros(0, np.int64)
        self.pairs: tuple[Int64, Int64] = self._rows, self._partners
        """The rows whose partners are in this worker, and these."""

    @property
    def number(self) -> int:
        """The phase's."""
        return self._number

    @property
    def streams(self) -> Streams:
        """Those of the whole worker."""
        return self._exchange.streams

    @property
    def reception(self) -> Reception:
        """The counters of the whole worker."""
        return self._exchange.reception

    def __len__(self) -> int:
        """How many rows hear somebody."""
        return len(self._sources)

    def __contains__(self, row: int) -> bool:
        return row in self._sources

    def connect(self, row: int, partner: int) -> None:
        """The row hears `partner` (the worker's number for it), or nobody, from now on."""
        if partner == NOBODY:
            self._sources.pop(row, None)
        else:
            self._sources[row] = partner
        self._exchange.audio[self.place(row)] = 0
        self._rows = np.array(sorted(self._sources), np.int64)
        self._partners = np.array([self._sources[row] for row in sorted(self._sources)], np.int64)
        self._places = self.places(self._rows)
        # A partner's latest tick was so many steps ago, each of which is a block long.
        self._behind = (self._number - self._partners) % self._exchange.phases
        near = self._partners < self._exchange.streams.capacity
        self.pairs = self._rows[near], self._partners[near]

    def leave(self, frames: Int16, lags: Int64, heard: Bool) -> None:
        """Put what rows that are `heard` said, and how long ago that came, where their partners find it."""
        which = heard[self._rows]
        if np.count_nonzero(which):
            places, rows = self._places[which], self._rows[which]
            self._exchange.audio[places] = frames[rows]
            self._exchange.lags[places] = lags[rows]

    def places(self, rows: Int64) -> Int64:
        """The worker's numbers of rows."""
        return rows * self._exchange.phases + self._number

    def forget(self, rows: Int64) -> None:
        """What these rows said is nobody's."""
        self._exchange.audio[self.places(rows)] = 0

    def take(self, wanted: Bool) -> tuple[Int64, Int16]:
        """Those of the rows `wanted` that hear somebody, and what they hear, [row, sample]."""
        which = wanted[self._rows]
        return self._rows[which], self._exchange.audio[self._partners[which]]

    def lags(self) -> tuple[Int64, Int64]:
        """The rows that hear somebody, and how many blocks ago it came."""
        return self._rows, self._exchange.lags[self._partners] + self._behind

    def place(self, row: int) -> int:
        """The worker's number of a row."""
        return row * self._exchange.phases + self._number
