"""What is heard and asked: say, play and gather as neutral verbs. Pure."""

from __future__ import annotations

import math
import re
from html import escape
from typing import Any

from ringback.calls.verbs import Answering, Clip, Gather, Note, OnError, Pause, Play, Say, Silence
from ringback.dialects.jambonz.errors import NO_STT, NOT_SUPPORTED, InvalidApplication
from ringback.dialects.jambonz.session import Session, absolute, read_hook

GATHER_TIMEOUT = 15.0  # seconds, where a gather names none
_SAMPLES_PER_MS = 8
LONGEST = 24 * 3600.0  # seconds; nothing here waits or plays longer
_LONGEST_MS = int(LONGEST * 1000)
_SILENCE = re.compile(r"silence_stream://(-?\d{1,9})(?:,\d+)?")
_SSML = re.compile(r"\s*<speak[\s>]")
_NOT_HERE = ("fillerNoise", "actionHookDelayAction", "partialResultHook")


def answering(data: dict[str, Any], session: Session) -> Answering:
    """What a verb with media does to a call that is not answered: 200, or 183 for early media."""
    early = data.get("earlyMedia")
    early = session.early_media if early is None else early
    return Answering.EARLY_MEDIA if early else Answering.ANSWER


def say(data: dict[str, Any], session: Session) -> Say:
    """The say verb, at the top or inside a gather."""
    if data.get("text") is None:
        raise InvalidApplication("say: missing value for text")
    texts = _strings(data["text"], "say", "text")
    ssml = any(_SSML.match(text) for text in texts)
    voice = session.voice.overridden(data.get("synthesizer") or {})
    return Say(
        id=data.get("id"),
        answering=answering(data, session),
        texts=tuple(_as_ssml(text) if ssml else text for text in texts),
        ssml=ssml,
        voice=voice.voice,
        language=voice.language,
        vendor=voice.vendor,
        # Nothing, said for ever, would never give way.
        loop=_loop(data.get("loop"), "say") if texts else 1,
        on_error=OnError.CONTINUE,
        use_cache=not (data.get("disableTtsCache") or session.disable_tts_cache),
    )


def play(data: dict[str, Any], session: Session, *, nested: bool = False) -> Play:
    """The play verb; a nested one reports nothing."""
    urls = _strings(data.get("url"), "play", "url")
    if not urls:
        raise InvalidApplication("play: missing value for url")
    offset = _number(data.get("seekOffset"), "play", "seekOffset")
    limit = _number(data.get("timeoutSecs"), "play", "timeoutSecs")
    return Play(
        id=data.get("id"),
        answering=answering(data, session),
        clips=tuple(_clip(url, session) for url in urls),
        loop=_loop(data.get("loop"), "play"),
        offset_ms=int(min(max(offset or 0, 0) / _SAMPLES_PER_MS, _LONGEST_MS)),
        limit=_timeout(limit, None),
        on_error=OnError.CONTINUE,
        action=None if nested else read_hook(data.get("actionHook"), session, "play"),
    )


def gather(data: dict[str, Any], session: Session) -> tuple[Gather, list[Note]]:
    """The gather verb, and what of it is not done here."""
    inputs = _inputs(data.get("input"))
    count = _count(data.get("numDigits"))
    verb = Gather(
        id=data.get("id"),
        answering=answering(_prompt(data), session),
        prompts=_prompts(data, session),
        action=read_hook(data.get("actionHook"), session, "gather"),
        report_empty=True,
        first_digit_timeout=_timeout(data.get("timeout"), GATHER_TIMEOUT),
        inter_digit_timeout=_timeout(data.get("interDigitTimeout"), None),
        finish_keys=frozenset(data.get("finishOnKey") or ""),
        min_digits=count or _count(data.get("minDigits")) or 1,
        max_digits=count or _count(data.get("maxDigits")),
        barge_in="digits" in inputs and data.get("dtmfBargein") is not False,
        accepts_digits="digits" in inputs,
        accepts_speech="speech" in inputs,
    )
    return verb, _gather_notes(data, inputs)


def _gather_notes(data: dict[str, Any], inputs: set[str]) -> list[Note]:
    notes = []
    if "speech" in inputs:
        message = "gather: speech recognition is not supported, only digits are collected"
        notes.append(Note(level="error", code=NO_STT, message=message, detail={"verb": "gather"}))
    notes += [
        Note(
            level="warning",
            code=NOT_SUPPORTED,
            message=f"gather: property {key} is not supported",
            detail={"verb": "gather"},
        )
        for key in _NOT_HERE
        if data.get(key)
    ]
    return notes


def _prompt(data: dict[str, Any]) -> dict[str, Any]:
    return data.get("say") or data.get("play") or {}


def _prompts(data: dict[str, Any], session: Session) -> tuple[Say | Play | Pause, ...]:
    if data.get("say"):
        return (say(data["say"], session),)
    if data.get("play"):
        return (play(data["play"], session, nested=True),)
    return ()


def _inputs(value: list[Any] | None) -> set[str]:
    if not value:
        return {"digits"}
    for word in value:
        if word not in ("digits", "speech"):
            raise InvalidApplication(f"invalid value {str(word)[:60]} must be one of speech,digits")
    return set(value)


def _clip(url: str, session: Session) -> Clip | Silence:
    silence = _SILENCE.fullmatch(url)
    if silence:
        length = int(silence[1])
        return Silence(_LONGEST_MS if length < 0 else min(length, _LONGEST_MS))
    if url.startswith("/") and not session.socket:
        return Clip(absolute(url, session, "play"))
    return Clip(url)


def _strings(value: object, verb: str, key: str) -> list[str]:
    """A string or an array of them; empty ones count for nothing."""
    found = []
    for item in value if isinstance(value, list) else [] if value is None else [value]:
        if not isinstance(item, str):
            raise InvalidApplication(f"{verb}: property {key} has invalid data type")
        if item.strip():
            found.append(item)
    return found


def _as_ssml(text: str) -> str:
    return text if _SSML.match(text) else f"<speak>{escape(text, quote=False)}</speak>"


def _loop(value: object, verb: str) -> int:
    """How often; `forever` and 0 are until the end, which is 0 to the engine."""
    if value is None:
        return 1
    if value == "forever":
        return 0
    number = _number(value, verb, "loop")
    return min(max(int(number or 0), 0), 1_000_000)


def _number(value: object, verb: str, key: str) -> float | None:
    """A number, or a string that holds one."""
    if value is None:
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidApplication(f"{verb}: property {key} has invalid data type")
    return number


def _timeout(value: float | None, otherwise: float | None) -> float | None:
    """Seconds; 0 switches the timer off."""
    if value is None:
        return otherwise
    return min(float(value), LONGEST) if value > 0 else None


def _count(value: float | None) -> int | None:
    return int(min(value, 4096)) if value is not None and value >= 1 else None
