"""One parameter of a REST request each, checked. Pure; each raises ApiError for a value that cannot be."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.dialects.http import Parameters, integer
from ringback.dialects.http import boolean as read_boolean
from ringback.dialects.laml.errors import ApiError, invalid
from ringback.net.url import BadUrl, target


def url(given: Parameters, name: str, code: int) -> str | None:
    """An absolute URL; None where there is none."""
    text = given.get(name).strip()
    if not text:
        return None
    try:
        target(text)
    except BadUrl as bad:
        raise ApiError(code, f"{name} is not a valid URL: {bad}") from None
    return text


def method(given: Parameters, name: str) -> str:
    """GET or POST, in any letter case; POST where there is none."""
    word = given.get(name, "POST").strip().upper() or "POST"
    if word not in ("GET", "POST"):
        raise invalid(name, "GET or POST", given.get(name), 21209)
    return word


def number(given: Parameters, name: str, default: int, least: int, most: int, code: int = 20422) -> int:
    """A whole number within bounds."""
    text = given.get(name).strip()
    if not text:
        return default
    value = integer(text, least=least, most=most)
    if value is None:
        raise invalid(name, f"a number from {least} to {most}", text, code)
    return value


def one_of(given: Parameters, name: str, words: Sequence[str], default: str) -> str:
    """One of some words."""
    text = given.get(name).strip() or default
    if text not in words:
        raise invalid(name, " or ".join(words), text)
    return text


def boolean(given: Parameters, name: str) -> bool:
    """`true` or `false`; False where there is none."""
    text = given.get(name).strip()
    value = read_boolean(text or "false")
    if value is None:
        raise invalid(name, "true or false", text)
    return value
