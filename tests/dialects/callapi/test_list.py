"""Lists of calls over REST, through ASGI: pages, filters, order, in JSON and XML."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from lxml import etree
from tests.dialects.callapi.conftest import AC, INSTANCE, SID, Make

from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus


def many(record: Make, count: int, **fields: Any) -> list[CallRecord]:
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [record(id=uuid4(), created_at=start + timedelta(seconds=n), **fields) for n in range(count)]


async def test_pages(rest: Any, calls: Any, record: Make) -> None:
    made = many(record, 5)
    calls.add(*made)
    first = (await rest("GET", "Calls.json?PageSize=2&From=0000")).json
    uri = f"/2012-04-24/Accounts/{AC}/Calls.json"
    after = f"ID{INSTANCE}-CA{made[3].id.hex}"
    assert list(first.items())[:-1] == [
        ("page", 0),
        ("num_pages", 2),
        ("page_size", 2),
        ("total", 5),
        ("start", "0"),
        ("end", "2"),
        ("uri", uri),
        ("first_page_uri", f"{uri}?Page=0&PageSize=2&From=0000"),
        ("previous_page_uri", "null"),
        ("next_page_uri", f"{uri}?Page=1&PageSize=2&From=0000&AfterSid={after}"),
        ("last_page_uri", f"{uri}?Page=2&PageSize=2&From=0000"),
    ]
    assert [call["sid"][37:] for call in first["calls"]] == [made[4].id.hex, made[3].id.hex]

    seen, link = [], first["first_page_uri"]
    while link != "null":
        page = (await rest("GET", "", base=link)).json
        seen += [call["sid"] for call in page["calls"]]
        link = page["next_page_uri"]
    assert len(set(seen)) == len(seen) == 5
    assert (page["start"], page["end"], page["previous_page_uri"][-27:]) == (
        "4",
        "5",
        "Page=1&PageSize=2&From=0000",
    )


async def test_the_envelope_in_xml(rest: Any, calls: Any, record: Make) -> None:
    calls.add(*many(record, 3))
    root = etree.fromstring((await rest("GET", "Calls?PageSize=2")).text.encode())
    envelope = root[0]
    assert envelope.tag == "Calls"
    assert list(envelope.attrib) == [
        "page",
        "numpages",
        "pagesize",
        "total",
        "start",
        "end",
        "uri",
        "firstpageuri",
        "previouspageuri",
        "nextpageuri",
        "lastpageuri",
    ]
    assert (envelope.get("total"), len(envelope)) == ("3", 2)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"order": "newest", "match_suffix": True, "started_from": None}),
        ("From=5550000&To=1212", {"from_": "5550000", "to": "1212"}),
        ("Status=ringing", {"statuses": frozenset({CallStatus.RINGING, CallStatus.EARLY_MEDIA})}),
        (
            "Status=BUSY",
            {
                "statuses": frozenset(
                    {CallStatus.BUSY, CallStatus.DECLINED, CallStatus.REJECTED, CallStatus.REJECTED_BUSY}
                )
            },
        ),
        ("StartTime=2020-05-26", {"started_from": datetime(2020, 5, 26, tzinfo=UTC)}),
        ("EndTime=2020-05-26", {"ended_before": datetime(2020, 5, 27, tzinfo=UTC)}),
        ("StartTime=2020-05-26T10:10:10", {"started_from": datetime(2020, 5, 26, 10, 10, 10, tzinfo=UTC)}),
        ("StartTime=2020-05-26%2010:10:10", {"started_from": datetime(2020, 5, 26, 10, 10, 10, tzinfo=UTC)}),
        ("EndTime=2020-05-26T10:10:10", {"ended_before": datetime(2020, 5, 26, 10, 10, 11, tzinfo=UTC)}),
        (f"ParentCallSid={SID}", {"parent_id": UUID("9d3572be-9f7a-41ea-97f4-5ffeb3239325")}),
        ("ParentCallSid=x", {"parent_id": UUID(int=0)}),
        ("SortBy=DateCreated", {"order": "created_at"}),
        ("SortBy=Duration:desc", {"order": "-duration"}),
        ("SortBy=from:ASC", {"order": "from"}),
        ("SortBy=DateAsc", {"order": "oldest"}),
        ("Reverse=true", {"order": "newest"}),
        ("Reverse=false", {"order": "oldest"}),
        ("SubAccounts=true&localOnly=true", {"order": "newest"}),
    ],
)
async def test_filters(rest: Any, calls: Any, record: Make, query: str, expected: dict[str, Any]) -> None:
    calls.count = lambda which: _number(1)
    reply = await rest("GET", f"Calls.json?{query}")
    assert reply.status == 200
    (which,) = calls.filters
    assert {name: getattr(which, name) for name in expected} == expected


async def _number(value: int) -> int:
    return value


@pytest.mark.parametrize("query", ["Status=bored", "ConferenceSid=CF1", "CallSid=x", f"CallSid={SID}"])
async def test_filters_that_nothing_matches(rest: Any, calls: Any, record: Make, query: str) -> None:
    calls.add(*many(record, 1))
    reply = await rest("GET", f"Calls.json?{query}")
    assert (reply.json["total"], reply.json["calls"], reply.json["next_page_uri"]) == (0, [], "null")


@pytest.mark.parametrize(
    "query",
    [
        "StartTime=soon",
        "EndTime=2020-99-99",
        "Page=x",
        "Page=-1",
        "Page=20001",
        "Page=2",
        "PageSize=x",
        "PageSize=2001",
    ],
)
async def test_wrong_filters(rest: Any, calls: Any, record: Make, query: str) -> None:
    calls.add(*many(record, 3))
    reply = await rest("GET", f"Calls.json?{query}")
    assert (reply.status, reply.text) == (400, "")


@pytest.mark.parametrize("sort", ["Colour", "From:up", "From:", ":desc"])
async def test_a_wrong_order_has_a_message(rest: Any, sort: str) -> None:
    reply = await rest("GET", f"Calls.json?SortBy={sort}")
    assert (reply.status, list(reply.json)) == (400, ["message"])
    reply = await rest("GET", f"Calls?SortBy={sort}")
    assert etree.fromstring(reply.text.encode()).findtext("Message")


async def test_an_empty_page_size(rest: Any, calls: Any, record: Make) -> None:
    calls.add(*many(record, 3))
    reply = await rest("GET", "Calls.json?PageSize=0")
    assert (reply.json["total"], reply.json["num_pages"], reply.json["calls"]) == (3, 0, [])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_list_calls_is_about_today(rest: Any, calls: Any, record: Make, method: str) -> None:
    calls.add(*many(record, 2), record())
    form = {"Limit": "10"} if method == "POST" else None
    assert (await rest(method, "ListCalls.json", form)).json["total"] == 2
    everything = await rest(method, "ListCalls.json?StartTime=2020-01-01", form)
    assert everything.json["total"] == 3
    one = await rest(method, f"ListCalls.json?CallSid={SID}", form)
    assert [call["sid"] for call in one.json["calls"]] == [SID]
