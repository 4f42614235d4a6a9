"""What the dialects' tests have in place of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from ringback.calls.control import (
    NoSuchRecording,
    Overloaded,
    RecordingFile,
    RecordingFilter,
    RecordingIsLive,
)
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.verbs import Configure, RecordingPlan, Refer, Transfer

_TYPES = {"wav": "audio/x-wav", "mp3": "audio/mpeg"}


class LiveChanges:
    """The part of `ringback.calls.control.Calls` that changes live calls: `done` tells what was asked for.

    `found` is what each of them brings, by name; a name without one brings the call itself.
    """

    def __init__(self) -> None:
        self.changes: list[tuple[Any, ...]] = []
        self.found: dict[str, Any] = {}

    async def get(self, account_id: UUID, call_id: UUID) -> CallRecord:
        """Which calls there are, the classes built on this one know."""
        raise NotImplementedError

    async def redirect_callee(self, account_id: UUID, call_id: UUID, **changes: Any) -> CallRecord:
        call: CallRecord = await self._done("redirect_callee", account_id, call_id, changes)
        return call

    async def redirect_both(self, account_id: UUID, call_id: UUID, **changes: Any) -> CallRecord:
        call: CallRecord = await self._done("redirect_both", account_id, call_id, changes)
        return call

    async def play_over(self, account_id: UUID, call_id: UUID, verbs: Sequence[Any]) -> CallRecord:
        call: CallRecord = await self._done("play_over", account_id, call_id, verbs)
        return call

    async def start_recording(self, account_id: UUID, call_id: UUID, plan: RecordingPlan) -> Recording:
        recording: Recording = await self._done("start_recording", account_id, call_id, plan)
        return recording

    async def change_recording(self, account_id: UUID, call_id: UUID, what: str, **changes: Any) -> Recording:
        recording: Recording = await self._done("change_recording", account_id, call_id, what, changes)
        return recording

    async def send_request(
        self, account_id: UUID, call_id: UUID, method: str, **changes: Any
    ) -> tuple[int, str]:
        response: tuple[int, str] = await self._done("send_request", account_id, call_id, method, changes)
        return response

    async def amplify(self, account_id: UUID, call_id: UUID, *, decibels: float) -> CallRecord:
        call: CallRecord = await self._done("amplify", account_id, call_id, decibels)
        return call

    async def configure(self, account_id: UUID, call_id: UUID, verb: Configure) -> CallRecord:
        call: CallRecord = await self._done("configure", account_id, call_id, verb)
        return call

    async def limit_time(self, account_id: UUID, call_id: UUID, seconds: float) -> CallRecord:
        call: CallRecord = await self._done("limit_time", account_id, call_id, seconds)
        return call

    async def transfer(self, account_id: UUID, call_id: UUID, verb: Refer | Transfer) -> CallRecord:
        call: CallRecord = await self._done("transfer", account_id, call_id, verb)
        return call

    async def _done(self, what: str, account_id: UUID, call_id: UUID, *details: Any) -> Any:
        call = await self.get(account_id, call_id)
        self.changes.append((what, call_id, *details))
        found = self.found.get(what, call)
        if isinstance(found, Exception):
            raise found
        return found


class MemoryRecordings:
    """`ringback.calls.control.Recordings` over a dictionary; `files` are paths by id; `busy`: not now."""

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
            and which.call_id in (None, recording.call_id)
            and (recording.transcribed or not which.transcribed)
            and (which.statuses is None or recording.status in which.statuses)
            and (which.created_from is None or recording.created_at >= which.created_from)
            and (which.created_before is None or recording.created_at < which.created_before)
        ]
        return sorted(found, key=lambda recording: recording.created_at, reverse=which.order != "oldest")
