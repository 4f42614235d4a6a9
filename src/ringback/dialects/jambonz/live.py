"""What may be done to a live call, by REST (`PUT …/Calls/{sid}`) and by commands on the application's socket.

Each option is read and checked first (pure), and done later (`apply`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

import msgspec

from ringback.calls.control import CallIsOver, Calls, WrongState
from ringback.calls.verbs import Play, Say, Transfer, Unbuilt
from ringback.dialects.jambonz.detection import gain
from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.dialects.jambonz.markup import read_digits, read_duration
from ringback.dialects.jambonz.prompts import play, say
from ringback.dialects.jambonz.recordings import WHAT, RecordingChange, read_change
from ringback.dialects.jambonz.requesting import WrittenRequest, written_request
from ringback.dialects.jambonz.session import Session
from ringback.dialects.jambonz.transferring import transfer
from ringback.dialects.jambonz.validate import Element, read_elements

DTMF_MS = 250  # milliseconds for each key, where nothing else is said
_WHISPERED = ("say", "play")
_PARTICIPANT = ("tag", "untag", "coach", "uncoach", "mute", "unmute", "hold", "unhold", "kick")


class Change(Protocol):
    """Something to be done to a live call."""

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> Any:
        """Do it; what it brings, if anything.

        Raises:
            ControlError
        """
        ...


class Mute(msgspec.Struct, frozen=True):
    muted: bool

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> None:
        await calls.mute(account_id, call_id, muted=self.muted)


class Tagging(msgspec.Struct, frozen=True):
    data: dict[str, Any]

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> None:
        await calls.tag(account_id, call_id, self.data)


class Keys(msgspec.Struct, frozen=True):
    digits: str
    duration_ms: int

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> None:
        await calls.send_digits(account_id, call_id, self.digits, duration_ms=self.duration_ms)


class Whisper(msgspec.Struct, frozen=True):
    elements: tuple[Element, ...]

    def verbs(self, session: Session) -> list[Say | Play]:
        """The prompts, in the call's own voice, each once."""
        return [_whispered(element, session) for element in self.elements]

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> None:
        await calls.play_over(account_id, call_id, self.verbs(session))


class Recorded(msgspec.Struct, frozen=True):
    change: RecordingChange

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> None:
        change = self.change
        if change.what == "start":
            await calls.start_recording(account_id, call_id, change.plan)
        else:
            await calls.change_recording(
                account_id, call_id, change.what, name=change.plan.custom_id, silence=change.silence
            )


class Sent(msgspec.Struct, frozen=True):
    request: WrittenRequest

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> tuple[int, str]:
        request = self.request
        return await calls.send_request(
            account_id,
            call_id,
            request.method,
            content_type=request.content_type,
            body=request.body,
            headers=request.headers,
        )


class Transferred(msgspec.Struct, frozen=True):
    data: dict[str, Any]

    def verb(self, session: Session) -> Transfer:
        """The transfer, in the call's own voice. Raises InvalidApplication for what is not built."""
        verb, _ = transfer(self.data, session)
        if isinstance(verb, Unbuilt):
            raise InvalidApplication(verb.note.message)
        return verb

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> None:
        await calls.transfer(account_id, call_id, self.verb(session))


class Amplified(msgspec.Struct, frozen=True):
    decibels: float

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> None:
        await calls.amplify(account_id, call_id, decibels=self.decibels)


class MediaPath(msgspec.Struct, frozen=True):
    """Audio always goes through here, whichever way is asked for; only an answered call has one."""

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> None:
        call = await calls.get(account_id, call_id)
        if call.status.final:
            raise CallIsOver(f"call {call_id} has ended")
        if call.answered_at is None:
            raise WrongState(f"call {call_id} is {call.status}")


class NotNow(msgspec.Struct, frozen=True):
    """Something that only a verb in progress can do, which no call here ever runs."""

    option: str

    async def apply(self, calls: Calls, account_id: UUID, call_id: UUID, session: Session) -> None:
        call = await calls.get(account_id, call_id)
        if call.status.final:
            raise CallIsOver(f"call {call_id} has ended")
        raise WrongState(f"nothing runs on the call that {self.option} could change")


def read_option(option: str, value: Any) -> Change:
    """What an option of `OPTIONS` asks for.

    Raises:
        InvalidApplication: with the message that the service's REST interface gives.
    """
    return OPTIONS[option](value)


def _mute(value: Any) -> Change:
    return Mute(_word("mute_status", value, ("mute", "unmute")) == "mute")


def _tag(value: Any) -> Change:
    if not isinstance(value, dict):
        raise InvalidApplication("invalid tag data")
    return Tagging(value)


def _dtmf(value: Any) -> Change:
    """Keys out of `{digit, duration}`, `{dtmf: {…}}`, `{dtmf: "1"}` or `"1"`."""
    inner = value.get("dtmf", value) if isinstance(value, dict) else value
    fields = inner if isinstance(inner, dict) else {"digit": inner}
    digit = fields.get("digit")
    if isinstance(digit, int) and not isinstance(digit, bool):
        digit = str(digit)
    if not isinstance(digit, str):
        raise InvalidApplication("invalid dtmf")
    try:
        digits = read_digits(digit, "dtmf")
    except InvalidApplication:
        raise InvalidApplication("invalid dtmf") from None
    duration = fields.get("duration", value.get("duration") if isinstance(value, dict) else None)
    return Keys(digits, read_duration(duration, DTMF_MS))


def _whisper(value: Any) -> Change:
    elements = read_elements(value if isinstance(value, list) else [value])
    for element in elements:
        if element.name not in _WHISPERED:
            raise InvalidApplication(f"whisper: {element.name} is not allowed, only say and play")
    if not elements:
        raise InvalidApplication("whisper: missing value for verb")
    whisper = Whisper(tuple(elements))
    whisper.verbs(Session())
    return whisper


def _whispered(element: Element, session: Session) -> Say | Play:
    data = {**element.data, "loop": 1}
    if element.name == "play":
        return play(data, session, nested=True)
    return say(data, session)


def _record(value: Any) -> Change:
    if not isinstance(value, dict) or value.get("action") not in WHAT:
        raise InvalidApplication("record requires action property")
    siprec = value.get("type", "siprec") == "siprec"
    if siprec and value["action"] == "startCallRecording" and not value.get("siprecServerURL"):
        raise InvalidApplication("record requires siprecServerURL property when starting recording")
    return Recorded(read_change(value))


def _sip_request(value: Any) -> Change:
    if not isinstance(value, dict) or not all(
        value.get(key) for key in ("method", "content_type", "content")
    ):
        raise InvalidApplication("sip_request requires method, content_type and content properties")
    return Sent(
        written_request(value["method"], value["content"], value.get("headers"), value["content_type"])
    )


def _transfer(value: Any) -> Change:
    if not isinstance(value, dict):
        raise InvalidApplication("invalid transfer")
    (element,) = read_elements([{**value, "verb": "transfer"}])
    transferred = Transferred(element.data)
    transferred.verb(Session())
    return transferred


def _boost(value: Any) -> Change:
    try:
        decibels = gain(value, "call")
    except InvalidApplication:
        decibels = None
    if decibels is None:
        raise InvalidApplication("invalid boostAudioSignal")
    return Amplified(decibels)


def _media_path(value: Any) -> Change:
    _word("media_path", value, ("no-media", "partial-media", "full-media"))
    return MediaPath()


def _participant(value: Any) -> Change:
    action = value.get("action") if isinstance(value, dict) else None
    if action not in _PARTICIPANT:
        raise InvalidApplication(f"conferenceParticipantAction invalid action property {action}")
    if action in ("tag", "coach") and not value.get("tag"):
        message = f"conferenceParticipantAction requires tag property when action is '{action}'"
        raise InvalidApplication(message)
    return NotNow("conferenceParticipantAction")


def _not_now(option: str, *words: str) -> Callable[[Any], Change]:
    """An option that changes a verb which is not here, with its words where it has a fixed set."""

    def read(value: Any) -> Change:
        if words:
            _word(option, value, words)
        return NotNow(option)

    return read


def _word(option: str, value: Any, words: tuple[str, ...]) -> str:
    if value not in words:
        raise InvalidApplication(f"invalid {option}")
    word: str = value
    return word


OPTIONS: dict[str, Callable[[Any], Change]] = {
    "mute_status": _mute,
    "tag": _tag,
    "dtmf": _dtmf,
    "whisper": _whisper,
    "record": _record,
    "sip_request": _sip_request,
    "boostAudioSignal": _boost,
    "media_path": _media_path,
    "transfer": _transfer,
    "conferenceParticipantAction": _participant,
    "conf_hold_status": _not_now("conf_hold_status", "hold", "unhold"),
    "conf_mute_status": _not_now("conf_mute_status", "mute", "unmute"),
    "listen_status": _not_now("listen_status", "pause", "silence", "resume"),
    "stream_status": _not_now("stream_status", "pause", "silence", "resume"),
    "transcribe_status": _not_now("transcribe_status"),
    "agent_update": _not_now("agent_update"),
    "llm_status": _not_now("llm_status"),
    "room_say": _not_now("room_say"),
    "room_play": _not_now("room_play"),
}
"""By the names of the REST interface."""
