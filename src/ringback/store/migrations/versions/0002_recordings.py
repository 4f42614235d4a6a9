"""The recordings of calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """From the first tables."""
    op.create_table(
        "recordings",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("ended_at", sa.Double()),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("settled_at", sa.Double()),
        sa.Column("duration", sa.Double(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("plan", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("recordings_by_account", "recordings", ["account_id", "created_at", "id"])
    op.create_index("recordings_by_age", "recordings", ["created_at"])
    op.create_index("recordings_by_call", "recordings", ["call_id", "created_at"])
    op.create_index(
        "recordings_open",
        "recordings",
        ["created_at"],
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
