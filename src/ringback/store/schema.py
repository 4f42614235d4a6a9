"""The tables, the same on SQLite and PostgreSQL. A change here needs a migration; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData()

calls = Table(
    "calls",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account_id", String(36), nullable=False),
    Column("application_id", String(36)),
    Column("parent_id", String(36)),
    Column("dialect", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("from_", Text, nullable=False),
    Column("to", Text, nullable=False),
    Column("caller_name", Text),
    Column("forwarded_from", Text),
    Column("sip_call_id", Text),
    Column("trunk_name", Text),
    Column("client_name", Text),
    Column("source_ip", Text),
    Column("local_address", Text),
    Column("number_id", String(36)),
    Column("status", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("sip_status", Integer),
    Column("sip_reason", Text),
    Column("created_at", Double, nullable=False),
    Column("initiated_at", Double),
    Column("ringing_at", Double),
    Column("answered_at", Double),
    Column("ended_at", Double),
    Column("updated_at", Double, nullable=False),
    Column("ended_by", Text),
    Column("answered_by", Text),
    Column("custom", Text),
    Column("stats", Text),
    Column("dialog", Text),
    Column("extra", Text),
)
# What lists are narrowed by is all in here, so that rows are read from the table only for what is shown.
Index(
    "calls_by_account",
    calls.c.account_id,
    calls.c.created_at,
    calls.c.id,
    calls.c.status,
    calls.c.direction,
    calls.c.from_,
    calls.c.to,
    calls.c.answered_at,
    calls.c.ended_at,
    calls.c.trunk_name,
)
# With the identifier, since SQLite prefers an index that holds the whole order of the list.
Index("calls_by_from", calls.c.account_id, calls.c.from_, calls.c.created_at, calls.c.id)
Index("calls_by_to", calls.c.account_id, calls.c.to, calls.c.created_at, calls.c.id)
Index("calls_by_parent", calls.c.parent_id)
Index("calls_by_sip_call_id", calls.c.sip_call_id)
# The open calls, few among many, are all at one place of it.
Index("calls_by_end", calls.c.ended_at)

events = Table(
    "events",
    metadata,
    Column("call_id", String(36), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    PrimaryKeyConstraint("call_id", "sequence"),
    sqlite_with_rowid=False,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account_id", String(36), nullable=False),
    Column("call_id", String(36)),
    Column("sequence", Integer, nullable=False),
    Column("stream", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Double, nullable=False),
    Column("http_status", Integer),
    Column("error", Text),
    Column("payload", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)
Index(
    "deliveries_pending",
    deliveries.c.created_at,
    sqlite_where=text("status = 'pending'"),
    postgresql_where=text("status = 'pending'"),
)
Index("deliveries_by_call", deliveries.c.call_id, deliveries.c.sequence)

recordings = Table(
    "recordings",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account_id", String(36), nullable=False),
    Column("call_id", String(36), nullable=False),
    Column("dialect", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("updated_at", Double, nullable=False),
    Column("settled_at", Double),
    Column("duration", Double, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("location", Text, nullable=False),
    Column("error", Text),
    Column("plan", Text),
    Column("transcribed", Boolean, nullable=False, server_default=false()),
)
Index("recordings_by_account", recordings.c.account_id, recordings.c.created_at, recordings.c.id)
Index("recordings_by_call", recordings.c.call_id, recordings.c.created_at)
Index("recordings_by_age", recordings.c.created_at)
Index(
    "recordings_open",
    recordings.c.created_at,
    sqlite_where=text("settled_at IS NULL"),
    postgresql_where=text("settled_at IS NULL"),
)
# Few recordings are: without an index of their own all others would be read in search of them.
Index(
    "recordings_transcribed",
    recordings.c.account_id,
    recordings.c.created_at,
    recordings.c.id,
    sqlite_where=text("transcribed = 1"),
    postgresql_where=text("transcribed"),
)

objects = Table(
    "objects",
    metadata,
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("account_id", String(36)),
    Column("name", Text, nullable=False),
    Column("data", Text),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    PrimaryKeyConstraint("kind", "id"),
)
Index("objects_by_name", objects.c.kind, objects.c.account_id, objects.c.name)
