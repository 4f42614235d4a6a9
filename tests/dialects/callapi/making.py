"""Values that several tests need."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from tests.dialects.callapi.conftest import AC, ACCOUNT, CALL, CREATED, INSTANCE

from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.verbs import RecordingPlan

RECORDING = UUID("5c4b3a29-1807-4f6e-8d5c-4b3a29180706")


def recording(**fields: Any) -> Recording:
    """One that is done; keyword arguments replace fields."""
    done: dict[str, Any] = {
        "id": RECORDING,
        "account_id": ACCOUNT.id,
        "call_id": CALL,
        "dialect": "callapi",
        "plan": RecordingPlan(source="record-verb"),
        "status": RecordingStatus.COMPLETED,
        "created_at": CREATED,
        "updated_at": CREATED,
        "duration": 14.70275,
    }
    return Recording(**{**done, **fields})


LEG = UUID(int=7)
CHILD = f"ID{INSTANCE}-CA{LEG.hex}"
AUDIO = f"http://127.0.0.1:8080/call/2012-04-24/Accounts/{AC}/Recordings/RE{RECORDING.hex}.wav"
"""A leg that the call dialled, its SID, and where the audio of `recording` is."""

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
"""The fields of a voice request; what a status callback has besides, and one that tells the end."""


def check(fields: Any, table: dict[str, str]) -> dict[str, str]:
    """Exactly these fields, in this order and form."""
    assert [name for name, _ in fields] == list(table)
    for name, value in fields:
        assert re.fullmatch(table[name], value), (name, value)
    return dict(fields)
