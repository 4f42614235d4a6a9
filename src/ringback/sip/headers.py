"""The header fields of a message: an ordered multi-map whose names do not care about case or compact form."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, KeysView, Mapping
from typing import Any, Final

from ringback.sip.errors import SipParseError
from ringback.sip.grammar import WS, is_token

# https://www.iana.org/assignments/sip-parameters: the compact forms.
COMPACT: Final = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

# fmt: off
_KNOWN: Final = (
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events",
    "Authentication-Info", "Authorization", "Call-ID", "Call-Info", "Contact", "Content-Disposition",
    "Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "CSeq", "Date", "Diversion",
    "Error-Info", "Event", "Expires", "From", "History-Info", "Identity", "Identity-Info", "In-Reply-To",
    "Info-Package", "Join", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "Organization",
    "P-Asserted-Identity", "P-Preferred-Identity", "Path", "Priority", "Privacy", "Proxy-Authenticate",
    "Proxy-Authorization", "Proxy-Require", "RAck", "Reason", "Record-Route", "Recv-Info", "Refer-Sub",
    "Refer-To", "Referred-By", "Reject-Contact", "Remote-Party-ID", "Replaces", "Reply-To",
    "Request-Disposition", "Require", "Retry-After", "Route", "RSeq", "Security-Client", "Security-Server",
    "Security-Verify", "Server", "Service-Route", "Session-Expires", "SIP-ETag", "SIP-If-Match", "Subject",
    "Subscription-State", "Supported", "Target-Dialog", "Timestamp", "To", "Unsupported", "User-Agent",
    "User-to-User", "Via", "Warning", "WWW-Authenticate",
)
# fmt: on


class _Places(dict[str, str]):
    """Where the rows of a name are kept: under the usual spelling of a known name, in lower case under any
    other; ``""`` when it is no token."""

    def __missing__(self, name: str) -> str:
        if not is_token(name):
            return ""
        key = name.lower()
        return self.get(key, key)


_PLACES: Final = _Places(
    {name: name for name in _KNOWN}
    | {name.lower(): name for name in _KNOWN}
    | COMPACT
    | {short.upper(): name for short, name in COMPACT.items()}
)


def key_of(name: str) -> str:
    """The lower case long form of a header field name; ``""`` when it is not a token."""
    return _PLACES[name].lower()


def _checked(value: str) -> str:
    """A value fit to be written: nothing in it can end the line. Raises ValueError."""
    if not (value.isascii() and value.isprintable()):
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError("a header field value cannot hold CR, LF or NUL")
        value.encode()  # a lone surrogate cannot be sent either
    return value.strip(WS)


class Headers:
    """Rows of one name keep their order; rows of different names are kept by first appearance,
    since :rfc:`3261#section-7.3.1` gives their order no meaning."""

    __slots__ = ("_names", "_rows", "parsed")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._rows: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}  # how names that are not known are written
        self.parsed: dict[str, Any] = {}
        """What fields say, by name: for whoever parses them to keep. A field that changes drops out."""
        for name, value in items:
            self.add(name, value)

    def get(self, name: str) -> str | None:
        """The first row of that name."""
        rows = self._rows.get(_PLACES[name])
        return rows[0] if rows else None

    def get_all(self, name: str) -> list[str]:
        """Every row of that name, top first, as written (a row may hold a comma separated list)."""
        return list(self._rows.get(_PLACES[name], ()))

    def add(self, name: str, value: str) -> None:
        """Append a row. Raises ValueError when name or value cannot stand in a message."""
        value = _checked(value)
        self._slot(name).append(value)

    def set(self, name: str, value: str) -> None:
        """Replace every row of that name. Raises ValueError when name or value cannot stand in a message."""
        value = _checked(value)
        self._slot(name)[:] = [value]

    def insert_first(self, name: str, value: str) -> None:
        """Put a row on top of the rows of that name; a name that is new goes first of all."""
        value = _checked(value)
        rows = self._slot(name)
        rows.insert(0, value)
        if len(rows) == 1:
            self._rows = {_PLACES[name]: rows, **self._rows}

    def replace_first(self, name: str, value: str) -> None:
        """Change the topmost row of that name, or add it."""
        value = _checked(value)
        self._slot(name)[:1] = [value]

    def lengthen(self, name: str, text: str) -> None:
        """Put text behind the first row of that name, or add it. Raises ValueError."""
        text = _checked(text)
        rows = self._slot(name)
        rows[:1] = [rows[0] + text if rows else text]

    def remove(self, name: str) -> None:
        """Drop every row of that name, if there is any."""
        key = _PLACES[name]
        self._rows.pop(key, None)
        self.parsed.pop(key, None)

    def copy_from(self, other: Headers, *names: str) -> None:
        """Take over every row of these names as it was received."""
        rows = other._rows
        taken = {key: rows[key].copy() for key in map(_PLACES.__getitem__, names) if key in rows}
        self._rows.update(taken)
        if self.parsed:
            self._forget(taken)
        if other._names:
            self._names.update({key: name for key, name in other._names.items() if key in taken})

    def keys(self) -> KeysView[str]:
        """The names of all rows: as they are usually written, and in lower case where there is no usual
        way."""
        return self._rows.keys()

    def items(self) -> Iterator[tuple[str, str]]:
        """(name as written, value) of every row."""
        for name, rows in self._written().items():
            for value in rows:
                yield name, value

    def lines(self) -> list[str]:
        """Every row as it is written, but for Content-Length, which is made of the body."""
        return [
            f"{name}: {value}"
            for name, rows in self._written().items()
            if name != "Content-Length"
            for value in rows
        ]

    def _written(self) -> dict[str, list[str]]:
        """The rows by their names as they are written."""
        names = self._names
        return {names.get(key, key): rows for key, rows in self._rows.items()} if names else self._rows

    def copy(self) -> Headers:
        twin = Headers()
        twin._rows = {key: list(rows) for key, rows in self._rows.items()}
        twin._names = dict(self._names)
        return twin

    def append_parsed(self, lines: Iterable[str]) -> bool:
        """Add unfolded lines that the parser has already checked; False when one has no name that is a
        token."""
        rows = self._rows
        self.parsed.clear()
        for line in lines:
            name, colon, value = line.partition(":")
            key = _PLACES.get(name)
            if key is None:
                name = name.rstrip(WS)  # white space may stand before the colon
                key = _PLACES[name]
                if not key:
                    return False
                if key not in _PLACES:
                    self._names.setdefault(key, name)
            if not colon:
                return False
            rows.setdefault(key, []).append(value.strip(WS))
        return True

    def read(self, parsers: Mapping[str, Callable[[str], Any]], needed: Container[str]) -> None:
        """Parse the first row of each of these names (as usually spelled), in their order, and keep what it
        says. Raises SipParseError (400) for one that is needed and missing, and what the parsers raise."""
        rows, parsed = self._rows, self.parsed
        for name, parse in parsers.items():
            if name in rows:
                parsed[name] = parse(rows[name][0])
            elif name in needed:
                raise SipParseError(f"Missing {name}")

    def first_repeated(self, names: Iterable[str]) -> str | None:
        """The first of these names that has more than one row, as usually written."""
        rows = self._rows
        if sum(map(len, rows.values())) > len(rows):
            for key in map(_PLACES.__getitem__, names):
                if len(rows.get(key, ())) > 1:
                    return key
        return None

    def keep_first(self, names: Iterable[str]) -> None:
        """Drop all but the first row of these names."""
        keys = [_PLACES[name] for name in names]
        for key in keys:
            del self._rows.get(key, [])[1:]
        self._forget(keys)

    def _slot(self, name: str) -> list[str]:
        """The rows of a name that is about to change."""
        key = _PLACES[name]
        if not key:
            raise ValueError(f"not a header field name: {name!r}")
        if key not in _PLACES:
            self._names.setdefault(key, name)
        if self.parsed:
            self.parsed.pop(key, None)
        return self._rows.setdefault(key, [])

    def _forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.parsed.pop(key, None)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _PLACES[name] in self._rows

    def __eq__(self, other: object) -> bool:
        return self._rows == other._rows if isinstance(other, Headers) else NotImplemented

    def __repr__(self) -> str:
        return f"Headers({list(self.items())!r})"
