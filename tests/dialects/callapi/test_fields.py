"""Every field of every webhook: name, format, presence."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.dialects.callapi.conftest import AC, INSTANCE, Make
from tests.dialects.callapi.making import recording

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
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.record import CallRecord, apply
from ringback.calls.recordings.recording import RecordingStatus
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import Callee, Dial, Gather, Hook, Play, Record, RecordingPlan, Reports, Target
from ringback.dialects.callapi.dialect import CallApi
from ringback.dialects.callapi.fields import (
    Here,
    action_fields,
    refer_fields,
    screening_fields,
    user_part,
    voice_fields,
)
from ringback.dialects.callapi.settings import Settings
from ringback.dialects.callapi.webhook import CallApiApplication
from ringback.routing.directory import Account, Application
from ringback.store.ids import derived_id
from ringback.webhooks.delivery import Delivery

HERE = Here(INSTANCE, "http://127.0.0.1:8080")

VOICE = {
    "CallSid": r"ID[0-9a-f]{32}-CA[0-9a-f]{32}",
    "InstanceId": r"ID[0-9a-f]{32}",
    "AccountSid": r"AC[0-9a-f]{32}",
    "From": r"\d{10,11}",
    "To": r"\d{10,11}",
    "CallStatus": r"queued|initiated|ringing|in-progress|completed|busy|failed|no-answer|canceled",
    "ApiVersion": r"2012-04-24",
    "Direction": r"inbound|outbound-api",
    "CallerName": r".+",
    "ForwardedFrom": r"null|\d+",
    "CallTimestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "PostStatus": r"new|callback",
}
PROGRESS = {
    "Timestamp": r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000",
    "CallbackSource": r"call-progress-events",
    "SequenceNumber": r"\d",
}
ENDED = {"CallDuration": r"\d+", **PROGRESS}


def check(fields: Any, table: dict[str, str]) -> dict[str, str]:
    """Exactly these fields, in this order and form."""
    assert [name for name, _ in fields] == list(table)
    for name, value in fields:
        assert re.fullmatch(table[name], value), (name, value)
    return dict(fields)


def test_a_new_inbound_call(record: Make) -> None:
    fields = check(voice_fields(record(), INSTANCE, "new"), VOICE)
    assert fields == {
        "CallSid": f"ID{INSTANCE}-CA9d3572be9f7a41ea97f45ffeb3239325",
        "InstanceId": f"ID{INSTANCE}",
        "AccountSid": "AC3fa85f6457174562b3fc2c963f66afa6",
        "From": "13035550000",
        "To": "18044731212",
        "CallStatus": "ringing",
        "ApiVersion": "2012-04-24",
        "Direction": "inbound",
        "CallerName": "13035550000",
        "ForwardedFrom": "null",
        "CallTimestamp": "2020-05-26T17:59:16.555Z",
        "PostStatus": "new",
    }


def test_names_forwarding_and_headers(record: Make) -> None:
    call = record(
        caller_name="Alice",
        forwarded_from="8005550100",
        invite_headers=(
            ("Via", "SIP/2.0/UDP x"),
            ("X-Customer", "7"),
            ("x-lower", "8"),
            ("Diversion", "<sip:1@x>"),
        ),
    )
    fields = voice_fields(call, INSTANCE, "new")
    assert dict(fields)["CallerName"] == "Alice"
    assert dict(fields)["ForwardedFrom"] == "8005550100"
    assert fields[len(VOICE) :] == (
        ("SipHeader_X-Customer", "7"),
        ("SipHeader_x-lower", "8"),
        ("SipHeader_Diversion", "<sip:1@x>"),
    )


def test_what_is_unknown_is_a_bare_name(record: Make) -> None:
    fields = dict(voice_fields(record(from_="", to=""), INSTANCE, "new"))
    assert fields["From"] is None
    assert fields["To"] is None
    assert fields["CallerName"] is None


@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("+14155550100", "14155550100"),
        ("4155550100", "4155550100"),
        ("alice", "alice"),
        ("sip:alice@h:5060", "alice"),
        ("sips:+1@h", "1"),
        ("client:bob", "bob"),
        ("", ""),
    ],
)
def test_user_parts(address: str, user: str) -> None:
    assert user_part(address) == user


def test_an_inbound_call_is_never_initiated(record: Make) -> None:
    call = record(status=CallStatus.INITIATED)
    assert dict(voice_fields(call, INSTANCE, "new"))["CallStatus"] == "ringing"


def test_the_action_of_gather() -> None:
    hook = Hook(url="http://x/")
    gather = Gather(action=hook)
    assert action_fields(gather, Outcome(digits="12", finish_key="#"), HERE) == (("Digits", "12"),)
    assert action_fields(gather, Outcome(), HERE) == (("Digits", ""),)
    assert action_fields(Play(clips=()), Outcome(), HERE) == ()


# -- Dial and Record

LEG = UUID(int=7)
CHILD = f"ID{INSTANCE}-CA{LEG.hex}"
AUDIO = f"http://127.0.0.1:8080/call/2012-04-24/Accounts/{AC}/Recordings/RE{recording().id.hex}.wav"


def test_the_action_of_a_dial_that_was_connected_and_recorded() -> None:
    outcome = Outcome(
        callee=LEG,
        callee_status=CallStatus.COMPLETED,
        bridged=True,
        talk_seconds=12,
        ring_seconds=3,
        recording=recording(),
        sip_status=200,
        sip_call_id="abc@host",
        sip_headers=(("Contact", "<sip:x>"), ("X-Agent", "7"), ("x-lower", "8")),
    )
    assert action_fields(Dial(callees=()), outcome, HERE) == (
        ("DialCallSid", CHILD),
        ("DialCallStatus", "completed"),
        ("DialCallDuration", "12"),
        ("RecordingUrl", AUDIO),
        ("PublicRecordingUrl", AUDIO),
        ("DialRingDuration", "3"),
        ("DialSipCallId", "abc@host"),
        ("DialSipResponseCode", "200"),
        ("DialSipHeader_X-Agent", "7"),
        ("DialSipHeader_x-lower", "8"),
    )


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (CallStatus.BUSY, "busy"),
        (CallStatus.DECLINED, "busy"),
        (CallStatus.NO_ANSWER, "no-answer"),
        (CallStatus.UNAVAILABLE, "failed"),
        (CallStatus.FAILED, "failed"),
        (CallStatus.CANCELED, "canceled"),
        (CallStatus.COMPLETED, "completed"),
    ],
)
def test_how_a_dial_ends(status: CallStatus, word: str) -> None:
    outcome = Outcome(callee=LEG, callee_status=status)
    fields = dict(action_fields(Dial(callees=()), outcome, HERE))
    assert (fields["DialCallSid"], fields["DialCallStatus"]) == (CHILD, word)
    assert (fields["DialCallDuration"], fields["DialRingDuration"]) == ("0", "0")
    assert "RecordingUrl" not in fields


def test_a_dial_that_could_call_nobody() -> None:
    fields = action_fields(Dial(callees=()), Outcome(end=EndOfVerb.FAILED), HERE)
    assert fields == (
        ("DialCallSid", "null"),
        ("DialCallStatus", "failed"),
        ("DialCallDuration", "0"),
        ("DialRingDuration", "0"),
    )


@pytest.mark.parametrize(
    ("outcome", "digits"),
    [
        (Outcome(finish_key="#"), "#"),
        (Outcome(end=EndOfVerb.HUNG_UP), "hangup"),
        (Outcome(end=EndOfVerb.TIMEOUT), None),
    ],
)
def test_the_action_of_a_record(outcome: Outcome, digits: str | None) -> None:
    verb = Record(recording=RecordingPlan())
    fields = action_fields(verb, msgspec.structs.replace(outcome, recording=recording()), HERE)
    assert fields == (
        ("RecordingUrl", AUDIO),
        ("PublicRecordingUrl", AUDIO),
        ("RecordingDuration", "14.703"),
        *((("Digits", digits),) if digits else ()),
    )
    empty = action_fields(verb, outcome, HERE)
    assert empty[0] == ("RecordingDuration", "0.0")


def test_whole_seconds_of_a_recording_have_a_point() -> None:
    outcome = Outcome(recording=recording(duration=3))
    assert dict(action_fields(Record(recording=RecordingPlan()), outcome, HERE))["RecordingDuration"] == "3.0"


def test_a_dialled_call_is_named_from_then_on(record: Make) -> None:
    fields = voice_fields(record(), INSTANCE, "callback", dialled=LEG)
    assert [name for name, _ in fields[:4]] == ["CallSid", "InstanceId", "OutboundCallSid", "AccountSid"]
    assert fields[2] == ("OutboundCallSid", CHILD)


def test_a_screening(record: Make) -> None:
    leg = record(
        direction=Direction.OUTBOUND_DIAL,
        status=CallStatus.IN_PROGRESS,
        sip_call_id="abc@host",
        parent_id=LEG,
    )
    fields = screening_fields(leg, INSTANCE, (("X-Agent", "7"), ("Server", "x")))
    assert [name for name, _ in fields] == [
        "CallSid",
        "AccountSid",
        "From",
        "To",
        "CallStatus",
        "ApiVersion",
        "Direction",
        "CallerName",
        "ForwardedFrom",
        "PostStatus",
        "SipCallId",
        "SipHeader_X-Agent",
    ]
    told = dict(fields)
    assert (told["CallStatus"], told["Direction"]) == ("in-progress", "outbound-dial")
    assert (told["SipCallId"], told["SipHeader_X-Agent"]) == ("abc@host", "7")


def test_a_transfer(record: Make) -> None:
    caller = record(from_="+13035550000")
    callee = record(direction=Direction.OUTBOUND_DIAL, to="bob")
    assert refer_fields("sip:+18045550100@host", callee, caller) == (
        ("ReferTarget", "18045550100"),
        ("Transferor", "bob"),
        ("Transferee", "13035550000"),
    )
    assert refer_fields("carol", None, callee) == (
        ("ReferTarget", "carol"),
        ("Transferor", None),
        ("Transferee", "bob"),
    )


# -- status callbacks

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
