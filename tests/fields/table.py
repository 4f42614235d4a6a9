"""Tables of webhook fields: what a field is called, what it looks like, and when it is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ringback.testing.kit import Asked

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
HEX = r"[0-9a-f]{32}"
RFC_2822 = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000"
ISO_8601 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
SIP_URI = r"sip:[^@ ]+@127\.0\.0\.1:\d+"
HOST_PORT = r"127\.0\.0\.1:\d+"
COUNT = r"\d+"


class Field(NamedTuple):
    """A field. `when`: words that must all be among the request's tags, `-word` must not; empty: always."""

    name: str
    form: str
    """A regular expression of the whole value; for objects, of its JSON type's name."""
    when: str = ""
    type: type = str
    """In a form and in a query everything is text."""

    def due(self, tags: frozenset[str]) -> bool:
        """Whether a request with these tags has the field."""
        return all(
            word.removeprefix("-") not in tags if word.startswith("-") else word in tags
            for word in self.when.split()
        )


def check(asked: Asked, table: Sequence[Field], tags: Iterable[str]) -> None:
    """Exactly the fields that are due, each of its type and form."""
    present = frozenset(tags)
    due = {field.name: field for field in table if field.due(present)}
    extra, missing = asked.fields.keys() - due.keys(), due.keys() - asked.fields.keys()
    assert not extra, f"{sorted(present)} has {sorted(extra)} besides"
    assert not missing, f"{sorted(present)} lacks {sorted(missing)}"
    typed = asked.headers.get("content-type") == "application/json"
    for name, field in due.items():
        _check_value(name, asked.fields[name], field, typed=typed)


def _check_value(name: str, value: Any, field: Field, *, typed: bool) -> None:
    if typed:
        assert type(value) is field.type, f"{name} is {value!r}"
    if not isinstance(value, dict | list):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        assert re.fullmatch(field.form, text), f"{name} is {value!r}, not {field.form}"


def same(requests: Iterable[Asked], *names: str) -> None:
    """Every request of a call says the same about these."""
    for name in names:
        values = {repr(asked.fields.get(name)) for asked in requests}
        assert len(values) == 1, f"{name} is {values}"


def column(requests: Iterable[Asked], name: str) -> list[Any]:
    """One field of each request, in order."""
    return [asked.fields.get(name) for asked in requests]
