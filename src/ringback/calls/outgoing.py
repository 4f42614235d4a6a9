"""Calls that somebody asked for from outside: placed, and the application's first document at the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

import msgspec

from ringback.calls.application import NewCall
from ringback.calls.call import Call
from ringback.calls.control import CallerNotOwned, CallRequest, Overloaded, Unroutable
from ringback.calls.detection import at_answer
from ringback.calls.ending import Ending
from ringback.calls.engine import Engine
from ringback.calls.events import Noted
from ringback.calls.placing import Placement, begin
from ringback.calls.pressing import send_digits
from ringback.calls.queueing import CallQueue
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.timeline import current_call
from ringback.calls.verbs import HangUp, SendDigits
from ringback.net.clock import utcnow
from ringback.sip.reasons import REASONS

logger = logging.getLogger(__name__)
_OLD = 1.0
"""Seconds after which the ways that were found for a waiting call are looked for again."""


class Outgoing:
    """Prepares calls and places them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._placing: set[asyncio.Task[None]] = set()
        self.queue = CallQueue(engine.placing, engine.limits)

    async def create(self, request: CallRequest) -> Call:
        """Store the call as queued and start placing it.

        Raises:
            Unroutable, CallerNotOwned, Overloaded, LimitReached
        """
        engine = self._engine
        placement = self._placement(request)
        self.queue.check(request.account, placement.routed)
        call = Call(self._record(request), request.application, engine)
        call.max_forwards = request.max_forwards
        begin(call)
        engine.roster.take(call)  # from here on there is a row in the store, and somebody must see to its end
        await _stored(call)
        for note in request.notes:
            call.append(Noted(note=note))
        work = _guarded(call, self._begin(call, request, placement))
        task = asyncio.get_running_loop().create_task(work)
        self._placing.add(task)
        task.add_done_callback(self._placing.discard)
        return call

    def _placement(self, request: CallRequest) -> Placement:
        placing, account_id = self._engine.placing, request.account.id
        caller = request.caller_id or request.from_
        placing.verify(caller, account_id)
        return Placement(
            routed=placing.routes(
                account_id, request.to, caller_id=caller, caller_name=request.caller_name or ""
            ),
            ring_timeout=request.ring_timeout,
            headers=request.to.headers,
            from_host=request.from_host,
        )

    async def _begin(self, call: Call, request: CallRequest, placement: Placement) -> None:
        """Place it when its turn has come."""
        share = await self.queue.turn(call, placement.routed)
        if share is None:
            return
        call.over_future.add_done_callback(lambda _: share.end())
        if (utcnow() - call.record.created_at).total_seconds() > _OLD:
            # A telephone may have moved, a gateway may be down by now.
            try:
                placement = self._placement(request)
            except (Unroutable, CallerNotOwned) as error:
                status = error.sip_status if isinstance(error, Unroutable) else 403
                call.end(Ending.failed(status, REASONS.get(status, ""), error.message))
                return
        await _place(call, request, msgspec.structs.replace(placement, share=share))

    def _record(self, request: CallRequest) -> CallRecord:
        return self._engine.placing.record(
            request.application,
            Direction.OUTBOUND_API,
            account_id=request.account.id,
            application_id=request.application_id,
            from_=request.from_,
            to=request.to_shown,
            caller_name=request.caller_name,
            custom=request.custom,
        )


async def _stored(call: Call) -> None:
    """Wait until the call is durable; a call that cannot be, or that nobody waits for any more, has ended.

    Raises:
        Overloaded
    """
    assert call.stored is not None
    try:
        await asyncio.wait({call.stored})
    except asyncio.CancelledError:
        cause = "whoever asked for the call went away"
        call.drop(HangUp(ended_as=CallStatus.CANCELED, cause=cause), EndedBy.SERVER)
        raise
    error = call.stored.exception()
    if error is not None:
        cause = f"the call cannot be stored: {error}"
        call.drop(HangUp(ended_as=CallStatus.FAILED, cause=cause), EndedBy.SERVER)
        raise Overloaded(cause) from error


async def _guarded(call: Call, work: Coroutine[Any, Any, None]) -> None:
    """Whatever goes wrong in here, the call does not stay up with nobody to run it."""
    current_call.set(str(call.record.id))
    try:
        await work
    except Exception:
        logger.exception("call %s: placing it failed", call.record.id)
        call.note("error", "internal", "the call could not be placed, in a way that was not foreseen")
        hang_up = HangUp(sip_status=500, ended_as=CallStatus.FAILED, cause="internal error")
        call.drop(hang_up, EndedBy.SERVER)


async def _place(call: Call, request: CallRequest, placement: Placement) -> None:
    """Place it; at the answer let the application say what to do."""
    if not await call.engine.placing.place(call, placement):
        return
    if request.time_limit is not None:
        call.time_limit.set(request.time_limit)
    if request.recording is not None:
        call.recorder.start(request.recording)
    # What comes before the first document is replaced with it.
    call.runner.run(request.document or NewCall(), after=partial(_set_up, call, request))


async def _set_up(call: Call, request: CallRequest) -> None:
    """The keys that are sent at the answer, and who answered, where that is to be known first."""
    if request.send_digits:
        await send_digits(call, SendDigits(digits=request.send_digits))
    await at_answer(call, request.detection)
