"""The first tables: calls, events, deliveries, objects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """From an empty database."""
    _create_calls()
    _create_deliveries()
    _create_events()
    _create_objects()


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("application_id", sa.String(length=36)),
        sa.Column("parent_id", sa.String(length=36)),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("from_", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("caller_name", sa.Text()),
        sa.Column("forwarded_from", sa.Text()),
        sa.Column("sip_call_id", sa.Text()),
        sa.Column("trunk_name", sa.Text()),
        sa.Column("client_name", sa.Text()),
        sa.Column("source_ip", sa.Text()),
        sa.Column("local_address", sa.Text()),
        sa.Column("number_id", sa.String(length=36)),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("sip_status", sa.Integer()),
        sa.Column("sip_reason", sa.Text()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("initiated_at", sa.Double()),
        sa.Column("ringing_at", sa.Double()),
        sa.Column("answered_at", sa.Double()),
        sa.Column("ended_at", sa.Double()),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("ended_by", sa.Text()),
        sa.Column("answered_by", sa.Text()),
        sa.Column("custom", sa.Text()),
        sa.Column("stats", sa.Text()),
        sa.Column("dialog", sa.Text()),
        sa.Column("extra", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )

    op.create_index("calls_by_account", "calls", ["account_id", "created_at", "id"])
    op.create_index("calls_by_end", "calls", ["ended_at"])
    op.create_index("calls_by_from", "calls", ["account_id", "from_", "created_at"])
    op.create_index("calls_by_parent", "calls", ["parent_id"])
    op.create_index("calls_by_sip_call_id", "calls", ["sip_call_id"])
    op.create_index("calls_by_status", "calls", ["account_id", "status", "created_at"])
    op.create_index("calls_by_to", "calls", ["account_id", "to", "created_at"])
    op.create_index(
        "calls_open",
        "calls",
        ["created_at"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36)),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.Double(), nullable=False),
        sa.Column("http_status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )

    op.create_index("deliveries_by_call", "deliveries", ["call_id", "sequence"])
    op.create_index(
        "deliveries_pending",
        "deliveries",
        ["created_at"],
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "sequence"),
        sqlite_with_rowid=False,
    )


def _create_objects() -> None:
    op.create_table(
        "objects",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.String(length=36)),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("data", sa.Text()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id"),
    )

    op.create_index("objects_by_name", "objects", ["kind", "account_id", "name"])
