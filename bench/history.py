"""A past for a server's store: ended calls of the last thirty days, some of them recorded, put in through the
store's own tables. The same each time, but for the present moment."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import Table, insert

from bench.system import ACCOUNT, NUMBERS
from ringback.calls.events import MediaStatistics
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.recordings.rows import to_recording_row
from ringback.calls.rows import to_row
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import Hook, RecordingPlan
from ringback.net.clock import utcnow
from ringback.store import Store, schema
from ringback.store.columns import call_values, recording_columns
from ringback.store.database import database_url, writing_engine

DAYS = 30
CALLERS = 5000
"""How many different people have called, or were called."""
RECORDED, TRANSCRIBED = 4, 250
"""One call in so many is recorded; one recording in so many was to be transcribed."""
STATUSES = {
    CallStatus.COMPLETED: 80,
    CallStatus.NO_ANSWER: 8,
    CallStatus.BUSY: 5,
    CallStatus.CANCELED: 4,
    CallStatus.FAILED: 3,
}
"""In which way calls have ended: percent."""
PIECE = 5000


def person(number: int) -> str:
    """A telephone number."""
    return f"+1415{3_000_000 + number % CALLERS:07d}"


def past(count: int, now: datetime) -> Iterator[CallRecord]:
    """So many ended calls, oldest first, none within the last minute."""
    chance = random.Random(count)
    ways, weights = list(STATUSES), list(STATUSES.values())
    own = list(NUMBERS.items())
    step = timedelta(days=DAYS) / count
    for number in range(count):
        dialect, line = own[number % len(own)]
        began = now - timedelta(minutes=1) - step * (count - number)
        status = chance.choices(ways, weights)[0]
        inbound = chance.random() < 0.5
        other = person(chance.randrange(CALLERS))
        answered = began + timedelta(seconds=2) if status is CallStatus.COMPLETED else None
        ended = began + timedelta(seconds=chance.randint(5, 50))
        yield CallRecord(
            id=uuid.UUID(int=chance.getrandbits(128), version=4),
            account_id=uuid.UUID(ACCOUNT),
            dialect=dialect,
            profile="signalwire" if dialect == "laml" else "",
            direction=Direction.INBOUND if inbound else Direction.OUTBOUND_API,
            status=status,
            from_=other if inbound else line,
            to=line if inbound else other,
            from_uri=f"sip:{other if inbound else line}@192.0.2.1",
            to_uri=f"sip:{line if inbound else other}@192.0.2.2",
            sip_call_id=f"{number}@192.0.2.1",
            trunk="load",
            source="udp:192.0.2.1:5060",
            local_address="192.0.2.2:5060",
            sip_status=200 if answered else 480,
            sip_reason="OK" if answered else "Temporarily Unavailable",
            created_at=began,
            initiated_at=began,
            ringing_at=began,
            answered_at=answered,
            ended_at=ended,
            updated_at=ended,
            ended_by=EndedBy.APPLICATION,
            progress=4,
            media=MediaStatistics(packets_in=500, packets_out=500) if answered else None,
        )


def recording_of(call: CallRecord, *, transcribed: bool) -> Recording:
    """The recording of an answered call."""
    return Recording(
        id=uuid.uuid5(call.id, "recording"),
        account_id=call.account_id,
        call_id=call.id,
        dialect=call.dialect,
        profile=call.profile,
        plan=RecordingPlan(transcription=Hook(url="http://127.0.0.1:9/text") if transcribed else None),
        status=RecordingStatus.COMPLETED,
        created_at=call.created_at,
        started_at=call.answered_at,
        ended_at=call.ended_at,
        updated_at=call.updated_at,
        duration=10.0,
        size=160_044,
        location=f"{call.id}.wav",
    )


async def fill(data: Path, count: int) -> None:
    """Put so many calls into the data directory's SQLite database, which is made."""
    async with await Store.open("sqlite", data):
        pass
    engine = writing_engine(database_url("sqlite", data))
    calls = past(count, utcnow())
    names = schema.calls.columns.keys()
    recorded = 0
    try:
        while piece := list(islice(calls, PIECE)):
            rows = []
            for call in piece[::RECORDED]:
                if call.answered_at is not None:
                    recorded += 1
                    rows.append(recording_of(call, transcribed=recorded % TRANSCRIBED == 0))
            tables: list[tuple[Table, list[dict[str, object]]]] = [
                (schema.calls, [dict(zip(names, call_values(to_row(call)), strict=True)) for call in piece]),
                (schema.recordings, [recording_columns(to_recording_row(row)) for row in rows]),
            ]
            with engine.begin() as connection:
                for table, columns in tables:
                    if columns:
                        connection.execute(insert(table), columns)
    finally:
        engine.dispose()
