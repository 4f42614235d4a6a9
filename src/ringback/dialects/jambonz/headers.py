"""Headers that an application writes, as SIP header fields. Pure."""

from __future__ import annotations

import msgspec

from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.sip.core import checked

Headers = tuple[tuple[str, str], ...]


def headers_of(value: object) -> Headers:
    """A `headers` object as SIP headers; whatever could break out of its line, or the dialog, is an error.

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
        except ValueError:
            raise InvalidApplication(f"invalid header {name[:60]!r}") from None
        found.append((name, line))
    return tuple(found)
