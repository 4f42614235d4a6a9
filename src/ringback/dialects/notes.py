"""What is worth recording about a document, in the codes of a service's notifications."""

from __future__ import annotations

from typing import Any

from ringback.calls.verbs import Note


def error(code: str, message: str, **detail: Any) -> Note:
    """Something that stops the document."""
    return Note(level="error", code=code, message=message, detail=detail)


def warning(code: str, message: str, **detail: Any) -> Note:
    """Something that the document survives: left out, or replaced by a default."""
    return Note(level="warning", code=code, message=message, detail=detail)
