"""One group commit: many writes, few statements, one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError

from ringback.store.columns import call_columns, delivery_columns, recording_columns, storable
from ringback.store.records import Append
from ringback.store.statements import Statements

Columns = dict[str, Any]


@dataclass(slots=True, eq=False)
class Write:
    """What one caller wants stored, and the future that tells it. `change` is what is not in bulk."""

    future: asyncio.Future[Any]
    append: Append | None = None
    settlements: Sequence[Columns] = ()  # updates of deliveries, see Statements.delivery_update
    change: Callable[[Connection], Any] | None = None
    patient: bool = False  # nobody waits for it: it may wait for company


@dataclass(slots=True)
class _Bulk:
    events: list[Columns] = field(default_factory=list)
    calls: dict[str, Columns] = field(default_factory=dict)  # the last row of each call wins
    deliveries: list[Columns] = field(default_factory=list)
    recordings: dict[str, Columns] = field(default_factory=dict)  # the last row of each, too
    settlements: list[Columns] = field(default_factory=list)


def commit(engine: Engine, statements: Statements, writes: Sequence[Write], *, retried: bool) -> list[Any]:
    """Store all writes in one transaction; the result of each (None but for a `change`)."""
    bulk = _collect(writes)
    with engine.begin() as connection:
        _execute(connection, statements, bulk, retried)
        return [None if write.change is None else write.change(connection) for write in writes]


def commit_singly(
    engine: Engine, statements: Statements, writes: Sequence[Write], *, retried: bool
) -> list[Any]:
    """Store each write in its own transaction, so that one the database refuses takes no other with it.

    The refused one's result is its exception. An outage is raised: nothing can be stored then.
    """
    results: list[Any] = []
    for write in writes:
        bulk = _collect([write], clean=True)
        try:
            with engine.begin() as connection:
                _execute(connection, statements, bulk, retried)
                results.append(None if write.change is None else write.change(connection))
        except Exception as error:
            if is_outage(error):
                raise
            results.append(error)
    return results


def is_outage(error: Exception) -> bool:
    """Whether the database as a whole cannot be written: disk full, connection lost, file damaged."""
    if isinstance(error, IntegrityError | DataError):
        return False
    if isinstance(error, OperationalError | InterfaceError):
        return True
    # Damaged or foreign files are reported as plain DatabaseError; its other children are mistakes of ours.
    return type(error) is DatabaseError or isinstance(error, OSError)


def _collect(writes: Sequence[Write], *, clean: bool = False) -> _Bulk:
    bulk = _Bulk()
    for write in writes:
        if write.append is not None:
            _collect_append(bulk, write.append)
        bulk.settlements += write.settlements
    if clean:
        bulk.events = [storable(columns) for columns in bulk.events]
        bulk.calls = {key: storable(columns) for key, columns in bulk.calls.items()}
        bulk.deliveries = [storable(columns) for columns in bulk.deliveries]
        bulk.recordings = {key: storable(columns) for key, columns in bulk.recordings.items()}
        bulk.settlements = [storable(columns) for columns in bulk.settlements]
    return bulk


def _collect_append(bulk: _Bulk, append: Append) -> None:
    bulk.events.append(
        {
            "call_id": append.call_id,
            "sequence": append.sequence,
            "kind": append.kind,
            "at": append.at,
            "payload": append.payload,
        }
    )
    if append.row is not None:
        bulk.calls[append.row.id] = call_columns(append.row)
    bulk.deliveries += map(delivery_columns, append.deliveries)
    bulk.recordings |= {row.id: recording_columns(row) for row in append.recordings}


def _execute(connection: Connection, statements: Statements, bulk: _Bulk, retried: bool) -> None:
    if bulk.events:
        insert = statements.event_insert_retried if retried else statements.event_insert
        connection.execute(insert, bulk.events)
    if bulk.calls:
        connection.execute(statements.call_upsert, list(bulk.calls.values()))
    if bulk.deliveries:
        connection.execute(statements.delivery_insert, bulk.deliveries)
    if bulk.recordings:
        connection.execute(statements.recording_upsert, list(bulk.recordings.values()))
    if bulk.settlements:
        connection.execute(statements.delivery_update, bulk.settlements)
