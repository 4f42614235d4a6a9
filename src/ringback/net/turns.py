"""So many at once for each: one who is slow keeps only those waiting who want the same."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from weakref import WeakValueDictionary


class Turns:
    """A semaphore for each key, for as long as somebody holds on to it."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._semaphores: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, key: Hashable) -> asyncio.Semaphore:
        """The key's semaphore. Whoever acquires it keeps a reference until it is released."""
        return self._semaphores.setdefault(key, asyncio.Semaphore(self._at_once))
