"""What strangers can make go wrong over and over is worth a line now and then, and no flood of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable


class Hush:
    """One line for each who is complained of, and `most` in all, in each stretch of `every` seconds."""

    def __init__(self, clock: Callable[[], float], *, every: float = 60.0, most: int = 30) -> None:
        """`clock` gives seconds that never run backwards."""
        self._clock = clock
        self._every = every
        self._most = most
        self._began = clock()
        self._told: set[Hashable] = set()
        self._kept_back = 0

    def tell(self, whom: Hashable) -> int | None:
        """Whether a line about `whom` is due: None when not, else how many were kept back since the last."""
        now = self._clock()
        if now - self._began >= self._every:
            self._began = now
            self._told.clear()
        if whom in self._told or len(self._told) >= self._most:
            self._kept_back += 1
            return None
        self._told.add(whom)
        kept_back, self._kept_back = self._kept_back, 0
        return kept_back
