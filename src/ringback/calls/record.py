"""What is known about a call: a value, made by applying its events one after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from ringback.calls.events import (
    AnswererDetected,
    CallAnswered,
    CallEnded,
    CallEvent,
    CallInitiated,
    CallReceived,
    CallRequested,
    CallRerouted,
    CallRinging,
    CallTagged,
    MediaStatistics,
    RecordingChanged,
)
from ringback.calls.recordings.recording import Recording
from ringback.calls.status import CallStatus, Direction, EndedBy


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call at one moment. Times are UTC."""

    id: UUID
    account_id: UUID
    application_id: UUID | None = None
    number_id: UUID | None = None
    """The configured number that was called."""
    parent_id: UUID | None = None
    dialect: str
    profile: str = ""
    direction: Direction
    status: CallStatus
    from_: str = ""
    """The calling number or SIP user, as given (with its + if it had one)."""
    to: str = ""
    from_uri: str = ""
    to_uri: str = ""
    caller_name: str | None = None
    """The display name, None where there was none."""
    forwarded_from: str | None = None
    sip_call_id: str = ""
    trunk: str | None = None
    """The name of the trunk that it came or went through."""
    client: str | None = None
    source: str = ""
    """Inbound: `transport:host:port` of the far end."""
    local_address: str = ""
    """`host:port` we speak SIP from towards that peer."""
    sip_status: int = 0
    """The most recent status code received or generated."""
    sip_reason: str = ""
    created_at: datetime
    initiated_at: datetime | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    updated_at: datetime
    ended_by: EndedBy | None = None
    cause: str | None = None
    answered_by: str | None = None
    """The verdict of answering-machine detection, in the words of `AnswererDetected`."""
    detection_ms: int | None = None
    """How long after the answer that was."""
    recording: Recording | None = None
    """The recording of this call that changed last."""
    custom: dict[str, Any] | None = None
    """The application's own data (Tag, or given at creation)."""
    progress: int = 0
    """How many progress events (initiated, ringing, answered, ended) have happened."""
    media: MediaStatistics | None = None
    invite_headers: tuple[tuple[str, str], ...] = ()
    """Inbound: the headers of the INVITE."""
    end_headers: tuple[tuple[str, str], ...] = ()
    dialog: dict[str, Any] | None = None
    application_state: dict[str, Any] = {}
    """`Application.state()`: what rendering callbacks after a restart needs."""

    def duration(self, now: datetime | None = None) -> int:
        """Whole seconds since the answer, up to the end or `now`; 0 when never answered."""
        if self.answered_at is None:
            return 0
        until = self.ended_at or now or self.updated_at
        return max(0, round((until - self.answered_at).total_seconds()))

    @property
    def sequence_number(self) -> int:
        """The number of the latest progress event, counted from 0."""
        return max(0, self.progress - 1)


EventT = TypeVar("EventT", bound=CallEvent)
_Change = Callable[[EventT, CallRecord, datetime], dict[str, Any]]
_changes: dict[type[Any], _Change[Any]] = {}
"""What each kind of event changes; most kinds change nothing."""


def apply(call: CallRecord, event: CallEvent, at: datetime) -> CallRecord:
    """The record after this event."""
    change = _changes.get(type(event))
    changes = None if change is None else change(event, call, at)
    return msgspec.structs.replace(call, updated_at=at, **changes) if changes else call


def _changed_by(kind: type[EventT]) -> Callable[[_Change[EventT]], _Change[EventT]]:
    """What follows says what this kind of event changes."""

    def register(change: _Change[EventT]) -> _Change[EventT]:
        _changes[kind] = change
        return change

    return register


@_changed_by(CallReceived)
def _(event: CallReceived, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {
        "status": CallStatus.INITIATED,
        "initiated_at": at,
        "sip_status": 100,
        "sip_reason": "Trying",
        "progress": call.progress + 1,
        "sip_call_id": event.sip_call_id,
    }


@_changed_by(CallRequested)
def _(event: CallRequested, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {"status": CallStatus.QUEUED}


@_changed_by(CallRerouted)
def _(event: CallRerouted, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {"trunk": event.trunk}


@_changed_by(CallInitiated)
def _(event: CallInitiated, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {
        "status": CallStatus.INITIATED,
        "initiated_at": at,
        "sip_status": 100,
        "sip_reason": "Trying",
        "sip_call_id": event.sip_call_id,
        "trunk": event.trunk,
        "progress": call.progress + 1,
    }


@_changed_by(CallRinging)
def _(event: CallRinging, call: CallRecord, at: datetime) -> dict[str, Any]:
    first = call.ringing_at is None
    return {
        "status": CallStatus.EARLY_MEDIA if event.early_media else CallStatus.RINGING,
        "ringing_at": call.ringing_at or at,
        "sip_status": event.sip_status,
        "sip_reason": event.sip_reason,
        "progress": call.progress + first,
    }


@_changed_by(CallAnswered)
def _(event: CallAnswered, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {
        "status": CallStatus.IN_PROGRESS,
        "answered_at": at,
        "sip_status": event.sip_status,
        "sip_reason": event.sip_reason,
        "dialog": event.dialog,
        "progress": call.progress + 1,
    }


@_changed_by(CallEnded)
def _(event: CallEnded, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {
        "status": event.status,
        "ended_at": at,
        "ended_by": event.by,
        "cause": event.cause,
        "sip_status": event.sip_status,
        "sip_reason": event.sip_reason,
        "end_headers": event.headers,
        "media": event.media,
        "dialog": None,
        "progress": call.progress + 1,
    }


@_changed_by(CallTagged)
def _(event: CallTagged, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {"custom": event.data}


@_changed_by(AnswererDetected)
def _(event: AnswererDetected, call: CallRecord, at: datetime) -> dict[str, Any]:
    if not event.verdict or event.partial:
        return {}
    return {"answered_by": event.what, "detection_ms": event.milliseconds}


@_changed_by(RecordingChanged)
def _(event: RecordingChanged, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {"recording": event.recording}
