"""What goes in comes out: calls, events, deliveries, objects, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.event import listen
from tests.store.making import ACCOUNT, call_id, damaged, delivery, event, row

from ringback.store import (
    CallFilter,
    Store,
    StoredEvent,
    StoredObject,
    StoredRecordRefused,
    StoreError,
    StoreUnavailable,
    page_cursor,
    queries,
)


async def test_an_append_stores_event_row_and_deliveries(store: Store) -> None:
    full = row(
        parent_id=call_id(9),
        caller_name="Ünïcode \U0001f4de",
        custom={"tag": ["a", 1, None]},
        stats={"mos": 4.2},
        dialog={"route": ["sip:a", "sip:b"]},
        extra="text",
        ringing_at=1001.5,
        sip_status=180,
    )
    due = delivery()
    await store.append(event(row=full, deliveries=(due,)))
    assert await store.call(call_id()) == full
    assert await store.events(call_id()) == [
        StoredEvent(call_id(), 0, "call.received", 1000.0, b"\x00\xffpayload")
    ]
    assert await store.pending() == [due]
    assert await store.deliveries(call_id()) == [due]


async def test_the_newest_row_wins(store: Store) -> None:
    writes = [
        store.append(event(sequence=0, row=row(status="initiated"))),
        store.append(event(sequence=1, row=row(status="ringing"))),
        store.append(event(sequence=2)),
    ]
    await asyncio.gather(*writes)
    await store.append(event(sequence=3, row=row(status="completed", ended_at=2000.0)))
    found = await store.call(call_id())
    assert found is not None
    assert (found.status, found.ended_at) == ("completed", 2000.0)
    assert [item.sequence for item in await store.events(call_id())] == [0, 1, 2, 3]
    assert [item.sequence for item in await store.events(call_id(), after=1)] == [2, 3]


async def test_an_unknown_call_is_none(store: Store) -> None:
    assert await store.call(call_id(404)) is None
    assert await store.events(call_id(404)) == []
    assert not await store.delete_call(call_id(404))


async def test_a_taken_sequence_is_refused_and_takes_nothing_with_it(store: Store) -> None:
    await store.append(event(sequence=0, row=row(status="ringing")))
    bad = store.append(event(sequence=0, row=row(status="wrong")))
    good = store.append(event(2, row=row(2)))
    await good
    with pytest.raises(StoredRecordRefused):
        await bad
    found = await store.call(call_id())
    assert found is not None
    assert found.status == "ringing"
    assert store.healthy


async def test_what_is_posted_is_stored_or_its_failure_logged(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    for posted in (event(sequence=0), event(sequence=0, row=row(status="wrong")), event(2)):
        store.post(posted)
    await store.append(event(3))
    assert [len(await store.events(call_id(number))) for number in (1, 2, 3)] == [1, 1, 1]
    assert await store.call(call_id()) is None
    assert f"call {call_id()}: {event().kind} was not stored" in caplog.text


async def test_text_that_no_database_holds_is_made_storable(store: Store) -> None:
    await store.append(event(row=row(from_="a\0b", caller_name="c\udc80d", to="\u00fc")))
    found = await store.call(call_id())
    assert found is not None
    assert found.from_.startswith("a")
    assert found.caller_name == "c\ufffdd"
    assert found.to == "\u00fc"


async def test_open_calls_are_those_without_an_end(store: Store) -> None:
    await asyncio.gather(
        store.append(event(1, row=row(1, ended_at=1500.0))),
        store.append(event(2, row=row(2))),
        store.append(event(3, row=row(3))),
    )
    assert [found.id for found in await store.open_calls()] == [call_id(2), call_id(3)]


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [6, 5, 4, 3, 2, 1]),
    ({"accounts": (ACCOUNT,)}, [5, 4, 3, 2, 1]),
    ({"statuses": ("busy", "failed")}, [4, 3]),
    ({"statuses": ("busy",)}, [3]),
    ({"directions": ("outbound-api",)}, [2]),
    ({"from_": ("+14155550100",)}, [6, 5, 4, 3, 2]),
    ({"to": ("100%", "alice")}, [3, 2]),
    ({"to_suffix": "%"}, [3]),
    ({"from_suffix": "100"}, [6, 5, 4, 3, 2]),
    ({"ids": ("00000000-0000-0000-0000-0000000003eb",), "accounts": (ACCOUNT,)}, [3]),
    ({"ids": tuple(map(call_id, (1, 9, 3)))}, [3, 1]),
    ({"party": "0%"}, [3]),
    ({"party": "lic"}, [2]),
    ({"party": "1415", "accounts": (ACCOUNT,)}, [5, 4, 3, 2, 1]),
    ({"parent_id": "00000000-0000-0000-0000-0000000003e9"}, [5]),
    ({"top_level": True}, [6, 4, 3, 2, 1]),
    ({"sip_call_id": "abc@host"}, [4]),
    ({"trunk_name": "carrier"}, [4]),
    ({"client_name": "alice"}, [2]),
    ({"answered": True}, [2, 1]),
    ({"answered": False, "accounts": (ACCOUNT,)}, [5, 4, 3]),
    ({"created_from": 1003.0, "created_to": 1005.0}, [4, 3]),
    ({"answered_from": 1010.0, "answered_to": 1020.0}, [1]),
    ({"ended_from": 1031.0}, [2]),
    ({"open": True, "accounts": (ACCOUNT,)}, [5, 4, 3]),
    ({"open": False, "accounts": (ACCOUNT,)}, [2, 1]),
    ({"open_or_ended_from": 1031.0, "accounts": (ACCOUNT,)}, [5, 4, 3, 2]),
    ({"ended_to": 1031.0}, [1]),
    ({"applications": ("app",)}, [1]),
]


@pytest.mark.parametrize(("narrowed", "expected"), FILTERS)
async def test_filters(sqlite_store: Store, narrowed: dict[str, Any], expected: list[int]) -> None:
    await _six_calls(sqlite_store)
    wanted = CallFilter(**narrowed)
    assert [int(found.id[-4:], 16) - 1000 for found in await sqlite_store.calls(wanted)] == expected
    assert await sqlite_store.count(wanted) == len(expected)
    page, total = await sqlite_store.page(wanted)
    assert ([int(found.id[-4:], 16) - 1000 for found in page], total) == (expected, len(expected))


async def test_every_filter_works_on_every_database(store: Store) -> None:
    await _six_calls(store)
    for narrowed, expected in FILTERS:
        assert len(await store.calls(CallFilter(**narrowed))) == len(expected)
        assert (await store.page(CallFilter(**narrowed)))[1] == len(expected)


async def _six_calls(store: Store) -> None:
    rows = [
        row(1, from_="anonymous", answered_at=1010.0, ended_at=1030.0, application_id="app"),
        row(
            2, to="alice", client_name="alice", direction="outbound-api", answered_at=1025.0, ended_at=1040.0
        ),
        row(3, to="100%", status="busy"),
        row(4, status="failed", sip_call_id="abc@host", trunk_name="carrier"),
        row(5, parent_id=call_id(1)),
        row(6, account_id=call_id(77)),
    ]
    await asyncio.gather(*(store.append(event(n, row=value)) for n, value in enumerate(rows, 1)))


async def test_pages_by_offset_and_by_cursor(store: Store) -> None:
    # Two calls of the same moment: the cursor must neither repeat nor skip one.
    await asyncio.gather(*(store.append(event(n, row=row(n, created_at=1000.0 + n // 2))) for n in range(7)))
    every = [found.id for found in await store.calls(CallFilter())]
    assert len(every) == 7
    by_offset = [
        found.id for page in range(4) for found in await store.calls(CallFilter(), limit=2, offset=2 * page)
    ]
    assert by_offset == every
    pages = [await store.page(CallFilter(), limit=2, offset=2 * page) for page in range(5)]
    assert [found.id for page, _ in pages for found in page] == every
    assert [total for _, total in pages] == [7] * 5
    by_cursor: list[str] = []
    cursor = None
    while page := await store.calls(CallFilter(), limit=2, after=cursor):
        by_cursor += [found.id for found in page]
        cursor = page_cursor(page[-1])
    assert by_cursor == every


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_both_spellings_of_a_number_are_one_list(store: Store, order: str) -> None:
    spellings = ("14155550100", "+14155550100")
    rows = [row(n, from_=spellings[n % 2], created_at=1000.0 + n // 3) for n in range(7)]
    rows.append(row(8, from_="anonymous"))
    await asyncio.gather(*(store.append(event(n, row=value)) for n, value in enumerate(rows)))
    wanted = CallFilter(from_=spellings, accounts=(ACCOUNT,), order=order)
    every = [found.id for found in await store.calls(CallFilter(order=order)) if found.from_ != "anonymous"]
    assert len(every) == 7
    assert [found.id for found in await store.calls(wanted)] == every
    assert [
        found.id for page in range(4) for found in await store.calls(wanted, limit=2, offset=2 * page)
    ] == every
    assert await store.count(wanted) == 7
    page, total = await store.page(wanted, limit=3, offset=2)
    assert ([found.id for found in page], total) == (every[2:5], 7)
    if order == "newest":
        after = page_cursor((await store.calls(wanted, limit=3))[-1])
        assert [found.id for found in await store.calls(wanted, after=after)] == every[3:]


@pytest.mark.parametrize("ahead", [0, 3, 100])
async def test_a_page_says_how_many_there_are_on_all_pages(
    store: Store, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_AHEAD", ahead)
    await asyncio.gather(*(store.append(event(n, row=row(n, to=f"{n % 3}"))) for n in range(9)))
    wanted = CallFilter(order="-to")
    every = [found.id for found in await store.calls(wanted)]
    for limit, offset in ((0, 0), (4, 0), (4, 4), (4, 8), (9, 0), (20, 0), (4, 12)):
        page, total = await store.page(wanted, limit=limit, offset=offset)
        assert ([found.id for found in page], total) == (every[offset : offset + limit], 9)
    assert await store.page(CallFilter(statuses=("busy",))) == ([], 0)


@pytest.mark.parametrize(
    ("narrowed", "index"),
    [
        ({}, "INDEX calls_by_account (account_id=?)"),
        ({"from_": ("1", "+1")}, "INDEX calls_by_from (account_id=? AND from_=?)"),
        ({"to": ("1", "+1"), "statuses": ("busy",)}, "INDEX calls_by_to (account_id=? AND to=?)"),
        (
            {"from_": ("1",), "created_to": 9.0},
            "INDEX calls_by_from (account_id=? AND from_=? AND created_at<?)",
        ),
        (
            {"statuses": ("queued", "ringing"), "open": True},
            "INDEX calls_by_end (ended_at=?)",
        ),
        ({"open_or_ended_from": 9.0}, "INDEX calls_by_end (ended_at"),
        ({"ids": ("1", "2")}, "INDEX sqlite_autoindex_calls_1 (id=?)"),
        ({"parent_id": "1"}, "INDEX calls_by_parent (parent_id=?)"),
    ],
)
async def test_a_list_walks_along_the_index_of_what_it_is_narrowed_by(
    sqlite_store: Store, narrowed: dict[str, Any], index: str
) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        asked.append((statement, given))

    listen(sqlite_store._engine, "before_cursor_execute", note)
    await sqlite_store.calls(CallFilter(accounts=(ACCOUNT,), **narrowed))
    ((statement, given),) = asked
    with sqlite_store._engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
    ways = [line[3] for line in plan if "calls" in line[3]]
    assert ways
    assert all(index in way for way in ways), ways
    few = {"open", "open_or_ended_from", "ids", "parent_id"}
    assert any("ORDER BY" in line[3] for line in plan) is not few.isdisjoint(narrowed)


@pytest.mark.parametrize(
    "narrowed",
    [
        {},
        {"open": False},
        {"statuses": ("busy", "failed"), "created_from": 1.0},
        {"directions": ("inbound",), "ended_from": 1.0},
        {"answered": False, "open": False},
        {"trunk_name": "carrier"},
        {"party": "1415"},
        {"from_suffix": "100", "to_suffix": "200"},
        {"order": "-duration"},
    ],
)
async def test_what_is_not_shown_is_not_read(sqlite_store: Store, narrowed: dict[str, Any]) -> None:
    """Calls are looked for, and counted, in an index alone."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        asked.append((statement, given))

    listen(sqlite_store._engine, "before_cursor_execute", note)
    wanted = CallFilter(accounts=(ACCOUNT,), **narrowed)
    await sqlite_store.page(wanted)
    await sqlite_store.count(wanted)
    looked, _shown, counted = asked
    with sqlite_store._engine.connect() as connection:
        for statement, given in (looked, counted):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
            assert "USING COVERING INDEX" in plan[0][3], plan


async def test_what_a_call_began_with_stays(store: Store) -> None:
    await store.append(event(row=row()))
    await store.append(event(sequence=1, row=row(status="completed", from_="other", created_at=1.0)))
    found = await store.call(call_id())
    assert found is not None
    assert (found.status, found.from_, found.created_at) == ("completed", row().from_, row().created_at)


async def test_deleting_a_call_takes_what_hangs_on_it(store: Store) -> None:
    await store.append(event(row=row(), deliveries=(delivery(),)))
    await store.append(event(2, row=row(2)))
    assert await store.delete_call(call_id())
    assert await store.call(call_id()) is None
    assert await store.events(call_id()) == []
    assert await store.pending() == []
    assert await store.call(call_id(2)) is not None


async def test_pruning_keeps_open_calls_and_due_deliveries(store: Store) -> None:
    writes = [store.append(event(n, row=row(n, ended_at=1100.0 + n))) for n in range(10)]
    writes.append(store.append(event(20, row=row(20))))
    writes.append(store.append(event(21, row=row(21, ended_at=1.0), deliveries=(delivery(21),))))
    await asyncio.gather(*writes)
    assert await store.prune(1108.0, piece=3) == 8
    left = {found.id for found in await store.calls(CallFilter())}
    assert left == {call_id(n) for n in (8, 9, 20, 21)}


async def test_the_life_of_deliveries(store: Store) -> None:
    first, second, third = (delivery(sequence=n) for n in range(3))
    await store.append(event(row=row(), deliveries=(first, second, third)))
    await store.mark_delivered(first.id, attempts=1, http_status=204)
    await store.mark_failed(second.id, "refused", attempts=3, http_status=500)
    await store.reschedule(third.id, 5000.5, attempts=1, error="timeout")
    (due,) = await store.pending()
    assert (due.id, due.attempts, due.not_before, due.error) == (third.id, 1, 5000.5, "timeout")
    found = {item.id: item for item in await store.deliveries(call_id())}
    assert (found[first.id].status, found[first.id].http_status) == ("delivered", 204)
    assert (found[second.id].status, found[second.id].error) == ("failed", "refused")


async def test_deliveries_that_are_due_keep_their_order(store: Store) -> None:
    due = tuple(delivery(sequence=n, created_at=1000.0) for n in (3, 1, 2))
    await store.append(event(deliveries=due))
    assert [item.sequence for item in await store.pending()] == [1, 2, 3]
    assert len(await store.pending(limit=2)) == 2


async def test_objects(store: Store) -> None:
    await store.put_object(
        StoredObject(kind="number", id="1", account_id=ACCOUNT, name="+1", data={"a": [1]})
    )
    await store.put_object(StoredObject(kind="number", id="2", name="+2"))
    await store.put_object(StoredObject(kind="trunk", id="1", name="t"))
    [first] = await store.list_objects("number", name="+1")
    assert (first.data, first.account_id) == ({"a": [1]}, ACCOUNT)
    await store.put_object(StoredObject(kind="number", id="1", account_id=ACCOUNT, name="+1", data=None))
    [again] = await store.list_objects("number", name="+1")
    assert (again.data, again.created_at) == (None, first.created_at)
    assert [item.id for item in await store.list_objects("number")] == ["1", "2"]
    assert [item.id for item in await store.list_objects("number", account_id=ACCOUNT)] == ["1"]
    assert [item.id for item in await store.list_objects("number", name="+2")] == ["2"]
    await store.delete_object("number", "1")
    await store.delete_object("number", "1")
    assert [item.id for item in await store.list_objects("number")] == ["2"]
    assert [item.id for item in await store.list_objects("trunk")] == ["1"]


async def test_what_was_stored_is_there_after_reopening(url: str, data: Path) -> None:
    async with await Store.open(url, data) as store:
        await store.append(event(row=row(), deliveries=(delivery(),)))
    async with await Store.open(url, data) as store:
        assert await store.call(call_id()) == row()
        assert len(await store.pending()) == 1


async def test_a_closed_store_says_so(sqlite_store: Store) -> None:
    last = sqlite_store.append(event(row=row()))
    await sqlite_store.close()
    await last  # what was queued is committed first
    await sqlite_store.close()
    assert not sqlite_store.healthy
    with pytest.raises(StoreUnavailable):
        sqlite_store.append(event(2))
    with pytest.raises(StoreUnavailable):
        await sqlite_store.call(call_id())


@pytest.mark.parametrize("url", ["mysql://host/db", "::"])
async def test_other_databases_are_refused(data: Path, url: str) -> None:
    with pytest.raises(StoreError, match="expected sqlite or postgresql"):
        await Store.open(url, data)


async def test_a_database_that_cannot_be_opened_is_named(data: Path) -> None:
    damaged(data / "ringback.sqlite")
    with pytest.raises(StoreError, match="not a database"):
        await Store.open("sqlite", data)
