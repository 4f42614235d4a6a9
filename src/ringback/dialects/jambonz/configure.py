"""The config verb: what it changes for session and call, and which of its parts are not here. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ringback.calls.verbs import Answering, Clip, Configure, ControlRecording, Note, Unbuilt, Verb
from ringback.dialects.jambonz.detection import detection, gain
from ringback.dialects.jambonz.errors import NOT_SUPPORTED, InvalidApplication
from ringback.dialects.jambonz.prompts import answering
from ringback.dialects.jambonz.recordings import control, siprec_note
from ringback.dialects.jambonz.session import Session, absolute, read_hook

# Parts that do something of their own when they are switched on.
_UNBUILT = (
    "bargeIn", "ttsStream", "listen", "stream", "transcribe", "fillerNoise", "actionHookDelayAction",
    "autoStreamTts", "trackTtsPlayout", "noiseIsolation", "turnTaking",
)  # fmt: skip
_RESETTABLE = ("synthesizer", "recognizer")
_FLAGS = {
    "earlyMedia": "early_media",
    "disableTtsCache": "disable_tts_cache",
    "notifyEvents": "notify_events",
}


class Configured(NamedTuple):
    """What a config verb comes to."""

    session: Session
    verbs: list[Verb]
    """What is to be done on the call, and one error for all parts that are not built."""
    notes: list[Note]


def configure(data: dict[str, Any], session: Session) -> Configured:
    """The session as `config` leaves it, and the verbs that do the rest.

    Raises:
        InvalidApplication: `reset` names something that cannot be reset, a hook is none.
    """
    session = _session_after(data, session)
    verbs: list[Verb] = [*_changes(data, session)]
    notes: list[Note] = []
    if data.get("record"):
        verbs.append(_recording(data, session))
        notes += siprec_note(data["record"])
    asked = [key for key in _UNBUILT if _switched_on(data.get(key))]
    if asked:
        verbs.append(_unbuilt(asked, data.get("id")))
    return Configured(session, verbs, notes)


def _session_after(data: dict[str, Any], session: Session) -> Session:
    changes: dict[str, Any] = {}
    if "synthesizer" in _reset(data.get("reset")):
        changes["voice"] = session.default_voice
    if data.get("synthesizer"):
        changes["voice"] = changes.get("voice", session.voice).overridden(data["synthesizer"])
    for key, name in _FLAGS.items():
        if data.get(key) is not None:
            changes[name] = data[key]
    return msgspec.structs.replace(session, **changes)


def _changes(data: dict[str, Any], session: Session) -> list[Configure]:
    """What the call itself is to remember; sound makes it be answered first."""
    music = data.get("onHoldMusic")
    verb = Configure(
        hold_music=Clip(absolute(music, session, "config") if music.startswith("/") else music)
        if music
        else None,
        refer_hook=read_hook(data.get("referHook"), session, "config"),
        request_hook=read_hook(data.get("sipRequestWithinDialogHook"), session, "config"),
        gain_db=gain(data.get("boostAudioSignal"), "config"),
        detection=detection(data.get("amd"), session),
    )
    if verb == Configure():
        return []
    needs_media = verb.gain_db is not None or verb.detection is not None
    how = answering({}, session) if needs_media else Answering.NONE
    return [msgspec.structs.replace(verb, id=data.get("id"), answering=how)]


def _recording(data: dict[str, Any], session: Session) -> ControlRecording:
    return control(data["record"], id=data.get("id"), answering=answering({}, session))


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
