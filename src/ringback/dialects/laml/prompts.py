"""Say, Play and Pause: alone, and as prompts of Gather."""

from __future__ import annotations

import re

from lxml import etree

from ringback.calls.verbs import Answering, Clip, Pause, Play, Say, SendDigits
from ringback.dialects.laml import notes
from ringback.dialects.laml.elements import SSML
from ringback.dialects.laml.profiles import TWILIO
from ringback.dialects.laml.reader import Reader
from ringback.dialects.xml import has_children, ssml, text_of

_VOICE = re.compile(r"(?:man|woman|alice)|[A-Za-z][A-Za-z0-9_-]*\..+", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_DIGITS = re.compile(r"[0-9A-D*#wW]+")
_LONGEST_TEXT = 4096  # SignalWire; Twilio splits longer texts
_MOST_LOOPS = 1000


def say(reader: Reader, element: etree._Element, *, in_gather: bool = False) -> Say | None:
    """Say. A text, voice or language that cannot be spoken is skipped with a warning."""
    text, is_ssml = _text(reader, element)
    if not text_of(element):
        reader.warn("13520", "Say: there is no text to speak", element)
        return None
    if reader.profile is not TWILIO and len(text) > _LONGEST_TEXT:
        reader.warn("13521", f"Say: the text is longer than {_LONGEST_TEXT} characters", element)
        return None
    voice = (element.get("voice") or "").strip() or reader.profile.default_voice
    if not _VOICE.fullmatch(voice):
        reader.warn("13321" if in_gather else "13511", f"Say: {voice!r} is not a voice", element)
        return None
    language = (element.get("language") or "").strip()
    if language and not _LANGUAGE.fullmatch(language):
        reader.warn("13512", f"Say: {language!r} is not a language", element)
        return None
    code = "13322" if in_gather else "13510"
    return Say(
        texts=(text,),
        ssml=is_ssml,
        voice=voice,
        # A vendor's voice brings its own language along.
        language=language or ("" if "." in voice else "en-US"),
        loop=reader.integer(element, "loop", 1, code=code, most=_MOST_LOOPS),
        answering=Answering.ANSWER,
    )


def _text(reader: Reader, element: etree._Element) -> tuple[str, bool]:
    if not has_children(element):
        return text_of(element), False
    markup, unknown = ssml(element, SSML)
    for name in unknown:
        reader.warn(notes.SCHEMA_WARNING, f"Say: {name} is left out, what it holds is spoken", element)
    return markup, True


def play(reader: Reader, element: etree._Element) -> Play | SendDigits | None:
    """Play: audio at a URL, or keys."""
    reader.no_children(element)
    digits = element.get("digits")
    if digits is not None and digits.strip():
        return _keys(reader, element, digits.strip())
    reference = text_of(element)
    url = reader.url(reference)
    if url is None:
        code = notes.INVALID_URL if reader.profile is TWILIO else "21455"
        reader.warn(code, f"Play: {reference!r} is not a URL that can be played", element)
        return None
    return Play(
        clips=(Clip(url),),
        loop=reader.integer(element, "loop", 1, code="13410", most=_MOST_LOOPS),
        answering=Answering.ANSWER,
    )


def _keys(reader: Reader, element: etree._Element, digits: str) -> SendDigits | None:
    if not _DIGITS.fullmatch(digits):
        reader.warn("13430", f"Play: {digits!r} are not keys (0-9 A-D * # w W)", element)
        return None
    if text_of(element):
        reader.warn(notes.SCHEMA_WARNING, "Play: with digits, the URL is not played", element)
    return SendDigits(digits=digits, answering=Answering.ANSWER)


def pause(reader: Reader, element: etree._Element) -> Pause:
    """Pause: it needs no media, so that as the first verb it delays the answer."""
    reader.no_children(element)
    return Pause(seconds=float(reader.integer(element, "length", 1, code="13910", most=86400)))
