"""What can go wrong in the store.

StoreError
├── StoreUnavailable     commits fail (disk full, database gone) or the store is closed; no new calls now
│   └── StoreOverloaded  the bounded backlog is full: even running calls cannot append
└── StoredRecordRefused  the database refused this one record; the store itself is well
"""

from __future__ import annotations


class StoreError(Exception):
    """Anything the store reports."""


class StoreUnavailable(StoreError):
    """Nothing new can be made durable at the moment: a new call is answered with 503."""


class StoreOverloaded(StoreUnavailable):
    """The bounded backlog is full."""


class StoredRecordRefused(StoreError):
    """One record could not be stored (a broken constraint, a value that the database cannot hold)."""
