"""The neutral status of a call in LaML's eight words, and back for filters."""

from __future__ import annotations

from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus
from ringback.dialects.progress import STATUS_WORDS, told_status

_WORDS = STATUS_WORDS | {
    CallStatus.DECLINED: "no-answer",
    CallStatus.REJECTED: "no-answer",
    CallStatus.UNAVAILABLE: "no-answer",
    CallStatus.ABANDONED: "no-answer",
}


def word(status: CallStatus) -> str:
    """The status's name."""
    return _WORDS[status]


def webhook_status(call: CallRecord) -> str:
    """`CallStatus` in a request to the application; `initiated` occurs on outbound calls only."""
    return _WORDS[told_status(call)]


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
