"""CallAPI's words for the states of a call and for who answered it."""

from __future__ import annotations

from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus
from ringback.dialects.progress import STATUS_WORDS, told_status

_WORDS = STATUS_WORDS | {
    CallStatus.DECLINED: "busy",
    CallStatus.REJECTED: "busy",
    CallStatus.UNAVAILABLE: "failed",
    CallStatus.ABANDONED: "canceled",
}


def status_word(call: CallRecord) -> str:
    """`CallStatus` and `status`."""
    return _WORDS[told_status(call)]


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
