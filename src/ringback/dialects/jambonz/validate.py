"""Check a document against the grammar, and bring every element into one form. Pure and total."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.dialects.jambonz.grammar import PRESETS, SHAPES, VERBS, Property

MAX_VERBS = 500
_ANYWHERE = frozenset({"id", "_", "verb"})
_LARGEST = 10**15  # any number here is a duration or a count; JSON integers have no end, floats do

_IS: dict[str, Callable[[Any], bool]] = {
    "s": lambda value: isinstance(value, str),
    "n": lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
    ),
    "b": lambda value: isinstance(value, bool),
    "o": lambda value: isinstance(value, dict),
    "a": lambda value: isinstance(value, list),
}


class Element(msgspec.Struct, frozen=True):
    """One valid verb: its name, and its properties without those that are null."""

    name: str
    data: dict[str, Any]


def read_elements(payload: Any) -> list[Element]:
    """The verbs of a decoded JSON document, each checked.

    Raises:
        InvalidApplication: with the message that the service gives.
    """
    if not isinstance(payload, list):
        raise InvalidApplication("malformed jambonz payload: must be array")
    if len(payload) > MAX_VERBS:
        raise InvalidApplication(f"malformed jambonz payload: more than {MAX_VERBS} verbs")
    return [_element(item) for item in payload]


def _element(item: Any) -> Element:
    name, data = _normal_form(item)
    if name not in VERBS:
        raise InvalidApplication(f"invalid instruction: {name}")
    data = {**PRESETS.get(name, {}), **_without_nulls(data)}
    if "id" in data and not isinstance(data["id"], str):
        raise InvalidApplication(f"{name}: property id has invalid data type")
    check(name, data)
    return Element(name, data)


def _normal_form(item: Any) -> tuple[str, dict[str, Any]]:
    """`{"verb": "say", …}`, or the older `{"say": {…}}`."""
    if not isinstance(item, dict):
        raise InvalidApplication("malformed jambonz payload: missing verb property")
    if "verb" in item:
        if not isinstance(item["verb"], str):
            raise InvalidApplication(f"invalid instruction: {_shown(item['verb'])}")
        return item["verb"], {key: value for key, value in item.items() if key != "verb"}
    if len(item) != 1:
        raise InvalidApplication("malformed jambonz payload: missing verb property")
    name, data = next(iter(item.items()))
    if not isinstance(data, dict):
        raise InvalidApplication(f"malformed jambonz payload: {name} must be an object")
    return name, data


def check(name: str, data: dict[str, Any]) -> None:
    """Check the properties of a verb or component.

    Raises:
        InvalidApplication: an unknown property, a wrong type, a word that is not allowed, a value missing.
    """
    shape = SHAPES[name]
    for key, value in data.items():
        known = shape.get(key)
        if known is not None:
            if value is not None:
                _check_value(name, key, value, known)
        elif key not in _ANYWHERE:
            raise InvalidApplication(f"{name}: unknown property {key}")
    missing = [key for key, known in shape.items() if known.required and data.get(key) is None]
    if missing:
        raise InvalidApplication(f"{name}: missing value for {','.join(missing)}")


def _check_value(name: str, key: str, value: Any, known: Property) -> None:
    if known.words:
        if value not in known.words:
            raise InvalidApplication(f"invalid value {_shown(value)} must be one of {','.join(known.words)}")
        return
    wrong = InvalidApplication(f"{name}: property {key} has invalid data type")
    for kind in known.kinds:
        if kind.startswith("#"):
            if not isinstance(value, dict):
                raise wrong
            return check(kind[1:], value)
        if kind.startswith("["):
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                raise wrong
            for item in value:
                check(kind[2:-1], item)
            return None
        if _IS[kind](value):
            return None
    raise wrong


def _without_nulls(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def _shown(value: Any) -> str:
    return str(value)[:100]
