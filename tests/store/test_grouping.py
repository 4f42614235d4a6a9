"""What shares a commit: writes of one moment, and those that nobody waits for with whatever comes next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy import event as sqlalchemy_event
from tests.patience import PATIENCE
from tests.store.making import delivery, event

from ringback.store import Store
from ringback.store import writer as writing
from ringback.store.statements import ROWS_AT_ONCE


@pytest.fixture
def commits() -> Iterator[list[object]]:
    """Grows by one with each commit of any engine."""
    seen: list[object] = []

    def note(connection: object) -> None:
        seen.append(connection)

    sqlalchemy_event.listen(Engine, "commit", note)
    yield seen
    sqlalchemy_event.remove(Engine, "commit", note)


async def test_writes_of_one_moment_share_a_commit(data: Path, commits: list[object]) -> None:
    async with await Store.open("sqlite", data) as store:
        commits.clear()
        await asyncio.gather(*(store.append(event(number)) for number in range(20)))
        assert len(commits) == 1


async def test_what_nobody_waits_for_joins_what_comes_next(
    data: Path, commits: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LINGER_SECONDS", 60.0)
    async with await Store.open("sqlite", data) as store:
        commits.clear()
        patient = store.append(event(1, 0, patient=True))
        await asyncio.sleep(3 * writing.GROUP_SECONDS)
        assert not patient.done()
        await store.append(event(1, 1))
        assert patient.done()
        assert len(commits) == 1
        assert [stored.sequence for stored in await store.events(event(1).call_id)] == [0, 1]


async def test_it_does_not_wait_for_ever(data: Path) -> None:
    async with await Store.open("sqlite", data) as store:
        await asyncio.wait_for(store.append(event(patient=True)), PATIENCE)


async def test_a_busy_store_commits_less_often(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longer a commit takes, the longer the next one waits for more."""
    monkeypatch.setattr(writing, "LINGER_SECONDS", 60.0)
    monkeypatch.setattr(writing, "BREATH", 1e9)
    async with await Store.open("sqlite", data) as store:
        await store.append(event(1))
        next_one = store.append(event(2))
        await asyncio.sleep(3 * writing.GROUP_SECONDS)
        assert not next_one.done()
    await asyncio.wait_for(next_one, PATIENCE)


async def test_closing_commits_what_waits(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LINGER_SECONDS", 60.0)
    async with await Store.open("sqlite", data) as store:
        patient = store.append(event(patient=True))
    await asyncio.wait_for(patient, PATIENCE)


async def test_a_group_has_a_limit(
    data: Path, commits: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "BATCH_LIMIT", 10)
    async with await Store.open("sqlite", data) as store:
        commits.clear()
        await asyncio.gather(*(store.append(event(number)) for number in range(25)))
        assert len(commits) == 3


async def test_a_settled_delivery_can_wait(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LINGER_SECONDS", 60.0)
    async with await Store.open("sqlite", data) as store:
        due = delivery()
        await store.append(event(deliveries=(due,)))
        settled = store.mark_delivered(due.id, attempts=1, http_status=204)
        await store.append(event(2, deliveries=(delivery(2),)))
        assert settled.done()
        assert [waiting.call_id for waiting in await store.pending()] == [delivery(2).call_id]


async def test_a_group_of_any_size_is_stored_whole(data: Path) -> None:
    """More rows than one statement takes, and a number of them that no single one is made for."""
    async with await Store.open("sqlite", data) as store:
        many = [event(number, deliveries=(delivery(number),)) for number in range(ROWS_AT_ONCE * 2 + 7)]
        await asyncio.gather(*map(store.append, many))
        for stored in many:
            assert [one.sequence for one in await store.events(stored.call_id)] == [stored.sequence]
        assert {due.id for due in await store.pending()} == {each.deliveries[0].id for each in many}


async def test_deliveries_that_ended_differently_are_settled_together(
    data: Path, commits: list[object]
) -> None:
    async with await Store.open("sqlite", data) as store:
        due = [delivery(1, number) for number in range(7)]
        await store.append(event(deliveries=tuple(due)))
        commits.clear()
        await asyncio.gather(
            *(store.mark_delivered(each.id, attempts=1, http_status=204) for each in due[:3]),
            store.mark_failed(due[3].id, "no route", attempts=3),
            store.reschedule(due[4].id, 12.5, attempts=1, error="status 500"),
            store.reschedule(due[5].id, 12.5, attempts=1),
            store.mark_delivered(due[5].id, attempts=2, http_status=200),
        )
        assert len(commits) == 1
        settled = {each.id: each for each in await store.deliveries(event().call_id)}
        assert [settled[each.id].status for each in due] == [
            *["delivered"] * 3,
            "failed",
            "pending",
            "delivered",
            "pending",
        ]
        assert [settled[each.id].attempts for each in due] == [1, 1, 1, 3, 1, 2, 0]
        assert settled[due[4].id].not_before == 12.5
        assert settled[due[5].id].http_status == 200
        assert settled[due[3].id].error == "no route"
