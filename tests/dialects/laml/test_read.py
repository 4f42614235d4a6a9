"""Single calls and lists of calls over REST and real HTTP: every filter, in the shapes of both profiles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tests.dialects.laml.conftest import Api
from tests.dialects.laml.making import (
    AC_SID,
    ACCOUNT,
    CA_SID,
    CALL_ID,
    NOON,
    NUMBER,
    SW,
    TW,
    UUID_SID,
    ended,
    record,
)
from tests.dialects.memory import MemoryCalls

from ringback.calls.status import CallStatus

# -- reading


async def test_an_ended_call_in_both_shapes(api: Api, calls: MemoryCalls) -> None:
    calls.add(
        ended(caller_name="Jane", forwarded_from="+1", number_id=NUMBER.id, answered_by="machine_start")
    )
    status, body = await api("GET", f"{SW}/Calls/{CALL_ID}", UUID_SID)
    assert status == 200
    assert {name: body[name] for name in ("status", "duration", "direction", "answered_by")} == {
        "status": "completed",
        "duration": 62,
        "direction": "inbound",
        "answered_by": "machine",
    }
    assert body["start_time"] == "Sun, 01 Mar 2026 12:00:02 +0000"
    assert body["end_time"] == "Sun, 01 Mar 2026 12:01:04 +0000"
    assert (body["forwarded_from"], body["caller_name"]) == (None, None)
    assert body["phone_number_sid"] == str(NUMBER.id)
    assert {name: value for name, value in body.items() if name.startswith(("audio", "sip"))} == {
        "audio_in_mos": 4.4,
        "sip_result_code": "200",
        "audio_rtt_avg": 20,
        "audio_rtt_min": 10,
        "audio_rtt_max": 31,
        "audio_out_jitter_min": 1,
        "audio_out_jitter_max": 10,
        "audio_out_jitter_avg": 2,
        "audio_out_lost": 3,
    }
    status, body = await api("GET", f"{TW}/Calls/{CA_SID}.json", AC_SID)
    assert (status, body["duration"], body["direction"]) == (200, "62", "inbound")
    assert (body["forwarded_from"], body["caller_name"]) == ("+1", "Jane")
    assert body["phone_number_sid"] == f"PN{NUMBER.id.hex}"
    assert body["date_created"] == "Sun, 01 Mar 2026 12:00:00 +0000"


@pytest.mark.parametrize("sid", [str(CALL_ID), CA_SID, CALL_ID.hex, f"ID{'a' * 32}-{CA_SID}"])
async def test_every_spelling_of_a_call_is_found(api: Api, calls: MemoryCalls, sid: str) -> None:
    calls.add(record())
    for path, user in ((TW, UUID_SID), (SW, AC_SID)):
        for suffix in ("", ".json"):
            status, body = await api("GET", f"{path}/Calls/{sid}{suffix}", user)
            assert (status, body["sid"]) == (200, CA_SID if path == TW else str(CALL_ID))


async def test_the_accounts_spelling_chooses_the_profile_whatever_the_prefix(
    api: Api, calls: MemoryCalls
) -> None:
    calls.add(record())
    _, body = await api("GET", f"/2010-04-01/Accounts/{UUID_SID}/Calls/{CALL_ID}.json", UUID_SID)
    assert "audio_in_mos" in body
    assert body["uri"] == f"/2010-04-01/Accounts/{UUID_SID}/Calls/{CALL_ID}.json"
    _, body = await api("GET", f"/api/laml/2010-04-01/Accounts/{AC_SID}/Calls/{CA_SID}", AC_SID)
    assert body["uri"] == f"/api/laml/2010-04-01/Accounts/{AC_SID}/Calls/{CA_SID}.json"


# -- listing


async def test_pages(api: Api, calls: MemoryCalls) -> None:
    made = [record(id=uuid4(), created_at=NOON + timedelta(seconds=n)) for n in range(5)]
    calls.add(*made)
    newest = [str(call.id) for call in reversed(made)]
    query = {"PageSize": "2", "To": "+14155550100"}
    _, body = await api("GET", f"{SW}/Calls", UUID_SID, params=query)
    assert sorted(body) == sorted(
        ["uri", "first_page_uri", "next_page_uri", "previous_page_uri", "page", "page_size", "calls"]
    )
    assert body["uri"] == body["first_page_uri"] == f"{SW}/Calls?To=%2B14155550100&PageSize=2&Page=0"
    assert (body["page"], body["page_size"], body["previous_page_uri"]) == (0, 2, None)
    seen = [call["sid"] for call in body["calls"]]
    # A call that arrives between two pages shifts nothing.
    anchor = calls.filters[-1]
    assert anchor.started_before is None
    pages = [body]
    while body["next_page_uri"]:
        _, body = await api("GET", body["next_page_uri"], UUID_SID)
        pages.append(body)
        seen += [call["sid"] for call in body["calls"]]
        assert calls.filters[-1].started_before is not None
    assert seen == newest
    assert [page["page"] for page in pages] == [0, 1, 2]
    _, back = await api("GET", pages[2]["previous_page_uri"], UUID_SID)
    assert back["calls"] == pages[1]["calls"]
    _, again = await api("GET", pages[1]["uri"], UUID_SID)
    assert again["calls"] == pages[1]["calls"]


async def test_twilio_counts_items(api: Api, calls: MemoryCalls) -> None:
    calls.add(*(record(id=uuid4()) for _ in range(3)))
    _, body = await api("GET", f"{TW}/Calls.json?PageSize=2", AC_SID)
    assert (body["start"], body["end"]) == (0, 1)
    assert body["next_page_uri"].startswith(f"{TW}/Calls.json?PageSize=2&Page=1&PageToken=PA")
    _, body = await api("GET", body["next_page_uri"], AC_SID)
    assert (body["start"], body["end"], len(body["calls"]), body["next_page_uri"]) == (2, 2, 1, None)
    _, body = await api("GET", f"{TW}/Calls.json?Status=busy&PageSize=5000", AC_SID)
    assert (body["start"], body["end"], body["calls"], body["page_size"]) == (0, 0, [], 1000)


@pytest.mark.parametrize(
    ("query", "twilio", "signalwire"),
    [
        ("PageSize=0", 20007, 54454),
        ("PageSize=x", 20007, 54454),
        ("Page=-1", 21481, 54453),
        ("Page=1", 21481, 54453),
        ("Page=1&PageToken=zzz", 21481, 54453),
        ("Page=1&PageToken=PAzzz", 21481, 54453),
        ("Page=1&PageToken=PAOTk5OTk5OTk5OTk5OTk5OTk5LjE", 21481, 54453),
        ("Status=asleep", 20422, 20422),
        ("StartTime=yesterday", 20422, 20422),
        ("EndTime%3C=x", 20422, 20422),
        ("ParentCallSid=x", 20422, 20422),
    ],
)
async def test_lists_that_are_refused(api: Api, query: str, twilio: int, signalwire: int) -> None:
    for base, sid, code in ((TW, AC_SID, twilio), (SW, UUID_SID, signalwire)):
        status, body = await api("GET", f"{base}/Calls?{query}", sid)
        assert (status, body["code"]) == (400, code)


async def test_filters(api: Api, calls: MemoryCalls) -> None:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    path = (
        f"{TW}/Calls.json?From=+14155550111&To=%2B14155550100&Status=queued&ParentCallSid={CA_SID}"
        "&StartTime%3E=2026-03-01&StartTime%3C=2026-03-02&EndTime=2026-03-01"
    )
    status, _ = await api("GET", path, AC_SID)
    assert status == 200
    which = calls.filters[-1]
    assert (which.from_, which.to, which.parent_id) == ("+14155550111", "+14155550100", CALL_ID)
    assert which.statuses == frozenset({CallStatus.QUEUED, CallStatus.INITIATED})
    assert (which.started_from, which.started_before) == (day, day + timedelta(days=2))
    assert (which.ended_from, which.ended_before) == (day, day + timedelta(days=1))
    assert which.account_id == ACCOUNT.id
    assert which.order == "newest"
