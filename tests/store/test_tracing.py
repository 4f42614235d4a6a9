"""The trace: complete while there is room, bounded, and never in anybody's way."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue

import pytest
from tests.patience import PATIENCE
from tests.store.making import call_id, damaged

from ringback.store import Store, TraceEntry
from ringback.store.privacy import data_folder
from ringback.store.tracing import TRACE_FILE, TraceLog


async def test_lines_come_back_in_order_and_at_once(sqlite_store: Store) -> None:
    for number in range(20):
        sqlite_store.trace(call_id(number % 2), float(number), "sip", f"INVITE {number} ü")
    found = await sqlite_store.traces(call_id(1))
    assert found[0] == TraceEntry(call_id(1), 1.0, "sip", "INVITE 1 ü".encode())
    assert [line.at for line in found] == [float(number) for number in range(1, 20, 2)]


async def test_the_oldest_lines_are_forgotten(data: Path) -> None:
    async with await Store.open("sqlite", data, trace_limit=50_000) as store:
        for number in range(1000):
            store.trace(call_id(), float(number), "rtp", b"x" * 100)
        found = await store.traces(call_id())
        assert 0 < len(found) <= 500
        assert found[-1].at == 999.0


async def test_without_lines_nothing_is_written(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: SimpleQueue[int] = SimpleQueue()

    def flush(_: TraceLog, __: object, size: int) -> int:
        flushed.put(size)
        return size

    monkeypatch.setattr("ringback.store.tracing._FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(TraceLog, "_flush", flush)
    data_folder(data)
    trace = TraceLog(data, 1000)
    for number in range(3):
        trace.put(TraceEntry(call_id(), float(number), "sip", b""))
        await asyncio.to_thread(flushed.get, timeout=PATIENCE)
    assert flushed.empty()
    await trace.close()


async def test_old_lines_are_forgotten_also_when_nothing_else_is_traced(data: Path) -> None:
    def left() -> int:
        with closing(sqlite3.connect(data / TRACE_FILE)) as connection:
            (lines,) = connection.execute("SELECT count(*) FROM trace").fetchone()
        return int(lines)

    async with await Store.open("sqlite", data) as store:
        for number in range(1200):
            store.trace(call_id(), float(number), "sip", b"x")
        assert len(await store.traces(call_id())) == 1200
        store.forget_traces(1100.0)
        async with asyncio.timeout(PATIENCE):
            while await asyncio.to_thread(left) > 100:
                pass
        assert (await store.traces(call_id()))[0].at == 1100.0


async def test_a_trace_outlives_the_process(data: Path) -> None:
    async with await Store.open("sqlite", data) as store:
        store.trace(call_id(), 1.0, "sip", b"INVITE")
    async with await Store.open("sqlite", data) as store:
        assert [line.data for line in await store.traces(call_id())] == [b"INVITE"]


async def test_long_lines_are_cut(sqlite_store: Store) -> None:
    sqlite_store.trace(call_id(), 1.0, "webhook", b"x" * 1_000_000)
    (line,) = await sqlite_store.traces(call_id())
    assert len(line.data) == 64 * 1024


async def test_what_cannot_be_kept_up_with_is_dropped(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringback.store.tracing._QUEUE_LIMIT", 0)
    sqlite_store.trace(call_id(), 1.0, "sip", b"INVITE")
    assert sqlite_store._trace.dropped == 1


async def test_no_trace_at_all(data: Path) -> None:
    async with await Store.open("sqlite", data, trace_limit=0) as store:
        store.trace(call_id(), 1.0, "sip", b"INVITE")
        assert await store.traces(call_id()) == []
    assert not (data / TRACE_FILE).exists()


async def test_a_damaged_file_is_begun_anew(data: Path) -> None:
    damaged(data / TRACE_FILE)
    async with await Store.open("sqlite", data) as store:
        store.trace(call_id(), 1.0, "sip", b"INVITE")
        assert len(await store.traces(call_id())) == 1


async def test_lines_that_are_too_old_are_forgotten(sqlite_store: Store) -> None:
    for number in range(1200):
        sqlite_store.trace(call_id(), float(number), "sip", b"INVITE")
    assert len(await sqlite_store.traces(call_id())) == 1200
    sqlite_store.forget_traces(1100.0)
    while len(found := await sqlite_store.traces(call_id())) > 100:
        pass
    assert [line.at for line in found] == [float(number) for number in range(1100, 1200)]
