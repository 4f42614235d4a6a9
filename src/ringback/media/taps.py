"""Which rows of a phase are tapped, and what they heard and sent in a tick."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.rows import Rows
from ringback.media.streams import Streams
from ringback.media.tapline import SAMPLES, Block

Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


class Taps(Rows):
    """A row is tapped as long as it has recordings; several may run on one row."""

    def __init__(self, capacity: int, streams: Streams, number: int) -> None:
        super().__init__(capacity)
        self.tapped = self.share(streams.tapped[number :: streams.phases])
        self._ids: dict[int, set[int]] = {}
        self._rows: Int64 = np.zeros(0, np.int64)
        self._frames = self.column(np.int16, (2, SAMPLES))

    def __bool__(self) -> bool:
        return bool(self._ids)

    def drop(self, row: int) -> None:
        if self._ids.pop(row, None) is not None:
            self._list()

    def add(self, row: int, id: int) -> None:
        """A recording begins with the next tick."""
        self._ids.setdefault(row, set()).add(id)
        self._list()

    def has(self, row: int, id: int) -> bool:
        """Whether that recording runs."""
        return id in self._ids.get(row, ())

    def remove(self, row: int, id: int) -> None:
        """A recording has ended."""
        ids = self._ids.get(row, set())
        ids.discard(id)
        if not ids:
            self._ids.pop(row, None)
        self._list()

    def of(self, row: int) -> list[int]:
        """The recordings of a row."""
        return sorted(self._ids.get(row, ()))

    def clear(self) -> None:
        """Nobody listens any more."""
        self._ids.clear()
        self._list()

    def take(
        self, tick: int, heard: Int16, frames: Int16, audible: Bool, heard_lags: Int64, sent_lags: Int64
    ) -> Block:
        """A tick's block; of rows that are not `audible`, silence was sent. Valid until the next.

        What was heard and sent had come and left so many blocks before the tick.
        """
        rows = self._rows
        taken = self._frames[: len(rows)]
        taken[:, 0] = heard[rows]
        taken[:, 1] = np.where(audible[rows, None], frames[rows], 0)
        return Block(tick, rows, taken, np.stack([heard_lags[rows], sent_lags[rows]], axis=1))

    def _list(self) -> None:
        self._rows = np.array(sorted(self._ids), np.int64)
        self.tapped[:] = False
        self.tapped[self._rows] = True
