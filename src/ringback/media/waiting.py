"""Packets of bridged rows between the relay, which has seen them, and their rows' ticks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.rtp import Batch

Int64 = npt.NDArray[np.int64]


class Waiting:
    """For the rows of all phases; all batches are of one transport's memory."""

    def __init__(self, phases: int) -> None:
        self._phases = phases
        self._parts: list[tuple[Batch, Int64]] = []

    def put(self, batch: Batch, words: Int64) -> None:
        """Packets came, with the words of their headers; their rows are the worker's."""
        self._parts.append((batch, words))

    def take(self, number: int) -> tuple[Batch, Int64] | None:
        """Those of one phase, in the order in which they came; their rows are the phase's."""
        if not self._parts:
            return None
        batch, words = self._merged()
        mine = batch.rows % self._phases == number
        rest = ~mine
        self._parts = [(batch.select(rest), words[rest])] if rest.any() else []
        if not mine.any():
            return None
        taken = batch.select(mine)
        return taken._replace(rows=taken.rows // self._phases), words[mine]

    def forget(self, row: int) -> Int64:
        """The row's leg has ended. Returns the slots of its packets."""
        if not self._parts:
            return np.zeros(0, np.int64)
        batch, words = self._merged()
        rest = batch.rows != row
        slots: Int64 = batch.slots[~rest]
        self._parts = [(batch.select(rest), words[rest])]
        return slots

    def _merged(self) -> tuple[Batch, Int64]:
        if len(self._parts) == 1:
            return self._parts[0]
        batches, words = zip(*self._parts, strict=True)
        columns = [np.concatenate(column) for column in zip(*(batch[1:] for batch in batches), strict=True)]
        return Batch(batches[0].data, *columns), np.concatenate(words)
