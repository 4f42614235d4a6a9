"""Gather: prompts, keys and where they are sent."""

from __future__ import annotations

from lxml import etree

from ringback.calls.verbs import Answering, Gather, Pause, Play, Say
from ringback.dialects.laml.profiles import TWILIO
from ringback.dialects.laml.prompts import pause, play, say
from ringback.dialects.laml.reader import Reader
from ringback.dialects.xml import children, local_name

_KEYS = frozenset("0123456789*#")
_DEFAULT_TIMEOUT = 5


def gather(reader: Reader, element: etree._Element) -> Gather:
    """Gather. The first key stops the prompts; `bargeIn` is about speech, which is not recognised yet."""
    digits, speech = _input(reader, element)
    timeout = float(_timeout(reader, element))
    most = reader.integer(element, "numDigits", 0, code="13314", least=1, most=1000)
    reader.boolean(element, "bargeIn", True, code="13332")
    return Gather(
        prompts=_prompts(reader, element),
        action=reader.action(element, method_code="13312", to_document=True),
        report_empty=reader.boolean(element, "actionOnEmptyResult", False, code="13338"),
        first_digit_timeout=timeout,
        inter_digit_timeout=timeout,
        finish_keys=_finish_keys(reader, element),
        max_digits=most or None,
        barge_in=True,
        accepts_digits=digits,
        accepts_speech=speech,
        answering=Answering.ANSWER,
    )


def _input(reader: Reader, element: etree._Element) -> tuple[bool, bool]:
    words = (element.get("input") or "dtmf").split()
    if not words or not set(words) <= {"dtmf", "speech"}:
        reader.warn("13326", f"Gather: input must be dtmf or speech, not {' '.join(words)!r}", element)
        return True, False
    if "speech" in words:
        reader.warn("13340", "Gather: speech is not recognised by this version, only keys are", element)
    return "dtmf" in words, "speech" in words


def _timeout(reader: Reader, element: etree._Element) -> int:
    if element.get("timeout") == "auto" and reader.profile is TWILIO:
        return _DEFAULT_TIMEOUT
    return reader.integer(element, "timeout", _DEFAULT_TIMEOUT, code="13313", most=86400)


def _finish_keys(reader: Reader, element: etree._Element) -> frozenset[str]:
    given = element.get("finishOnKey")
    if given is None:
        return frozenset("#")
    keys = frozenset(given.replace(" ", ""))
    if keys <= _KEYS:
        return keys
    reader.warn("13310", f"Gather: finishOnKey must be keys (0-9 * #), not {given!r}", element)
    return frozenset("#")


def _prompts(reader: Reader, element: etree._Element) -> tuple[Say | Play | Pause, ...]:
    prompts: list[Say | Play | Pause] = []
    for child in children(element):
        prompt = _prompt(reader, child)
        if prompt is not None:
            prompts.append(prompt)
    return tuple(prompts)


def _prompt(reader: Reader, element: etree._Element) -> Say | Play | Pause | None:
    name = local_name(element)
    if name not in ("Say", "Play", "Pause"):
        if reader.profile.skips_unknown:
            reader.warn("13320", f"Gather cannot hold {name}", element)
        else:
            reader.unknown(element, f"Gather cannot hold {name}")
        return None
    reader.known_attributes(element)
    if name == "Say":
        return say(reader, element, in_gather=True)
    if name == "Pause":
        return pause(reader, element)
    prompt = play(reader, element)
    if isinstance(prompt, Play) or prompt is None:
        return prompt
    reader.warn("13320", "Gather: keys cannot be played while keys are collected", element)
    return None
