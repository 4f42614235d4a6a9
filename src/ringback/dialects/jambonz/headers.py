"""Headers that an application writes, as SIP header fields. Pure."""

from __future__ import annotations

import msgspec

from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.sip.core import checked
from ringback.sip.header_policy import may_set

Headers = tuple[tuple[str, str], ...]


def headers_of(value: object) -> Headers:
    """A `headers` object as SIP headers; what could break out of its line, and what no application may
    set, is an error.

    Raises:
        InvalidApplication
    """
    if not isinstance(value, dict):
        return ()
    found = []
    for name, text in value.items():
        line = text if isinstance(text, str) else msgspec.json.encode(text).decode()
        try:
            checked([(name, line)])
            allowed = may_set(name)
        except ValueError:
            allowed = False
        if not allowed:
            raise InvalidApplication(f"invalid header {name[:60]!r}")
        found.append((name, line))
    return tuple(found)
