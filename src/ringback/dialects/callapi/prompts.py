"""Say and Play, on their own and inside Gather."""

from __future__ import annotations

import msgspec
from lxml import etree

from ringback.calls.verbs import Answering, Clip, Note, OnError, Play, Say
from ringback.dialects.callapi.attributes import Attributes
from ringback.dialects.callapi.errors import error
from ringback.dialects.callapi.place import Place
from ringback.dialects.xml import own_text
from ringback.net.url import BadUrl

# CallAPI "Say".
_LANGUAGES = "bf bp en en-gb cf cs dan fi es fr de el it nl no pl pt ru ar ca sv tr"
LANGUAGES = frozenset(_LANGUAGES.split())


class PromptCodes(msgspec.Struct, frozen=True):
    """The notification codes, which differ inside Gather."""

    say_loop: str
    say_voice: str
    play_loop: str
    play_url: str


ALONE = PromptCodes(say_loop="13510", say_voice="13511", play_loop="13410", play_url="11100")
NESTED = PromptCodes(say_loop="13322", say_voice="13321", play_loop="13322", play_url="13325")


class Stopped(Exception):
    """The document cannot go on past this verb."""

    def __init__(self, note: Note) -> None:
        super().__init__(note.message)
        self.note = note


def say(element: etree._Element, notes: list[Note], codes: PromptCodes = ALONE) -> Say | None:
    """Say; None when there is nothing to say."""
    given = Attributes(element, notes)
    voice = given.word("voice", ("man", "woman"), "man", code=codes.say_voice)
    language = given.word("language", LANGUAGES, "en", code="13512")
    loop = given.number("loop", 1, code=codes.say_loop)
    text = own_text(element)
    if not text:
        return None
    return Say(
        answering=Answering.ANSWER,
        texts=(text,),
        voice=voice,
        language=language,
        loop=loop,
        on_error=OnError.HANG_UP,
    )


def play(element: etree._Element, place: Place, notes: list[Note], codes: PromptCodes = ALONE) -> Play | None:
    """Play; None when it names nothing.

    Raises:
        Stopped: what it names is no URL.
    """
    given = Attributes(element, notes)
    loop = given.number("loop", 1, code=codes.play_loop)
    reference = own_text(element)
    if not reference:
        given.warn(codes.play_url, "Play names no URL and is left out.")
        return None
    return Play(
        answering=Answering.ANSWER,
        clips=(Clip(url_of(reference, place, codes.play_url)),),
        loop=loop,
        on_error=OnError.HANG_UP,
    )


def url_of(reference: str, place: Place, code: str) -> str:
    """The absolute URL of a reference.

    Raises:
        Stopped: it is none.
    """
    try:
        return place.url(reference)
    except BadUrl as problem:
        raise Stopped(error(code, f"{reference} is an invalid URI.", why=str(problem))) from None
