"""Identifiers: derived ones, the same after every restart and on every database, and fresh ones."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime
from functools import lru_cache
from pathlib import Path

# The namespace under which every derived identifier lives (RFC 9562 section 5.5). It never changes.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:ringback")


def derived_id(account: uuid.UUID | None, kind: str, name: str) -> uuid.UUID:
    """The UUIDv5 of account, kind ("account", "application", "number", "trunk", "client") and name.

    An account's own identifier has no account above it: `derived_id(None, "account", "demo")`.
    """
    scope = NAMESPACE if account is None else uuid.uuid5(NAMESPACE, str(account))
    return uuid.uuid5(scope, f"{kind}:{name}")


def instance_of(data: Path) -> str:
    """The 32 hex digits that name the server which runs on a data directory."""
    return uuid.uuid5(NAMESPACE, str(data.resolve())).hex


def new_id() -> str:
    """A fresh random identifier in the store's spelling: lower case, dashed."""
    return str(uuid.uuid4())


def ordered_id(at: datetime) -> uuid.UUID:
    """A fresh UUIDv7 (RFC 9562 section 5.7): 74 random bits after the milliseconds of its moment.

    What such an identifier is the key of lies in order of time, so that calls that are up at the same time
    share pages of the database: fewer of them are written.
    """
    milliseconds = int(at.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    random = secrets.randbits(74)
    version, variant = 7 << 76, 2 << 62
    return uuid.UUID(int=milliseconds << 80 | version | random >> 62 << 64 | variant | random & (1 << 62) - 1)


@lru_cache(maxsize=4096)
def spelled(id: uuid.UUID) -> str:
    """An identifier in the store's spelling. A call says those of itself and its account dozens of times."""
    return str(id)
