"""What the dialects' tests have in place of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
from tests.patience import PATIENCE

from ringback.calls.application import Application
from ringback.calls.control import (
    CallFilter,
    CallIsLive,
    CallIsOver,
    CallRequest,
    NoSuchCall,
    Overloaded,
    WrongState,
)
from ringback.calls.events import CallRequested
from ringback.calls.record import CallRecord, apply
from ringback.calls.recordings.control import NoSuchRecording, RecordingFile, RecordingFilter, RecordingIsLive
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Configure, RecordingPlan, Refer, Transfer, Verb

_TYPES = {"wav": "audio/x-wav", "mp3": "audio/mpeg"}


class MemoryCalls:
    """`ringback.calls.control.Calls` over a dictionary.

    `done` is what was asked of calls that are up, in order: (what, argument, …), those given by keyword as
    one dictionary; `changed` are their ids. `found` is what `create` or a change brings, by its name: an
    exception is raised; a name without one brings the call itself. `fail` refuses everything.
    """

    def __init__(self, now: datetime) -> None:
        self.records: dict[UUID, CallRecord] = {}
        self.requests: list[CallRequest] = []
        self.filters: list[CallFilter] = []
        self.done: list[tuple[Any, ...]] = []
        self.changed: list[UUID] = []
        self.found: dict[str, Any] = {}
        self.fail: Exception | None = None
        self._now = now
        self._news = asyncio.Event()

    def add(self, *calls: CallRecord) -> None:
        """Let these calls exist."""
        self.records |= {call.id: call for call in calls}

    async def next_done(self) -> tuple[Any, ...]:
        """Wait for what is asked next, and take it from `done`."""
        async with asyncio.timeout(PATIENCE):
            while not self.done:
                self._news.clear()
                await self._news.wait()
        return self.done.pop(0)

    async def create(self, request: CallRequest) -> CallRecord:
        if self.fail is not None:
            raise self.fail
        self.requests.append(request)
        call = CallRecord(
            id=uuid4(),
            account_id=request.account.id,
            application_id=request.application_id,
            dialect=request.application.dialect,
            profile=request.application.profile,
            direction=Direction.OUTBOUND_API,
            status=CallStatus.QUEUED,
            from_=request.from_,
            to=request.to_shown,
            custom=request.custom,
            created_at=self._now,
            updated_at=self._now,
            application_state=dict(request.application.state()),
        )
        requested = CallRequested(
            direction=call.direction, from_=call.from_, to=call.to, caller_name=request.caller_name
        )
        self.add(apply(call, requested, self._now))
        created: CallRecord = self.found.get("create", self.records[call.id])
        return created

    async def get(self, account_id: UUID, call_id: UUID) -> CallRecord:
        call = self.records.get(call_id)
        if call is None or call.account_id != account_id:
            raise NoSuchCall("no such call")
        return call

    async def list(self, which: CallFilter, *, limit: int, offset: int = 0) -> Sequence[CallRecord]:
        self.filters.append(which)
        return self._matching(which)[offset : offset + limit]

    async def page(
        self, which: CallFilter, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[CallRecord], int]:
        return await self.list(which, limit=limit, offset=offset), await self.count(which)

    async def count(self, which: CallFilter) -> int:
        return len(self._matching(which))

    async def delete(self, account_id: UUID, call_id: UUID) -> None:
        call = await self.get(account_id, call_id)
        if not call.status.final:
            raise CallIsLive("the call is live")
        del self.records[call_id]

    async def redirect(
        self, account_id: UUID, call_id: UUID, *, while_ringing: bool = False, **to: Any
    ) -> CallRecord:
        given = {**to, "while_ringing": True} if while_ringing else to
        call: CallRecord = await self._change("redirect", account_id, call_id, given)
        if call.status is not CallStatus.IN_PROGRESS and not while_ringing:
            raise WrongState(f"the call is {call.status}")
        return call

    async def append(self, account_id: UUID, call_id: UUID, verbs: Sequence[Verb]) -> CallRecord:
        call: CallRecord = await self._change("append", account_id, call_id, tuple(verbs))
        return call

    async def hang_up(
        self, account_id: UUID, call_id: UUID, *, headers: Sequence[tuple[str, str]] = ()
    ) -> CallRecord:
        call: CallRecord = await self._change("hang_up", account_id, call_id)
        up = call.status is CallStatus.IN_PROGRESS
        return self._end(call, CallStatus.COMPLETED if up else CallStatus.CANCELED)

    async def cancel(self, account_id: UUID, call_id: UUID, *, as_no_answer: bool = False) -> CallRecord:
        call: CallRecord = await self._change("cancel", account_id, call_id, as_no_answer)
        if call.status is CallStatus.IN_PROGRESS:
            raise WrongState(f"the call is {call.status}")
        return self._end(call, CallStatus.NO_ANSWER if as_no_answer else CallStatus.CANCELED)

    async def send_digits(
        self, account_id: UUID, call_id: UUID, digits: str, *, duration_ms: int
    ) -> CallRecord:
        call: CallRecord = await self._change("send_digits", account_id, call_id, digits, duration_ms)
        return call

    async def tag(self, account_id: UUID, call_id: UUID, data: dict[str, Any]) -> CallRecord:
        call: CallRecord = await self._change("tag", account_id, call_id, data)
        return call

    async def mute(self, account_id: UUID, call_id: UUID, *, muted: bool) -> CallRecord:
        call: CallRecord = await self._change("mute", account_id, call_id, muted)
        if call.status is not CallStatus.IN_PROGRESS:
            raise WrongState(f"the call is {call.status}")
        return call

    async def set_application(self, account_id: UUID, call_id: UUID, application: Application) -> CallRecord:
        call: CallRecord = await self._change("set_application", account_id, call_id, application)
        return call

    async def redirect_callee(self, account_id: UUID, call_id: UUID, **changes: Any) -> CallRecord:
        call: CallRecord = await self._change("redirect_callee", account_id, call_id, changes)
        return call

    async def redirect_both(self, account_id: UUID, call_id: UUID, **changes: Any) -> CallRecord:
        call: CallRecord = await self._change("redirect_both", account_id, call_id, changes)
        return call

    async def play_over(self, account_id: UUID, call_id: UUID, verbs: Sequence[Any]) -> CallRecord:
        call: CallRecord = await self._change("play_over", account_id, call_id, verbs)
        return call

    async def start_recording(self, account_id: UUID, call_id: UUID, plan: RecordingPlan) -> Recording:
        recording: Recording = await self._change("start_recording", account_id, call_id, plan)
        return recording

    async def change_recording(self, account_id: UUID, call_id: UUID, what: str, **changes: Any) -> Recording:
        recording: Recording = await self._change("change_recording", account_id, call_id, what, changes)
        return recording

    async def send_request(
        self, account_id: UUID, call_id: UUID, method: str, **changes: Any
    ) -> tuple[int, str]:
        response: tuple[int, str] = await self._change("send_request", account_id, call_id, method, changes)
        return response

    async def amplify(self, account_id: UUID, call_id: UUID, *, decibels: float) -> CallRecord:
        call: CallRecord = await self._change("amplify", account_id, call_id, decibels)
        return call

    async def configure(self, account_id: UUID, call_id: UUID, verb: Configure) -> CallRecord:
        call: CallRecord = await self._change("configure", account_id, call_id, verb)
        return call

    async def limit_time(self, account_id: UUID, call_id: UUID, seconds: float) -> CallRecord:
        call: CallRecord = await self._change("limit_time", account_id, call_id, seconds)
        return call

    async def transfer(self, account_id: UUID, call_id: UUID, verb: Refer | Transfer) -> CallRecord:
        call: CallRecord = await self._change("transfer", account_id, call_id, verb)
        return call

    async def _change(self, what: str, account_id: UUID, call_id: UUID, *details: Any) -> Any:
        call = await self.get(account_id, call_id)
        if call.status.final:
            raise CallIsOver("the call is over")
        if self.fail is not None:
            raise self.fail
        self.done.append((what, *details))
        self.changed.append(call_id)
        self._news.set()
        found = self.found.get(what, call)
        if isinstance(found, Exception):
            raise found
        return found

    def _end(self, call: CallRecord, status: CallStatus) -> CallRecord:
        self.add(msgspec.structs.replace(call, status=status, ended_at=self._now))
        return self.records[call.id]

    def _matching(self, which: CallFilter) -> Sequence[CallRecord]:
        found = [call for call in self.records.values() if _matches(call, which)]
        return sorted(found, key=lambda call: call.created_at, reverse=which.order != "oldest")


def _matches(call: CallRecord, which: CallFilter) -> bool:
    after = which.live_or_ended_after
    same = str.endswith if which.match_suffix else str.__eq__
    return (
        call.account_id == which.account_id
        and (which.call_ids is None or call.id in which.call_ids)
        and which.parent_id in (None, call.parent_id)
        and (which.statuses is None or call.status in which.statuses)
        and (which.directions is None or call.direction in which.directions)
        and (which.from_ is None or same(call.from_, which.from_))
        and (which.to is None or same(call.to, which.to))
        and (which.trunk is None or call.trunk == which.trunk)
        and (which.answered is None or (call.answered_at is not None) == which.answered)
        and (which.party in call.from_ or which.party in call.to)
        and (which.started_from is None or call.created_at >= which.started_from)
        and (which.started_before is None or call.created_at < which.started_before)
        and (after is None or call.ended_at is None or call.ended_at > after)
    )


class MemoryRecordings:
    """`ringback.calls.recordings.control.Recordings` over a dictionary; `files` are paths by id.

    `busy`: nothing can be converted now.
    """

    def __init__(self) -> None:
        self.records: dict[UUID, Recording] = {}
        self.files: dict[UUID, Path] = {}
        self.filters: list[RecordingFilter] = []
        self.asked: list[tuple[str, int | None]] = []
        self.busy = False

    def add(self, *recordings: Recording) -> None:
        for recording in recordings:
            self.records[recording.id] = recording

    async def get(self, account_id: UUID | None, recording_id: UUID) -> Recording:
        recording = self.records.get(recording_id)
        if recording is None or account_id not in (None, recording.account_id):
            raise NoSuchRecording(f"no recording {recording_id}")
        return recording

    async def list(self, which: RecordingFilter, *, limit: int, offset: int = 0) -> Sequence[Recording]:
        self.filters.append(which)
        return tuple(self._matching(which))[offset : offset + limit]

    async def count(self, which: RecordingFilter) -> int:
        return len(self._matching(which))

    async def file(
        self, recording: Recording, *, form: str = "wav", channels: int | None = None
    ) -> RecordingFile:
        self.asked.append((form, channels))
        if self.busy:
            raise Overloaded("too many recordings are being converted")
        path = self.files.get(recording.id)
        if path is None:
            raise NoSuchRecording(f"recording {recording.id} has no file")
        return RecordingFile(media_type=_TYPES[form], path=path)

    async def delete(self, account_id: UUID, recording_id: UUID) -> None:
        recording = await self.get(account_id, recording_id)
        if recording.status in (RecordingStatus.IN_PROGRESS, RecordingStatus.PAUSED):
            raise RecordingIsLive(f"recording {recording_id} is {recording.status}")
        del self.records[recording_id]

    async def forget_transcription(self, account_id: UUID, recording_id: UUID) -> None:
        recording = await self.get(account_id, recording_id)
        plan = msgspec.structs.replace(recording.plan, transcription=None)
        self.add(msgspec.structs.replace(recording, plan=plan))

    def _matching(self, which: RecordingFilter) -> Sequence[Recording]:
        found = [
            recording
            for recording in self.records.values()
            if recording.account_id == which.account_id
            and (which.call_ids is None or recording.call_id in which.call_ids)
            and (recording.transcribed or not which.transcribed)
            and (which.statuses is None or recording.status in which.statuses)
            and (which.created_from is None or recording.created_at >= which.created_from)
            and (which.created_before is None or recording.created_at < which.created_before)
        ]
        return sorted(found, key=lambda recording: recording.created_at, reverse=which.order != "oldest")
