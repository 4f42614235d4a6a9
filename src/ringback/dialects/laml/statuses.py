"""The neutral status of a call in LaML's eight words, and back for filters."""

from __future__ import annotations

from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction

_WORDS = {
    CallStatus.QUEUED: "queued",
    CallStatus.INITIATED: "initiated",
    CallStatus.RINGING: "ringing",
    CallStatus.EARLY_MEDIA: "ringing",
    CallStatus.IN_PROGRESS: "in-progress",
    CallStatus.COMPLETED: "completed",
    CallStatus.BUSY: "busy",
    CallStatus.DECLINED: "no-answer",
    CallStatus.UNAVAILABLE: "no-answer",
    CallStatus.NO_ANSWER: "no-answer",
    CallStatus.CANCELED: "canceled",
    CallStatus.ABANDONED: "no-answer",
    CallStatus.REJECTED_BUSY: "busy",
    CallStatus.REJECTED: "no-answer",
    CallStatus.FAILED: "failed",
}


def word(status: CallStatus) -> str:
    """The status's name."""
    return _WORDS[status]


def webhook_status(call: CallRecord) -> str:
    """`CallStatus` in a request to the application; `initiated` occurs on outbound calls only."""
    if call.status is CallStatus.INITIATED and call.direction is Direction.INBOUND:
        return "ringing"
    return _WORDS[call.status]


def rest_status(call: CallRecord) -> str:
    """`status` in a resource, where a call is `queued` until it rings."""
    return "queued" if call.status is CallStatus.INITIATED else _WORDS[call.status]


REST_STATUSES: dict[str, frozenset[CallStatus]] = {
    word: frozenset(
        status
        for status, name in _WORDS.items()
        if name == word or (word == "queued" and status is CallStatus.INITIATED)
    )
    for word in (
        "queued",
        "ringing",
        "in-progress",
        "canceled",
        "completed",
        "busy",
        "failed",
        "no-answer",
    )
}
"""What each word of a `Status` filter stands for."""
