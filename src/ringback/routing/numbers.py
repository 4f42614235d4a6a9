"""Telephone numbers and number patterns, matched with and without the leading +."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[\s().-]")  # the visual separators of RFC 3966 section 5.1.1, and the space
_DIALLED = re.compile(r"\+?[0-9*#]{1,32}")


def canonical(number: str) -> str:
    """The key under which a number is compared: no +, no visual separators when only digits remain.

    Names ("ivr") and short codes pass unchanged.
    """
    text = number.strip()
    bare = _SEPARATORS.sub("", text).removeprefix("+")
    return bare if bare.isascii() and bare.isdigit() else text


def is_telephone_number(text: str) -> bool:
    """Syntax only: an optional +, then digits (and the keys * and #, which feature codes use)."""
    return bool(_DIALLED.fullmatch(text) or _DIALLED.fullmatch(_SEPARATORS.sub("", text)))


def dialled(text: str) -> str:
    """A telephone number without visual separators, as it goes into a URI; any other text as it is."""
    return _SEPARATORS.sub("", text) if is_telephone_number(text) else text


def is_pattern(number: str) -> bool:
    """Whether a configured number stands for many: `+1415555*`, `+1415555????`, `/^\\+?1415/`."""
    return _is_regex(number) or "*" in number.lstrip("*") or "?" in number or number in ("*", "+*")


def _is_regex(number: str) -> bool:
    return len(number) > 2 and number.startswith("/") and number.endswith("/")


def compile_pattern(number: str) -> re.Pattern[str]:
    """The regular expression of a pattern; raises ValueError for a broken one.

    `*` is any run of characters, `?` any one; between slashes it is a regular expression, searched in the
    number as it was dialled (with its + when there is one).
    """
    if _is_regex(number):
        try:
            return re.compile(number[1:-1])
        except re.error as error:
            raise ValueError(f"{number} is not a regular expression: {error}") from error
    bare = _SEPARATORS.sub("", number).removeprefix("+")
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in bare)
    return re.compile(r"\A\+?" + "".join(parts) + r"\Z")


def specificity(number: str) -> tuple[int, int]:
    """Sorts the most particular pattern first: globs by how much they spell out, then regular expressions."""
    if _is_regex(number):
        return (1, 0)
    return (0, -sum(char not in "*?+" for char in number))
