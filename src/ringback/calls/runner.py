"""What a call is doing: the one task that runs its script, begun, replaced, added to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from ringback.calls.application import Ask, Document
from ringback.calls.part import Part
from ringback.calls.script import Script
from ringback.calls.status import CallStatus
from ringback.calls.timeline import current_call
from ringback.calls.verbs import HangUp, Verb
from ringback.calls.waiting import first_of

if TYPE_CHECKING:
    from ringback.calls.call import Call

logger = logging.getLogger(__name__)


class Runner(Part):
    """Runs the documents of one call. Only what is done from outside (`replace`) cancels what runs."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._script = Script(call)
        self._task: asyncio.Task[None] | None = None
        self._steered = False
        """Whether the call was given something else to do than what it begins with."""

    @property
    def running(self) -> bool:
        """Whether there is a document that runs: a leg that a Dial has connected has none."""
        return self._task is not None and not self._task.done()

    def run(self, first: Ask | Document, *, after: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin, with what is to be done before (`after`): the first document, then whatever follows from it.

        A call that was given something else to do already goes on with that.
        """
        if not self._steered:
            self._begin(self._run(first, after))

    async def run_out(self, first: Ask | Document) -> bool:
        """Run documents until their verbs are used up; whether that came to pass.

        It did not when the call ended, or was given something else to do.
        """
        if self.running:
            return False
        task = self._begin(self._script.run_out(first))
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        return not (task.cancelled() or self._call.over) and task is self._task

    async def replace(self, first: Ask | Document) -> None:
        """Stop what the call does and do this instead. The leg is not touched."""
        call = self._call
        call.go_alone()
        await self._stop()
        if not call.over:
            call.leg.stop_playback()
            self._begin(self._script.run(first))

    async def interject(self, verb: Verb) -> None:
        """Stop the verb that runs and do this one instead; what the call has still to do comes after that.

        A leg of a Dial goes its own way with it, and is hung up when there is nothing more to do.
        """
        call = self._call
        dialled = call.lease is not None
        call.go_alone()
        await self._stop()
        if not call.over:
            call.leg.stop_playback()
            self._begin(self._script.resume(verb, at_end=HangUp() if dialled else None))

    async def leave(self) -> None:
        """Stop what the call does; somebody else has a use for it."""
        await self._stop()
        if not self._call.over:
            self._call.leg.stop_playback()

    async def occupy(self, work: Coroutine[Any, Any, None]) -> None:
        """Stop what the call does, and do something that is in no document instead."""
        self._call.go_alone()
        await self.leave()
        if self._call.over:
            work.close()
        else:
            self._begin(work)

    def append(self, verbs: Sequence[Verb]) -> None:
        """Run these after what is still to do."""
        self._script.append(verbs)

    async def wind_up(self, seconds: float) -> None:
        """The call is over: what runs sees that and returns; it gets a moment to do so."""
        task = self._task
        if task is not None and not task.done():
            await first_of(task, timeout=seconds)
            task.cancel()

    async def _run(self, first: Ask | Document, after: Callable[[], Awaitable[None]] | None) -> None:
        if after is not None:
            await after()
        if not self._call.over:
            await self._script.run(first)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if self.running:
            work.close()
            raise RuntimeError("the call does something already")
        self._task = asyncio.get_running_loop().create_task(self._guarded(work))
        return self._task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        call = self._call
        current_call.set(str(call.record.id))
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("call %s: a verb failed", call.record.id)
            call.note("error", "internal", "a verb failed in a way that was not foreseen")
            await call.hang_up(HangUp(sip_status=500, ended_as=CallStatus.FAILED, cause="internal error"))

    async def _stop(self) -> None:
        """Nothing runs when this returns, whatever was begun while it waited: who came last decides."""
        self._steered = True
        while self._task is not None:
            task, self._task = self._task, None
            if task is not asyncio.current_task():
                task.cancel()
                await asyncio.wait({task})
