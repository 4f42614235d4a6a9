"""What is read: calls by filter and page, events, due deliveries, objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Delete,
    Select,
    and_,
    delete,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.base import ColumnCollection

from ringback.store.columns import call_row, delivery_row, object_row
from ringback.store.records import (
    CallFilter,
    CallRow,
    Cursor,
    StoredDelivery,
    StoredEvent,
    StoredObject,
)
from ringback.store.schema import calls, deliveries, events, objects, recordings

ORDERS: dict[str, ColumnElement[Any]] = {
    "created_at": calls.c.created_at,
    "from": calls.c.from_,
    "to": calls.c.to,
    "direction": calls.c.direction,
    "status": calls.c.status,
    "duration": func.coalesce(calls.c.ended_at - calls.c.answered_at, 0),
}
"""What calls can be sorted by."""
BY_TIME = ("newest", "oldest")
_AHEAD = 500
"""How many calls past a page are looked for: if there are no more, they are counted with that."""


def read_call(connection: Connection, call_id: str) -> CallRow | None:
    """One call by its identifier."""
    found = connection.execute(select(calls).where(calls.c.id == call_id)).first()
    return None if found is None else call_row(found)


def read_calls(
    connection: Connection, wanted: CallFilter, limit: int, offset: int, after: Cursor | None
) -> list[CallRow]:
    """A page of calls in the wanted order; `after` goes with the order newest first only."""
    if wanted.order not in BY_TIME:
        return _rows_of(connection, _identifiers(connection, wanted, limit, offset))
    statement = _by_time(select(calls), wanted, after).limit(limit).offset(offset)
    return list(map(call_row, connection.execute(statement)))


def read_page(
    connection: Connection, wanted: CallFilter, limit: int, offset: int
) -> tuple[list[CallRow], int]:
    """A page of calls in the wanted order, and how many there are on all pages."""
    # A filter that leaves few calls has to look at all of them: once is enough.
    found = _identifiers(connection, wanted, limit + _AHEAD, offset)
    complete = len(found) < limit + _AHEAD and (found or not offset)
    total = offset + len(found) if complete else count_calls(connection, wanted)
    return _rows_of(connection, found[:limit]), total


def _identifiers(connection: Connection, wanted: CallFilter, limit: int, offset: int) -> list[str]:
    """Of a page of calls. An index holds all that is needed for it."""
    statement: Select[Any] | CompoundSelect[Any]
    if wanted.order in BY_TIME:
        statement = _by_time(select(calls.c.id, calls.c.created_at), wanted, None)
    else:
        statement = _narrowed(select(calls.c.id), wanted).order_by(*_order(wanted.order, calls.c))
    return list(connection.execute(statement.limit(limit).offset(offset)).scalars())


def _rows_of(connection: Connection, ids: Sequence[str]) -> list[CallRow]:
    """These calls, in this order."""
    found = map(call_row, connection.execute(select(calls).where(calls.c.id.in_(ids))))
    rows = {row.id: row for row in found}
    return [rows[id] for id in ids if id in rows]  # one may have been deleted meanwhile


def _by_time(
    columns: Select[Any], wanted: CallFilter, after: Cursor | None
) -> Select[Any] | CompoundSelect[Any]:
    parts = [_narrowed(columns, each) for each in _apart(wanted)]
    if after is not None:
        older = calls.c.created_at < after.created_at
        tied = and_(calls.c.created_at == after.created_at, calls.c.id < after.id)
        parts = [part.where(or_(older, tied)) for part in parts]
    if len(parts) == 1:
        return parts[0].order_by(*_order(wanted.order, calls.c))
    merged = union_all(*parts)
    return merged.order_by(*_order(wanted.order, merged.selected_columns))


def _apart(wanted: CallFilter) -> list[CallFilter]:
    """The same calls as filters that name one number each: each is a walk along an index in the wanted order,
    where SQLite would read all calls of the account for one of two numbers."""
    for name in ("from_", "to"):
        numbers: tuple[str, ...] = getattr(wanted, name)
        if len(numbers) > 1:
            return [msgspec.structs.replace(wanted, **{name: (number,)}) for number in numbers]
    return [wanted]


def _order(order: str, columns: ColumnCollection[str, Any]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The columns to sort by; unknown words mean newest first."""
    if order == "oldest":
        return columns.created_at.asc(), columns.id.asc()
    column = ORDERS.get(order.removeprefix("-"))
    if column is None:
        return columns.created_at.desc(), columns.id.desc()
    return (column.desc() if order.startswith("-") else column.asc()), calls.c.id.desc()


def count_calls(connection: Connection, wanted: CallFilter) -> int:
    """How many calls a filter leaves."""
    count: int = connection.execute(_narrowed(select(func.count()).select_from(calls), wanted)).scalar_one()
    return count


def read_open_calls(connection: Connection) -> list[CallRow]:
    """Every call that has not ended, oldest first."""
    statement = select(calls).where(calls.c.ended_at.is_(None)).order_by(calls.c.created_at)
    return list(map(call_row, connection.execute(statement)))


def read_events(connection: Connection, call_id: str, after: int) -> list[StoredEvent]:
    """A call's events with a sequence above `after`, in order."""
    statement = (
        select(events)
        .where(events.c.call_id == call_id, events.c.sequence > after)
        .order_by(events.c.sequence)
    )
    return [StoredEvent(**dict(columns)) for columns in connection.execute(statement).mappings()]


def read_deliveries(connection: Connection, call_id: str) -> list[StoredDelivery]:
    """Every delivery of one call, due, done or given up."""
    statement = select(deliveries).where(deliveries.c.call_id == call_id).order_by(deliveries.c.sequence)
    return [delivery_row(columns) for columns in connection.execute(statement).mappings()]


def read_pending(connection: Connection, limit: int) -> list[StoredDelivery]:
    """The deliveries still due, oldest first, in the order of their streams."""
    statement = (
        select(deliveries)
        .where(deliveries.c.status == "pending")
        .order_by(deliveries.c.created_at, deliveries.c.sequence)
        .limit(limit)
    )
    return [delivery_row(columns) for columns in connection.execute(statement).mappings()]


def read_objects(
    connection: Connection, kind: str, account_id: str | None, name: str | None, limit: int, offset: int
) -> list[StoredObject]:
    """Objects of a kind, in the order in which they were made."""
    statement = select(objects).where(objects.c.kind == kind)
    if account_id is not None:
        statement = statement.where(objects.c.account_id == account_id)
    if name is not None:
        statement = statement.where(objects.c.name == name)
    statement = statement.order_by(objects.c.created_at, objects.c.id).limit(limit).offset(offset)
    return [object_row(columns) for columns in connection.execute(statement).mappings()]


def delete_calls(connection: Connection, ids: list[str]) -> int:
    """Remove calls with all that hangs on them; how many there were."""
    statements: list[Delete] = [
        delete(events).where(events.c.call_id.in_(ids)),
        delete(deliveries).where(deliveries.c.call_id.in_(ids)),
        delete(recordings).where(recordings.c.call_id.in_(ids)),
    ]
    for statement in statements:
        connection.execute(statement)
    return connection.execute(delete(calls).where(calls.c.id.in_(ids))).rowcount


def expired_calls(connection: Connection, before: float, limit: int, offset: int = 0) -> list[str]:
    """Calls that ended before a moment, with nothing left to deliver and no recording to finish."""
    due = (
        select(deliveries.c.id)
        .where(deliveries.c.call_id == calls.c.id, deliveries.c.status == "pending")
        .exists()
    )
    unfinished = (
        select(recordings.c.id)
        .where(recordings.c.call_id == calls.c.id, recordings.c.settled_at.is_(None))
        .exists()
    )
    statement = select(calls.c.id).where(calls.c.ended_at < before, ~due, ~unfinished)
    ordered = statement.order_by(calls.c.ended_at, calls.c.id).limit(limit).offset(offset)
    return list(connection.execute(ordered).scalars())


def _narrowed(statement: Select[Any], wanted: CallFilter) -> Select[Any]:
    return statement.where(*_members(wanted), *_ranges(wanted), *_particulars(wanted))


def _members(wanted: CallFilter) -> list[ColumnElement[bool]]:
    # SQLite takes it that an account has ten calls, and would begin with those; an expression has no index.
    recent = wanted.open or wanted.open_or_ended_from is not None
    few = recent or wanted.ids or wanted.parent_id or wanted.sip_call_id
    account = calls.c.account_id.concat("") if few else calls.c.account_id
    choices: tuple[tuple[ColumnElement[Any], tuple[str, ...]], ...] = (
        (account, wanted.accounts),
        (calls.c.id, wanted.ids),
        (calls.c.application_id, wanted.applications),
        (calls.c.status, wanted.statuses),
        (calls.c.direction, wanted.directions),
        (calls.c.from_, wanted.from_),
        (calls.c.to, wanted.to),
    )
    return [
        column == values[0] if len(values) == 1 else column.in_(values)
        for column, values in choices
        if values
    ]


def _ranges(wanted: CallFilter) -> list[ColumnElement[bool]]:
    ranges = (
        (calls.c.created_at, wanted.created_from, wanted.created_to),
        (calls.c.answered_at, wanted.answered_from, wanted.answered_to),
        (calls.c.ended_at, wanted.ended_from, wanted.ended_to),
    )
    conditions: list[ColumnElement[bool]] = []
    for column, first, end in ranges:
        if first is not None:
            conditions.append(column >= first)
        if end is not None:
            conditions.append(column < end)
    return conditions


def _particulars(wanted: CallFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.id_prefix:
        conditions.append(calls.c.id.startswith(wanted.id_prefix, autoescape=True))
    if wanted.from_suffix:
        conditions.append(calls.c.from_.endswith(wanted.from_suffix, autoescape=True))
    if wanted.to_suffix:
        conditions.append(calls.c.to.endswith(wanted.to_suffix, autoescape=True))
    if wanted.party:
        either = (calls.c.from_, calls.c.to)
        conditions.append(or_(*(column.contains(wanted.party, autoescape=True) for column in either)))
    if wanted.top_level:
        conditions.append(calls.c.parent_id.is_(None))
    if wanted.open is not None:
        conditions.append(calls.c.ended_at.is_(None) if wanted.open else calls.c.ended_at.is_not(None))
    if wanted.open_or_ended_from is not None:
        conditions.append(or_(calls.c.ended_at.is_(None), calls.c.ended_at >= wanted.open_or_ended_from))
    if wanted.answered is not None:
        answered = calls.c.answered_at.is_not(None)
        conditions.append(answered if wanted.answered else ~answered)
    for column, value in (
        (calls.c.parent_id, wanted.parent_id),
        (calls.c.sip_call_id, wanted.sip_call_id),
        (calls.c.trunk_name, wanted.trunk_name),
        (calls.c.client_name, wanted.client_name),
    ):
        if value is not None:
            conditions.append(column == value)
    return conditions
