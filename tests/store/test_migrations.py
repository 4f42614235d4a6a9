"""The tables: up from nothing, the same as the schema says, never down by accident."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import column as sa_column
from sqlalchemy import insert, table, text
from tests.store.making import recording, recording_id

import ringback.store
from ringback.store import RecordingFilter, Store, StoreError
from ringback.store.columns import recording_columns
from ringback.store.database import database_url, writing_engine
from ringback.store.migrate import HEAD, current_revision, migrate
from ringback.store.schema import metadata, recordings


def test_the_newest_step_is_the_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(ringback.store.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_an_empty_database_gets_the_tables_of_the_schema(url: str, data: Path) -> None:
    await asyncio.to_thread(_migrate_and_compare, url, data)


def _migrate_and_compare(url: str, data: Path) -> None:
    data.mkdir()
    engine = writing_engine(database_url(url, data))
    try:
        migrate(engine)
        migrate(engine)  # nothing to do is no error
        with engine.connect() as connection:
            assert current_revision(connection) == HEAD
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    finally:
        engine.dispose()


async def test_recordings_of_before_are_known_to_be_transcribed(url: str, data: Path) -> None:
    await asyncio.to_thread(_store_at, "0002", url, data)
    async with await Store.open(url, data) as store:
        found = await store.recordings(RecordingFilter(transcribed=True))
        everything = await store.recordings(RecordingFilter())
    assert [row.id for row in found] == [recording_id(2)]
    assert len(everything) == 4


def _store_at(revision: str, url: str, data: Path) -> None:
    """A database of an earlier version, with recordings that were to be transcribed, or not."""
    hook = {"url": "http://app.test/", "method": "POST"}
    fields: list[dict[str, Any]] = [
        {"plan": {"transcription": None, "upload": {"url": '"transcription":{'}}},
        {"plan": {"transcription": hook}},
        {"plan": {"transcription": hook}, "location": ""},
        {"plan": None},
    ]
    data.mkdir()
    engine = writing_engine(database_url(url, data))
    rows = [recording_columns(recording(number, **more)) for number, more in enumerate(fields, 1)]
    columns = [column for column in recordings.c if column.name != "transcribed"]
    config = Config()
    config.set_main_option("script_location", str(Path(ringback.store.__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            then = table("recordings", *(sa_column(each.name) for each in columns))
            for row in rows:
                connection.execute(insert(then).values({each.name: row[each.name] for each in columns}))
    finally:
        engine.dispose()


async def test_two_servers_may_start_at_once(url: str, data: Path) -> None:
    first, second = await asyncio.gather(Store.open(url, data), Store.open(url, data))
    await first.close()
    await second.close()


async def test_a_newer_database_is_refused(data: Path) -> None:
    async with await Store.open("sqlite", data):
        pass
    engine = writing_engine(database_url("sqlite", data))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="cannot be brought to revision"):
        await Store.open("sqlite", data)


async def test_sqlite_is_as_durable_as_promised(data: Path) -> None:
    async with await Store.open("sqlite", data) as store:
        with store._writer.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
