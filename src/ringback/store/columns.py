"""Records as rows of columns, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import RowMapping, Table

from ringback.store import schema
from ringback.store.records import Append, CallRow, RecordingRow, StoredDelivery, StoredObject

_CALL_JSON = ("custom", "stats", "dialog", "extra")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def _in_order(table: Table) -> Callable[[Any], tuple[Any, ...]]:
    """Reads a record's fields in the order of the table's columns."""
    return attrgetter(*(column.name for column in table.columns))


_event_fields, _call_fields = _in_order(schema.events), _in_order(schema.calls)
delivery_values: Callable[[StoredDelivery], tuple[Any, ...]] = _in_order(schema.deliveries)
"""A delivery as the database takes it, in the order of its table's columns."""
_CALL_NAMES = tuple(column.name for column in schema.calls.columns)
_CALL_PLAIN = len(schema.calls.columns) - len(_CALL_JSON)


def event_values(append: Append) -> tuple[Any, ...]:
    """The event of an append, in the order of its table's columns."""
    values: tuple[Any, ...] = _event_fields(append)
    return values


def call_values(row: CallRow) -> tuple[Any, ...]:
    """A call's row as the database takes it, in the order of its table's columns: what is JSON comes last."""
    fields = _call_fields(row)
    return (*fields[:_CALL_PLAIN], *map(_to_json, fields[_CALL_PLAIN:]))


def call_row(values: Sequence[Any]) -> CallRow:
    """The reverse of `call_values`."""
    fields = dict(zip(_CALL_NAMES, values, strict=True))
    for name in _CALL_JSON:
        if fields[name] is not None:
            fields[name] = _decode(fields[name])
    return CallRow(**fields)


def recording_columns(row: RecordingRow) -> dict[str, Any]:
    """A recording's row as the database takes it."""
    columns = msgspec.structs.asdict(row)
    columns["plan"] = _to_json(columns["plan"])
    return columns


def recording_row(columns: RowMapping) -> RecordingRow:
    """The reverse of `recording_columns`."""
    fields = dict(columns)
    fields["plan"] = _from_json(fields["plan"])
    return RecordingRow(**fields)


def delivery_row(columns: RowMapping) -> StoredDelivery:
    """The reverse of `delivery_values`."""
    return StoredDelivery(**dict(columns))


def object_columns(value: StoredObject) -> dict[str, Any]:
    """An object as the database takes it."""
    columns = msgspec.structs.asdict(value)
    columns["data"] = _to_json(columns["data"])
    return columns


def object_row(columns: RowMapping) -> StoredObject:
    """The reverse of `object_columns`."""
    fields = dict(columns)
    fields["data"] = _from_json(fields["data"])
    return StoredObject(**fields)


def storable(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns with what no database holds in text (NUL, lone surrogates) replaced by U+FFFD."""
    return {name: _clean(value) for name, value in columns.items()}


def storable_values(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same for a row of values."""
    return tuple(map(_clean, values))


def _clean(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    # Encoded by hand: `errors="replace"` would leave a question mark.
    return "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= char <= "\udfff" else char for char in text)


def _to_json(value: Any) -> str | None:
    return None if value is None else _encode(value).decode()


def _from_json(text: str | None) -> Any:
    return None if text is None else _decode(text)
