"""So many at once for each key: one who is slow keeps only those waiting who want the same."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from types import TracebackType


class Turns:
    """At most `at_once` hold a key's turns; the others wait in order. Of a key in no use nothing is kept."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._held: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        """The keys in use."""
        return len(self._held)

    def of(self, key: Hashable) -> Turn:
        """A turn, held for the block of `async with`."""
        return Turn(self, key)

    async def take(self, key: Hashable) -> None:
        """Wait for a turn. Whoever has got it gives it back."""
        held = self._held.get(key, 0)
        if held < self._at_once:
            self._held[key] = held + 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give_back(key)  # it came too late
            raise

    def give_back(self, key: Hashable) -> None:
        """Pass the turn on to who has waited longest, so that no newcomer goes first."""
        while waiting := self._waiting.get(key):
            waiter = waiting.popleft()
            if not waiting:
                del self._waiting[key]
            if not waiter.done():
                waiter.set_result(None)
                return
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]


class Turn:
    """One turn, to be waited for, and given back."""

    __slots__ = ("_key", "_turns")

    def __init__(self, turns: Turns, key: Hashable) -> None:
        self._turns = turns
        self._key = key

    async def __aenter__(self) -> None:
        await self._turns.take(self._key)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turns.give_back(self._key)
