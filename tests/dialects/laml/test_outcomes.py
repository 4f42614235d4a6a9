"""What a verb's action is told, and who else is asked about a call, in both profiles."""

from __future__ import annotations

import pytest
from tests.dialects.laml.making import CALL_ID, NOBODYS, RECORDING_ID, record, recording

from ringback.calls.application import NewCall, Referred, Screening
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.recordings.recording import RecordingStatus
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Callee, Dial, Gather, Hook, Play, Record, RecordingPlan, Refer, Target
from ringback.dialects.laml.outcomes import Fields, action_fields, question_fields
from ringback.dialects.laml.profiles import SIGNALWIRE, TWILIO, Profile

PUBLIC = "http://127.0.0.1:8080"
BOTH = pytest.mark.parametrize("profile", [TWILIO, SIGNALWIRE], ids=["twilio", "signalwire"])
CALLEE = NOBODYS
SIDS = {TWILIO.name: f"CA{CALLEE.hex}", SIGNALWIRE.name: str(CALLEE)}
NUMBER = Dial(callees=(Callee(target=Target(kind="number", address="+1"), shown="+1"),))
SIP = Dial(callees=(Callee(target=Target(kind="sip", address="sip:a@b.test"), shown="sip:a@b.test"),))
HUNG_UP = EndOfVerb.HUNG_UP


def told(verb: Dial | Record | Refer | Gather | Play, outcome: Outcome, profile: Profile) -> dict[str, str]:
    fields: Fields = action_fields(verb, outcome, profile, PUBLIC)
    assert len(fields) == len(dict(fields))
    return dict(fields)


def recorded(profile: Profile) -> dict[str, str]:
    """The fields of the recording that there is."""
    if profile is TWILIO:
        account, sid = "AC3fa85f6457174562b3fc2c963f66afa6", f"RE{RECORDING_ID.hex}"
        url = f"{PUBLIC}/2010-04-01/Accounts/{account}/Recordings/{sid}"
    else:
        account, sid = "3fa85f64-5717-4562-b3fc-2c963f66afa6", str(RECORDING_ID)
        url = f"{PUBLIC}/api/laml/2010-04-01/Accounts/{account}/Recordings/{sid}"
    return {"RecordingUrl": url, "RecordingSid": sid, "RecordingDuration": "4"}


@BOTH
def test_gather(profile: Profile) -> None:
    finished = {"FinishedOnKey": "#"} if profile is TWILIO else {}
    assert told(Gather(), Outcome(digits="12", finish_key="#"), profile) == {"Digits": "12"} | finished
    assert told(Gather(), Outcome(end=EndOfVerb.TIMEOUT), profile) == {"Digits": ""}
    assert told(Play(clips=()), Outcome(), profile) == {}


# how a Dial ended: the word for it
DIALS = [
    (Outcome(callee=CALLEE, callee_status=CallStatus.COMPLETED, bridged=True, talk_seconds=62), "completed"),
    (Outcome(callee=CALLEE, callee_status=CallStatus.IN_PROGRESS, bridged=True), "completed"),
    (Outcome(callee=CALLEE, callee_status=CallStatus.COMPLETED), "completed"),
    (Outcome(callee=CALLEE, callee_status=CallStatus.IN_PROGRESS), "completed"),
    (Outcome(callee=CALLEE, callee_status=CallStatus.BUSY), "busy"),
    (Outcome(callee=CALLEE, callee_status=CallStatus.NO_ANSWER), "no-answer"),
    (Outcome(callee=CALLEE, callee_status=CallStatus.DECLINED), "no-answer"),
    (Outcome(callee=CALLEE, callee_status=CallStatus.UNAVAILABLE), "no-answer"),
    (Outcome(callee=CALLEE, callee_status=CallStatus.FAILED), "failed"),
    (Outcome(callee=CALLEE, callee_status=CallStatus.CANCELED, end=HUNG_UP), "canceled"),
    (Outcome(callee=CALLEE, callee_status=CallStatus.RINGING, end=HUNG_UP), "canceled"),
    (Outcome(end=HUNG_UP), "canceled"),
    (Outcome(end=EndOfVerb.FAILED, error="nobody to call"), "failed"),
]


@pytest.mark.parametrize(("outcome", "word"), DIALS)
@BOTH
def test_dial(profile: Profile, outcome: Outcome, word: str) -> None:
    expected = {"DialCallStatus": word, "DialCallDuration": str(outcome.talk_seconds)}
    if outcome.callee is not None:
        expected["DialCallSid"] = SIDS[profile.name]
    if profile is TWILIO:
        expected["DialBridged"] = str(outcome.bridged).lower()
    assert told(NUMBER, outcome, profile) == expected


@BOTH
def test_a_recorded_dial(profile: Profile) -> None:
    outcome = Outcome(callee=CALLEE, callee_status=CallStatus.COMPLETED, bridged=True, recording=recording())
    assert recorded(profile).items() <= told(NUMBER, outcome, profile).items()
    for status in (RecordingStatus.ABSENT, RecordingStatus.FAILED):
        lost = Outcome(recording=recording(status=status))
        assert "RecordingUrl" not in told(NUMBER, lost, profile)


@BOTH
def test_a_sip_address_that_was_dialled(profile: Profile) -> None:
    outcome = Outcome(
        callee=CALLEE,
        callee_status=CallStatus.BUSY,
        sip_status=486,
        sip_call_id="abc@b.test",
        sip_headers=(("X-Why", "lunch"), ("x-why", "other"), ("X-Why", "again"), ("Via", "v")),
    )
    found = told(SIP, outcome, profile)
    assert {name: value for name, value in found.items() if name.startswith("DialSip")} == {
        "DialSipCallId": "abc@b.test",
        "DialSipResponseCode": "486",
        "DialSipHeader_X-Why": "lunch",
        "DialSipHeader_x-why": "other",
    }
    assert not [name for name in told(NUMBER, outcome, profile) if name.startswith("DialSip")]
    assert not [name for name in told(SIP, Outcome(), profile) if name.startswith("DialSip")]


@BOTH
def test_record(profile: Profile) -> None:
    verb = Record(recording=RecordingPlan())
    done = Outcome(recording=recording(), finish_key="#")
    assert told(verb, done, profile) == recorded(profile) | {"Digits": "#"}
    silence = Outcome(end=EndOfVerb.TIMEOUT, recording=recording())
    assert told(verb, silence, profile) == recorded(profile) | {"Digits": ""}
    gone = Outcome(end=HUNG_UP, recording=recording())
    assert told(verb, gone, profile) == recorded(profile) | {"Digits": "hangup"}
    assert told(verb, Outcome(end=EndOfVerb.TIMEOUT), profile) == {"Digits": ""}


@pytest.mark.parametrize(
    ("outcome", "word", "codes"),
    [
        (Outcome(sip_status=202, notified_status=200), "in-progress", ("202", "200")),
        (Outcome(sip_status=202, notified_status=486), "busy", ("202", "486")),
        (Outcome(sip_status=202, notified_status=600), "busy", ("202", "600")),
        (Outcome(sip_status=202, notified_status=487), "no-answer", ("202", "487")),
        (Outcome(sip_status=202, notified_status=480), "no-answer", ("202", "480")),
        (Outcome(sip_status=202, notified_status=404), "failed", ("202", "404")),
        (Outcome(sip_status=202, notified_status=180, end=HUNG_UP), "canceled", ("202", "180")),
        (Outcome(sip_status=202, end=HUNG_UP), "canceled", ("202", None)),
        (Outcome(sip_status=202, end=EndOfVerb.TIMEOUT), "failed", ("202", None)),
        (Outcome(sip_status=405, end=EndOfVerb.FAILED), "failed", ("405", None)),
        (Outcome(end=EndOfVerb.FAILED), "failed", (None, None)),
    ],
)
@BOTH
def test_refer(profile: Profile, outcome: Outcome, word: str, codes: tuple[str | None, str | None]) -> None:
    expected = {
        "ReferCallStatus": word,
        "ReferSipResponseCode": codes[0],
        "NotifySipResponseCode": codes[1],
    }
    found = told(Refer(refer_to="sip:a@b"), outcome, profile)
    assert found == {name: value for name, value in expected.items() if value is not None}


# -- questions that no verb of this call asks

HOOK = Hook(url="http://app.test/w")


def test_a_callee_is_screened() -> None:
    call = record(direction=Direction.OUTBOUND_DIAL, parent_id=CALL_ID, to="client:bob", sip_status=200)
    ask = Screening(hook=HOOK, headers=(("X-Desk", "7"), ("Server", "x")))
    assert question_fields(ask, call) == [("SipHeader_X-Desk", "7")]
    assert question_fields(ask, record(to="sip:bob@b.test", sip_status=200)) == [
        ("SipResponseCode", "200"),
        ("SipHeader_X-Desk", "7"),
    ]


def test_a_transfer_is_asked_for() -> None:
    ask = Referred(
        hook=HOOK,
        refer_to="sip:carol@c.test",
        refer_to_user="carol",
        headers=(("X-Order", "7"), ("Via", "v")),
    )
    assert question_fields(ask, record()) == [
        ("ReferTransferTarget", "sip:carol@c.test"),
        ("SipHeader_X-Order", "7"),
    ]


@pytest.mark.parametrize(
    ("what", "word"),
    [
        *(("human", "human"), ("fax", "fax"), ("unknown", "unknown"), ("machine-start", "machine_start")),
        *(("machine-end-beep", "machine_end_beep"), ("machine-end-silence", "machine_end_silence")),
        ("machine-end-other", "machine_end_other"),
    ],
)
def test_who_answered_is_told_with_the_first_question(what: str, word: str) -> None:
    call = record(answered_by=what, detection_ms=3870)
    fields = [("AnsweredBy", word), ("MachineDetectionDuration", "3870")]
    assert question_fields(NewCall(), call) == fields
    assert question_fields(Screening(hook=HOOK), call) == []
    assert question_fields(NewCall(), record()) == []
