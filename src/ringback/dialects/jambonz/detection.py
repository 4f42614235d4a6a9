"""`#amd`, how a person is told from a machine, and `boostAudioSignal`, how much louder a party is. Pure."""

from __future__ import annotations

import re
from typing import Any

from ringback.calls.verbs import MachineDetection
from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.dialects.jambonz.session import Session, read_hook

WORDS = 9
_LONGEST_MS = 300_000
_GAIN = re.compile(r"\s*([+-]?\d{1,4}(?:\.\d{1,6})?)\s*(?:db)?\s*", re.IGNORECASE)
_MOST_DB = 60.0


def detection(data: dict[str, Any] | None, session: Session) -> MachineDetection | None:
    """Detection beside the call, each event told to the hook; None where none is asked for.

    A recogniser that is named is not used: words are bursts of speech.

    Raises:
        InvalidApplication: a hook that is none.
    """
    if not data:
        return None
    timers = data.get("timers") or {}
    return MachineDetection(
        asynchronous=True,
        follow=True,
        report=read_hook(data["actionHook"], session, "amd"),
        words_threshold=int(_positive(data.get("thresholdWordCount"), WORDS)),
        silence_timeout_ms=_timer(timers.get("noSpeechTimeoutMs"), 5_000),
        timeout_ms=_timer(timers.get("decisionTimeoutMs"), 15_000),
        tone_timeout_ms=_timer(timers.get("toneTimeoutMs"), 20_000),
        speech_end_ms=_timer(timers.get("greetingCompletionTimeoutMs"), 2_000),
    )


def _timer(value: float | None, otherwise: int) -> int:
    return int(min(_positive(value, otherwise), _LONGEST_MS))


def _positive(value: float | None, otherwise: int) -> float:
    return value if value is not None and value >= 1 else otherwise


def gain(value: object, where: str) -> float | None:
    """Decibels, as a number or written like `6 dB`; None where nothing is asked for.

    Raises:
        InvalidApplication
    """
    if value is None:
        return None
    if isinstance(value, str) and (written := _GAIN.fullmatch(value)):
        value = float(written[1])
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST_DB:
        raise InvalidApplication(f"{where}: property boostAudioSignal has invalid data type")
    return float(value)
