"""CallAPI's words for the states of a call and for its progress events."""

from __future__ import annotations

from ringback.calls.events import CallAnswered, CallEnded, CallEvent, CallInitiated, CallReceived, CallRinging
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction

EVENTS = ("initiated", "ringing", "answered", "completed")
"""What a status callback can subscribe to (CallAPI "Making Calls")."""

_WORDS = {
    CallStatus.QUEUED: "queued",
    CallStatus.INITIATED: "initiated",
    CallStatus.RINGING: "ringing",
    CallStatus.EARLY_MEDIA: "ringing",
    CallStatus.IN_PROGRESS: "in-progress",
    CallStatus.COMPLETED: "completed",
    CallStatus.BUSY: "busy",
    CallStatus.DECLINED: "busy",
    CallStatus.UNAVAILABLE: "failed",
    CallStatus.NO_ANSWER: "no-answer",
    CallStatus.CANCELED: "canceled",
    CallStatus.ABANDONED: "canceled",
    CallStatus.REJECTED_BUSY: "busy",
    CallStatus.REJECTED: "busy",
    CallStatus.FAILED: "failed",
}


def status_word(call: CallRecord) -> str:
    """`CallStatus` and `status`. A caller hears ringing at once, so nothing is `initiated` inbound."""
    if call.status is CallStatus.INITIATED and call.direction is Direction.INBOUND:
        return "ringing"
    return _WORDS[call.status]


def word_of(status: CallStatus) -> str:
    """The word for a status, of a dialled leg."""
    return _WORDS[status]


def detector_word(answered_by: str | None) -> str | None:
    """`VoicemailDetector`: `voicemail` for machines, faxes too; else `person_found`. None: not known yet."""
    if not answered_by:
        return None
    return "voicemail" if _is_machine(answered_by) else "person_found"


def answerer_word(answered_by: str | None) -> str | None:
    """`answered_by` in REST: `human` or `machine`, None where nobody knows."""
    if answered_by is None or not (answered_by == "human" or _is_machine(answered_by)):
        return None
    return "machine" if _is_machine(answered_by) else "human"


def _is_machine(answered_by: str) -> bool:
    return answered_by.startswith(("machine", "fax"))


def statuses_named(word: str) -> frozenset[CallStatus]:
    """The statuses behind a word, in any case; none for a word that is not CallAPI's."""
    return frozenset(status for status, name in _WORDS.items() if name == word.strip().lower())


def event_word(event: CallEvent, call: CallRecord) -> str | None:
    """Which progress event this is; None for all others, and for repeated ringing."""
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
