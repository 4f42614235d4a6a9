"""RCML: bytes in, verbs out; the only exception is `ringback.dialects.xml.MarkupError`.

As in RestComm, the tree is walked depth-first: every element whose (case-sensitive) name is a verb counts,
wherever it stands, and other elements are passed over. A wrong attribute value is replaced by its default,
with a note; a URL that is none ends the document there. While the call rings, Pause and Reject leave it
ringing, and every other verb answers first. Sources: the CallAPI markup pages, RestComm's RCML manual.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from lxml import etree

from ringback.calls.status import CallStatus
from ringback.calls.verbs import (
    Answering,
    Clip,
    HangUp,
    Note,
    OnError,
    Play,
    Redirect,
    Reject,
    Say,
    Unbuilt,
    Verb,
)
from ringback.dialects.callapi.attributes import KNOWN, Attributes
from ringback.dialects.callapi.dial import dial
from ringback.dialects.callapi.errors import (
    BAD_DOCUMENT,
    BAD_URL,
    VERB_NOT_SUPPORTED,
    ending,
    error,
    warning,
)
from ringback.dialects.callapi.gather import gather, pause
from ringback.dialects.callapi.place import Place
from ringback.dialects.callapi.prompts import Stopped, play, say, url_of
from ringback.dialects.callapi.record import record
from ringback.dialects.xml import children, line_of, local_name, own_text
from ringback.dialects.xml import parse as parse_xml

# RestComm's Reject reasons and their final responses.
_REASONS = {
    "rejected": 603,
    "busy": 486,
    "forbidden": 403,
    "anonymity_disallowed": 433,
    "address_incomplete": 484,
    "no_route": 404,
    "service_unavailable": 503,
    "unwanted": 607,
}


class Markup(msgspec.Struct, frozen=True):
    """What a document says, and what was remarkable in it."""

    verbs: tuple[Verb, ...]
    notes: tuple[Note, ...] = ()


def parse(data: bytes, place: Place, *, charset: str | None = None) -> Markup:
    """Read a document that came from `place`.

    Raises:
        MarkupError: it is not well-formed, too large, or holds a document type declaration.
    """
    root = parse_xml(data, charset=charset, tolerate_ampersands=True)
    verbs: list[Verb] = []
    notes: list[Note] = []
    for element in _verb_elements(root):
        try:
            verb = _verb(element, place, notes)
        except Stopped as stop:
            notes.append(stop.note)
            verbs.append(ending(stop.note.message))
            break
        if verb is not None:
            verbs.append(verb)
    if not verbs:
        found = f"a document of <{local_name(root)}> that holds no verb"
        notes.append(warning(BAD_DOCUMENT, found))
    return Markup(tuple(verbs), tuple(notes))


def spoken(text: str) -> Markup:
    """A plain text document is said."""
    words = " ".join(text.split())
    if not words:
        return Markup(())
    return Markup(
        (
            Say(
                answering=Answering.ANSWER,
                texts=(words,),
                voice="man",
                language="en",
                on_error=OnError.HANG_UP,
            ),
        )
    )


def played(url: str) -> Markup:
    """A document that is audio is played."""
    return Markup((Play(answering=Answering.ANSWER, clips=(Clip(url),), on_error=OnError.HANG_UP),))


def _verb_elements(element: etree._Element) -> Iterator[etree._Element]:
    if local_name(element) in KNOWN:
        yield element
        return  # what is inside belongs to the verb
    for child in children(element):
        yield from _verb_elements(child)


def _verb(element: etree._Element, place: Place, notes: list[Note]) -> Verb | None:
    match local_name(element):
        case "Say":
            return say(element, notes)
        case "Play":
            return play(element, place, notes)
        case "Gather":
            return gather(element, place, notes)
        case "Pause":
            return pause(element, notes)
        case "Dial":
            return dial(element, place, notes)
        case "Record":
            return record(element, place, notes)
        case "Redirect":
            return _redirect(element, place, notes)
        case "Reject":
            return _reject(element, notes)
        case "Hangup":
            return HangUp(answering=Answering.ANSWER, cause=Attributes(element, notes).text("reason") or None)
        case name:
            return _unbuilt(element, name, notes)


def _redirect(element: etree._Element, place: Place, notes: list[Note]) -> Redirect | None:
    method = Attributes(element, notes).method("13710")
    reference = own_text(element)
    if not reference:
        return None
    hook = place.ask(url_of(reference, place, BAD_URL), method)
    return Redirect(answering=Answering.ANSWER, hook=hook)


def _reject(element: etree._Element, notes: list[Note]) -> Reject:
    reason = Attributes(element, notes).word("reason", _REASONS, "rejected", code="13810")
    busy = reason == "busy"
    return Reject(
        sip_status=_REASONS[reason],
        ended_as=CallStatus.REJECTED_BUSY if busy else CallStatus.REJECTED,
    )


def _unbuilt(element: etree._Element, name: str, notes: list[Note]) -> Unbuilt:
    Attributes(element, notes)  # for the attributes that the verb does not have
    note = error(VERB_NOT_SUPPORTED, f"{name} is not supported.", verb=name, line=line_of(element))
    return Unbuilt(name=name, note=note)
