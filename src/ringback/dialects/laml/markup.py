"""LaML and TwiML documents as verbs. Pure and total: any bytes give verbs or a `DocumentError`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from lxml import etree

from ringback.calls.status import CallStatus
from ringback.calls.verbs import (
    Answering,
    HangUp,
    Note,
    Redirect,
    Reject,
    Unbuilt,
    Verb,
)
from ringback.dialects.laml import notes
from ringback.dialects.laml.dial import dial
from ringback.dialects.laml.elements import ASIDE, UNBUILT_VERBS
from ringback.dialects.laml.gather import gather
from ringback.dialects.laml.notes import DocumentError
from ringback.dialects.laml.profiles import TWILIO, Profile
from ringback.dialects.laml.prompts import pause, play, say
from ringback.dialects.laml.reader import Reader
from ringback.dialects.laml.recorded import is_recording, record, start, stop
from ringback.dialects.laml.refer import refer
from ringback.dialects.xml import MarkupError, children, local_name, parse, text_of

MAX_VERBS = 500


class Markup(msgspec.Struct, frozen=True):
    """What a document says, and what was odd about it."""

    verbs: tuple[Verb, ...]
    notes: tuple[Note, ...] = ()


def read_markup(data: bytes, profile: Profile, *, base: str, charset: str | None = None) -> Markup:
    """Read a document.

    `base` is the URL it came from, against which relative URLs resolve and to which Gather returns; empty for
    a document that was given as text, where URLs must be absolute.

    Raises:
        DocumentError: the document cannot be run (11750, 11770, 12100, 12102).
    """
    try:
        root = parse(data, charset=charset)
    except MarkupError as problem:
        raise DocumentError(notes.of_markup(problem), base) from None
    if local_name(root) != "Response":
        code = notes.WRONG_ROOT if profile is TWILIO else notes.PARSE_FAILURE
        raise DocumentError(
            notes.error(code, f"the root element must be Response, not {local_name(root)}"), base
        )
    reader = Reader(profile, base)
    verbs: list[Verb] = []
    for element in children(root):
        verb = _verb(reader, element)
        if verb is not None:
            verbs.append(verb)
        if len(verbs) > MAX_VERBS:
            raise DocumentError(
                notes.error(notes.PARSE_FAILURE, f"the document has more than {MAX_VERBS} verbs"), base
            )
    return Markup(tuple(verbs), tuple(reader.notes))


def _verb(reader: Reader, element: etree._Element) -> Verb | None:
    name = local_name(element)
    if name in UNBUILT_VERBS:
        reader.known_tree(element)
        return _unbuilt(name)
    read = _VERBS.get(name)
    if read is None:
        reader.unknown(element, f"{name} is not a verb")
        return None
    reader.known_attributes(element)
    return read(reader, element)


def _aside(read: Callable[[Reader, etree._Element], Verb]) -> Callable[[Reader, etree._Element], Verb]:
    """Start and Stop, of which recordings are built."""

    def verb(reader: Reader, element: etree._Element) -> Verb:
        if is_recording(reader, element):
            return read(reader, element)
        reader.known_tree(element)
        return _unbuilt(local_name(element))

    return verb


def _unbuilt(name: str) -> Unbuilt:
    return Unbuilt(
        name=name,
        note=notes.error(notes.VERB_NOT_SUPPORTED, f"{name} is not supported by this version", verb=name),
        failure=name not in ASIDE,
    )


def _redirect(reader: Reader, element: etree._Element) -> Verb:
    hook = reader.hook(reader.url(text_of(element)), reader.method(element, "method", code="13710"))
    if hook is None:
        note = notes.error(notes.INVALID_URL, f"Redirect needs a URL, not {text_of(element)!r}")
        return Unbuilt(name="Redirect", note=note)
    return Redirect(hook=hook)


def _reject(reader: Reader, element: etree._Element) -> Reject:
    reason = reader.choice(element, "reason", ("rejected", "busy"), "rejected", code="13810")
    if reason == "busy":
        return Reject(sip_status=486, ended_as=CallStatus.REJECTED_BUSY)
    return Reject(sip_status=603, ended_as=CallStatus.REJECTED)


def _hangup(reader: Reader, element: etree._Element) -> HangUp:
    return HangUp(answering=Answering.ANSWER)


_VERBS: dict[str, Callable[[Reader, etree._Element], Verb | None]] = {
    "Dial": dial,
    "Gather": gather,
    "Hangup": _hangup,
    "Pause": pause,
    "Play": play,
    "Record": record,
    "Redirect": _redirect,
    "Refer": refer,
    "Reject": _reject,
    "Say": say,
    "Start": _aside(start),
    "Stop": _aside(stop),
}
