"""The pieces of the SIP grammar that all header fields share (:rfc:`3261#section-25.1`).

White space is SP and HTAB only: a control character is never skipped, so no two parsers on the path of a
message can disagree about where a value ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, overload

from ringback.sip.errors import SipParseError

T = TypeVar("T")
WS = " \t"
TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
# A parameter value: a quoted string without control characters, or what cannot be mistaken for a separator.
_SAFE_QUOTED = (
    r'"[^"\\\x00-\x08\x0a-\x1f\x7f]*(?:\\[^\x00-\x08\x0a-\x1f\x7f]'
    r'[^"\\\x00-\x08\x0a-\x1f\x7f]*)*"'
)
_PARAM = re.compile(
    r"[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*"
    r"(?:=[ \t]*(" + _SAFE_QUOTED + r'|[^\s";,<>\\]*)[ \t]*)?(?:;|\Z)'
)
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~\[\]:]+")
_LIST_SPECIAL = re.compile(r'[",<>]')


def quote(text: str) -> str:
    """The quoted-string that spells ``text``."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """What a quoted-string says; a text without quotes is returned as it is."""
    if len(text) < 2 or text[0] != '"':
        return text
    inner = text[1:-1]
    return _QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner


def is_token(text: str) -> bool:
    return TOKEN.fullmatch(text) is not None


def split_list(text: str) -> list[str]:
    """The elements of a comma separated list; commas in quoted strings and in ``<…>`` do not count."""
    if "," not in text:
        return [text]
    parts: list[str] = []
    start = position = 0
    in_angle = False
    while (special := _LIST_SPECIAL.search(text, position)) is not None:
        position = special.end()
        match special.group():
            case '"':
                quoted = QUOTED.match(text, special.start())
                if quoted is None:
                    raise SipParseError("Unbalanced Quotes")
                position = quoted.end()
            case "<":
                in_angle = True
            case ">":
                in_angle = False
            case _ if not in_angle:
                parts.append(text[start : special.start()])
                start = position
    parts.append(text[start:])
    return parts


class Params(Mapping[str, str]):
    """Parameters of a URI or a header field: ordered, immutable, names in lower case.

    A parameter without a value (``;lr``) has the value ``""``. A quoted value reads unquoted and is written
    quoted.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        """``raw`` values are taken as written on the wire; ``with_`` is the safe way to add one."""
        self._raw: dict[str, str] = dict(raw)

    @classmethod
    def parse(cls, text: str) -> Params:
        """Read ``;name=value;flag`` (the first semicolon may be missing). Raises SipParseError."""
        text = text.strip(WS)
        if not text:
            return NO_PARAMS
        raw: dict[str, str] = {}
        position = 1 if text[0] == ";" else 0
        while position < len(text):
            match = _PARAM.match(text, position)
            if match is None:
                raise SipParseError("Malformed Parameter")
            name, value = match.groups("")
            name = name.lower()
            if name in raw:
                raise SipParseError("Repeated Parameter")
            raw[name] = value
            position = match.end()
        if text[-1] == ";":
            raise SipParseError("Malformed Parameter")
        return cls(raw)

    def __getitem__(self, name: str) -> str:
        value = self._raw[name]
        return unquote(value) if '"' in value else value

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | T) -> str | T: ...
    def get(self, name: str, /, default: str | T | None = None) -> str | T | None:
        """What `Mapping` does by way of an exception, for fields that mostly are not there."""
        value = self._raw.get(name)
        if value is None:
            return default
        return unquote(value) if '"' in value else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def __hash__(self) -> int:
        return hash(frozenset(self._raw.items()))

    def __eq__(self, other: object) -> bool:
        return self._raw == other._raw if isinstance(other, Params) else NotImplemented

    def __str__(self) -> str:
        """``;name=value;flag``, with the leading semicolon, or the empty string."""
        return "".join([f";{name}={value}" if value else f";{name}" for name, value in self._raw.items()])

    def __repr__(self) -> str:
        return f"Params({str(self)!r})"

    def with_(self, name: str, value: str = "") -> Params:
        """A copy that has this parameter; the value is quoted where it has to be."""
        return self.with_all({name: value})

    def with_all(self, values: Mapping[str, str]) -> Params:
        """A copy that has these parameters."""
        raw = self._raw.copy()
        for name, value in values.items():
            if not is_token(name):
                raise ValueError(f"not a parameter name: {name!r}")
            plain = not value or _PLAIN_VALUE.fullmatch(value)
            raw[name.lower()] = value if plain else quote(value)
        return Params(raw)

    def without(self, *names: str) -> Params:
        return Params({name: value for name, value in self._raw.items() if name not in names})


NO_PARAMS = Params()
