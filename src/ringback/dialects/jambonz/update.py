"""What `PUT …/Calls/{sid}` asks for, read and checked. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ringback.dialects.jambonz.commands import read_dtmf
from ringback.dialects.jambonz.errors import ApiError, InvalidApplication

# One of these at a time; `child_call_hook` may go with `call_hook`.
_OPTIONS = (
    "call_hook", "child_call_hook", "call_status", "listen_status", "stream_status", "transcribe_status",
    "conf_hold_status", "conf_mute_status", "mute_status", "sip_request", "record", "tag", "dtmf",
    "conferenceParticipantAction", "dub", "boostAudioSignal", "media_path", "noise_isolation_status",
    "agent_update", "transfer", "llm_status", "room_say", "room_play", "whisper",
)  # fmt: skip

_WORDS = {
    "call_status": ("completed", "no-answer"),
    "listen_status": ("pause", "silence", "resume"),
    "stream_status": ("pause", "silence", "resume"),
    "mute_status": ("mute", "unmute"),
    "conf_hold_status": ("hold", "unhold"),
    "conf_mute_status": ("mute", "unmute"),
    "media_path": ("no-media", "partial-media", "full-media"),
}
_RECORD = ("startCallRecording", "stopCallRecording", "pauseCallRecording", "resumeCallRecording")
_PARTICIPANT = ("tag", "untag", "coach", "uncoach", "mute", "unmute", "hold", "unhold", "kick")
_BUILT = frozenset({"call_hook", "call_status", "mute_status", "tag", "dtmf"})


class Update(msgspec.Struct, frozen=True):
    """One change to a live call: `option` with its value, as `_BUILT` names them.

    `call_hook` comes as it was written, `dtmf` as (digits, milliseconds), the others as plain values.
    """

    option: str
    value: Any
    call_status_hook: Any = None


def read_update(body: Any, call_sid: str) -> Update:
    """The request's body, checked.

    Raises:
        ApiError: 400 with the service's message; an option that is not built is one too.
    """
    fields = body if isinstance(body, dict) else {}
    asked = [name for name in _OPTIONS if _given(fields.get(name))]
    if fields.get("call_status_hook") and "call_hook" not in asked:
        message = "call_status_hook can be updated only when call_hook is also being updated"
        raise ApiError(400, f"{message} for call_sid {call_sid}")
    counted = [name for name in asked if name != "whisper"] or asked
    if not counted:
        raise ApiError(400, "no valid options supplied to updateCall")
    if len(counted) > 1 and set(counted) != {"call_hook", "child_call_hook"}:
        raise ApiError(400, "multiple options are not allowed in updateCall")
    for name in asked:
        _check(name, fields[name])
    for name in asked:
        if name not in _BUILT:
            raise ApiError(400, f"{name} is not supported")
    option = counted[0]
    return Update(option, _value(option, fields[option]), fields.get("call_status_hook"))


def _given(value: Any) -> bool:
    """What counts as there: anything but what JavaScript holds to be false."""
    return isinstance(value, dict | list) or bool(value)


def _check(name: str, value: Any) -> None:
    words = _WORDS.get(name)
    if words is not None and value not in words:
        raise ApiError(400, f"invalid {name}")
    if name == "tag" and not isinstance(value, dict):
        raise ApiError(400, "invalid tag data")
    if name == "sip_request":
        _check_sip_request(value)
    elif name == "record":
        _check_record(value)
    elif name == "conferenceParticipantAction":
        _check_participant(value)


def _check_sip_request(value: Any) -> None:
    if not isinstance(value, dict) or not all(
        value.get(key) for key in ("method", "content_type", "content")
    ):
        raise ApiError(400, "sip_request requires method, content_type and content properties")


def _check_record(value: Any) -> None:
    if not isinstance(value, dict) or value.get("action") not in _RECORD:
        raise ApiError(400, "record requires action property")
    siprec = value.get("type", "siprec") == "siprec"
    if siprec and value["action"] == "startCallRecording" and not value.get("siprecServerURL"):
        raise ApiError(400, "record requires siprecServerURL property when starting recording")


def _check_participant(value: Any) -> None:
    action = value.get("action") if isinstance(value, dict) else None
    if action not in _PARTICIPANT:
        raise ApiError(400, f"conferenceParticipantAction invalid action property {action}")
    if action in ("tag", "coach") and not value.get("tag"):
        raise ApiError(400, f"conferenceParticipantAction requires tag property when action is '{action}'")


def _value(option: str, value: Any) -> Any:
    if option != "dtmf":
        return value
    try:
        return read_dtmf(value)
    except InvalidApplication as error:
        raise ApiError(400, error.message) from None
