"""Doing a thing once for all who want it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Flights(Generic[V]):
    """Work under way, by key. Those who ask while it runs share its result or its exception.

    One who is cancelled leaves; when the last one has left, the work is cancelled as well.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, tuple[asyncio.Task[V], int]] = {}

    async def join(self, key: str, work: Callable[[], Awaitable[V]]) -> V:
        """The result of `work`, or of the same key's work that is already under way."""
        task, waiting = self._tasks.get(key) or (asyncio.create_task(_run(work)), 0)
        self._tasks[key] = (task, waiting + 1)
        try:
            return await asyncio.shield(task)
        finally:
            self._leave(key, task)

    def _leave(self, key: str, task: asyncio.Task[V]) -> None:
        current, waiting = self._tasks.get(key, (None, 0))
        if current is not task:
            return
        if waiting > 1:
            self._tasks[key] = (task, waiting - 1)
            return
        del self._tasks[key]
        if not task.done():
            task.cancel()


async def _run(work: Callable[[], Awaitable[V]]) -> V:
    return await work()
