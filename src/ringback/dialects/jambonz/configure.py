"""The config verb: what it changes for the session, and which of its parts are not here. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ringback.calls.verbs import Note, Unbuilt
from ringback.dialects.jambonz.errors import NOT_SUPPORTED, InvalidApplication
from ringback.dialects.jambonz.session import Session

# Parts that do something of their own when they are switched on.
_UNBUILT = (
    "bargeIn", "ttsStream", "record", "listen", "stream", "transcribe", "amd", "fillerNoise", "onHoldMusic",
    "actionHookDelayAction", "sipRequestWithinDialogHook", "boostAudioSignal", "referHook", "autoStreamTts",
    "trackTtsPlayout", "noiseIsolation", "turnTaking",
)  # fmt: skip
_RESETTABLE = ("synthesizer", "recognizer")


def configure(data: dict[str, Any], session: Session) -> tuple[Session, list[Unbuilt]]:
    """The session as `config` leaves it. Parts that are not built become one error when the verb is reached.

    Raises:
        InvalidApplication: `reset` names something that cannot be reset.
    """
    changes: dict[str, Any] = {}
    if "synthesizer" in _reset(data.get("reset")):
        changes["voice"] = session.default_voice
    if data.get("synthesizer"):
        changes["voice"] = changes.get("voice", session.voice).overridden(data["synthesizer"])
    for key, name in _FLAGS.items():
        if data.get(key) is not None:
            changes[name] = data[key]
    session = msgspec.structs.replace(session, **changes)
    asked = [key for key in _UNBUILT if _switched_on(data.get(key))]
    return session, [_unbuilt(asked, data.get("id"))] if asked else []


_FLAGS = {
    "earlyMedia": "early_media",
    "disableTtsCache": "disable_tts_cache",
    "notifyEvents": "notify_events",
}


def _reset(value: str | list[Any] | None) -> list[str]:
    names = [value] if isinstance(value, str) else value or []
    for name in names:
        if name not in _RESETTABLE:
            raise InvalidApplication(f"invalid value {str(name)[:60]} must be one of {','.join(_RESETTABLE)}")
    return names


def _switched_on(value: object) -> bool:
    """Whether a part asks for anything: `enable: false` and zero do not."""
    if isinstance(value, dict):
        return value.get("enable", value.get("enabled")) is not False
    return bool(value)


def _unbuilt(parts: list[str], id: str | None) -> Unbuilt:
    names = ", ".join(parts)
    note = Note(
        level="error",
        code=NOT_SUPPORTED,
        message=f"config: not supported: {names}",
        detail={"verb": "config", "properties": parts},
    )
    return Unbuilt(id=id, name="config", note=note, failure=False)
