"""Lists of calls and of transcriptions that need not read what they do not show."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """From recordings."""
    for name in ("account", "from", "status", "to"):
        op.drop_index(f"calls_by_{name}", "calls")
    op.drop_index("calls_open", "calls")
    narrowed = ["status", "direction", "from_", "to", "answered_at", "ended_at"]
    op.create_index("calls_by_account", "calls", ["account_id", "created_at", "id", *narrowed])
    op.create_index("calls_by_from", "calls", ["account_id", "from_", "created_at", "id"])
    op.create_index("calls_by_to", "calls", ["account_id", "to", "created_at", "id"])
    op.add_column(
        "recordings", sa.Column("transcribed", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    recordings = sa.table(
        "recordings", sa.column("plan"), sa.column("location"), sa.column("transcribed", sa.Boolean())
    )
    asked = recordings.c.plan.contains('"transcription":{', autoescape=True)
    op.execute(recordings.update().where(recordings.c.location != "", asked).values(transcribed=True))
    op.create_index(
        "recordings_transcribed",
        "recordings",
        ["account_id", "created_at", "id"],
        sqlite_where=sa.text("transcribed = 1"),
        postgresql_where=sa.text("transcribed"),
    )
