"""One group commit: many writes, few statements, one transaction."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import DBAPICursor

from ringback.store.columns import (
    call_values,
    delivery_values,
    event_values,
    recording_columns,
    storable,
    storable_values,
)
from ringback.store.records import Append, CallRow
from ringback.store.statements import Statements, Values
from ringback.store.writing import WritingConnection

Columns = dict[str, Any]


class Settlement(msgspec.Struct, frozen=True):
    """What came of trying a delivery: the values of `statements.SETTLED`, but for the moment."""

    id: str
    outcome: Values
    at: float


class Write(msgspec.Struct, eq=False):
    """What one caller wants stored, and the future that tells it, if it waits. `change` is what is not in
    bulk."""

    append: Append | None = None
    settlement: Settlement | None = None
    change: Callable[[Connection], Any] | None = None
    patient: bool = False  # it may wait for company
    future: asyncio.Future[Any] | None = None


@dataclass(slots=True)
class _Bulk:
    events: list[Values] = field(default_factory=list)
    calls: list[Values] = field(default_factory=list)
    deliveries: list[Values] = field(default_factory=list)
    recordings: dict[str, Columns] = field(default_factory=dict)  # the last row of each, too
    settlements: dict[str, Settlement] = field(default_factory=dict)  # and the last of each delivery


def commit(
    database: WritingConnection, statements: Statements, writes: Sequence[Write], *, retried: bool
) -> list[Any]:
    """Store all writes in one transaction; the result of each (None but for a `change`)."""
    return _store(database, statements, _bulk(writes), writes, retried)


def commit_singly(
    database: WritingConnection, statements: Statements, writes: Sequence[Write], *, retried: bool
) -> list[Any]:
    """Store each write in its own transaction, so that one the database refuses takes no other with it.

    The refused one's result is its exception. An outage is raised: nothing can be stored then.
    """
    results: list[Any] = []
    for write in writes:
        try:
            results += _store(database, statements, _cleaned(_bulk([write])), [write], retried)
        except Exception as error:
            if database.is_outage(error):
                raise
            results.append(error)
    return results


def _store(
    database: WritingConnection, statements: Statements, bulk: _Bulk, writes: Sequence[Write], retried: bool
) -> list[Any]:
    with database.transaction() as connection:
        with closing(connection.connection.cursor()) as cursor:
            _execute(cursor, statements, bulk, retried)
        if bulk.recordings:
            connection.execute(statements.recording_upsert, list(bulk.recordings.values()))
        return [None if write.change is None else write.change(connection) for write in writes]


def _bulk(writes: Sequence[Write]) -> _Bulk:
    bulk = _Bulk()
    rows: dict[str, CallRow] = {}  # the last row of each call wins
    for write in writes:
        append = write.append
        if append is not None:
            bulk.events.append(event_values(append))
            bulk.deliveries += map(delivery_values, append.deliveries)
            if append.row is not None:
                rows[append.row.id] = append.row
            for recording in append.recordings:
                bulk.recordings[recording.id] = recording_columns(recording)
        if write.settlement is not None:
            bulk.settlements[write.settlement.id] = write.settlement
    bulk.calls += map(call_values, rows.values())
    return bulk


def _cleaned(bulk: _Bulk) -> _Bulk:
    return _Bulk(
        events=list(map(storable_values, bulk.events)),
        calls=list(map(storable_values, bulk.calls)),
        deliveries=list(map(storable_values, bulk.deliveries)),
        recordings={key: storable(columns) for key, columns in bulk.recordings.items()},
        settlements={
            key: Settlement(storable_values((one.id,))[0], storable_values(one.outcome), one.at)
            for key, one in bulk.settlements.items()
        },
    )


def _execute(cursor: DBAPICursor, statements: Statements, bulk: _Bulk, retried: bool) -> None:
    insert = statements.event_insert_retried if retried else statements.event_insert
    insert.run(cursor, bulk.events)
    statements.call_upsert.run(cursor, bulk.calls)
    statements.delivery_insert.run(cursor, bulk.deliveries)
    _settle(cursor, statements, bulk.settlements.values())


def _settle(cursor: DBAPICursor, statements: Statements, settlements: Iterable[Settlement]) -> None:
    """Most ended alike: they are written together, as of the last one's moment."""
    alike: defaultdict[Values, list[Settlement]] = defaultdict(list)
    for settlement in settlements:
        alike[settlement.outcome].append(settlement)
    for outcome, group in alike.items():
        first = (*outcome, max(one.at for one in group))
        statements.delivery_update.run(cursor, [(one.id,) for one in group], first)
