"""Engines: the one that writes and the one that reads, over SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from ringback.store.errors import StoreError

SQLITE_FILE = "ringback.sqlite"
_BUSY_TIMEOUT_MS = 10_000


def database_url(url: str, data: Path) -> URL:
    """What SQLAlchemy is given for "sqlite" (a file in `data`) or "postgresql://…". Raises StoreError."""
    if url == "sqlite":
        return URL.create("sqlite", database=str(data / SQLITE_FILE))
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"database: expected sqlite or postgresql://…, got {url!r}") from error
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreError(f"database: expected sqlite or postgresql://…, got {parsed.render_as_string()!r}")


def writing_engine(url: URL) -> Engine:
    """One connection, real transactions, every commit on the disk before it is reported."""
    engine = _engine(url, pool_size=1, max_overflow=0)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "begin", _begin_immediate)
    return engine


def reading_engine(url: URL, connections: int) -> Engine:
    """Connections that read what is committed, each statement on its own."""
    if url.get_backend_name() == "sqlite":
        return _engine(url, pool_size=connections, max_overflow=0)
    return _engine(
        url, pool_size=connections, max_overflow=0, isolation_level="AUTOCOMMIT", pool_pre_ping=True
    )


def _engine(url: URL, **options: Any) -> Engine:
    if url.get_backend_name() != "sqlite":
        try:
            return create_engine(url, connect_args={"connect_timeout": 5}, **options)
        except ModuleNotFoundError as error:
            raise StoreError(
                "PostgreSQL needs psycopg 3, which is not installed: pip install 'ringback[postgres]'"
            ) from error
    # The driver must not open transactions of its own accord: BEGIN is ours.
    engine = create_engine(url, connect_args={"check_same_thread": False, "isolation_level": None}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Change the journal's mode. SQLite does not let its busy time-out cover that change, so we wait here."""
    until = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)  # in the thread that opens the database, never on the event loop
        else:
            return


def _begin_immediate(connection: Connection) -> None:
    # Take the write lock at once: a transaction that begins as a reader may fail half-way with "locked".
    connection.exec_driver_sql("BEGIN IMMEDIATE")
