"""Calls over REST: listed, retrieved, counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.dialects.jambonz.conftest import Ask
from tests.dialects.jambonz.making import BASE, CALL, CALLS, ONE, OTHER, record
from tests.dialects.memory import MemoryCalls

from ringback.calls.status import CallStatus, Direction
from ringback.net.clock import utcnow

pytestmark = pytest.mark.usefixtures("a_call")

SAMPLE = {
    "account_sid": str,
    "call_id": str,
    "call_sid": str,
    "call_status": str,
    "direction": str,
    "from": str,
    "service_url": str,
    "sip_status": int,
    "to": str,
    "application_sid": str,
    "caller_name": str,
    "duration": int,
    "originating_sip_trunk_name": str,
}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"parent_id": UUID(int=7), "direction": Direction.OUTBOUND_DIAL},
        {
            "application_id": None,
            "direction": Direction.OUTBOUND_API,
            "trunk": None,
            "source": "",
            "sip_call_id": "",
        },
    ],
)
async def test_a_call_has_every_key_of_the_sample(
    rest: Ask, calls: MemoryCalls, fields: dict[str, Any]
) -> None:
    calls.add(record(**fields))
    call = (await rest("GET", ONE)).json
    assert {key: type(call.get(key)) for key in SAMPLE} == SAMPLE
    assert ("parent_call_sid" in call) == ("parent_id" in fields)
    assert None not in call.values()
    assert call["service_url"] == f"https://voice.example/v1/calls/{CALL}"
    assert call in (await rest("GET", CALLS)).json


async def test_the_duration_runs_while_the_call_is_up(rest: Ask) -> None:
    call = (await rest("GET", ONE)).json
    assert call["duration"] in (5, 6)
    assert call["call_status"] == "in-progress"


@pytest.fixture
def several(calls: MemoryCalls) -> None:
    now = utcnow()
    calls.add(
        record(
            id=UUID(int=1),
            direction=Direction.OUTBOUND_API,
            from_="+100",
            to="+200",
            status=CallStatus.RINGING,
        ),
        record(id=UUID(int=2), from_="+100", status=CallStatus.CANCELED, ended_at=now),
        record(id=UUID(int=3), status=CallStatus.COMPLETED, ended_at=now - timedelta(hours=2)),
        record(id=UUID(int=4), account_id=OTHER.id),
    )


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {CALL, UUID(int=1), UUID(int=2)}),
        ("?direction=inbound", {CALL, UUID(int=2)}),
        ("?direction=outbound", {UUID(int=1)}),
        ("?from=%2B100", {UUID(int=1), UUID(int=2)}),
        ("?from=+100&to=+200", {UUID(int=1)}),
        ("?callStatus=no-answer", {UUID(int=2)}),
        ("?callStatus=in-progress", {CALL}),
        ("?callStatus=queued", set()),
    ],
)
async def test_filters(rest: Ask, query: str, found: set[UUID]) -> None:
    reply = await rest("GET", CALLS + query)
    assert {UUID(call["call_sid"]) for call in reply.json} == found


@pytest.mark.parametrize(
    ("query", "message"), [("direction=up", "invalid direction"), ("callStatus=x", "invalid callStatus")]
)
async def test_bad_filters(rest: Ask, query: str, message: str) -> None:
    reply = await rest("GET", f"{CALLS}?{query}")
    assert (reply.status, reply.json) == (400, {"msg": message})


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("path", [f"{BASE}/CallCount", f"{CALLS}/count"])
async def test_counts(rest: Ask, path: str) -> None:
    assert (await rest("GET", path)).json == {"inbound": 1, "outbound": 1}


async def test_a_603_is_a_failure_to_a_dial_and_busy_to_a_request(rest: Ask, calls: MemoryCalls) -> None:
    now = utcnow()
    calls.add(
        record(
            id=UUID(int=1),
            direction=Direction.OUTBOUND_DIAL,
            status=CallStatus.DECLINED,
            ended_at=now,
            parent_id=CALL,
        ),
        record(id=UUID(int=2), direction=Direction.OUTBOUND_API, status=CallStatus.DECLINED, ended_at=now),
    )
    for status, found in (("failed", UUID(int=1)), ("busy", UUID(int=2))):
        listed = (await rest("GET", f"{CALLS}?callStatus={status}")).json
        assert [(UUID(call["call_sid"]), call["call_status"]) for call in listed] == [(found, status)]
