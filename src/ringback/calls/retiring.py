"""Applications that a call had before the one it has: closed once nobody needs them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ringback.calls.part import Part
from ringback.calls.waiting import first_of

if TYPE_CHECKING:
    from ringback.calls.application import Application
    from ringback.calls.call import Call

logger = logging.getLogger(__name__)


class Retiring(Part):
    """What concerns a dialled leg may go over a socket of its caller's application: that one is closed when
    the legs that were dialled under it are over, and at the end of the call at the latest."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._closing: set[asyncio.Task[None]] = set()

    def retire(self, application: Application) -> None:
        """Close it, beside the call."""
        legs = {leg.ended for leg in self._call.legs}
        task = asyncio.get_running_loop().create_task(self._close(application, legs))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def closed(self) -> None:
        """Wait until all are; the call has ended."""
        if self._closing:
            await asyncio.wait(self._closing)

    async def _close(self, application: Application, legs: set[asyncio.Future[None]]) -> None:
        ended = self._call.ended
        while not ended.done() and (up := {leg for leg in legs if not leg.done()}):
            await first_of(ended, *up)
        try:
            await application.close()
        except Exception:
            logger.exception("call %s: its former application could not be closed", self._call.record.id)
