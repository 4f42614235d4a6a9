"""What the writer says to the database, in the words of SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Dialect, Insert, Table, Update, bindparam, delete, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql import Executable

from ringback.store import schema

NEVER_CHANGED = ("account_id", "parent_id", "direction", "from_", "to", "sip_call_id", "created_at")
"""What a call is stored with, once: to set it again, though to the same, would write its indexes anew."""
ROWS_AT_ONCE = 64
"""Of one statement. It stays well below what either database allows in parameters."""
Values = tuple[Any, ...]
SETTLED = ("status", "attempts", "not_before", "http_status", "error", "updated_at")
"""What changes of a delivery once it was tried."""


class ManyRows:
    """A statement about rows: compiled once, for one row, and run as text for as many as there are.

    A driver that is given rows one by one gives up the interpreter's lock for each and waits for it again,
    behind the event loop; and to have each number of rows compiled costs more than to store them.
    """

    def __init__(
        self, of_one: Insert | Update, dialect: Dialect, opening: str = " VALUES (", between: str = "), ("
    ) -> None:
        """A row's values follow `opening`, up to the next bracket; `between` is what separates rows."""
        head, _, rest = str(of_one.compile(dialect=dialect)).partition(opening)
        self._head, self._between = head + opening, between
        self._row, _, self._tail = rest.partition(")")
        self._texts: dict[int, str] = {}

    def run(self, cursor: DBAPICursor, rows: Sequence[Values], first: Values = ()) -> None:
        """Run it for the rows: their values one after the other, `first` before them."""
        done = 0
        while done < len(rows):
            count = min(ROWS_AT_ONCE, 1 << (len(rows) - done).bit_length() - 1)
            values = (*first, *chain.from_iterable(rows[done : done + count]))
            cursor.execute(self._texts.get(count) or self._text(count), values)
            done += count

    def _text(self, count: int) -> str:
        rows = self._between.join([self._row] * count)
        text = self._texts[count] = f"{self._head}{rows}){self._tail}"
        return text


class Statements:
    """The statements of a batch; `retried` forgives rows that an earlier, unreported commit has stored."""

    def __init__(self, dialect: Dialect) -> None:
        postgres = dialect.name == "postgresql"
        self._insert: Any = postgresql.insert if postgres else sqlite.insert
        # Values in the order of their places, which both drivers understand.
        assert isinstance(dialect, DefaultDialect)
        by_place = type(dialect)(paramstyle="format" if postgres else "qmark")
        events, deliveries = schema.events, schema.deliveries
        self.event_insert = ManyRows(insert(events), by_place)
        self.event_insert_retried = ManyRows(self._insert(events).on_conflict_do_nothing(), by_place)
        self.call_upsert = ManyRows(self._upsert(schema.calls, keep=NEVER_CHANGED), by_place)
        # A delivery is rendered once and never changes but by its own updates: stored twice is stored.
        self.delivery_insert = ManyRows(self._insert(deliveries).on_conflict_do_nothing(), by_place)
        self.delivery_update = ManyRows(_settle(), by_place, opening=" IN (", between=", ")
        self.recording_upsert = self._upsert(schema.recordings)
        self.object_upsert = self._upsert(schema.objects, keep=("created_at",))
        self.object_delete: Executable = delete(schema.objects).where(
            schema.objects.c.kind == bindparam("key_kind"), schema.objects.c.id == bindparam("key_id")
        )

    def _upsert(self, table: Table, keep: tuple[str, ...] = ()) -> Insert:
        statement = self._insert(table)
        keys = [column.name for column in table.primary_key]
        changed = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column.name not in keys and column.name not in keep
        }
        upsert: Insert = statement.on_conflict_do_update(index_elements=keys, set_=changed)
        return upsert


def _settle() -> Update:
    """The same came of some deliveries: the values of `SETTLED`, then their identifiers."""
    deliveries = schema.deliveries
    which = deliveries.c.id.in_([bindparam("key", type_=deliveries.c.id.type)])
    return update(deliveries).where(which).values({name: bindparam(name) for name in SETTLED})
