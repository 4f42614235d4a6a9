"""What a far end proves itself with stays between it and us: applications, records and traces go without."""

from __future__ import annotations

import re
from collections.abc import Iterable

_CREDENTIALS = frozenset({"authorization", "proxy-authorization"})
_LINES = re.compile(r"(?im)^((?:proxy-)?authorization[ \t]*:)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*")


def without_credentials(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The header fields without those that carry credentials (RFC 3261 sections 20.7 and 20.28)."""
    return tuple((name, value) for name, value in headers if name.lower() not in _CREDENTIALS)


def redacted(message: str) -> str:
    """A SIP message as text, with the credentials taken out of their lines."""
    return _LINES.sub(r"\1 (removed)", message)
