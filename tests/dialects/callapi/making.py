"""Values that several tests need."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.dialects.callapi.conftest import ACCOUNT, CALL, CREATED

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
