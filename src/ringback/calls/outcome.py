"""How a verb ended: a value for every verb, never an exception."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import msgspec

from ringback.calls.recordings.recording import Recording
from ringback.calls.status import CallStatus


class EndOfVerb(StrEnum):
    """Why a verb ended."""

    DONE = "done"
    """It did what it says."""
    HUNG_UP = "hung-up"
    """The call ended meanwhile."""
    FAILED = "failed"
    """It could not be done; `Outcome.error` says why."""
    TIMEOUT = "timeout"
    """A limit of the verb passed (gather: nothing, or too little, was entered)."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a verb ended, with what the dialects report about it."""

    end: EndOfVerb = EndOfVerb.DONE
    error: str | None = None
    digits: str | None = None
    """Gather: the keys without the finish key; Record: the key that ended it. None: nothing was entered."""
    finish_key: str | None = None
    """Gather: the key that ended it; with `digits=""` it was the only one."""
    played_ms: int = 0
    """Play: over all loops."""
    offset_ms: int = 0
    """Play: the position in the last clip."""
    sip_status: int | None = None
    """Dial: the callee's final response; SendRequest, Refer: the response."""
    sip_reason: str | None = None
    sip_call_id: str | None = None
    sip_headers: tuple[tuple[str, str], ...] = ()
    """Dial: those of the callee's final response."""
    callee: UUID | None = None
    """Dial: the leg that was connected, else the one whose failure is reported."""
    callee_status: CallStatus | None = None
    """Dial: how that leg ended."""
    bridged: bool = False
    talk_seconds: int = 0
    """Dial: how long the two were connected."""
    ring_seconds: int = 0
    recording: Recording | None = None
    """Dial, Record: what was recorded, finished; None when there is no file."""
    notified_status: int | None = None
    """Refer: the last status that a NOTIFY brought."""
