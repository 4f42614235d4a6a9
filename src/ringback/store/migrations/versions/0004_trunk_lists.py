"""The calls of a trunk are counted, and looked for, without reading all others."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """From lists that need not read what they do not show."""
    op.drop_index("calls_by_account", "calls")
    narrowed = ["status", "direction", "from_", "to", "answered_at", "ended_at", "trunk_name"]
    op.create_index("calls_by_account", "calls", ["account_id", "created_at", "id", *narrowed])
