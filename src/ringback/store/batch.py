"""One group commit: many writes, few statements, one transaction."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError

from ringback.store.columns import (
    call_values,
    delivery_values,
    event_values,
    recording_columns,
    storable,
    storable_values,
)
from ringback.store.records import Append
from ringback.store.statements import Statements, Values

Columns = dict[str, Any]


@dataclass(slots=True, frozen=True)
class Settlement:
    """What came of trying a delivery: the values of `statements.SETTLED`, but for the moment."""

    id: str
    outcome: Values
    at: float


@dataclass(slots=True, eq=False)
class Write:
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
    calls: dict[str, Values] = field(default_factory=dict)  # the last row of each call wins
    deliveries: list[Values] = field(default_factory=list)
    recordings: dict[str, Columns] = field(default_factory=dict)  # the last row of each, too
    settlements: dict[str, Settlement] = field(default_factory=dict)  # and the last of each delivery


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
        if write.settlement is not None:
            bulk.settlements[write.settlement.id] = write.settlement
    return _cleaned(bulk) if clean else bulk


def _collect_append(bulk: _Bulk, append: Append) -> None:
    bulk.events.append(event_values(append))
    if append.row is not None:
        bulk.calls[append.row.id] = call_values(append.row)
    if append.deliveries:
        bulk.deliveries += map(delivery_values, append.deliveries)
    for row in append.recordings:
        bulk.recordings[row.id] = recording_columns(row)


def _cleaned(bulk: _Bulk) -> _Bulk:
    return _Bulk(
        events=list(map(storable_values, bulk.events)),
        calls={key: storable_values(values) for key, values in bulk.calls.items()},
        deliveries=list(map(storable_values, bulk.deliveries)),
        recordings={key: storable(columns) for key, columns in bulk.recordings.items()},
        settlements={
            key: Settlement(storable_values((one.id,))[0], storable_values(one.outcome), one.at)
            for key, one in bulk.settlements.items()
        },
    )


def _execute(connection: Connection, statements: Statements, bulk: _Bulk, retried: bool) -> None:
    insert = statements.event_insert_retried if retried else statements.event_insert
    insert.run(connection, bulk.events)
    statements.call_upsert.run(connection, list(bulk.calls.values()))
    statements.delivery_insert.run(connection, bulk.deliveries)
    if bulk.recordings:
        connection.execute(statements.recording_upsert, list(bulk.recordings.values()))
    _settle(connection, statements, bulk.settlements.values())


def _settle(connection: Connection, statements: Statements, settlements: Iterable[Settlement]) -> None:
    """Most ended alike: they are written together, as of the last one's moment."""
    alike: defaultdict[Values, list[Settlement]] = defaultdict(list)
    for settlement in settlements:
        alike[settlement.outcome].append(settlement)
    for outcome, group in alike.items():
        first = (*outcome, max(one.at for one in group))
        statements.delivery_update.run(connection, [(one.id,) for one in group], first)
