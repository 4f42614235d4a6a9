"""Gather, as CallAPI documents it, with RestComm's own attributes beside."""

from __future__ import annotations

from lxml import etree

from ringback.calls.verbs import Answering, Gather, Hook, Note, Pause, Play, Say
from ringback.dialects.callapi.attributes import Attributes
from ringback.dialects.callapi.errors import error
from ringback.dialects.callapi.place import Place
from ringback.dialects.callapi.prompts import NESTED, Stopped, play, say, url_of
from ringback.dialects.xml import children, local_name

_KEYS = "0123456789*#"
_START_KEYS = frozenset("*0123456789")
_LANGUAGES = ("en-us", "en-gb", "es-es", "it-it", "fr-fr", "pl-pl", "pt-pt")
_MOST_HINTS, _LONGEST_HINT = 50, 100


def gather(element: etree._Element, place: Place, notes: list[Note]) -> Gather:
    """Gather with its prompts. Without `action` the current document is asked again.

    Raises:
        Stopped: a URL that is none, or too many hints.
    """
    given = Attributes(element, notes)
    method = given.method("13312")
    timeout = given.number("timeout", 5, code="13313", least=1)
    finish_keys = given.keys("finishOnKey", _KEYS, frozenset("#"), code="13310")
    digits, speech = _input(given)
    _check_speech(given, place, speech=speech)
    return Gather(
        answering=Answering.ANSWER,
        prompts=_prompts(element, place, notes),
        action=_action(given, place, method),
        report_empty=given.flag("actionOnEmptyResult", False, code="13338"),
        first_digit_timeout=float(given.number("preTimeout", timeout, code="13313", least=1)),
        inter_digit_timeout=float(given.number("postTimeout", timeout, code="13313", least=1)),
        finish_keys=finish_keys,
        start_keys=given.keys("startInputKey", _KEYS, _START_KEYS, code="13315") | finish_keys,
        max_digits=given.number("numDigits", 0, code="13314", least=1) or None,
        accepts_digits=digits,
        accepts_speech=speech,
    )


def _action(given: Attributes, place: Place, method: str) -> Hook:
    url = url_of(given.text("action"), place, "11100") if given.text("action") else ""
    return place.ask(url, method)


def _input(given: Attributes) -> tuple[bool, bool]:
    words = given.text("input").lower().replace(",", " ").split() or ["dtmf"]
    if not set(words) <= {"dtmf", "speech"}:
        given.warn("13326", f"{given.text('input')} is an invalid input value.")
        words = ["dtmf"]
    return "dtmf" in words, "speech" in words


def _check_speech(given: Attributes, place: Place, *, speech: bool) -> None:
    """What only speech input uses; speech itself is not recognised, and the notes say so."""
    given.word("language", _LANGUAGES, "en-us", code="13331")
    given.method("13329", "partialResultCallbackMethod")
    if not speech:
        return
    if given.text("partialResultCallback"):
        url_of(given.text("partialResultCallback"), place, "11100")
    hints = [hint.strip() for hint in given.text("hints").split(",")]
    if len(hints) > _MOST_HINTS or any(len(hint) > _LONGEST_HINT for hint in hints):
        raise Stopped(
            error("13330", f"hints may be {_MOST_HINTS} phrases of {_LONGEST_HINT} characters at most.")
        )
    given.warn("13326", "speech input is not supported: Gather hears keys only.")


def _prompts(element: etree._Element, place: Place, notes: list[Note]) -> tuple[Say | Play | Pause, ...]:
    """The nested verbs; a pause before the first prompt is left out, as RestComm does."""
    prompts: list[Say | Play | Pause] = []
    for child in children(element):
        prompt = _prompt(child, place, notes)
        if prompt is not None and (prompts or not isinstance(prompt, Pause)):
            prompts.append(prompt)
    return tuple(prompts)


def _prompt(element: etree._Element, place: Place, notes: list[Note]) -> Say | Play | Pause | None:
    match local_name(element):
        case "Say":
            return say(element, notes, NESTED)
        case "Play":
            return play(element, place, notes, NESTED)
        case "Pause":
            return pause(element, notes)
    return None


def pause(element: etree._Element, notes: list[Note]) -> Pause:
    """Pause; it leaves a ringing call ringing."""
    return Pause(seconds=float(Attributes(element, notes).number("length", 1, code="13910", least=1)))
