"""What is known about a call: a value, made by applying its events one after the other."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import Any
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


@singledispatch
def _change(event: CallEvent, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {}


def apply(call: CallRecord, event: CallEvent, at: datetime) -> CallRecord:
    """The record after this event."""
    changes = _change(event, call, at)
    if not changes:
        return call
    return msgspec.structs.replace(call, updated_at=at, **changes)


@_change.register
def _(event: CallReceived, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {
        "status": CallStatus.INITIATED,
        "initiated_at": at,
        "sip_status": 100,
        "sip_reason": "Trying",
        "progress": call.progress + 1,
        "sip_call_id": event.sip_call_id,
    }


@_change.register
def _(event: CallRequested, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {"status": CallStatus.QUEUED}


@_change.register
def _(event: CallRerouted, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {"trunk": event.trunk}


@_change.register
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


@_change.register
def _(event: CallRinging, call: CallRecord, at: datetime) -> dict[str, Any]:
    first = call.ringing_at is None
    return {
        "status": CallStatus.EARLY_MEDIA if event.early_media else CallStatus.RINGING,
        "ringing_at": call.ringing_at or at,
        "sip_status": event.sip_status,
        "sip_reason": event.sip_reason,
        "progress": call.progress + first,
    }


@_change.register
def _(event: CallAnswered, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {
        "status": CallStatus.IN_PROGRESS,
        "answered_at": at,
        "sip_status": event.sip_status,
        "sip_reason": event.sip_reason,
        "dialog": event.dialog,
        "progress": call.progress + 1,
    }


@_change.register
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


@_change.register
def _(event: CallTagged, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {"custom": event.data}


@_change.register
def _(event: AnswererDetected, call: CallRecord, at: datetime) -> dict[str, Any]:
    if not event.verdict or event.partial:
        return {}
    return {"answered_by": event.what, "detection_ms": event.milliseconds}


@_change.register
def _(event: RecordingChanged, call: CallRecord, at: datetime) -> dict[str, Any]:
    return {"recording": event.recording}
