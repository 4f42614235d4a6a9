"""Callbacks about recordings, who answered, transcriptions and dialled legs, in both profiles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.dialects.laml.making import (
    AC_SID,
    ACCOUNT,
    CA_SID,
    CALL_ID,
    ENDED,
    NOBODYS,
    NOON,
    RE_SID,
    RECORDING_ID,
    UUID_SID,
    ended,
    record,
    recording,
)

from ringback.calls.events import (
    AnswererDetected,
    CallEvent,
    RecordingChanged,
    TranscriptionFailed,
)
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.services import Services
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Callee, Hook, RecordingPlan, Reports, Target
from ringback.dialects.laml.fields import request_fields
from ringback.dialects.laml.profiles import SIGNALWIRE
from ringback.dialects.laml.settings import Settings
from ringback.dialects.laml.transcriptions import counterpart
from ringback.dialects.laml.webhook import LamlApplication
from ringback.webhooks.delivery import Delivery

PUBLIC = "http://127.0.0.1:8080"
TOLD = Hook(url="http://app.test/told", method="GET", username="u", password="p")
BOTH = pytest.mark.parametrize("profile", ["twilio", "signalwire"])
TEXT_ID = counterpart(RECORDING_ID)
CALL = record(status=CallStatus.IN_PROGRESS, answered_at=NOON)


@pytest.fixture
def application(services: Services, profile: str) -> LamlApplication:
    return LamlApplication(services, ACCOUNT, Settings(profile=profile, voice_url="http://app.test/voice"))


def plan(source: str = "dial-verb", *events: str, **more: Any) -> RecordingPlan:
    return RecordingPlan(
        source=source, report=TOLD, events=events or ("completed", "failed", "absent"), **more
    )


def changed(found: Recording) -> RecordingChanged:
    return RecordingChanged(recording=found)


def one(application: LamlApplication, event: CallEvent, call: CallRecord = CALL) -> Delivery:
    (delivery,) = application.deliveries(event, call)
    assert list(application.deliveries(event, call)) == [delivery], "the same each time"
    return delivery


IDS = {
    "twilio": {"AccountSid": AC_SID, "CallSid": CA_SID, "RecordingSid": RE_SID},
    "signalwire": {"AccountSid": UUID_SID, "CallSid": str(CALL_ID), "RecordingSid": str(RECORDING_ID)},
}
LINKS = {
    "twilio": f"{PUBLIC}/2010-04-01/Accounts/{AC_SID}/Recordings/{RE_SID}",
    "signalwire": f"{PUBLIC}/api/laml/2010-04-01/Accounts/{UUID_SID}/Recordings/{RECORDING_ID}",
}


@BOTH
def test_a_recording_is_complete(application: LamlApplication, profile: str) -> None:
    delivery = one(application, changed(recording(plan(channels=2))))
    expected = IDS[profile] | {
        "RecordingStatus": "completed",
        "RecordingUrl": LINKS[profile],
        "RecordingDuration": "4",
        "RecordingChannels": "2",
        "RecordingSource": "DialVerb",
    }
    if profile == "twilio":
        expected |= {"RecordingStartTime": "Sun, 01 Mar 2026 12:00:01 +0000", "RecordingTrack": "both"}
    else:
        expected |= dict(request_fields(CALL, SIGNALWIRE))  # the standard request parameters
    assert dict(delivery.fields) == expected
    assert (delivery.url, delivery.method, delivery.auth) == (TOLD.url, "GET", ("u", "p"))
    assert (delivery.scheme, delivery.call_id, delivery.token) == (profile, str(CALL_ID), delivery.id)


@pytest.mark.parametrize(
    ("source", "twilio", "signalwire"),
    [
        ("record-verb", "RecordVerb", "RecordVerb"),
        ("dial-verb", "DialVerb", "DialVerb"),
        ("outbound-api", "OutboundAPI", "OutBoundApi"),
        ("control", "StartCallRecordingAPI", "StartCallRecordingApi"),
    ],
)
@BOTH
def test_sources_as_each_service_spells_them(
    application: LamlApplication, profile: str, source: str, twilio: str, signalwire: str
) -> None:
    fields = dict(one(application, changed(recording(plan(source)))).fields)
    assert fields["RecordingSource"] == {"twilio": twilio, "signalwire": signalwire}[profile]


@BOTH
def test_the_life_of_a_recording(application: LamlApplication, profile: str) -> None:
    """Its beginning, once, and its end, whatever happens on the way."""
    wanted = plan("control", "in-progress", "completed", "absent", "failed")
    begun = recording(
        wanted, status=RecordingStatus.IN_PROGRESS, updated_at=NOON + timedelta(seconds=1), duration=0.0
    )
    life = [
        begun,
        msgspec.structs.replace(begun, status=RecordingStatus.PAUSED, updated_at=NOON + timedelta(seconds=2)),
        msgspec.structs.replace(begun, updated_at=NOON + timedelta(seconds=3)),
        msgspec.structs.replace(
            begun, status=RecordingStatus.PROCESSING, updated_at=NOON + timedelta(seconds=5)
        ),
        recording(wanted),
    ]
    told = [dict(each.fields) for step in life for each in application.deliveries(changed(step), CALL)]
    assert [fields["RecordingStatus"] for fields in told] == ["in-progress", "completed"]
    assert ("RecordingUrl" in told[0]) == (profile == "signalwire")
    assert (told[0].get("RecordingDuration")) == {"twilio": None, "signalwire": "0"}[profile]


@pytest.mark.parametrize("status", [RecordingStatus.ABSENT, RecordingStatus.FAILED])
@BOTH
def test_a_recording_that_there_is_not(
    application: LamlApplication, profile: str, status: RecordingStatus
) -> None:
    lost = recording(plan("record-verb", "absent", "failed"), status=status, started_at=None, duration=0.0)
    fields = dict(one(application, changed(lost)).fields)
    assert fields["RecordingStatus"] == str(status)
    assert fields["ErrorCode"] == {"absent": "16101", "failed": "15009"}[status]
    assert "RecordingStartTime" not in fields
    for other in (plan("record-verb", "completed"), RecordingPlan(source="record-verb", events=("absent",))):
        assert not application.deliveries(changed(recording(other, status=status)), CALL)


@BOTH
def test_a_transcription_that_cannot_be(application: LamlApplication, profile: str) -> None:
    event = TranscriptionFailed(id=NOBODYS, recording=recording(plan("record-verb")), hook=TOLD)
    fields = dict(one(application, event).fields)
    assert fields == IDS[profile] | {
        "TranscriptionSid": {"twilio": f"TR{TEXT_ID.hex}", "signalwire": str(TEXT_ID)}[profile],
        "TranscriptionText": "",
        "TranscriptionStatus": "failed",
        "TranscriptionUrl": LINKS[profile].partition("/Recordings")[0]
        + f"/Transcriptions/{fields['TranscriptionSid']}",
        "TranscriptionType": "fast",
        "RecordingUrl": LINKS[profile],
        "From": "+14155550111",
        "To": "+14155550100",
        "CallStatus": "in-progress",
        "ApiVersion": "2010-04-01",
        "Direction": "inbound",
    }


@BOTH
def test_who_answered(application: LamlApplication, profile: str) -> None:
    event = AnswererDetected(what="machine-end-beep", milliseconds=7200, hook=TOLD)
    delivery = one(application, event)
    ids = {name: IDS[profile][name] for name in ("CallSid", "AccountSid")}
    assert dict(delivery.fields) == ids | {
        "AnsweredBy": "machine_end_beep",
        "MachineDetectionDuration": "7200",
    }
    assert delivery.url == TOLD.url
    partial = one(application, msgspec.structs.replace(event, partial=True))
    assert partial.id != delivery.id
    for silent in ({"hook": None}, {"verdict": False}):
        assert not application.deliveries(msgspec.structs.replace(event, **silent), CALL)


@pytest.mark.parametrize("source", ["dial-verb", "outbound-api", "record-verb", "control"])
@BOTH
def test_the_end_of_a_recorded_call_links_the_recording(
    services: Services, profile: str, source: str
) -> None:
    settings = Settings(profile=profile, status_callback="http://app.test/status")
    application = LamlApplication(services, ACCOUNT, settings)
    under_way = recording(plan(source), status=RecordingStatus.IN_PROGRESS, duration=0.0)
    for found, length in ((recording(plan(source)), "4"), (under_way, "63")):
        fields = dict(one(application, ENDED, ended(recording=found)).fields)
        shown = {name: fields.get(name) for name in ("RecordingUrl", "RecordingSid", "RecordingDuration")}
        if source in ("dial-verb", "outbound-api"):
            sid = IDS[profile]["RecordingSid"]
            assert shown == {
                "RecordingUrl": LINKS[profile],
                "RecordingSid": sid,
                "RecordingDuration": length,
            }
        else:
            assert set(shown.values()) == {None}


# -- dialled legs


def callee(reports: Reports | None) -> Callee:
    return Callee(target=Target(kind="client", address="bob"), shown="client:bob", reports=reports)


def leg(**changes: Any) -> CallRecord:
    fields: dict[str, Any] = {
        "id": NOBODYS,
        "parent_id": CALL_ID,
        "direction": Direction.OUTBOUND_DIAL,
        "to": "client:bob",
        "status": CallStatus.CANCELED,
        "ended_at": NOON,
        "sip_status": 487,
        "progress": 3,
    }
    return record(**(fields | changes))


@BOTH
def test_a_leg_tells_what_its_noun_says(services: Services, profile: str) -> None:
    settings = Settings(
        profile=profile,
        voice_url="http://app.test/voice",
        fallback_url="http://app.test/fallback",
        status_callback="http://app.test/of-the-caller",
        events=("initiated", "ringing", "answered", "completed"),
    )
    application = LamlApplication(services, ACCOUNT, settings)
    reports = Reports(hook=Hook(url="http://app.test/leg", method="GET"), events=("completed",))
    of_callee = application.for_callee(callee(reports), CALL)
    assert of_callee is not application
    assert of_callee.settings.fallback_url == "http://app.test/fallback"
    (delivery,) = of_callee.deliveries(ENDED, leg())
    fields = dict(delivery.fields)
    assert (delivery.url, delivery.method) == ("http://app.test/leg", "GET")
    assert (fields["CallStatus"], fields["Direction"], fields["To"]) == (
        "canceled",
        "outbound-dial",
        "client:bob",
    )
    assert fields["CallSid"] == {"twilio": f"CA{NOBODYS.hex}", "signalwire": str(NOBODYS)}[profile]
    assert fields["ParentCallSid"] == IDS[profile]["CallSid"]
    silent = application.for_callee(callee(None), CALL)
    assert not silent.deliveries(ENDED, leg())
