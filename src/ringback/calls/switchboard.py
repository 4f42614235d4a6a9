"""All calls of this server: placing them, finding them, changing them from outside, ending them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from ringback.calls.application import Application, Ask, Document, NewCall, Redirected
from ringback.calls.call import Call
from ringback.calls.configure import configure
from ringback.calls.control import (
    CallFilter,
    CallIsLive,
    CallIsOver,
    CallRequest,
    NoSuchCall,
    Overloaded,
    WrongState,
)
from ringback.calls.engine import Engine
from ringback.calls.events import CallControlled, CallTagged
from ringback.calls.listing import stored_filter
from ringback.calls.outgoing import Outgoing
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording
from ringback.calls.rows import from_row
from ringback.calls.sending import submit
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import (
    Configure,
    HangUp,
    Hook,
    Play,
    RecordingPlan,
    Refer,
    Say,
    SendRequest,
    Transfer,
    Verb,
)
from ringback.calls.waiting import first_of
from ringback.net.slices import gradually

_SETTLING = 1.0
"""Seconds in which the end of a call that was hung up is mostly on record, with the media's figures."""


class Switchboard:
    """`ringback.calls.control.Calls`, on the calls that are up and those in the store."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._roster = engine.roster
        self._outgoing = Outgoing(engine)
        self._closing = False

    # -- the calls that are up

    @property
    def live(self) -> int:
        """How many calls are up."""
        return len(self._roster)

    @property
    def queued(self) -> int:
        """How many calls wait for their turn under a limit."""
        return len(self._outgoing.queue)

    @property
    def closing(self) -> bool:
        """Whether no more calls are taken."""
        return self._closing

    async def idle(self) -> None:
        """Wait until no call is up and the end of each is durable."""
        await self._roster.emptied()

    async def shut_down(self, seconds: float) -> None:
        """Take no more calls, give those that are up this long to end, then end them."""
        self._closing = True
        calls = self._roster.calls
        if calls and seconds > 0:
            await asyncio.wait({call.closed for call in calls}, timeout=seconds)
        await self.end_all()
        await self._roster.emptied(timeout=5.0)

    async def end_all(self) -> None:
        """Hang up every call that is up."""
        for call in self._roster.calls:
            await call.hang_up(HangUp(cause="the server is shutting down"), EndedBy.SERVER)

    # -- placing calls

    async def create(self, request: CallRequest) -> CallRecord:
        """Store the call as queued and start placing it. See `Calls.create`."""
        if self._closing:
            raise Overloaded("the server is shutting down")
        admission = self.engine.admission
        if admission.full():
            again = admission.refuse("").retry_after
            raise Overloaded(f"there is no time for another call now, try again in {again} s")
        admission.enter()
        return (await self._outgoing.create(request)).record

    # -- looking

    async def get(self, account_id: UUID, call_id: UUID) -> CallRecord:
        """One call. See `Calls.get`."""
        live = self._roster.get(call_id)
        if live is not None and live.record.account_id == account_id:
            return live.shown
        row = await self.engine.store.call(str(call_id))
        if row is None or row.account_id != str(account_id):
            raise NoSuchCall(f"no call {call_id}")
        return from_row(row)

    async def list(self, which: CallFilter, *, limit: int, offset: int = 0) -> Sequence[CallRecord]:
        """A page of calls. See `Calls.list`."""
        wanted = stored_filter(which)
        if wanted is None:
            return []
        rows = await self.engine.store.calls(wanted, limit=limit, offset=offset)
        return await gradually(from_row(row) for row in rows)

    async def page(
        self, which: CallFilter, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[CallRecord], int]:
        """A page, and how many there are. See `Calls.page`."""
        wanted = stored_filter(which)
        if wanted is None:
            return [], 0
        rows, total = await self.engine.store.page(wanted, limit=limit, offset=offset)
        return await gradually(from_row(row) for row in rows), total

    async def count(self, which: CallFilter) -> int:
        """How many calls match."""
        wanted = stored_filter(which)
        return 0 if wanted is None else await self.engine.store.count(wanted)

    async def delete(self, account_id: UUID, call_id: UUID) -> None:
        """Forget an ended call. See `Calls.delete`."""
        record = await self.get(account_id, call_id)
        if not record.status.final or call_id in self._roster:
            raise CallIsLive(f"call {call_id} is {record.status}")
        rows = await self.engine.store.recordings_of([str(call_id)])
        if await self.engine.archive.release(rows):
            raise Overloaded(f"the recordings of call {call_id} cannot be removed now")
        if not await self.engine.store.delete_call(str(call_id)):
            raise NoSuchCall(f"no call {call_id}")

    # -- changing

    async def redirect(
        self,
        account_id: UUID,
        call_id: UUID,
        *,
        hook: Hook | None = None,
        document: Document | None = None,
        application: Application | None = None,
        status_hook: Hook | None = None,
        while_ringing: bool = False,
    ) -> CallRecord:
        """Run another document. See `Calls.redirect`."""
        async with self._changing(account_id, call_id) as call:
            has_script = call.record.direction is Direction.INBOUND and while_ringing
            if not (call.is_answered or has_script):
                raise WrongState(f"call {call_id} is {call.record.status}")
            # Nothing waits between these: what the former application answers now is not taken any more.
            if application is not None:
                call.set_application(application)
            place = document or hook
            stored = call.commit(CallControlled(what="redirect", detail=_where(place)))
            await call.runner.replace(_first(place, status_hook))
            await stored
            return call.record

    async def append(self, account_id: UUID, call_id: UUID, verbs: Sequence[Verb]) -> CallRecord:
        """Run these verbs later. See `Calls.append`."""
        async with self._changing(account_id, call_id) as call:
            if not call.runner.running:
                raise WrongState(f"call {call_id} runs no verbs that others could come after")
            await call.commit(CallControlled(what="append", detail={"verbs": len(verbs)}))
            call.runner.append(verbs)
            return call.record

    async def hang_up(
        self, account_id: UUID, call_id: UUID, *, headers: Sequence[tuple[str, str]] = ()
    ) -> CallRecord:
        """End the call. See `Calls.hang_up`."""
        async with self._changing(account_id, call_id) as call:
            stored = await _end(call, CallStatus.CANCELED, tuple(headers))
        return await _shown_ended(call, stored)

    async def cancel(self, account_id: UUID, call_id: UUID, *, as_no_answer: bool = False) -> CallRecord:
        """End the call only if it is not answered. See `Calls.cancel`."""
        async with self._changing(account_id, call_id) as call:
            if call.is_answered:
                raise WrongState(f"call {call_id} is {call.record.status}")
            stored = await _end(call, CallStatus.NO_ANSWER if as_no_answer else CallStatus.CANCELED)
        return await _shown_ended(call, stored)

    async def send_digits(
        self, account_id: UUID, call_id: UUID, digits: str, *, duration_ms: int
    ) -> CallRecord:
        """Send keys. See `Calls.send_digits`."""
        async with self._changing(account_id, call_id) as call:
            if call.leg.send_digits(digits, duration_ms) is None:
                raise WrongState(f"call {call_id} has no media yet")
            await call.commit(CallControlled(what="send digits", detail={"digits": digits}))
            return call.record

    async def tag(self, account_id: UUID, call_id: UUID, data: dict[str, Any]) -> CallRecord:
        """Replace the application's own data. See `Calls.tag`."""
        async with self._changing(account_id, call_id) as call:
            await call.commit(CallTagged(data=data))
            return call.record

    async def mute(self, account_id: UUID, call_id: UUID, *, muted: bool) -> CallRecord:
        """Ignore what this party sends. See `Calls.mute`."""
        async with self._changing(account_id, call_id) as call:
            if not call.is_answered:
                raise WrongState(f"call {call_id} is {call.record.status}")
            call.leg.mute(muted)
            await call.commit(CallControlled(what="mute" if muted else "unmute"))
            return call.record

    async def start_recording(self, account_id: UUID, call_id: UUID, plan: RecordingPlan) -> Recording:
        """Record the call from now on. See `Calls.start_recording`."""
        async with self._changing(account_id, call_id) as call:
            if not call.is_answered:
                raise WrongState(f"call {call_id} is {call.record.status}")
            recording = call.recorder.start(plan)
            await call.commit(CallControlled(what="recording start"))
            return recording

    async def change_recording(
        self,
        account_id: UUID,
        call_id: UUID,
        what: str,
        *,
        recording_id: UUID | None = None,
        name: str | None = None,
        silence: bool = True,
    ) -> Recording:
        """Pause, resume or stop a recording. See `Calls.change_recording`."""
        async with self._changing(account_id, call_id) as call:
            recording = call.recorder.change(what, recording_id, name=name, silence=silence)
            await call.commit(CallControlled(what=f"recording {what}"))
            return recording

    async def redirect_callee(
        self, account_id: UUID, call_id: UUID, *, hook: Hook, status_hook: Hook | None = None
    ) -> CallRecord:
        """Let the callee go its own way. See `Calls.redirect_callee`."""
        async with self._changing(account_id, call_id) as call:
            callee = _connected_callee(call)
            async with callee.control_lock:  # always after the caller's, so that two changes never cross
                await callee.commit(CallControlled(what="redirect", detail={"url": hook.url}))
                question = Redirected(hook=hook, status_hook=status_hook, by_control=True)
                await callee.runner.replace(question)
                return callee.record

    async def redirect_both(
        self,
        account_id: UUID,
        call_id: UUID,
        *,
        to: Hook | Document,
        callee_to: Hook | Document,
        status_hook: Hook | None = None,
        application: Application | None = None,
    ) -> CallRecord:
        """Let the two go their own ways. See `Calls.redirect_both`."""
        async with self._changing(account_id, call_id) as call:
            callee = _connected_callee(call)
            async with callee.control_lock:
                # Nothing waits between these: what the former application answers now is not taken any more,
                # and the Dial is stopped before it sees that its callee left.
                if application is not None:
                    call.set_application(application)
                stored = {
                    each.commit(CallControlled(what="redirect", detail=_where(place)))
                    for each, place in ((call, to), (callee, callee_to))
                }
                callee.go_alone()
                await call.runner.replace(_first(to, status_hook))
                await callee.runner.replace(_first(callee_to))
                await asyncio.wait(stored)
                return call.record

    async def play_over(self, account_id: UUID, call_id: UUID, verbs: Sequence[Say | Play]) -> CallRecord:
        """Whisper. See `Calls.play_over`."""
        async with self._changing(account_id, call_id) as call:
            _check_media(call)
            await call.commit(CallControlled(what="whisper", detail={"verbs": len(verbs)}))
            call.whisper(verbs)
            return call.record

    async def send_request(
        self,
        account_id: UUID,
        call_id: UUID,
        method: str,
        *,
        content_type: str,
        body: str,
        headers: Sequence[tuple[str, str]] = (),
    ) -> tuple[int, str]:
        """Send a request inside the dialog. See `Calls.send_request`."""
        verb = SendRequest(method=method, content_type=content_type, body=body, headers=tuple(headers))
        async with self._changing(account_id, call_id) as call:
            try:
                pending = submit(call, verb)
            except ValueError as error:
                raise WrongState(str(error)) from error
            await call.commit(CallControlled(what="send request", detail={"method": method}))
        # The far end may take its time; other changes need not wait for that.
        response = await pending
        return response.status, response.reason

    async def amplify(self, account_id: UUID, call_id: UUID, *, decibels: float) -> CallRecord:
        """Make a party louder or quieter. See `Calls.amplify`."""
        async with self._changing(account_id, call_id) as call:
            _check_media(call)
            call.leg.amplify(decibels)
            await call.commit(CallControlled(what="amplify", detail={"decibels": decibels}))
            return call.record

    async def configure(self, account_id: UUID, call_id: UUID, verb: Configure) -> CallRecord:
        """Change how the rest of the call behaves. See `Calls.configure`."""
        async with self._changing(account_id, call_id) as call:
            if verb.gain_db is not None:
                _check_media(call)
            configure(call, verb)
            await call.commit(CallControlled(what="configure"))
            return call.record

    async def limit_time(self, account_id: UUID, call_id: UUID, seconds: float) -> CallRecord:
        """End the call that long after its answer. See `Calls.limit_time`."""
        async with self._changing(account_id, call_id) as call:
            call.time_limit.set(seconds)
            await call.commit(CallControlled(what="limit time", detail={"seconds": seconds}))
            return call.record

    async def transfer(self, account_id: UUID, call_id: UUID, verb: Refer | Transfer) -> CallRecord:
        """Hand the call over. See `Calls.transfer`."""
        async with self._changing(account_id, call_id) as call:
            if not call.is_answered:
                raise WrongState(f"call {call_id} is {call.record.status}")
            await call.commit(CallControlled(what="transfer"))
            await call.runner.interject(verb)
            return call.record

    async def set_application(self, account_id: UUID, call_id: UUID, application: Application) -> CallRecord:
        """Let another application take the callbacks. See `Calls.set_application`."""
        async with self._changing(account_id, call_id) as call:
            call.set_application(application)
            await call.commit(CallControlled(what="callbacks"))
            return call.record

    @contextlib.asynccontextmanager
    async def _changing(self, account_id: UUID, call_id: UUID) -> AsyncIterator[Call]:
        """A live call for one change; changes to one call come one after the other."""
        call = self._roster.get(call_id)
        if call is None or call.record.account_id != account_id:
            await self.get(account_id, call_id)
            raise CallIsOver(f"call {call_id} has ended")
        async with call.control_lock:
            if call.over:
                raise CallIsOver(f"call {call_id} has ended")
            yield call


def _first(to: Hook | Document | None, status_hook: Hook | None = None) -> Ask | Document:
    """What a call that is redirected there does first; nowhere: to the beginning of its application."""
    match to:
        case None:
            return NewCall()
        case Hook():
            return Redirected(hook=to, status_hook=status_hook, by_control=True)
    return to


def _where(to: Hook | Document | None) -> dict[str, Any]:
    return {"url": to.url} if isinstance(to, Hook) else {}


async def _end(
    call: Call, unanswered: CallStatus, headers: tuple[tuple[str, str], ...] = ()
) -> asyncio.Future[None]:
    """End it; resolved once it is stored that this is wanted."""
    stored = call.commit(CallControlled(what="hang up"))
    status = None if call.is_answered else unanswered
    verb = HangUp(headers=headers, ended_as=status, sip_status=503, cause="ended from outside")
    await call.hang_up(verb, EndedBy.CONTROL)
    return stored


async def _shown_ended(call: Call, stored: asyncio.Future[None]) -> CallRecord:
    """The call that was ended, from whatever is left to be done about it: neither its recordings nor what its
    application says last are waited for, as that may be the very one who wants to know."""
    await asyncio.wait({stored})
    await first_of(call.ended, timeout=_SETTLING)
    return call.shown


def _connected_callee(call: Call) -> Call:
    callee = call.bridge.callee if call.bridge is not None else None
    if callee is None or callee is call:
        raise WrongState(f"call {call.record.id} is connected with nobody that it dialled")
    return callee


def _check_media(call: Call) -> None:
    if not call.leg.has_media:
        raise WrongState(f"call {call.record.id} has no media yet")
