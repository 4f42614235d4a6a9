"""The memory of legs: arrays with a row per leg, made once at full capacity.

Untouched pages of a large array cost address space only. `Rows.warm` writes to the rows of a bank before they
are first used, between ticks, so that no tick ever waits for a page.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Scalar = TypeVar("Scalar", bound=np.generic)

BANK = 16
"""Rows that are made ready at a time."""


class Rows:
    """Base of the parts of a phase. Subclasses make their arrays with `column`; all are reset together.

    What a tick does to a row is asked of its flags (columns of bool), so a row that is nobody's has them
    down. Its numbers stay until its next leg.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._columns: list[tuple[npt.NDArray[np.generic], float]] = []
        self._bools: list[npt.NDArray[np.generic]] = []

    def column(
        self, dtype: type[Scalar], shape: tuple[int, ...] = (), initial: float = 0
    ) -> npt.NDArray[Scalar]:
        """An array [row, *shape] whose rows begin as `initial`."""
        array = np.zeros((self.capacity, *shape), dtype)
        if initial:
            array[:] = initial
        return self.share(array, initial)

    def share(self, array: npt.NDArray[Scalar], initial: float = 0) -> npt.NDArray[Scalar]:
        """An array [row, …] that others hold, too, taken as a column of this part."""
        self._columns.append((array, initial))
        if array.dtype == np.bool_ and array.ndim == 1:
            self._bools.append(array)
        return array

    def reset(self, row: int) -> None:
        """A new leg takes the row."""
        for array, initial in self._columns:
            array[row] = initial
        self.drop(row)

    def leave(self, row: int) -> None:
        """The row's leg has ended."""
        for flag in self._bools:
            flag[row] = False
        self.drop(row)

    def drop(self, row: int) -> None:
        """What the row has beside its columns is let go of."""

    def warm(self, first: int, last: int) -> None:
        """Touch the memory of these rows."""
        for array, initial in self._columns:
            array[first:last] = initial


class Listeners(Rows):
    """A part that listens for something, in rows that are `enabled`; true if there are any."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.enabled = self.column(np.bool_)
        self._listening: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._listening)

    def enable(self, row: int, enabled: bool) -> None:
        """Listen in a row, or do not."""
        self.enabled[row] = enabled
        (self._listening.add if enabled else self._listening.discard)(row)

    def drop(self, row: int) -> None:
        self._listening.discard(row)
