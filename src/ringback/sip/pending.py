"""A result that comes later: set by the protocol core, awaited by whoever lives in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

T = TypeVar("T")


class Pending(Generic[T]):
    """One value that is not there yet. Needs no event loop until it is awaited.

    The core resolves it exactly once; it never fails: time-outs and transport errors arrive as the
    response that RFC 3261 section 8.1.3.1 has them treated as (408, 503).
    """

    __slots__ = ("_callbacks", "_done", "_value")

    def __init__(self) -> None:
        self._callbacks: list[Callable[[T], None]] = []
        self._done = False
        self._value: T | None = None

    @property
    def done(self) -> bool:
        """True once the value is there."""
        return self._done

    @property
    def value(self) -> T | None:
        """The value, or None while it has not come."""
        return self._value

    def resolve(self, value: T) -> None:
        """Sets the value; what comes after the first is dropped."""
        if self._done:
            return
        self._done, self._value = True, value
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(value)

    def then(self, callback: Callable[[T], None]) -> None:
        """Calls back with the value, at once if it is already there."""
        if self._done:
            callback(self._value)  # type: ignore[arg-type]  # set together with _done
        else:
            self._callbacks.append(callback)

    def __await__(self) -> Generator[object, None, T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.then(lambda value: None if future.done() else future.set_result(value))
        return (yield from future.__await__())
