"""What happened in the last seconds, for a bounded memory of what is not worth a timer each."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Remembers for `seconds` at the least, and twice as long at the most: two tables that change places.

    `most` entries fill a table: then they change places early, and what was noted before the last `most` is
    forgotten. Of a key its hash is kept. `clock` gives seconds that never run backwards.
    """

    def __init__(self, clock: Callable[[], float], seconds: float, most: int) -> None:
        self._clock = clock
        self._seconds = seconds
        self._most = most
        self._young: dict[int, Value] = {}
        self._old: dict[int, Value] = {}
        self._turned_at = -math.inf  # the clock may be that of a loop which does not run yet

    def __bool__(self) -> bool:
        if self._young or self._old:
            self._turn()
        return bool(self._young or self._old)

    def note(self, key: Hashable, value: Value) -> None:
        """It happened now."""
        self._turn()
        if len(self._young) >= self._most:
            self._change_places()
        self._young[hash(key)] = value

    def get(self, key: Hashable) -> Value | None:
        """What was noted of it; None when nothing was, or too long ago."""
        if not self:
            return None
        number = hash(key)
        found = self._young.get(number)
        return self._old.get(number) if found is None else found

    def forget(self, key: Hashable) -> None:
        """It is as if it had not happened."""
        for table in (self._young, self._old):
            table.pop(hash(key), None)

    def _turn(self) -> None:
        passed = self._clock() - self._turned_at
        if passed >= self._seconds:
            self._change_places()
        if passed >= 2 * self._seconds:
            self._change_places()

    def _change_places(self) -> None:
        self._young, self._old = {}, self._young
        self._turned_at = self._clock()
