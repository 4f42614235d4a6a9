"""A call's record survives the store: every field, whatever it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.calls.making import one_of_each_event, record

from ringback.calls.events import CallRinging, MediaStatistics, encode, kind_of
from ringback.calls.record import CallRecord, apply
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.rows import from_row, host_of, to_row
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import Hook, RecordingPlan
from ringback.store.records import Append
from ringback.store.store import Store

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
TIME = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
JSON = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT, max_size=3)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
COUNT = st.integers(0, 2**40)
MEDIA = st.builds(
    MediaStatistics,
    packets_in=COUNT,
    bytes_out=COUNT,
    jitter_in_avg=st.none() | st.floats(0, 1e6),
    rtt_max=st.none() | st.floats(0, 1e6),
)
RECORDING = st.builds(
    Recording,
    id=st.uuids(),
    account_id=st.uuids(),
    call_id=st.uuids(),
    plan=st.builds(RecordingPlan, report=st.none() | st.builds(Hook, url=TEXT), channels=st.integers(1, 2)),
    status=st.sampled_from(list(RecordingStatus)),
    created_at=TIME,
    started_at=st.none() | TIME,
    updated_at=TIME,
    duration=st.floats(0, 1e6),
)
RECORDS = st.builds(
    CallRecord,
    id=st.uuids(),
    account_id=st.uuids(),
    application_id=st.none() | st.uuids(),
    number_id=st.none() | st.uuids(),
    parent_id=st.none() | st.uuids(),
    dialect=st.sampled_from(["laml", "jambonz", "callapi"]),
    profile=st.sampled_from(["", "twilio"]),
    direction=st.sampled_from(list(Direction)),
    status=st.sampled_from(list(CallStatus)),
    from_=TEXT,
    to=TEXT,
    from_uri=TEXT,
    to_uri=TEXT,
    caller_name=st.none() | TEXT,
    forwarded_from=st.none() | TEXT,
    sip_call_id=TEXT,
    trunk=st.none() | TEXT,
    client=st.none() | TEXT,
    source=st.sampled_from(["", "udp:192.0.2.1:5060", "tcp:[2001:db8::1]:5060"]),
    local_address=TEXT,
    sip_status=st.integers(0, 699),
    sip_reason=TEXT,
    created_at=TIME,
    initiated_at=st.none() | TIME,
    ringing_at=st.none() | TIME,
    answered_at=st.none() | TIME,
    ended_at=st.none() | TIME,
    updated_at=TIME,
    ended_by=st.none() | st.sampled_from(list(EndedBy)),
    cause=st.none() | TEXT.filter(bool),
    answered_by=st.none() | TEXT,
    detection_ms=st.none() | COUNT,
    recording=st.none() | RECORDING,
    custom=st.none() | JSON,
    progress=st.integers(0, 9),
    media=st.none() | MEDIA,
    invite_headers=PAIRS,
    end_headers=PAIRS,
    dialog=st.none() | JSON,
    application_state=JSON,
)


@given(RECORDS)
def test_a_record_is_read_back_as_it_was(call: CallRecord) -> None:
    row = to_row(call)
    through_json = {
        name: msgspec.json.decode(msgspec.json.encode(getattr(row, name)))
        for name in ("custom", "stats", "dialog", "extra")
    }
    assert from_row(msgspec.structs.replace(row, **through_json)) == call


def test_a_row_made_of_the_one_before_is_as_one_made_anew() -> None:
    row, later = None, record(client="alice", trunk="carrier", source="udp:192.0.2.1:5060")
    for event in one_of_each_event():
        later = apply(later, event, later.updated_at + timedelta(seconds=1))
        row = to_row(later, row)
        assert row == to_row(later)


@settings(max_examples=1, deadline=None)
@given(st.lists(RECORDS, min_size=20, max_size=20, unique_by=lambda call: call.id))
def test_also_through_the_database(tmp_path_factory: pytest.TempPathFactory, calls: list[CallRecord]) -> None:
    import asyncio

    async def through(data: Path) -> list[CallRecord]:
        async with await Store.open("sqlite", data) as store:
            event = CallRinging(sip_status=180, sip_reason="Ringing", early_media=False)
            for call in calls:
                await store.append(
                    Append(
                        call_id=str(call.id),
                        sequence=0,
                        kind=kind_of(event),
                        at=0.0,
                        payload=encode(event),
                        row=to_row(call),
                    )
                )
            rows = [await store.call(str(call.id)) for call in calls]
        return [from_row(row) for row in rows if row is not None]

    assert asyncio.run(through(tmp_path_factory.mktemp("rows"))) == calls


@pytest.mark.parametrize(
    ("source", "host"),
    [
        ("udp:192.0.2.1:5060", "192.0.2.1"),
        ("tcp:[2001:db8::1]:5060", "2001:db8::1"),
        ("", None),
    ],
)
def test_the_host_of_a_source(source: str, host: str | None) -> None:
    assert host_of(source) == host
    assert to_row(record(source=source)).source_ip == host
