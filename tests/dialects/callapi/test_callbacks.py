"""Status callbacks: which, when, and every field of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import pytest
from tests.dialects.callapi.conftest import INSTANCE, Make
from tests.dialects.callapi.making import AUDIO, ENDED, LEG, PROGRESS, VOICE, check, recording

from ringback.calls.events import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallInitiated,
    CallReceived,
    CallRinging,
    DigitReceived,
    RecordingChanged,
)
from ringback.calls.record import CallRecord, apply
from ringback.calls.recordings.recording import RecordingStatus
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import Callee, Hook, Reports, Target
from ringback.dialects.callapi.dialect import CallApi
from ringback.dialects.callapi.fields import voice_fields
from ringback.dialects.callapi.settings import Settings
from ringback.dialects.callapi.webhook import CallApiApplication
from ringback.routing.directory import Account, Application
from ringback.store.ids import derived_id
from ringback.webhooks.delivery import Delivery

INVITED = CallInitiated(sip_call_id="x", target="sip:1@h")
RINGING = CallRinging(sip_status=180, sip_reason="Ringing", early_media=False)
ANSWERED = CallAnswered()


def ended(status: CallStatus, sip_status: int = 200) -> CallEnded:
    return CallEnded(status=status, cause="x", by=EndedBy.REMOTE, sip_status=sip_status, sip_reason="x")


ALL = ("initiated", "ringing", "answered", "completed")


def follow(
    application: CallApiApplication,
    call: CallRecord,
    events: list[CallEvent],
    later: Callable[[float], datetime],
) -> list[dict[str, str]]:
    """The callbacks of these events, ten seconds apart."""
    told = []
    for number, event in enumerate(events):
        call = apply(call, event, later(10.0 * (number + 1)))
        for delivery in application.deliveries(event, call):
            table = {**VOICE, **(ENDED if isinstance(event, CallEnded) else PROGRESS)}
            fields = check(delivery.fields, table)
            assert fields["PostStatus"] == "callback"
            assert delivery.url == "http://app.test/status"
            assert delivery.query_to_body
            told.append({**fields, "id": delivery.id})
    assert len({fields.pop("id") for fields in told}) == len(told)
    return told


@pytest.fixture
def outbound(record: Make) -> CallRecord:
    return record(
        direction=Direction.OUTBOUND_API,
        status=CallStatus.QUEUED,
        from_="8044735555",
        to="3035551212",
        ringing_at=None,
        progress=0,
    )


@pytest.fixture
def watched(dialect: CallApi, services: Any, account: Account) -> Callable[..., CallApiApplication]:
    def make(*events: str) -> CallApiApplication:
        settings = Settings(status=Hook(url="http://app.test/status"), events=events or ALL)
        # Through the stored state and back, as after a restart.
        return dialect.restore(account, CallApiApplication(services, account, settings).state())

    return make


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (
            [INVITED, RINGING, RINGING, ANSWERED, ended(CallStatus.COMPLETED)],
            [
                ("initiated", "0", None),
                ("ringing", "1", None),
                ("in-progress", "2", None),
                ("completed", "3", "10"),
            ],
        ),
        ([INVITED, ended(CallStatus.BUSY, 486)], [("initiated", "0", None), ("busy", "1", "0")]),
        (
            [INVITED, RINGING, ended(CallStatus.DECLINED, 603)],
            [("initiated", "0", None), ("ringing", "1", None), ("busy", "2", "0")],
        ),
        (
            [INVITED, RINGING, ended(CallStatus.NO_ANSWER, 487)],
            [("initiated", "0", None), ("ringing", "1", None), ("no-answer", "2", "0")],
        ),
        (
            [INVITED, RINGING, ended(CallStatus.CANCELED, 487)],
            [("initiated", "0", None), ("ringing", "1", None), ("canceled", "2", "0")],
        ),
        ([INVITED, ended(CallStatus.UNAVAILABLE, 480)], [("initiated", "0", None), ("failed", "1", "0")]),
        ([INVITED, ended(CallStatus.FAILED, 503)], [("initiated", "0", None), ("failed", "1", "0")]),
    ],
)
def test_outbound_callbacks(
    watched: Callable[..., CallApiApplication],
    outbound: CallRecord,
    later: Callable[[float], datetime],
    events: list[CallEvent],
    told: list[tuple[str, str, str | None]],
) -> None:
    got = follow(watched(), outbound, events, later)
    assert [(one["CallStatus"], one["SequenceNumber"], one.get("CallDuration")) for one in got] == told
    assert {one["Direction"] for one in got} == {"outbound-api"}


def test_sequence_numbers_count_what_is_not_subscribed_too(
    watched: Callable[..., CallApiApplication], outbound: CallRecord, later: Callable[[float], datetime]
) -> None:
    events: list[CallEvent] = [
        INVITED,
        RINGING,
        DigitReceived(key="1", method="info"),
        ended(CallStatus.BUSY),
    ]
    (last,) = follow(watched("completed"), outbound, events, later)
    assert (last["CallStatus"], last["SequenceNumber"]) == ("busy", "2")
    assert last["Timestamp"] == "Tue, 26 May 2020 17:59:56 +0000"


def test_a_numbers_callback_is_told_each_state_once(
    dialect: CallApi, account: Account, record: Make, later: Callable[[float], datetime]
) -> None:
    configured = Application(
        id=derived_id(account.id, "application", "ivr"),
        account_id=account.id,
        name="ivr",
        dialect="callapi",
        voice_url="http://app.test/voice",
        status_callback="http://app.test/status",
        username="u",
        password="p",
    )
    application = dialect.application(account, configured)
    received = CallReceived(
        from_="3035550000",
        to="8044731212",
        caller_name=None,
        forwarded_from=None,
        sip_call_id="x",
        source="udp:127.0.0.1:5060",
        trunk=None,
        client=None,
    )
    call = record(
        from_="3035550000", to="8044731212", status=CallStatus.INITIATED, ringing_at=None, progress=0
    )
    events: list[CallEvent] = [received, RINGING, ANSWERED, ended(CallStatus.COMPLETED)]
    told = follow(application, call, events, later)
    assert [(one["CallStatus"], one["SequenceNumber"]) for one in told] == [
        ("ringing", "1"),
        ("in-progress", "2"),
        ("completed", "3"),
    ]
    event = ended(CallStatus.ABANDONED)
    (delivery,) = application.deliveries(event, apply(call, event, later(1)))
    assert delivery.auth == ("u", "p")
    assert dict(delivery.fields)["CallStatus"] == "canceled"


@pytest.mark.parametrize(
    ("status", "word"),
    [(CallStatus.REJECTED, "busy"), (CallStatus.REJECTED_BUSY, "busy"), (CallStatus.FAILED, "failed")],
)
def test_how_inbound_calls_end(record: Make, status: CallStatus, word: str) -> None:
    assert dict(voice_fields(record(status=status), INSTANCE, "callback"))["CallStatus"] == word


def test_a_dialled_leg_has_its_own_callback_and_names_its_parent(
    services: Any, account: Account, record: Make, later: Callable[[float], datetime]
) -> None:
    caller = record()
    application = CallApiApplication(services, account, Settings(status=Hook(url="http://app.test/parent")))
    reports = Reports(hook=Hook(url="http://app.test/leg", method="GET"), events=("ringing", "completed"))
    callee = Callee(target=Target(kind="client", address="bob"), shown="bob", reports=reports)
    leg = application.for_callee(callee, caller)
    call = record(
        id=LEG,
        parent_id=caller.id,
        direction=Direction.OUTBOUND_DIAL,
        status=CallStatus.QUEUED,
        ringing_at=None,
        progress=0,
        from_="3035550000",
        to="8044731212",
    )
    told: list[Delivery] = []
    events: list[CallEvent] = [INVITED, RINGING, ANSWERED, ended(CallStatus.COMPLETED)]
    for number, event in enumerate(events):
        call = apply(call, event, later(10.0 * (number + 1)))
        told += leg.deliveries(event, call)
    voice = {**VOICE, "Direction": "outbound-dial"}
    parent = {"ParentCallSid": f"ID{INSTANCE}-CA{caller.id.hex}"}
    ringing = check(told[0].fields, {**voice, **parent, **PROGRESS})
    done = check(told[1].fields, {**voice, **parent, **ENDED})
    assert {delivery.method for delivery in told} == {"GET"}
    assert (ringing["CallStatus"], ringing["SequenceNumber"]) == ("ringing", "1")
    assert (done["CallStatus"], done["SequenceNumber"], done["CallDuration"]) == ("completed", "3", "10")
    silent = application.for_callee(msgspec.structs.replace(callee, reports=None), caller)
    assert not silent.deliveries(INVITED, apply(call, INVITED, later(1)))


@pytest.mark.parametrize("direction", [Direction.OUTBOUND_API, Direction.INBOUND])
def test_the_end_of_a_recorded_call(
    services: Any, account: Account, record: Make, later: Callable[[float], datetime], direction: Direction
) -> None:
    settings = Settings(status=Hook(url="http://app.test/status"), events=("completed",))
    application = CallApiApplication(services, account, settings)
    call = record(direction=direction, answered_at=later(1), status=CallStatus.IN_PROGRESS)
    running = recording(status=RecordingStatus.IN_PROGRESS, duration=0.0, started_at=later(5))
    event = ended(CallStatus.COMPLETED)
    over = apply(call, event, later(10))
    assert "RecordingUrl" not in dict(application.deliveries(event, over)[0].fields)

    application.notify(RecordingChanged(recording=running), call)
    told = dict(application.deliveries(event, over)[0].fields)
    if direction is Direction.INBOUND:
        assert "RecordingUrl" not in told
        return
    assert told["RecordingUrl"] == AUDIO
    assert told["RecordingSid"] == f"RE{running.id.hex}"
    assert told["RecordingDuration"] == "5.0"
    application.notify(RecordingChanged(recording=recording()), call)
    assert dict(application.deliveries(event, over)[0].fields)["RecordingDuration"] == "14.703"
    application.notify(RecordingChanged(recording=recording(status=RecordingStatus.ABSENT)), call)
    assert "RecordingUrl" not in dict(application.deliveries(event, over)[0].fields)


def test_nobody_is_told_without_a_callback(services: Any, account: Account, record: Make) -> None:
    application = CallApiApplication(services, account, Settings())
    event = ended(CallStatus.COMPLETED)
    assert not application.deliveries(event, record())


def test_a_foreign_or_broken_state_calls_nobody(dialect: CallApi, account: Account) -> None:
    assert dialect.restore(account, {}).settings == Settings()
    assert dialect.restore(account, {"dialect": "laml", "status": {"url": "x"}}).settings == Settings()
    assert dialect.restore(account, {"dialect": "callapi", "status": 7}).settings == Settings()
