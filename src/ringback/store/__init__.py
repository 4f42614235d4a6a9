"""Durable state: the log of events, call rows, due callbacks, small objects, and the lossy trace."""

from __future__ import annotations

from ringback.store.errors import StoredRecordRefused, StoreError, StoreOverloaded, StoreUnavailable
from ringback.store.ids import derived_id, new_id
from ringback.store.records import (
    Append,
    CallFilter,
    CallRow,
    Cursor,
    RecordingFilter,
    RecordingRow,
    StoredDelivery,
    StoredEvent,
    StoredObject,
    TraceEntry,
)
from ringback.store.store import Store, page_cursor

__all__ = [
    "Append",
    "CallFilter",
    "CallRow",
    "Cursor",
    "RecordingFilter",
    "RecordingRow",
    "Store",
    "StoreError",
    "StoreOverloaded",
    "StoreUnavailable",
    "StoredDelivery",
    "StoredEvent",
    "StoredObject",
    "StoredRecordRefused",
    "TraceEntry",
    "derived_id",
    "new_id",
    "page_cursor",
]
