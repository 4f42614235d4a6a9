"""Calls, accounts and a stand-in for the engine, for the tests of this dialect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from ringback.calls.application import Document, NewCall
from ringback.calls.events import CallEnded, MediaStatistics
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import RecordingPlan
from ringback.dialects.laml.webhook import LamlApplication
from ringback.routing.directory import Account, Application, Directory, Number

ACCOUNT = Account(id=UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6"), name="demo", token="secret")
OTHER = Account(id=UUID(int=77), name="other", token="others", signing_key="PSK_other")
UUID_SID = str(ACCOUNT.id)
AC_SID = f"AC{ACCOUNT.id.hex}"
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
CALL_ID = UUID("b3877c40-da60-4998-90ad-b792e98472ca")
CA_SID = f"CA{CALL_ID.hex}"
SW = f"/api/laml/2010-04-01/Accounts/{UUID_SID}"
TW = f"/2010-04-01/Accounts/{AC_SID}"
"""The account in the profiles of SignalWire and Twilio."""
NOBODYS = UUID("00000000-0000-4000-8000-00000000dead")
"""A SID that nothing has; the same in every process, since names of test cases are made of it."""

APP = Application(
    id=UUID(int=1001),
    account_id=ACCOUNT.id,
    name="ivr",
    dialect="laml",
    profile="twilio",
    voice_url="http://app.test/voice",
    voice_method="GET",
    fallback_url="http://app.test/fallback",
    status_callback="http://app.test/status",
)
JAMBONZ_APP = Application(id=UUID(int=1002), account_id=ACCOUNT.id, name="verbs", dialect="jambonz")
OTHERS_APP = Application(id=UUID(int=1003), account_id=OTHER.id, name="ivr", dialect="laml")
NUMBER = Number(id=UUID(int=2001), account_id=ACCOUNT.id, number="+14155550100", application_id=APP.id)
BARE_NUMBER = Number(id=UUID(int=2002), account_id=ACCOUNT.id, number="+442071838750")
OTHERS_NUMBER = Number(id=UUID(int=2003), account_id=OTHER.id, number="+14155550199")
MEDIA = MediaStatistics(
    packets_in=1842,
    packets_out=1840,
    jitter_in_min=1.2,
    jitter_in_avg=3.0,
    jitter_in_max=8.4,
    jitter_out_min=0.6,
    jitter_out_avg=2.4,
    jitter_out_max=9.5,
    rtt_min=10.4,
    rtt_avg=20.0,
    rtt_max=30.6,
    lost_out=3,
    dtmf_in=4,
    dtmf_out=5,
    flushed=2,
    skipped=1,
    largest_buffer=6,
)


def directory() -> Directory:
    """Two accounts with their objects."""
    return Directory([ACCOUNT, OTHER, APP, JAMBONZ_APP, OTHERS_APP, NUMBER, BARE_NUMBER, OTHERS_NUMBER])


def record(**changes: Any) -> CallRecord:
    """An inbound call that is ringing, with changes."""
    call = CallRecord(
        id=CALL_ID,
        account_id=ACCOUNT.id,
        dialect="laml",
        profile="signalwire",
        direction=Direction.INBOUND,
        status=CallStatus.RINGING,
        from_="+14155550111",
        to="+14155550100",
        from_uri="sip:+14155550111@carrier.test",
        to_uri="sip:+14155550100@127.0.0.1:5060",
        sip_call_id="abc@carrier.test",
        source="udp:192.0.2.7:5060",
        sip_status=180,
        sip_reason="Ringing",
        created_at=NOON,
        initiated_at=NOON,
        ringing_at=NOON,
        updated_at=NOON,
        progress=2,
    )
    return msgspec.structs.replace(call, **changes)


ENDED = CallEnded(status=CallStatus.COMPLETED, cause="", by=EndedBy.REMOTE, sip_status=200, sip_reason="OK")


def ended(**changes: Any) -> CallRecord:
    """An inbound call that was answered and ended 62 seconds later."""
    at = NOON + timedelta(seconds=64)
    fields: dict[str, Any] = {
        "status": CallStatus.COMPLETED,
        "answered_at": NOON + timedelta(seconds=2),
        "ended_at": at,
        "updated_at": at,
        "sip_status": 200,
        "sip_reason": "OK",
        "progress": 4,
        "media": MEDIA,
    }
    return record(**(fields | changes))


RECORDING_ID = UUID("19e436af-5688-4307-b03b-bdb2b42b8142")
RE_SID = f"RE{RECORDING_ID.hex}"


def recording(plan: RecordingPlan | None = None, **changes: Any) -> Recording:
    """A recording of `CALL_ID`, of four seconds, stored, with changes."""
    fields: dict[str, Any] = {
        "id": RECORDING_ID,
        "account_id": ACCOUNT.id,
        "call_id": CALL_ID,
        "plan": plan or RecordingPlan(source="dial-verb"),
        "status": RecordingStatus.COMPLETED,
        "created_at": NOON,
        "started_at": NOON + timedelta(seconds=1),
        "ended_at": NOON + timedelta(seconds=5),
        "updated_at": NOON + timedelta(seconds=6),
        "duration": 4.2,
        "size": 67_244,
    }
    return Recording(**(fields | changes))


HANGUP = "<Response><Hangup/></Response>"


async def ask(application: LamlApplication, call: CallRecord | None = None) -> Document:
    """The document for a new call."""
    document = await application.ask(NewCall(), call or record())
    assert document is not None
    assert document.application is application
    return document


def codes(document: Document) -> list[str]:
    """Of what it notes."""
    return [note.code for note in document.notes]
