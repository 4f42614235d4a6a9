"""Tables of a TOML file and environment variables as structs; every mistake is named with its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

StructT = TypeVar("StructT", bound=msgspec.Struct)

PREFIX = "RINGBACK_"
_BACKQUOTED = re.compile(r"`([^`]*)`")
_TABLE_OF_SEVERAL = re.compile(r"\w+\[\d+\]")
_SHOWN = 60  # characters of a wrong value that an error repeats


class ConfigError(ValueError):
    """What is wrong with the configuration, one line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Overrides:
    """The environment variables that win over the file: `RINGBACK_SECTION__KEY`.

    Tables that come more than once are told apart by name, as in `RINGBACK_ACCOUNT__DEMO__TOKEN`: in
    capitals, with _ for what is neither letter nor digit.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._values: dict[tuple[str, ...], tuple[str, str]] = {}
        for variable, text in environment.items():
            parts = tuple(variable.removeprefix(PREFIX).lower().split("__"))
            if variable.startswith(PREFIX) and len(parts) > 1:
                self._values[parts] = (variable, text)

    def take(self, *path: str) -> dict[str, tuple[str, str]]:
        """Key → (variable, text) of one table. What is taken is accounted for."""
        found = {
            parts[-1]: self._values[parts]
            for parts in list(self._values)
            if parts[:-1] == path and len(parts) == len(path) + 1
        }
        for key in found:
            del self._values[(*path, key)]
        return found

    def left_over(self, sections: Iterable[str], tables: Mapping[str, Iterable[str]]) -> Iterator[str]:
        """The variables that named nothing, each with what it may have meant.

        `tables`: of those that come more than once, what each is called here.
        """
        for parts, (variable, _) in self._values.items():
            table, name = parts[0], parts[1]
            meant = ""
            if table in tables and len(parts) > 2:
                meant = _suggestion(name, tables[table])
            elif table not in (*sections, *tables):
                meant = _suggestion(table, [*sections, *tables])
            yield f"{variable} names nothing{meant}"


def slug(name: str) -> str:
    """A name as it stands in the middle of an environment variable, in lower case."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


class Reader:
    """Reads tables and collects problems, so that a file with three mistakes is corrected once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[str] = []
        self._names: dict[str, str] = {}

    def name(self, where: str, what: str) -> None:
        """Call a table that comes more than once by what it is, too: `number "+14155550100"`."""
        self._names[where] = what

    def place(self, where: str) -> str:
        """A place for people to find: file, table and key, and which one it is of several tables."""
        table = _TABLE_OF_SEVERAL.match(where)
        name = self._names.get(table[0]) if table else None
        return f"{self.file}:{where}" + (f" ({name})" if name else "")

    def table(
        self,
        kind: type[StructT],
        table: object,
        where: str,
        overrides: Mapping[str, tuple[str, str]] | None = None,
    ) -> StructT | None:
        """One table as a struct; None (and problems noted) when it cannot be one."""
        if not isinstance(table, dict):
            self.expected("a table", table, where)
            return None
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        before = len(self.problems)
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in fields:
                self._unknown(f"{where}.{key}", key, fields)
            elif key not in (overrides or {}):
                values[fields[key].name] = self._value(value, fields[key].type, f"{where}.{key}")
        for key, (variable, text) in (overrides or {}).items():
            if key not in fields:
                self.problems.append(f"{variable} names nothing{_suggestion(key, fields)}")
            else:
                values[fields[key].name] = self._text(text, fields[key].type, variable)
        for key, field in fields.items():
            if field.required and field.name not in values:
                self.problems.append(f"{key} is missing at {self.place(where)}")
        return kind(**values) if len(self.problems) == before else None

    def expected(self, what: str, got: object, where: str) -> None:
        """Note that a place holds something else than it should."""
        self.problems.append(f"expected {what}, got {_shown(got)}, at {self.place(where)}")

    def unknown_table(self, name: str, known: Iterable[str]) -> None:
        """Note a table that means nothing."""
        self._unknown(name, name, known)

    def unknown_name(self, what: str, name: str, known: Iterable[str], where: str) -> None:
        """Note a reference to something that is not there."""
        self.problems.append(
            f"expected the name of {what}, got {_shown(name)}, at {self.place(where)}"
            f"{_suggestion(name, known)}"
        )

    def _unknown(self, where: str, key: str, known: Iterable[str]) -> None:
        self.problems.append(f"unknown key at {self.place(where)}{_suggestion(key, known)}")

    def _value(self, value: object, wanted: Any, where: str) -> Any:
        inner = next(iter(get_args(wanted)), None)
        if isinstance(value, list) and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            return tuple(self.table(inner, each, f"{where}[{index}]") for index, each in enumerate(value))
        try:
            return msgspec.convert(value, wanted)
        except msgspec.ValidationError as error:
            self._mismatch(value, wanted, error, where, in_file=True)
            return None

    def _text(self, text: str, wanted: Any, variable: str) -> Any:
        """An environment variable's text: lists of words are written with commas, tables as JSON."""
        try:
            if get_origin(wanted) is tuple and get_args(wanted)[0] is str:
                return tuple(part.strip() for part in text.split(",") if part.strip())
            if get_origin(wanted) in (dict, tuple):
                return msgspec.json.decode(text, type=wanted)
            return msgspec.convert(text, wanted, strict=False)
        except msgspec.MsgspecError as error:
            self._mismatch(text, wanted, error, variable)
            return None

    def _mismatch(
        self, value: object, wanted: Any, error: Exception, where: str, *, in_file: bool = False
    ) -> None:
        reason, _, inside = str(error).partition(" - at ")
        where += inside.strip("`").removeprefix("$")
        names = _BACKQUOTED.findall(reason)
        if get_origin(wanted) is Literal:
            reason = "expected " + " or ".join(str(choice) for choice in get_args(wanted) if choice)
        elif reason.startswith("Expected") and names[:1] == ["array"]:
            reason = "expected a list" + (f" such as [{_shown(value)}]" if isinstance(value, str) else "")
        elif reason.startswith("Expected") and names:
            reason = "expected " + names[0].replace(" | null", "")
        else:
            reason = reason[:1].lower() + reason[1:]
        self.problems.append(f"{reason}, got {_shown(value)}, at {self.place(where) if in_file else where}")


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = repr(value).replace("'", '"') if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _suggestion(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there is {', '.join(sorted(names))}" if names else ""
