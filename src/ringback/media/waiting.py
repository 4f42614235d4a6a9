"""Packets of bridged rows between the relay, which has seen them, and their rows' ticks, that want them.

Their headers are kept here, as the relay writes over them; everything else stays where it came.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media.straight import Words

Int64 = npt.NDArray[np.int64]

FIELDS = 5
"""Numbers that are kept of a packet: slot, row, and three words of header."""


class Kept(NamedTuple):
    """Packets: where they lie, whose they are, and what headers they came with, [packet, word]."""

    slots: Int64
    rows: Int64
    words: Int64


class Waiting:
    """For the rows of all phases, which here are the worker's."""

    def __init__(self, phases: int) -> None:
        self._phases = phases
        self._parts = [array("q") for _ in range(phases)]

    def put(self, slots: Int64, rows: Int64, words: Int64) -> None:
        """Packets came."""
        packets = np.column_stack((slots, rows, words))
        for number, part in enumerate(self._parts):
            part.frombytes(packets[rows % self._phases == number].tobytes())

    def put_few(self, slots: list[int], rows: list[int], words: Words) -> None:
        """The same of a few."""
        parts, phases = self._parts, self._phases
        for slot, row, head in zip(slots, rows, words, strict=True):
            parts[row % phases].extend((slot, row, *head))

    def take(self, number: int) -> Kept | None:
        """Those of one phase, in the order in which they came."""
        if not self._parts[number]:
            return None
        packets = np.frombuffer(self._parts[number], np.int64).reshape(-1, FIELDS)
        self._parts[number] = array("q")
        return Kept(packets[:, 0], packets[:, 1], packets[:, 2:])

    def forget(self, row: int) -> Int64:
        """The row's leg has ended. Returns the slots of its packets."""
        kept = self.take(row % self._phases)
        if kept is None:
            return np.zeros(0, np.int64)
        rest = kept.rows != row
        self.put(kept.slots[rest], kept.rows[rest], kept.words[rest])
        gone: Int64 = kept.slots[~rest]
        return gone
