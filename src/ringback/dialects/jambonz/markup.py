"""A JSON document as neutral verbs. Pure and total: any value becomes verbs or `InvalidApplication`.

Durations come in seconds, `dtmf.duration` in milliseconds, `play.seekOffset` in samples of 8 kHz.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ringback.calls.status import CallStatus
from ringback.calls.verbs import (
    Answer,
    HangUp,
    Note,
    Pause,
    Redirect,
    Reject,
    Ring,
    SendDigits,
    Tag,
    Unbuilt,
    Verb,
)
from ringback.dialects.http import is_one_line
from ringback.dialects.jambonz.configure import configure
from ringback.dialects.jambonz.dialling import dial
from ringback.dialects.jambonz.errors import FROM_APPLICATION, NOT_SUPPORTED, InvalidApplication
from ringback.dialects.jambonz.headers import headers_of
from ringback.dialects.jambonz.prompts import LONGEST, answering, gather, play, say
from ringback.dialects.jambonz.requesting import refer, send_request
from ringback.dialects.jambonz.session import Session, read_hook
from ringback.dialects.jambonz.transferring import transfer
from ringback.dialects.jambonz.validate import Element, read_elements

Translated = tuple[list[Verb], list[Note]]

_KEYS = frozenset("0123456789*#ABCDabcdwW")
_MOST_DIGITS = 512


class Parsed(msgspec.Struct, frozen=True):
    """A document read: what to run, what the session is afterwards, what is worth noting."""

    verbs: tuple[Verb, ...]
    session: Session
    notes: tuple[Note, ...] = ()


def parse_json(body: bytes | str, session: Session) -> Parsed:
    """A document as it came over the wire.

    Raises:
        InvalidApplication
    """
    try:
        payload = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidApplication(f"malformed jambonz payload: not JSON ({error})") from None
    return parse(payload, session)


def parse(payload: Any, session: Session) -> Parsed:
    """A document already decoded: an array of verbs.

    Raises:
        InvalidApplication
    """
    verbs: list[Verb] = []
    notes: list[Note] = []
    for element in read_elements(payload):
        if element.name == "config":
            session, made, noted = configure(element.data, session)
            verbs += made
            notes += noted
            continue
        made, noted = translate(element, session)
        verbs += made
        notes += noted
    return Parsed(tuple(verbs), session, tuple(notes))


def translate(element: Element, session: Session) -> Translated:
    """One checked verb, other than `config`."""
    translator = _TRANSLATORS.get(element.name)
    if translator is None:
        return [unbuilt(element.name, element.data.get("id"))], []
    return translator(element.data, session)


def unbuilt(name: str, id: str | None = None) -> Unbuilt:
    """A verb that this version does not have: reported as an error when it is reached; the next one runs."""
    note = Note(
        level="error", code=NOT_SUPPORTED, message=f"{name}: verb is not supported", detail={"verb": name}
    )
    return Unbuilt(id=id, name=name, note=note, failure=False)


def _dial(data: dict[str, Any], session: Session) -> Translated:
    made, notes = dial(data, session)
    return [*made], notes


def _say(data: dict[str, Any], session: Session) -> Translated:
    if data.get("stream"):
        return [unbuilt("say with stream", data.get("id"))], []
    return [say(data, session)], []


def _play(data: dict[str, Any], session: Session) -> Translated:
    return [play(data, session)], []


def _gather(data: dict[str, Any], session: Session) -> Translated:
    verb, notes = gather(data, session)
    return [verb], notes


def _answer(data: dict[str, Any], session: Session) -> Translated:
    return [Answer(id=data.get("id"))], []


def _alert(data: dict[str, Any], session: Session) -> Translated:
    message = data["message"]
    note = Note(level="warning", code=FROM_APPLICATION, message=message[:1000])
    headers = headers_of({"Alert-Info": message})
    return [Ring(id=data.get("id"), headers=headers)], [note]


def _pause(data: dict[str, Any], session: Session) -> Translated:
    return [Pause(id=data.get("id"), seconds=min(max(0.0, float(data["length"])), LONGEST))], []


def _redirect(data: dict[str, Any], session: Session) -> Translated:
    hook = read_hook(data["actionHook"], session, "redirect")
    if hook is None:
        raise InvalidApplication("redirect: missing value for actionHook")
    status = read_hook(data.get("statusHook"), session, "redirect")
    return [Redirect(id=data.get("id"), hook=hook, status_hook=status)], []


def _decline(data: dict[str, Any], session: Session) -> Translated:
    status = data["status"]
    if not (status == int(status) and 300 <= status <= 699):
        raise InvalidApplication("sip:decline: status must be a final sip status, 300 to 699")
    verb = Reject(
        id=data.get("id"),
        sip_status=int(status),
        reason=_line(data.get("reason"), "sip:decline"),
        headers=(("X-Reason", "SIP Decline Verb"), *headers_of(data.get("headers"))),
        ended_as=CallStatus.REJECTED,
    )
    return [verb], []


def _hangup(data: dict[str, Any], session: Session) -> Translated:
    return [HangUp(id=data.get("id"), headers=headers_of(data.get("headers")), sip_status=603)], []


def _dtmf(data: dict[str, Any], session: Session) -> Translated:
    digits = read_digits(data["dtmf"], "dtmf")
    duration = read_duration(data.get("duration"), 500)
    return [
        SendDigits(id=data.get("id"), answering=answering({}, session), digits=digits, duration_ms=duration)
    ], []


def _tag(data: dict[str, Any], session: Session) -> Translated:
    return [Tag(id=data.get("id"), data=data["data"])], []


def _transfer(data: dict[str, Any], session: Session) -> Translated:
    verb, notes = transfer(data, session)
    return [verb], notes


def read_digits(text: str, where: str) -> str:
    """Keys to be sent: 0-9 * # A-D, `w` for half a second.

    Raises:
        InvalidApplication
    """
    if not text or len(text) > _MOST_DIGITS or not set(text) <= _KEYS:
        raise InvalidApplication(f"{where}: property dtmf has invalid data type")
    return "".join(key if key in "wW" else key.upper() for key in text)


def read_duration(value: object, otherwise: int) -> int:
    """Milliseconds for each key, within what a far end can tell apart."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return int(min(max(value, 40), 6000))
    return otherwise


def _line(text: str | None, where: str) -> str | None:
    if text is not None and not is_one_line(text):
        raise InvalidApplication(f"{where}: property reason has invalid data type")
    return text


_TRANSLATORS: dict[str, Callable[[dict[str, Any], Session], Translated]] = {
    "alert": _alert,
    "answer": _answer,
    "dial": _dial,
    "dtmf": _dtmf,
    "gather": _gather,
    "hangup": _hangup,
    "pause": _pause,
    "play": _play,
    "redirect": _redirect,
    "say": _say,
    "sip:decline": _decline,
    "sip:refer": lambda data, session: ([refer(data, session)], []),
    "sip:request": lambda data, session: ([send_request(data, session)], []),
    "tag": _tag,
    "transfer": _transfer,
}
