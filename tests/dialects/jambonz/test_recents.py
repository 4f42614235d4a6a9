"""`…/RecentCalls`: pages of past calls, and the audio of those that were recorded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.dialects.jambonz.conftest import Ask
from tests.dialects.jambonz.making import ACCOUNT, APPLICATION, CALL, CREATED, OTHER, record
from tests.dialects.memory import MemoryCalls, MemoryRecordings

from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.services import Services
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import RecordingPlan
from ringback.dialects.jambonz.cdr import cdr, termination_reason
from ringback.net.clock import utcnow

BASE = f"/v1/Accounts/{ACCOUNT.id}/RecentCalls"
AUDIO = f"{BASE}/{CALL}/record/2026/05/26"
SECOND = timedelta(seconds=1)


def ended(**fields: Any) -> CallRecord:
    """An inbound call of seven seconds, hung up by the caller."""
    known: dict[str, Any] = {
        "status": CallStatus.COMPLETED,
        "answered_at": CREATED + SECOND,
        "ended_at": CREATED + 8 * SECOND,
        "ended_by": EndedBy.REMOTE,
        "sip_status": 200,
    }
    return record(**(known | fields))


def recorded(**fields: Any) -> Recording:
    made = Recording(
        id=UUID(int=77),
        account_id=ACCOUNT.id,
        call_id=CALL,
        plan=RecordingPlan(channels=2),
        status=RecordingStatus.COMPLETED,
        created_at=CREATED + 2 * SECOND,
        updated_at=CREATED + 9 * SECOND,
        duration=5.0,
    )
    return msgspec.structs.replace(made, **fields)


@pytest.fixture
def tapes(services: Services) -> MemoryRecordings:
    assert isinstance(services.recordings, MemoryRecordings)
    return services.recordings


# -- rows


ROW = {
    "account_sid": str(ACCOUNT.id),
    "service_provider_sid": str(ACCOUNT.service_provider_sid),
    "application_sid": str(APPLICATION),
    "call_sid": str(CALL),
    "sip_callid": "abc@192.0.2.7",
    "sip_call_id": "abc@192.0.2.7",
    "from": "+14155552671",
    "to": "+14155559876",
    "direction": "inbound",
    "answered": True,
    "sip_status": 200,
    "duration": 7,
    "attempted_at": "2026-05-26T17:59:16.555Z",
    "answered_at": "2026-05-26T17:59:17.555Z",
    "terminated_at": "2026-05-26T17:59:24.555Z",
    "termination_reason": "caller hungup",
    "host": "192.0.2.1:5060",
    "remote_host": "192.0.2.7",
    "trunk": "carrier",
    "trace_id": CALL.hex,
}


def test_a_row_has_every_field() -> None:
    assert cdr(ended(), ACCOUNT, recorded=False) == ROW
    row = cdr(ended(parent_id=UUID(int=7)), ACCOUNT, recorded=True, parent_call_id="parent@192.0.2.1")
    assert row == ROW | {
        "sip_parent_callid": "parent@192.0.2.1",
        "recording_url": f"{AUDIO}/mp3".removeprefix("/v1"),
    }
    unanswered = cdr(ended(answered_at=None, trunk=None), OTHER, recorded=False)
    assert (unanswered["answered"], unanswered["answered_at"], unanswered["duration"]) == (False, None, 0)
    assert (unanswered["trunk"], unanswered["service_provider_sid"]) == ("", None)


OUT = {"direction": Direction.OUTBOUND_API}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "caller hungup"),
        ({"ended_by": EndedBy.APPLICATION}, "called party hungup"),
        (OUT, "called party hungup"),
        ({**OUT, "ended_by": EndedBy.CONTROL}, "caller hungup"),
        ({"answered_at": None, "status": CallStatus.ABANDONED}, "caller abandoned"),
        ({**OUT, "answered_at": None, "status": CallStatus.NO_ANSWER}, "caller abandoned"),
        ({**OUT, "answered_at": None, "status": CallStatus.BUSY}, "failed"),
        ({"answered_at": None, "status": CallStatus.REJECTED}, "failed"),
    ],
)
def test_why_it_ended(fields: dict[str, Any], reason: str) -> None:
    assert termination_reason(ended(**fields)) == reason


# -- pages


@pytest.fixture
def several(calls: MemoryCalls) -> None:
    calls.add(
        ended(),
        ended(id=UUID(int=1), direction=Direction.OUTBOUND_DIAL, parent_id=CALL, trunk=None, to="bob"),
        ended(id=UUID(int=2), answered_at=None, status=CallStatus.BUSY, from_="+14155550177"),
        ended(id=UUID(int=3), created_at=CREATED + timedelta(days=1)),
        record(id=UUID(int=4)),  # still up
        ended(id=UUID(int=5), account_id=OTHER.id),
    )


ALL = {CALL, UUID(int=1), UUID(int=2), UUID(int=3)}


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ALL),
        ("&direction=inbound", ALL - {UUID(int=1)}),
        ("&direction=outbound", {UUID(int=1)}),
        ("&answered=true", ALL - {UUID(int=2)}),
        ("&answered=false", {UUID(int=2)}),
        ("&answered=maybe", ALL),
        ("&trunk=carrier", ALL - {UUID(int=1)}),
        ("&filter=0177", {UUID(int=2)}),
        ("&filter=.*0177$", {UUID(int=2)}),
        ("&filter=^%5C%2B14155550177$", {UUID(int=2)}),
        ("&filter=bob", {UUID(int=1)}),
        (f"&filter={CALL}", {CALL}),
        ("&start=2026-05-27", {UUID(int=3)}),
        ("&end=2026-05-26", ALL - {UUID(int=3)}),
        ("&start=2026-05-26T00:00:00Z&end=2026-05-26T12:00:00Z", set()),
        ("&days=1", set()),
    ],
)
async def test_filters(rest: Ask, query: str, found: set[UUID]) -> None:
    reply = await rest("GET", f"{BASE}?page=1&count=25{query}")
    assert {UUID(row["call_sid"]) for row in reply.json["data"]} == found
    assert (reply.json["total"], reply.json["batch"]) == (len(found), len(found))
    assert (reply.json["page"], reply.json["page_size"]) == (1, 25)


@pytest.mark.usefixtures("several")
async def test_pages(rest: Ask) -> None:
    pages = [(await rest("GET", f"{BASE}?page={page}&count=3")).json for page in (1, 2, 3)]
    assert [(page["total"], page["page_size"], len(page["data"])) for page in pages] == [
        (4, 3, 3),
        (4, 3, 1),
        (4, 3, 0),
    ]
    assert {UUID(row["call_sid"]) for page in pages for row in page["data"]} == ALL


async def test_the_last_days(rest: Ask, calls: MemoryCalls) -> None:
    now = utcnow()
    calls.add(ended(created_at=now - timedelta(hours=30)))
    assert (await rest("GET", f"{BASE}?page=1&count=25&days=1")).json["total"] == 0
    assert (await rest("GET", f"{BASE}?page=1&count=25&days=2")).json["total"] == 1


@pytest.mark.usefixtures("several")
async def test_what_a_page_says_about_other_calls(
    rest: Ask, calls: MemoryCalls, tapes: MemoryRecordings
) -> None:
    tapes.add(recorded(), recorded(id=UUID(int=78), call_id=UUID(int=3), status=RecordingStatus.FAILED))
    rows = {row["call_sid"]: row for row in (await rest("GET", f"{BASE}?page=1&count=25")).json["data"]}
    assert rows[str(CALL)]["recording_url"] == f"{AUDIO}/mp3".removeprefix("/v1")
    assert rows[str(UUID(int=1))]["sip_parent_callid"] == "abc@192.0.2.7"
    assert [sid for sid, row in rows.items() if "recording_url" in row] == [str(CALL)]
    alone = (await rest("GET", f"{BASE}?page=1&count=25&filter=bob")).json["data"]
    assert alone[0]["sip_parent_callid"] == "abc@192.0.2.7"  # its parent is on no page
    del calls.records[CALL]
    alone = (await rest("GET", f"{BASE}?page=1&count=25&filter=bob")).json["data"]
    assert "sip_parent_callid" not in alone[0]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("count=25", 'missing or invalid "page" query arg'),
        ("page=0&count=25", 'missing or invalid "page" query arg'),
        ("page=x&count=25", 'missing or invalid "page" query arg'),
        ("page=1", 'missing or invalid "count" query arg'),
        ("page=1&count=501", 'missing or invalid "count" query arg'),
        ("page=1&count=25&days=0", 'missing or invalid "days" query arg'),
        ("page=1&count=25&start=soon", 'missing or invalid "start" query arg'),
        ("page=1&count=25&direction=up", 'invalid "direction" query arg'),
    ],
)
async def test_bad_queries(rest: Ask, query: str, message: str) -> None:
    reply = await rest("GET", f"{BASE}?{query}")
    assert (reply.status, reply.json) == (400, {"msg": message})


# -- audio


@pytest.fixture
def tape(calls: MemoryCalls, tapes: MemoryRecordings, tmp_path: Path) -> Path:
    path = tmp_path / "tape"
    path.write_bytes(b"0123456789")
    calls.add(ended())
    tapes.add(recorded())
    tapes.files[UUID(int=77)] = path
    return path


@pytest.mark.usefixtures("tape")
@pytest.mark.parametrize(("form", "media_type"), [("wav", "audio/wav"), ("mp3", "audio/mpeg")])
async def test_a_recording_is_downloaded(
    rest: Ask, tapes: MemoryRecordings, form: str, media_type: str
) -> None:
    reply = await rest("GET", f"{AUDIO}/{form}")
    assert (reply.status, reply.text) == (200, "0123456789")
    assert reply.headers["content-type"] == media_type
    assert tapes.asked == [(form, None)]
    part = await rest("GET", f"{AUDIO}/{form}", span="bytes=2-4")
    assert (part.status, part.text) == (206, "234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert (await rest("GET", f"{AUDIO}/{form}", span="bytes=20-")).status == 416


@pytest.mark.usefixtures("tape")
async def test_the_latest_recording_counts(rest: Ask, tapes: MemoryRecordings, tmp_path: Path) -> None:
    (tmp_path / "later").write_bytes(b"later")
    tapes.add(recorded(id=UUID(int=78), created_at=CREATED + 5 * SECOND))
    tapes.files[UUID(int=78)] = tmp_path / "later"
    assert (await rest("GET", f"{AUDIO}/wav")).text == "later"


@pytest.mark.usefixtures("tape")
async def test_a_recording_is_deleted(rest: Ask) -> None:
    assert (await rest("DELETE", f"{AUDIO}/mp3")).status == 204
    for method in ("GET", "DELETE"):
        reply = await rest(method, f"{AUDIO}/mp3")
        assert (reply.status, reply.text) == (404, "Not Found")


@pytest.mark.usefixtures("tape")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{BASE}/{CALL}/record/2026/05/27/wav", 404),
        (f"{BASE}/{CALL}/record/2026/5/26/wav", 404),
        (f"{AUDIO}/ogg", 404),
        (f"{BASE}/{APPLICATION}/record/2026/05/26/wav", 404),
        (f"{BASE}/nonsense/record/2026/05/26/wav", 400),
        (f"{BASE}/{CALL}/record", 404),
        (f"{BASE}/{CALL}", 404),
        (f"/v1/Accounts/{OTHER.id}/RecentCalls/{CALL}/record/2026/05/26/wav", 403),
    ],
)
async def test_recordings_that_are_not_there(rest: Ask, path: str, status: int) -> None:
    assert (await rest("GET", path)).status == status


@pytest.mark.usefixtures("tape")
async def test_a_recording_needs_the_token(rest: Ask) -> None:
    assert (await rest("GET", f"{AUDIO}/wav", token="wrong")).status == 401
    theirs = f"/v1/Accounts/{OTHER.id}/RecentCalls/{CALL}/record/2026/05/26/wav"
    assert (await rest("GET", theirs, token=OTHER.token)).status == 404


async def test_a_recording_without_its_file(rest: Ask, tapes: MemoryRecordings, tape: Path) -> None:
    tapes.files.clear()
    assert (await rest("GET", f"{AUDIO}/wav")).status == 404


@pytest.mark.usefixtures("tape")
async def test_a_recording_that_cannot_be_converted_now(rest: Ask, tapes: MemoryRecordings) -> None:
    tapes.busy = True
    assert (await rest("GET", f"{AUDIO}/mp3")).status == 503
