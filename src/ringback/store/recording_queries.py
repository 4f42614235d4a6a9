"""What is read of recordings: one, by filter and page, the unfinished ones, those of calls."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select

from ringback.store.columns import recording_row
from ringback.store.records import RecordingFilter, RecordingRow
from ringback.store.schema import recordings

RECORDING_ORDERS: dict[str, ColumnElement[Any]] = {
    "created_at": recordings.c.created_at,
    "duration": recordings.c.duration,
    "call_id": recordings.c.call_id,
}
"""What recordings can be sorted by."""


def read_recording(connection: Connection, recording_id: str) -> RecordingRow | None:
    """One recording by its identifier."""
    found = connection.execute(select(recordings).where(recordings.c.id == recording_id)).mappings().first()
    return None if found is None else recording_row(found)


def read_recordings(
    connection: Connection, wanted: RecordingFilter, limit: int, offset: int
) -> list[RecordingRow]:
    """A page of recordings in the wanted order."""
    statement = _narrowed(select(recordings), wanted).order_by(*_order(wanted.order))
    return _rows(connection, statement.limit(limit).offset(offset))


def count_recordings(connection: Connection, wanted: RecordingFilter) -> int:
    """How many recordings a filter leaves."""
    statement = _narrowed(select(func.count()).select_from(recordings), wanted)
    count: int = connection.execute(statement).scalar_one()
    return count


def read_unsettled(connection: Connection) -> list[RecordingRow]:
    """Every recording about which there is still something to do, oldest first."""
    statement = select(recordings).where(recordings.c.settled_at.is_(None))
    return _rows(connection, statement.order_by(recordings.c.created_at))


def read_recordings_of(connection: Connection, call_ids: list[str]) -> list[RecordingRow]:
    """The recordings of some calls."""
    return _rows(connection, select(recordings).where(recordings.c.call_id.in_(call_ids)))


def read_expired_recordings(
    connection: Connection, before: float, limit: int, offset: int
) -> list[RecordingRow]:
    """Recordings made before a moment with which all is done, oldest first."""
    statement = select(recordings).where(
        recordings.c.created_at < before, recordings.c.settled_at.is_not(None)
    )
    ordered = statement.order_by(recordings.c.created_at, recordings.c.id)
    return _rows(connection, ordered.limit(limit).offset(offset))


def delete_recordings(connection: Connection, ids: list[str]) -> int:
    """Remove recordings; how many there were."""
    return connection.execute(delete(recordings).where(recordings.c.id.in_(ids))).rowcount


def _rows(connection: Connection, statement: Select[Any]) -> list[RecordingRow]:
    return [recording_row(columns) for columns in connection.execute(statement).mappings()]


def _order(order: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The columns to sort by; unknown words mean newest first."""
    if order == "oldest":
        return recordings.c.created_at.asc(), recordings.c.id.asc()
    column = RECORDING_ORDERS.get(order.removeprefix("-"))
    if column is None:
        return recordings.c.created_at.desc(), recordings.c.id.desc()
    return (column.desc() if order.startswith("-") else column.asc()), recordings.c.id.desc()


def _narrowed(statement: Select[Any], wanted: RecordingFilter) -> Select[Any]:
    # SQLite would begin with the account's; an expression has no index.
    account = recordings.c.account_id.concat("") if wanted.calls else recordings.c.account_id
    choices: tuple[tuple[ColumnElement[Any], tuple[str, ...]], ...] = (
        (account, wanted.accounts),
        (recordings.c.call_id, wanted.calls),
        (recordings.c.status, wanted.statuses),
    )
    conditions: list[ColumnElement[bool]] = [column.in_(values) for column, values in choices if values]
    if wanted.created_from is not None:
        conditions.append(recordings.c.created_at >= wanted.created_from)
    if wanted.created_to is not None:
        conditions.append(recordings.c.created_at < wanted.created_to)
    if wanted.transcribed:
        conditions.append(recordings.c.transcribed)
    return statement.where(*conditions)
