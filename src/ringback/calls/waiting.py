"""Waiting for whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def first_of(*futures: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Wait until one of them is done, or `timeout` seconds have passed. None of them is cancelled.

    What `asyncio.wait` does, without what makes it general: a call waits some ten times.
    """
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    timer = None if timeout is None else loop.call_later(timeout, wake)
    for future in futures:
        future.add_done_callback(wake)
    try:
        await waiter
    finally:
        if timer is not None:
            timer.cancel()
        for future in futures:
            future.remove_done_callback(wake)


async def until(end: asyncio.Future[Any], work: Coroutine[Any, Any, T]) -> T | None:
    """Do the work; None when `end` came first, which cancels it.

    Done in the caller's own task, in the way of `asyncio.timeout`: a task for the work, and to be woken by
    it, takes several turns of the loop, and every question to an application is asked like this.
    """
    stop = _Stop()
    end.add_done_callback(stop)
    try:
        return await work
    except asyncio.CancelledError:
        if stop.alone:
            return None
        raise
    finally:
        end.remove_done_callback(stop)
        stop.retire()


class _Stop:
    """Cancels the task that makes it, when told so and not retired."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        assert self._task is not None
        self._requests = self._task.cancelling()
        self._stopped = False

    def __call__(self, _: object) -> None:
        if self._task is not None:
            self._stopped = self._task.cancel()

    @property
    def alone(self) -> bool:
        """Whether nobody else wants the task to end."""
        return self._stopped and self._task is not None and self._task.cancelling() == self._requests + 1

    def retire(self) -> None:
        """Take the request back, and let go of the task: it keeps the error that ends it, which keeps us."""
        task, self._task = self._task, None
        if task is not None and self._stopped:
            task.uncancel()
