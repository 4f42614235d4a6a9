"""Short ways to the records that the store's tests are about."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from ringback.store import Append, CallRow, RecordingRow, StoredDelivery

ACCOUNT = str(uuid.UUID(int=1))


def call_id(number: int = 1) -> str:
    return str(uuid.UUID(int=1000 + number))


def row(number: int = 1, **fields: Any) -> CallRow:
    settings: dict[str, Any] = {
        "account_id": ACCOUNT,
        "direction": "inbound",
        "from_": "+14155550100",
        "to": "+14155550199",
        "status": "in-progress",
        "created_at": 1000.0 + number,
        "updated_at": 1000.0 + number,
    }
    return CallRow(id=call_id(number), **{**settings, **fields})


def recording_id(number: int = 1) -> str:
    return str(uuid.UUID(int=2000 + number))


def recording(number: int = 1, call: int = 1, **fields: Any) -> RecordingRow:
    settings: dict[str, Any] = {
        "account_id": ACCOUNT,
        "status": "completed",
        "created_at": 1000.0 + number,
        "updated_at": 1000.0 + number,
        "settled_at": 1000.0 + number,
        "duration": 1.5,
        "size": 24044,
        "location": f"{ACCOUNT}/{recording_id(number)}.wav",
        "plan": {"channels": 2},
    }
    return RecordingRow(id=recording_id(number), call_id=call_id(call), **{**settings, **fields})


def damaged(file: Path) -> None:
    """Put something in the place of a database that is none."""
    file.parent.mkdir(parents=True)
    file.write_bytes(b"this is no database, whatever its name says" * 100)


def event(number: int = 1, sequence: int = 0, **fields: Any) -> Append:
    settings: dict[str, Any] = {"kind": "call.received", "at": 1000.0, "payload": b"\x00\xffpayload"}
    return Append(call_id=call_id(number), sequence=sequence, **{**settings, **fields})


def delivery(number: int = 1, sequence: int = 0, **fields: Any) -> StoredDelivery:
    settings: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "account_id": ACCOUNT,
        "call_id": call_id(number),
        "sequence": sequence,
        "stream": f"{call_id(number)} http://app",
        "payload": b"body",
        "created_at": 1000.0,
    }
    return StoredDelivery(**{**settings, **fields})
