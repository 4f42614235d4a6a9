"""Which verbs a document may have that does not run the whole call."""

from __future__ import annotations

from collections.abc import Iterable

from ringback.calls.verbs import (
    Configure,
    ControlRecording,
    Gather,
    HangUp,
    Note,
    Pause,
    Play,
    Say,
    SendDigits,
    Tag,
    Verb,
)
from ringback.dialects.jambonz.errors import NOT_SUPPORTED
from ringback.dialects.jambonz.verbstatus import verb_name

Verbs = tuple[type[Verb], ...]

CONFIRMING: Verbs = (Configure, ControlRecording, Gather, HangUp, Pause, Play, Say, SendDigits, Tag)
"""On a callee before it is connected."""
HOLDING: Verbs = (Pause, Play, Say)
"""To a party that waits."""


def only(allowed: Verbs, verbs: Iterable[Verb], where: str) -> tuple[tuple[Verb, ...], tuple[Note, ...]]:
    """The verbs that may run there, and a note about each of the others."""
    kept: list[Verb] = []
    notes: list[Note] = []
    for verb in verbs:
        if isinstance(verb, allowed):
            kept.append(verb)
            continue
        name = verb_name(type(verb).__name__)
        message = f"{name} is not allowed in the reply to a {where}"
        notes.append(Note(level="error", code=NOT_SUPPORTED, message=message, detail={"verb": name}))
    return tuple(kept), tuple(notes)
