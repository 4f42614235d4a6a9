"""The trace: what people look at, bounded and lossy, in a SQLite file of its own beside either database.

Nothing depends on it: it is not synchronised to the disk, drops lines when it cannot keep up, forgets the
oldest when it is full, and starts anew when its file is damaged.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue

from ringback.store.privacy import own_database
from ringback.store.records import TraceEntry

_log = logging.getLogger(__name__)

TRACE_FILE = "trace.sqlite"
_FLUSH_SECONDS = 0.2
_QUEUE_LIMIT = 20_000
_ENTRY_LIMIT = 64 * 1024  # bytes kept of one line
_FORGET_ROWS = 500  # forgotten at a time
_READ_PATIENCE = 2.0  # seconds that a reader waits for the newest lines
_SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=OFF;
CREATE TABLE IF NOT EXISTS trace (
    id INTEGER PRIMARY KEY, call_id TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS trace_by_call ON trace (call_id, id);
"""


class TraceLog:
    """Written by a thread of its own, at most a flush every fifth of a second, none while there is nothing to
    do; `limit` is in bytes of traced data."""

    def __init__(self, data: Path, limit: int) -> None:
        self._path = data / TRACE_FILE
        self._limit = limit
        self._queue: SimpleQueue[TraceEntry | threading.Event] = SimpleQueue()
        self._due = threading.Event()  # there is something to do
        self._hurry = threading.Event()  # and somebody waits for it
        self._closed = limit <= 0
        self._forget_before = 0.0
        self.dropped = 0  # lines lost since the start
        self._thread = threading.Thread(target=self._run, name="ringback-trace", daemon=True)
        if not self._closed:
            self._thread.start()

    def put(self, entry: TraceEntry) -> None:
        """Queue a line, or drop it when too many wait."""
        if self._closed or self._queue.qsize() >= _QUEUE_LIMIT:
            self.dropped += 1
            return
        self._queue.put(entry)
        if not self._due.is_set():
            self._due.set()

    def forget(self, before: float) -> None:
        """Forget the lines that are older than a moment (seconds since the epoch), some time soon."""
        self._forget_before = before
        self._due.set()

    async def read(self, call_id: str) -> list[TraceEntry]:
        """The lines of one call in the order in which they were put, the newest included."""
        return await asyncio.to_thread(self._read, call_id)

    async def close(self) -> None:
        """Write what is queued and stop."""
        self._closed = True
        self._at_once()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _read(self, call_id: str) -> list[TraceEntry]:
        if self._thread.is_alive():
            written = threading.Event()
            self._queue.put(written)
            self._at_once()
            written.wait(_READ_PATIENCE)
        if not self._path.exists():
            return []
        with closing(sqlite3.connect(self._path)) as connection:
            query = "SELECT call_id, at, kind, data FROM trace WHERE call_id = ? ORDER BY id"
            return [TraceEntry(*row) for row in connection.execute(query, (call_id,))]

    def _at_once(self) -> None:
        self._hurry.set()
        self._due.set()

    # -- the thread

    def _run(self) -> None:
        try:
            with closing(_open(self._path)) as connection:
                (size,) = connection.execute("SELECT coalesce(sum(length(data)), 0) FROM trace").fetchone()
                while not self._closed:
                    self._due.wait()
                    self._hurry.wait(_FLUSH_SECONDS)  # what else comes meanwhile is written with it
                    self._due.clear()
                    self._hurry.clear()
                    size = self._flush(connection, size)
                    if self._forget_before:  # a piece at a time, so that what is new is not kept waiting
                        self._due.set()
                self._flush(connection, size)  # what came before the end
        except sqlite3.Error as error:
            self._closed = True
            _log.warning("no trace is kept any more: %s", error)

    def _flush(self, connection: sqlite3.Connection, size: int) -> int:
        """Write what waits, forget what is too much; the bytes held afterwards."""
        entries, readers = self._gather()
        if entries:
            rows = [(e.call_id, e.at, e.kind, e.data[:_ENTRY_LIMIT]) for e in entries]
            with connection:
                connection.executemany(
                    "INSERT INTO trace (call_id, at, kind, data) VALUES (?, ?, ?, ?)", rows
                )
            size += sum(len(row[3]) for row in rows)
        while size > self._limit:
            size -= _forget(connection)
        size -= self._forget_old(connection)
        for reader in readers:
            reader.set()
        return size

    def _forget_old(self, connection: sqlite3.Connection) -> int:
        """Delete some of the lines that are too old; the bytes that they held."""
        before = self._forget_before
        if not before:
            return 0
        (oldest,) = connection.execute("SELECT at FROM trace ORDER BY id LIMIT 1").fetchone() or (before,)
        if oldest < before:
            return _forget(connection, before)
        self._forget_before = 0.0
        return 0

    def _gather(self) -> tuple[list[TraceEntry], list[threading.Event]]:
        entries: list[TraceEntry] = []
        readers: list[threading.Event] = []
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                return entries, readers
            if isinstance(item, TraceEntry):
                entries.append(item)
            else:
                readers.append(item)


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _prepared(path)
    except sqlite3.DatabaseError as error:
        _log.warning("the trace starts anew, its file was damaged: %s", error)
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        own_database(path)
        return _prepared(path)


def _prepared(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10)
    try:
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _forget(connection: sqlite3.Connection, before: float = math.inf) -> int:
    """Delete the oldest lines; the bytes that they held (at least 1, so that a caller's loop ends)."""
    oldest = connection.execute(
        "SELECT id, length(data) FROM (SELECT id, at, data FROM trace ORDER BY id LIMIT ?) WHERE at < ?",
        (_FORGET_ROWS, before),
    ).fetchall()
    if oldest:
        with connection:
            connection.execute("DELETE FROM trace WHERE id <= ?", (oldest[-1][0],))
    freed: int = sum(length for _, length in oldest)
    return max(1, freed)
