"""One UUID, many spellings: every path and every Basic user name accepts them all."""

from __future__ import annotations

import re
from uuid import UUID

_DASHED = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PREFIXED = re.compile(r"[A-Z]{2}([0-9a-fA-F]{32})")
_BARE = re.compile(r"[0-9a-fA-F]{32}")
_INSTANCE = re.compile(r"ID[0-9a-zA-Z]{32}-(.+)")


def read_sid(text: str) -> UUID | None:
    """The UUID behind any dialect's spelling; None if the text is no SID.

    Read are `3fa85f64-5717-…` (SignalWire, jambonz), `CA3fa85f64…` (Twilio), `ID…-CA3fa85f64…` (CallAPI), and
    the 32 hex digits alone.
    """
    instance = _INSTANCE.fullmatch(text)
    if instance:
        text = instance[1]
    prefixed = _PREFIXED.fullmatch(text)
    if prefixed:
        return UUID(prefixed[1])
    if _DASHED.fullmatch(text) or _BARE.fullmatch(text):
        return UUID(text)
    return None


def prefixed(prefix: str, uuid: UUID) -> str:
    """`CA` and 32 hex digits."""
    return f"{prefix}{uuid.hex}"
