"""Run by Alembic: apply the steps on the connection that `ringback.store.migrate` holds."""

from __future__ import annotations

from alembic import context

from ringback.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
