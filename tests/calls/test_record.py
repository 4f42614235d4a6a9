"""What each event makes of a call's record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

import msgspec
import pytest
from tests.calls.making import NOON, RECORDING, one_of_each_event, record

from ringback.calls import events
from ringback.calls.record import CallRecord, apply
from ringback.calls.status import CallStatus, EndedBy

LATER = NOON + timedelta(seconds=7)
TRYING = {"sip_status": 100, "sip_reason": "Trying", "progress": 1}

CHANGES: dict[str, dict[str, Any]] = {
    "call.received": {
        "status": CallStatus.INITIATED,
        "initiated_at": LATER,
        "sip_call_id": "abc",
        **TRYING,
    },
    "call.requested": {"status": CallStatus.QUEUED},
    "call.initiated": {
        "status": CallStatus.INITIATED,
        "initiated_at": LATER,
        "sip_call_id": "abc",
        **TRYING,
    },
    "call.ringing": {
        "status": CallStatus.EARLY_MEDIA,
        "ringing_at": LATER,
        "sip_status": 183,
        "sip_reason": "Session Progress",
        "progress": 1,
    },
    "call.answered": {
        "status": CallStatus.IN_PROGRESS,
        "answered_at": LATER,
        "sip_status": 200,
        "sip_reason": "OK",
        "dialog": {"call_id": "abc"},
        "progress": 1,
    },
    "call.ended": {
        "status": CallStatus.BUSY,
        "ended_at": LATER,
        "ended_by": EndedBy.REMOTE,
        "cause": "the far end answered 486 Busy Here",
        "sip_status": 486,
        "sip_reason": "Busy Here",
        "end_headers": (("Reason", "Q.850;cause=17"),),
        "media": events.MediaStatistics(packets_in=50, jitter_in_avg=1.5),
        "progress": 1,
    },
    "call.tagged": {"custom": {"order": 7}},
    "answerer.detected": {"answered_by": "human", "detection_ms": 900},
    "recording.changed": {"recording": RECORDING},
    "call.rerouted": {"trunk": "backup"},
}
"""By kind; an event that is not here changes nothing at all."""


@pytest.mark.parametrize("event", one_of_each_event(), ids=events.kind_of)
def test_what_an_event_changes(event: events.CallEvent) -> None:
    before = record()
    changes = CHANGES.get(events.kind_of(event))
    after = apply(before, event, LATER)
    if changes is None:
        assert after is before
    else:
        assert after == msgspec.structs.replace(before, updated_at=LATER, **changes)


def test_there_is_one_of_each() -> None:
    assert {type(event) for event in one_of_each_event()} == set(get_args(events.CallEvent))


def through(*happened: events.CallEvent) -> CallRecord:
    call = record()
    for second, event in enumerate(happened, 1):
        call = apply(call, event, NOON + timedelta(seconds=second))
    return call


def ringing(status: int, *, early: bool) -> events.CallRinging:
    return events.CallRinging(sip_status=status, sip_reason="", early_media=early)


def ended(status: CallStatus) -> events.CallEnded:
    return events.CallEnded(status=status, cause="x", by=EndedBy.REMOTE, sip_status=200, sip_reason="OK")


def test_ringing_counts_once_and_keeps_its_moment() -> None:
    call = through(ringing(180, early=False), ringing(183, early=True))
    assert call.status is CallStatus.EARLY_MEDIA
    assert call.ringing_at == NOON + timedelta(seconds=1)
    assert call.progress == 1


def test_the_end_forgets_the_dialog() -> None:
    """There is nobody left to say BYE to."""
    call = through(events.CallAnswered(dialog={"call_id": "abc"}), ended(CallStatus.COMPLETED))
    assert call.dialog is None


def test_only_a_verdict_says_who_answered() -> None:
    """What is heard on the way, and what may still change, does not."""
    tone = events.AnswererDetected(what="tone", milliseconds=5, verdict=False)
    partial = events.AnswererDetected(what="machine-start", milliseconds=6, partial=True)
    assert through(tone, partial).answered_by is None


def test_progress_is_numbered_from_zero() -> None:
    received = one_of_each_event()[0]
    assert through(received).sequence_number == 0
    assert through(received, ringing(180, early=False)).sequence_number == 1
    assert through(received, ringing(180, early=False), ended(CallStatus.BUSY)).sequence_number == 2
    assert record().sequence_number == 0


def test_a_duration_is_the_seconds_since_the_answer() -> None:
    assert through(ringing(180, early=False), ended(CallStatus.BUSY)).duration() == 0
    up = through(events.CallAnswered())
    assert up.duration(NOON + timedelta(seconds=9)) == 8
    assert up.duration() == 0
    over = through(events.CallAnswered(), ringing(180, early=False), ended(CallStatus.COMPLETED))
    assert over.duration(NOON + timedelta(hours=1)) == 2
