"""Group commits, crashes, a full disk: what is promised holds."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event as sqlalchemy_event
from tests.patience import PATIENCE
from tests.store.making import call_id, delivery, event, row

from ringback.store import Store, StoreOverloaded, StoreUnavailable

_WRITER = """
import asyncio, pathlib, sys, uuid
from ringback.store import Append, CallRow, Store, StoredDelivery

async def main():
    store = await Store.open("sqlite", pathlib.Path(sys.argv[1]))

    async def call(number):
        id = str(uuid.UUID(int=number))
        row = CallRow(id=id, account_id="a", created_at=float(number))
        delivery = StoredDelivery(id=str(uuid.uuid4()), account_id="a", call_id=id, payload=b"x")
        await store.append(
            Append(call_id=id, sequence=0, kind="k", at=0.0, payload=b"p", row=row, deliveries=(delivery,))
        )
        print(number, flush=True)

    for start in range(0, 10**9, 20):
        await asyncio.gather(*(call(start + offset) for offset in range(20)))

asyncio.run(main())
"""


def test_a_kill_loses_nothing_that_was_committed(data: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(data)],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        reported = [int(writer.stdout.readline()) for _ in range(300)]
        os.kill(writer.pid, signal.SIGKILL)
        reported += [int(line) for line in writer.stdout if line.endswith("\n")]

    async def check() -> None:
        async with await Store.open("sqlite", data) as store:
            found = {found.id for found in await store.open_calls()}
            due = {item.call_id for item in await store.pending()}
            missing = [n for n in reported if f"00000000-0000-0000-0000-{n:012x}" not in found]
            assert missing == []
            assert due == found  # a call without its callback, or the reverse, was never committed
            for id in found:
                assert len(await store.events(id)) == 1

    asyncio.run(check())


async def test_waiting_writes_share_a_commit(sqlite_store: Store) -> None:
    commits = _count_commits(sqlite_store)
    await asyncio.gather(*(sqlite_store.append(event(n, row=row(n))) for n in range(500)))
    assert commits() <= 3


async def test_an_idle_store_commits_at_once(sqlite_store: Store) -> None:
    commits = _count_commits(sqlite_store)
    for number in range(3):
        await sqlite_store.append(event(number))
    assert commits() == 3


async def test_nobody_has_to_wait(sqlite_store: Store) -> None:
    for number in range(50):
        sqlite_store.append(event(number, row=row(number)))
    assert sqlite_store.backlog == 50
    await sqlite_store.append(event(99))
    assert sqlite_store.backlog == 0
    assert len(await sqlite_store.open_calls()) == 50


async def test_a_full_disk_holds_calls_back_and_loses_none(sqlite_store: Store) -> None:
    await sqlite_store.append(event(1, row=row(1)))
    with _full_disk(sqlite_store):
        big = [sqlite_store.append(event(1, n, payload=b"x" * 100_000, row=row(1))) for n in range(1, 20)]
        await _until(lambda: not sqlite_store.healthy)
        assert 0.0 < sqlite_store.committing <= sqlite_store.delay
        with pytest.raises(StoreUnavailable):
            sqlite_store.append(event(2, row=row(2)), new_call=True)
        running = sqlite_store.append(event(1, 20, row=row(1, status="completed"), deliveries=(delivery(),)))
        assert not running.done()
        found = await sqlite_store.call(call_id(1))  # reading goes on
        assert found is not None
        assert found.status == "in-progress"
    await asyncio.wait_for(asyncio.gather(*big, running), PATIENCE)
    assert sqlite_store.committing == 0.0
    assert sqlite_store.healthy
    found = await sqlite_store.call(call_id(1))
    assert found is not None
    assert found.status == "completed"
    assert len(await sqlite_store.events(call_id(1))) == 21
    assert len(await sqlite_store.pending()) == 1
    await sqlite_store.append(event(2, row=row(2)), new_call=True)


async def test_the_backlog_is_bounded(data: Path) -> None:
    async with await Store.open("sqlite", data, backlog_limit=10) as store:
        with _full_disk(store):
            waiting = [store.append(event(1, n, payload=b"x" * 1_000_000)) for n in range(10)]
            with pytest.raises(StoreOverloaded):
                store.append(event(1, 11))
        await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)


async def test_closing_during_an_outage_gives_up_in_time(sqlite_store: Store) -> None:
    with _full_disk(sqlite_store):
        waiting = sqlite_store.append(event(payload=b"x" * 10_000_000))
        await _until(lambda: not sqlite_store.healthy)
        await asyncio.wait_for(sqlite_store._writer.close(grace=0.1), PATIENCE)
        with pytest.raises(StoreUnavailable):
            await waiting


async def test_a_commit_that_hangs_counts_as_an_outage(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringback.store.writer.STALL_SECONDS", 0.01)
    released = threading.Event()
    stuck = sqlite_store._change(lambda _: released.wait(10))
    await _until(lambda: not sqlite_store.healthy)
    released.set()
    await stuck
    assert sqlite_store.healthy


def _count_commits(store: Store) -> Callable[[], int]:
    count = 0

    def committed(_: object) -> None:
        nonlocal count
        count += 1

    sqlalchemy_event.listen(store._writer.engine, "commit", committed)
    return lambda: count


class _full_disk:  # noqa: N801 - reads as a statement
    """The database file may not grow any more, as on a full disk, until the block ends."""

    def __init__(self, store: Store) -> None:
        self._engine = store._writer.engine
        self._full = threading.Event()

    def __enter__(self) -> None:
        self._full.set()
        sqlalchemy_event.listen(self._engine, "begin", self._limit)

    def __exit__(self, *_: object) -> None:
        self._full.clear()

    def _limit(self, connection: object) -> None:
        execute = connection.exec_driver_sql  # type: ignore[attr-defined]
        (pages,) = execute("PRAGMA page_count").one()
        execute(f"PRAGMA max_page_count={pages + 1 if self._full.is_set() else 2**31 - 2}")


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the writer is a thread and has no event to wait for
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _no_stray_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [t for t in set(threading.enumerate()) - before if t.name == "ringback-store-writer"]
    assert all(not thread.is_alive() for thread in left)
