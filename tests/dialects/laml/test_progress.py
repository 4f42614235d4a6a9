"""Callbacks about a call's progress, in both profiles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.dialects.laml.conftest import Make
from tests.dialects.laml.making import ACCOUNT, CALL_ID, ENDED, NOON, ended, record

from ringback.calls.events import CallAnswered, CallEnded, CallInitiated, CallReceived, CallRinging
from ringback.calls.record import CallRecord, apply
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.dialects.laml.webhook import LamlApplication
from ringback.webhooks.delivery import Delivery


def play_out(*events: Any, direction: Direction = Direction.OUTBOUND_API) -> list[tuple[Any, CallRecord]]:
    call = record(
        direction=direction,
        status=CallStatus.QUEUED,
        initiated_at=None,
        ringing_at=None,
        progress=0,
    )
    steps = []
    for number, event in enumerate(events):
        call = apply(call, event, NOON + timedelta(seconds=number))
        steps.append((event, call))
    return steps


INITIATED = CallInitiated(sip_call_id="a", target="sip:b@c")
RINGING = CallRinging(sip_status=180, sip_reason="Ringing", early_media=False)
EARLY = CallRinging(sip_status=183, sip_reason="Session Progress", early_media=True)
ANSWERED = CallAnswered()
BUSY = CallEnded(status=CallStatus.BUSY, cause="", by=EndedBy.REMOTE, sip_status=486, sip_reason="Busy Here")


def delivered(application: LamlApplication, steps: list[tuple[Any, CallRecord]]) -> list[Delivery]:
    return [each for event, call in steps for each in application.deliveries(event, call)]


def told(deliveries: list[Delivery]) -> list[tuple[str | None, str | None]]:
    return [(dict(each.fields)["CallStatus"], dict(each.fields)["SequenceNumber"]) for each in deliveries]


@pytest.mark.parametrize(
    ("events", "happened", "expected"),
    [
        (("completed",), (INITIATED, RINGING, ANSWERED, ENDED), [("completed", "3")]),
        (
            ("initiated", "ringing", "answered", "completed"),
            (INITIATED, RINGING, EARLY, ANSWERED, ENDED),
            [("initiated", "0"), ("ringing", "1"), ("in-progress", "2"), ("completed", "3")],
        ),
        (("initiated", "ringing", "completed"), (INITIATED, BUSY), [("initiated", "0"), ("busy", "1")]),
        (("ringing",), (INITIATED, EARLY, RINGING, ENDED), [("ringing", "1")]),
        (("answered",), (INITIATED, BUSY), []),
    ],
)
def test_outbound_calls_tell_what_was_subscribed_to(
    make: Make, events: tuple[str, ...], happened: tuple[Any, ...], expected: list[tuple[str, str]]
) -> None:
    application = make(status_callback="http://app.test/status", events=events)
    assert told(delivered(application, play_out(*happened))) == expected
    assert delivered(make(), play_out(*happened)) == []


def test_inbound_calls_tell_their_end_only(make: Make) -> None:
    received = CallReceived(
        from_="+1",
        to="+2",
        caller_name=None,
        forwarded_from=None,
        sip_call_id="a",
        source="udp:1:2",
        trunk=None,
        client=None,
    )
    application = make(
        status_callback="http://app.test/status", events=("initiated", "ringing", "answered", "completed")
    )
    steps = play_out(received, RINGING, ANSWERED, ENDED, direction=Direction.INBOUND)
    assert told(delivered(application, steps)) == [("completed", "3")]


def test_a_callback_is_rendered_signed_later_and_the_same_each_time(make: Make) -> None:
    application = make(
        status_callback="http://app.test/status?x=1",
        status_callback_method="GET",
        voice_url="http://app.test/",
        username="u",
        password="p",
    )
    (one,) = application.deliveries(ENDED, ended())
    (again,) = application.deliveries(ENDED, ended())
    assert one == again
    assert one.id == one.token
    assert one.token_header == "I-Twilio-Idempotency-Token"
    assert (one.url, one.method, one.scheme) == ("http://app.test/status?x=1", "GET", "twilio")
    assert (one.account_id, one.key_ref, one.call_id) == (str(ACCOUNT.id), str(ACCOUNT.id), str(CALL_ID))
    assert one.sequence == 3
    assert one.auth == ("u", "p")
    assert one.headers == (("User-Agent", "TwilioProxy/1.1"),)
    (other,) = make("signalwire", status_callback="http://app.test/status").deliveries(ENDED, ended())
    assert (other.scheme, other.token_header, other.policy.retries.attempts) == ("signalwire", "", 3)
    assert other.auth is None
