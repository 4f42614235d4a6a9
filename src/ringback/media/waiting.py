"""Packets of bridged rows between the relay, which has seen them, and their rows' ticks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.rtp import Batch, Headers

Int64 = npt.NDArray[np.int64]


class Waiting:
    """For the rows of all phases; all batches are of one transport's memory."""

    def __init__(self, phases: int) -> None:
        self._phases = phases
        self._parts: list[tuple[Batch, Headers]] = []

    def put(self, batch: Batch, headers: Headers) -> None:
        """Packets came; their rows are the worker's."""
        self._parts.append((batch, headers))

    def take(self, number: int) -> tuple[Batch, Headers] | None:
        """Those of one phase, in the order in which they came; their rows are the phase's."""
        if not self._parts:
            return None
        batch, headers = self._merged()
        mine = batch.rows % self._phases == number
        rest = ~mine
        self._parts = [(batch.select(rest), headers.select(rest))] if rest.any() else []
        if not mine.any():
            return None
        taken = batch.select(mine)
        return taken._replace(rows=taken.rows // self._phases), headers.select(mine)

    def forget(self, row: int) -> Int64:
        """The row's leg has ended. Returns the slots of its packets."""
        if not self._parts:
            return np.zeros(0, np.int64)
        batch, headers = self._merged()
        rest = batch.rows != row
        slots: Int64 = batch.slots[~rest]
        self._parts = [(batch.select(rest), headers.select(rest))]
        return slots

    def _merged(self) -> tuple[Batch, Headers]:
        if len(self._parts) == 1:
            return self._parts[0]
        batches, headers = zip(*self._parts, strict=True)
        columns = [np.concatenate(column) for column in zip(*(batch[1:] for batch in batches), strict=True)]
        fields = [np.concatenate(column) for column in zip(*headers, strict=True)]
        return Batch(batches[0].data, *columns), Headers._make(fields)
