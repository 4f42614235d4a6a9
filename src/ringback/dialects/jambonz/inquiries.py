"""Questions that a call's events raise, asked beside what the call does: an answer may change it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

Inquiry = Callable[[], Awaitable[None]]

_MOST = 100
_FAREWELL = 2.0  # seconds that the last questions get once the call is over


class Inquiries:
    """A queue of questions of one call, asked one after the other."""

    def __init__(self, call_sid: str) -> None:
        self._call_sid = call_sid
        self._queue: asyncio.Queue[Inquiry] = asyncio.Queue(_MOST)
        self._task: asyncio.Task[None] | None = None

    def put(self, inquiry: Inquiry) -> None:
        """Ask this after what is still to be asked."""
        if self._queue.full():
            log.warning("call %s: the application does not answer; an event is dropped", self._call_sid)
            return
        self._queue.put_nowait(inquiry)
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=f"events of {self._call_sid}")

    async def _work(self) -> None:
        while True:
            inquiry = await self._queue.get()
            try:
                await inquiry()
            except Exception:
                log.exception("call %s: an event could not be told", self._call_sid)
            finally:
                self._queue.task_done()

    async def close(self) -> None:
        """Ask what is left, within a short time."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(_FAREWELL):
                await self._queue.join()
        except TimeoutError:
            log.info("call %s: the application does not answer any more", self._call_sid)
        self._task.cancel()
        await asyncio.wait({self._task})
