"""How the dialects with XML markup name a call's states and its progress, where they agree. Pure."""

from __future__ import annotations

from ringback.calls.events import CallAnswered, CallEnded, CallEvent, CallInitiated, CallReceived, CallRinging
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction

STATUS_WORDS = {
    CallStatus.QUEUED: "queued",
    CallStatus.INITIATED: "initiated",
    CallStatus.RINGING: "ringing",
    CallStatus.EARLY_MEDIA: "ringing",
    CallStatus.IN_PROGRESS: "in-progress",
    CallStatus.COMPLETED: "completed",
    CallStatus.BUSY: "busy",
    CallStatus.REJECTED_BUSY: "busy",
    CallStatus.NO_ANSWER: "no-answer",
    CallStatus.CANCELED: "canceled",
    CallStatus.FAILED: "failed",
}
"""Each dialect adds its own word for declined, unavailable, abandoned and rejected."""
EVENTS = ("initiated", "ringing", "answered", "completed")
"""What a status callback can subscribe to."""


def told_status(call: CallRecord) -> CallStatus:
    """The status to tell: a caller hears ringing at once, so nothing is `initiated` inbound."""
    if call.status is CallStatus.INITIATED and call.direction is Direction.INBOUND:
        return CallStatus.RINGING
    return call.status


def progress_event(event: CallEvent, call: CallRecord) -> str | None:
    """Which of `EVENTS` this is; None for all others, and for repeated ringing (183 after 180).

    `call` is the record with the event already applied.
    """
    match event:
        case CallReceived() | CallInitiated():
            return "initiated"
        case CallRinging():
            return "ringing" if call.ringing_at == call.updated_at else None
        case CallAnswered():
            return "answered"
        case CallEnded():
            return "completed"
    return None
