"""What the writer says to the database, in the words of SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam, delete, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import Executable

from ringback.store import schema

NEVER_CHANGED = ("account_id", "parent_id", "direction", "from_", "to", "created_at")
"""What a call is stored with, once: to set it again, though to the same, would write its indexes anew."""
ROWS_AT_ONCE = 64
"""Of one statement. It stays well below what either database allows in parameters."""
Values = tuple[Any, ...]
SETTLED = ("status", "attempts", "not_before", "http_status", "error", "updated_at")
"""What changes of a delivery once it was tried."""


class ManyRows:
    """A statement about rows, compiled once for one row, for two, four … and then run as text.

    A driver that is given rows one by one gives up the interpreter's lock for each and waits for it again,
    behind the event loop; and compiling costs more than storing.
    """

    def __init__(self, build: Callable[[int], Any], dialect: Dialect) -> None:
        self._build = build
        self._dialect = dialect
        self._compiled: dict[int, tuple[str, tuple[str, ...] | None]] = {}

    def run(self, connection: Connection, rows: Sequence[Values], first: Values = ()) -> None:
        """Run it for the rows: their values one after the other, `first` before them."""
        done = 0
        while done < len(rows):
            count = min(ROWS_AT_ONCE, 1 << (len(rows) - done).bit_length() - 1)
            values = (*first, *(value for row in rows[done : done + count] for value in row))
            text, names = self._compiled.get(count) or self._compile(count)
            parameters = values if names is None else dict(zip(names, values, strict=True))
            connection.exec_driver_sql(text, parameters)
            done += count

    def _compile(self, count: int) -> tuple[str, tuple[str, ...] | None]:
        compiled = self._build(count).compile(dialect=self._dialect)
        names = None if compiled.positional else tuple(compiled.binds)
        self._compiled[count] = str(compiled), names
        return self._compiled[count]


class Statements:
    """The statements of a batch; `retried` forgives rows that an earlier, unreported commit has stored."""

    def __init__(self, dialect: Dialect) -> None:
        self._insert: Any = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
        self._dialect = dialect
        events = schema.events
        self.event_insert = ManyRows(lambda count: insert(events).values(_rows(events, count)), dialect)
        self.event_insert_retried = self._many(events)
        self.call_upsert = self._many(schema.calls, upsert=True, keep=NEVER_CHANGED)
        # A delivery is rendered once and never changes but by its own updates: stored twice is stored.
        self.delivery_insert = self._many(schema.deliveries)
        self.delivery_update = ManyRows(_settle, dialect)
        self.recording_upsert = self._upsert(schema.recordings)
        self.object_upsert = self._upsert(schema.objects, keep=("created_at",))
        self.object_delete: Executable = delete(schema.objects).where(
            schema.objects.c.kind == bindparam("key_kind"), schema.objects.c.id == bindparam("key_id")
        )

    def _many(self, table: Table, *, upsert: bool = False, keep: tuple[str, ...] = ()) -> ManyRows:
        def build(count: int) -> Executable:
            statement = self._insert(table).values(_rows(table, count))
            made: Executable = (
                self._or_update(statement, table, keep) if upsert else statement.on_conflict_do_nothing()
            )
            return made

        return ManyRows(build, self._dialect)

    def _upsert(self, table: Table, keep: tuple[str, ...] = ()) -> Executable:
        return self._or_update(self._insert(table), table, keep)

    def _or_update(self, statement: Any, table: Table, keep: tuple[str, ...]) -> Executable:
        keys = [column.name for column in table.primary_key]
        changed = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column.name not in keys and column.name not in keep
        }
        upsert: Executable = statement.on_conflict_do_update(index_elements=keys, set_=changed)
        return upsert


def _rows(table: Table, count: int) -> list[dict[str, Any]]:
    """A place for each value of so many rows, in the order of the table's columns."""
    return [
        {column.name: bindparam(f"{column.name}_{row}", type_=column.type) for column in table.columns}
        for row in range(count)
    ]


def _settle(count: int) -> Executable:
    """The same came of so many deliveries: the values of `SETTLED`, then their identifiers."""
    deliveries = schema.deliveries
    which = deliveries.c.id.in_([bindparam(f"key_{row}", type_=deliveries.c.id.type) for row in range(count)])
    return update(deliveries).where(which).values({name: bindparam(name) for name in SETTLED})
