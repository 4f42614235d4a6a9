"""The store: calls, their events, due callbacks and small objects, made durable by one writer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from ringback.store import queries, recording_queries
from ringback.store.batch import Columns, Settlement, Write
from ringback.store.columns import object_columns, recording_columns, storable
from ringback.store.database import SQLITE_FILE, database_url, reading_engine, writing_engine
from ringback.store.errors import StoreError, StoreUnavailable
from ringback.store.migrate import migrate
from ringback.store.privacy import data_folder, own_database
from ringback.store.records import (
    Append,
    CallFilter,
    CallRow,
    Cursor,
    RecordingFilter,
    RecordingRow,
    StoredDelivery,
    StoredEvent,
    StoredObject,
    TraceEntry,
)
from ringback.store.tracing import TRACE_FILE, TraceLog
from ringback.store.writer import BACKLOG_LIMIT, Writer

_READERS = 2
_MAX_PAGE = 10_000
ResultT = TypeVar("ResultT")
Release = Callable[[Sequence[RecordingRow]], Awaitable[set[str]]]
"""Removes the files of recordings; the identifiers of those that it could not."""


class Store:
    """Opened once per process, used from one event loop.

    What writes returns a future that resolves after the commit; nobody has to await it. What reads is a
    coroutine that sees everything committed before it was called.
    """

    def __init__(self, writer: Writer, readers: Engine, trace: TraceLog) -> None:
        self._writer = writer
        self._engine = readers
        self._trace = trace
        self._closed = False
        self._statements = writer.statements
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="ringback-store-reader")

    @classmethod
    async def open(
        cls,
        url: str,
        data: Path,
        *,
        backlog_limit: int = BACKLOG_LIMIT,
        trace_limit: int = 64 * 1024 * 1024,
    ) -> Self:
        """Connect, bring the tables up to date, start the writer.

        `url` is "sqlite" (a file in `data`, which is created) or "postgresql://…"; `trace_limit` is in bytes,
        0 for no trace. Raises StoreError, saying what is wrong with the database.
        """
        parsed = database_url(url, data)
        try:
            await asyncio.to_thread(_prepare, data, parsed.get_backend_name() == "sqlite", trace_limit > 0)
        except OSError as error:
            raise StoreError(f"the data directory {data} cannot be used: {error.strerror}") from error
        engine = writing_engine(parsed)
        try:
            await asyncio.to_thread(migrate, engine)
        except SQLAlchemyError as error:
            engine.dispose()
            raise StoreError(f"database {parsed.render_as_string()}: {error}") from error
        except StoreError:
            engine.dispose()
            raise
        writer = Writer(engine, backlog_limit=backlog_limit)
        return cls(writer, reading_engine(parsed, _READERS), TraceLog(data, trace_limit))

    async def close(self) -> None:
        """Commit what is queued, as far as commits work, and let go of the database."""
        if self._closed:
            return
        await self._writer.close()
        self._closed = True
        await self._trace.close()
        await asyncio.to_thread(self._pool.shutdown)
        self._engine.dispose()
        self._writer.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def healthy(self) -> bool:
        """False while commits fail or stall, or much is waiting: refuse new calls."""
        return self._writer.healthy

    @property
    def backlog(self) -> int:
        """How many writes wait for their commit."""
        return self._writer.waiting

    @property
    def delay(self) -> float:
        """For how many seconds the oldest of them has waited."""
        return self._writer.delay

    @property
    def committing(self) -> float:
        """For how many of those seconds it is being committed."""
        return self._writer.committing

    # -- calls

    def append(self, append: Append, *, new_call: bool = False) -> asyncio.Future[None]:
        """Store an event, the rows it changes and the due deliveries, all or nothing. Never blocks.

        Raises StoreUnavailable for a new call while the store is not healthy (running calls go on in a
        bounded backlog), StoreOverloaded when the backlog is full. The future fails with StoredRecordRefused
        when the sequence is taken, with StoreUnavailable when the store closes before a commit was possible.
        """
        if new_call and not self.healthy:
            raise StoreUnavailable("the database cannot be written at the moment")
        return self._submit(Write(append=append, patient=append.patient))

    def post(self, append: Append) -> None:
        """The same where nobody wants to know when it is durable: that it cannot be stored is only logged.

        Raises StoreOverloaded, StoreUnavailable.
        """
        self._writer.submit(Write(append=append, patient=append.patient))

    async def call(self, call_id: str) -> CallRow | None:
        """The row of one call."""
        return await self._read(lambda connection: queries.read_call(connection, call_id))

    async def calls(
        self, wanted: CallFilter, *, limit: int = 50, offset: int = 0, after: Cursor | None = None
    ) -> list[CallRow]:
        """A page of calls, newest first: by offset, or what follows a cursor (`page_cursor` of a row)."""
        limit = max(0, min(limit, _MAX_PAGE))
        return await self._read(
            lambda connection: queries.read_calls(connection, wanted, limit, offset, after)
        )

    async def page(
        self, wanted: CallFilter, *, limit: int = 50, offset: int = 0
    ) -> tuple[list[CallRow], int]:
        """A page of calls as `wanted.order` says, and how many there are on all pages."""
        limit = max(0, min(limit, _MAX_PAGE))
        return await self._read(lambda connection: queries.read_page(connection, wanted, limit, offset))

    async def count(self, wanted: CallFilter) -> int:
        """How many calls a filter leaves."""
        return await self._read(lambda connection: queries.count_calls(connection, wanted))

    async def open_calls(self) -> list[CallRow]:
        """Every call that has not ended, oldest first: what a restart has to finish."""
        return await self._read(queries.read_open_calls)

    async def events(self, call_id: str, *, after: int = -1) -> list[StoredEvent]:
        """A call's log in order, from the sequence number that follows `after`."""
        return await self._read(lambda connection: queries.read_events(connection, call_id, after))

    async def delete_call(self, call_id: str) -> bool:
        """Remove a call with its events and deliveries; whether it was there."""
        removed: int = await self._change(lambda connection: queries.delete_calls(connection, [call_id]))
        return removed > 0

    async def prune(self, before: float, *, piece: int = 200, release: Release | None = None) -> int:
        """Remove the calls that ended before a moment, `piece` by `piece` so that no commit waits long.

        `release` removes the files of these recordings first; calls that it could not do so for stay.
        """
        total, stay = 0, 0
        while True:
            ids = await self._read(partial(queries.expired_calls, before=before, limit=piece, offset=stay))
            if not ids:
                return total
            kept = await self._released(ids, release)
            stay += len(kept)
            gone = [id for id in ids if id not in kept]
            total += await self._change(partial(queries.delete_calls, ids=gone))

    async def _released(self, ids: list[str], release: Release | None) -> set[str]:
        """Have the files of these calls' recordings removed; the calls where that failed."""
        rows = await self.recordings_of(ids)
        kept = await release(rows) if release is not None and rows else set()
        return {row.call_id for row in rows if row.id in kept}

    # -- recordings

    async def recording(self, recording_id: str) -> RecordingRow | None:
        """The row of one recording."""
        return await self._read(partial(recording_queries.read_recording, recording_id=recording_id))

    async def recordings(
        self, wanted: RecordingFilter, *, limit: int = 50, offset: int = 0
    ) -> list[RecordingRow]:
        """A page of recordings, newest first or as `wanted.order` says."""
        page = partial(recording_queries.read_recordings, wanted=wanted, limit=limit, offset=offset)
        return await self._read(page)

    async def count_recordings(self, wanted: RecordingFilter) -> int:
        """How many recordings a filter leaves."""
        return await self._read(partial(recording_queries.count_recordings, wanted=wanted))

    async def recordings_of(self, call_ids: list[str]) -> list[RecordingRow]:
        """The recordings of some calls."""
        return await self._read(partial(recording_queries.read_recordings_of, call_ids=call_ids))

    async def unsettled_recordings(self) -> list[RecordingRow]:
        """Every recording about which there is still something to do: what a restart has to finish."""
        return await self._read(recording_queries.read_unsettled)

    def put_recording(self, row: RecordingRow) -> asyncio.Future[None]:
        """Store a recording's row for itself, where no event of its call goes with it."""
        statement, columns = self._statements.recording_upsert, storable(recording_columns(row))
        return self._change(lambda connection: _run(connection, statement, columns))

    async def delete_recording(self, recording_id: str) -> bool:
        """Remove a recording's row; whether it was there."""
        remove = partial(recording_queries.delete_recordings, ids=[recording_id])
        removed: int = await self._change(remove)
        return removed > 0

    async def prune_recordings(self, before: float, *, release: Release, piece: int = 200) -> int:
        """Remove the recordings made before a moment, whatever becomes of their calls. See `prune`."""
        total, stay = 0, 0
        while True:
            expired = partial(
                recording_queries.read_expired_recordings, before=before, limit=piece, offset=stay
            )
            rows = await self._read(expired)
            if not rows:
                return total
            kept = await release(rows)
            stay += len(kept)
            gone = [row.id for row in rows if row.id not in kept]
            total += await self._change(partial(recording_queries.delete_recordings, ids=gone))

    # -- deliveries

    async def pending(self, *, limit: int = 100_000) -> list[StoredDelivery]:
        """The deliveries still due, oldest first; those of one stream in their order."""
        return await self._read(lambda connection: queries.read_pending(connection, limit))

    async def deliveries(self, call_id: str) -> list[StoredDelivery]:
        """Every delivery of one call: due, done, given up."""
        return await self._read(lambda connection: queries.read_deliveries(connection, call_id))

    def mark_delivered(
        self, id: str, *, attempts: int, http_status: int | None = None
    ) -> asyncio.Future[None]:
        """It arrived: `http_status` is the answer."""
        return self._settle(id, status="delivered", attempts=attempts, http_status=http_status)

    def mark_failed(
        self, id: str, why: str, *, attempts: int, http_status: int | None = None
    ) -> asyncio.Future[None]:
        """It is given up."""
        return self._settle(id, status="failed", attempts=attempts, http_status=http_status, error=why)

    def reschedule(
        self, id: str, not_before: float, *, attempts: int, error: str | None = None
    ) -> asyncio.Future[None]:
        """It stays due, to be tried again at a moment (seconds since the epoch)."""
        return self._settle(id, status="pending", attempts=attempts, not_before=not_before, error=error)

    def _settle(
        self,
        id: str,
        *,
        status: str,
        attempts: int,
        not_before: float = 0.0,
        http_status: int | None = None,
        error: str | None = None,
    ) -> asyncio.Future[None]:
        settlement = Settlement(id, (status, attempts, not_before, http_status, error), time.time())
        return self._submit(Write(settlement=settlement, patient=True))

    # -- objects

    async def list_objects(
        self,
        kind: str,
        *,
        account_id: str | None = None,
        name: str | None = None,
        limit: int = 1_000_000,
        offset: int = 0,
    ) -> list[StoredObject]:
        """The objects of a kind in the order in which they were made; of one account, of one name, or all."""
        return await self._read(
            lambda connection: queries.read_objects(connection, kind, account_id, name, limit, offset)
        )

    def put_object(self, value: StoredObject) -> asyncio.Future[None]:
        """Store an object, over one of the same kind and identifier (whose `created_at` stays)."""
        now = time.time()
        columns = object_columns(value)
        columns["created_at"] = value.created_at or now
        columns["updated_at"] = value.updated_at or now
        statement = self._statements.object_upsert
        return self._change(lambda connection: _run(connection, statement, columns))

    def delete_object(self, kind: str, id: str) -> asyncio.Future[None]:
        """Remove an object; one that is not there is no error."""
        statement = self._statements.object_delete
        key = {"key_kind": kind, "key_id": id}
        return self._change(lambda connection: _run(connection, statement, key))

    # -- trace

    def trace(self, call_id: str, at: float, kind: str, data: bytes | str) -> None:
        """Note a line for people to look at. Never blocks; lost when the trace cannot keep up."""
        raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
        self._trace.put(TraceEntry(call_id, at, kind, raw))

    def forget_traces(self, before: float) -> None:
        """Forget the lines from before a moment, some time soon."""
        self._trace.forget(before)

    async def traces(self, call_id: str) -> list[TraceEntry]:
        """The lines of one call that are still kept, in order."""
        return await self._trace.read(call_id)

    # -- inside

    def _change(self, change: Callable[[Connection], Any]) -> asyncio.Future[Any]:
        return self._submit(Write(change=change))

    def _submit(self, write: Write) -> asyncio.Future[Any]:
        future = write.future = asyncio.get_running_loop().create_future()
        self._writer.submit(write)
        return future

    async def _read(self, query: Callable[[Connection], ResultT]) -> ResultT:
        def run() -> ResultT:
            with self._engine.connect() as connection:
                return query(connection)

        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, run)
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"the database cannot be read: {error}") from error


def page_cursor(row: CallRow) -> Cursor:
    """Where the page after this row begins."""
    return Cursor(row.created_at, row.id)


def _prepare(data: Path, database: bool, trace: bool) -> None:
    """The folder, and the files in it that there will be, for nobody but us. Raises OSError."""
    data_folder(data)
    if database:
        own_database(data / SQLITE_FILE)
    if trace:
        own_database(data / TRACE_FILE)


def _run(connection: Connection, statement: Any, columns: Columns) -> None:
    connection.execute(statement, columns)
