"""Records as rows of columns, and back."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import RowMapping

from ringback.store.records import CallRow, RecordingRow, StoredDelivery, StoredObject

_CALL_JSON = ("custom", "stats", "dialog", "extra")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def call_columns(row: CallRow) -> dict[str, Any]:
    """A call's row as the database takes it."""
    columns = msgspec.structs.asdict(row)
    for name in _CALL_JSON:
        columns[name] = _to_json(columns[name])
    return columns


def call_row(columns: RowMapping) -> CallRow:
    """The reverse of `call_columns`."""
    fields = dict(columns)
    for name in _CALL_JSON:
        fields[name] = _from_json(fields[name])
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


def delivery_columns(delivery: StoredDelivery) -> dict[str, Any]:
    """A delivery as the database takes it."""
    return msgspec.structs.asdict(delivery)


def delivery_row(columns: RowMapping) -> StoredDelivery:
    """The reverse of `delivery_columns`."""
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
    return {name: _clean(value) if isinstance(value, str) else value for name, value in columns.items()}


def _clean(text: str) -> str:
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    # Encoded by hand: `errors="replace"` would leave a question mark.
    return "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= char <= "\udfff" else char for char in text)


def _to_json(value: Any) -> str | None:
    return None if value is None else _encode(value).decode()


def _from_json(text: str | None) -> Any:
    return None if text is None else _decode(text)
