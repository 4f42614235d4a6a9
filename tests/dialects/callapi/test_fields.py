"""Every field of every voice request: name, format, presence."""

from __future__ import annotations

import msgspec
import pytest
from tests.dialects.callapi.conftest import INSTANCE, Make
from tests.dialects.callapi.making import AUDIO, CHILD, LEG, VOICE, check, recording

from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Dial, Gather, Hook, Play, Record, RecordingPlan
from ringback.dialects.callapi.fields import (
    Here,
    action_fields,
    refer_fields,
    screening_fields,
    user_part,
    voice_fields,
)

HERE = Here(INSTANCE, "http://127.0.0.1:8080")


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
