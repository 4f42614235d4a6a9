"""Identifiers that are derived, not drawn: the same after every restart and on every database."""

from __future__ import annotations

import uuid

# The namespace under which every derived identifier lives (RFC 9562 section 5.5). It never changes.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:ringback")


def derived_id(account: uuid.UUID | None, kind: str, name: str) -> uuid.UUID:
    """The UUIDv5 of account, kind ("account", "application", "number", "trunk", "client") and name.

    An account's own identifier has no account above it: `derived_id(None, "account", "demo")`.
    """
    scope = NAMESPACE if account is None else uuid.uuid5(NAMESPACE, str(account))
    return uuid.uuid5(scope, f"{kind}:{name}")


def new_id() -> str:
    """A fresh random identifier in the store's spelling: lower case, dashed."""
    return str(uuid.uuid4())
