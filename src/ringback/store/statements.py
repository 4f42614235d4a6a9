"""What the writer says to the database, in the words of SQLite or PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import Executable

from ringback.store import schema

NEVER_CHANGED = ("account_id", "parent_id", "direction", "from_", "to", "created_at")
"""What a call is stored with, once: to set it again, though to the same, would write its indexes anew."""


class Statements:
    """The statements of a batch; `retried` forgives rows that an earlier, unreported commit has stored."""

    def __init__(self, dialect: str) -> None:
        self._insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
        self.event_insert: Executable = insert(schema.events)
        self.event_insert_retried: Executable = self._insert(schema.events).on_conflict_do_nothing()
        self.call_upsert = self._upsert(schema.calls, keep=NEVER_CHANGED)
        self.recording_upsert = self._upsert(schema.recordings)
        # A delivery is rendered once and never changes but by its own updates: stored twice is stored.
        self.delivery_insert: Executable = self._insert(schema.deliveries).on_conflict_do_nothing()
        self.object_upsert = self._upsert(schema.objects, keep=("created_at",))
        self.object_delete: Executable = delete(schema.objects).where(
            schema.objects.c.kind == bindparam("key_kind"), schema.objects.c.id == bindparam("key_id")
        )
        self.delivery_update: Executable = (
            update(schema.deliveries)
            .where(schema.deliveries.c.id == bindparam("key"))
            .values(
                {
                    name: bindparam(name)
                    for name in ("status", "attempts", "not_before", "http_status", "error", "updated_at")
                }
            )
        )

    def _upsert(self, table: Table, keep: tuple[str, ...] = ()) -> Executable:
        statement = self._insert(table)
        keys = [column.name for column in table.primary_key]
        changed = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column.name not in keys and column.name not in keep
        }
        upsert: Executable = statement.on_conflict_do_update(index_elements=keys, set_=changed)
        return upsert
