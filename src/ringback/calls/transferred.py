"""What came of a transfer, and what follows from that. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.status import CallStatus, status_of_failure
from ringback.calls.verbs import Dial, HangUp, Redirect, Transfer

_ACCEPTED = range(200, 300)


class Handover(StrEnum):
    """How a transfer ended."""

    COMPLETED = "completed"
    NO_ANSWER = "no-answer"
    BUSY = "busy"
    DECLINED = "declined"
    """By the one who was called: refused, not confirmed, or a machine where people were wanted."""
    ABANDONED = "abandoned"
    """The caller hung up before it was decided."""
    FAILED = "failed"


def handover(verb: Transfer, outcome: Outcome) -> Handover:
    """How the transfer ended, out of what its Dial or its Refer came to."""
    return _dialled(outcome) if isinstance(verb.by, Dial) else _referred(outcome)


def what_follows(verb: Transfer, outcome: Outcome) -> Sequence[Dial | HangUp | Redirect]:
    """The fallback; after a transfer that the far end carried out there is nothing more to do."""
    match handover(verb, outcome):
        case Handover.COMPLETED:
            return () if isinstance(verb.by, Dial) else (HangUp(cause="it was transferred"),)
        case Handover.NO_ANSWER:
            return verb.fallbacks.no_answer
        case Handover.BUSY:
            return verb.fallbacks.busy
        case Handover.DECLINED:
            return verb.fallbacks.declined
        case Handover.FAILED:
            return verb.fallbacks.failed
    return ()


def _dialled(outcome: Outcome) -> Handover:
    if outcome.bridged:
        return Handover.COMPLETED
    if outcome.end is EndOfVerb.HUNG_UP:
        return Handover.ABANDONED
    status = outcome.callee_status
    if status is CallStatus.COMPLETED:  # it answered, and was not connected
        return Handover.DECLINED
    return _failed_with(status or CallStatus.FAILED)


def _referred(outcome: Outcome) -> Handover:
    """A far end that accepted and hung up has mostly been transferred, whether or not it said so before."""
    notified = outcome.notified_status or 0
    if notified >= 300:
        # 487: nobody answered in time
        return _failed_with(CallStatus.CANCELED if notified == 487 else status_of_failure(notified))
    if notified >= 200:
        return Handover.COMPLETED
    if outcome.end is EndOfVerb.HUNG_UP:
        return Handover.COMPLETED if outcome.sip_status in _ACCEPTED else Handover.ABANDONED
    return Handover.NO_ANSWER if outcome.end is EndOfVerb.TIMEOUT else Handover.FAILED


def _failed_with(status: CallStatus) -> Handover:
    match status:
        case CallStatus.BUSY:
            return Handover.BUSY
        case CallStatus.DECLINED:
            return Handover.DECLINED
        case CallStatus.NO_ANSWER | CallStatus.CANCELED | CallStatus.UNAVAILABLE:
            return Handover.NO_ANSWER
    return Handover.FAILED
