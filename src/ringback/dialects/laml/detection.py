"""Answering-machine detection: the attributes of Number and Sip, and the parameters of a call to be made."""

from __future__ import annotations

from lxml import etree

from ringback.calls.verbs import Hook, MachineDetection, Note
from ringback.dialects.http import Parameters
from ringback.dialects.laml import checks, notes
from ringback.dialects.laml.errors import invalid
from ringback.dialects.laml.profiles import TWILIO, Profile
from ringback.dialects.laml.reader import Reader

MODES = ("Enable", "DetectMessageEnd")
OFF = ("", "none", "disable", "false")
WORDS = 6
"""SignalWire's threshold of words; Twilio counts none."""


def detection(
    profile: Profile,
    mode: str,
    *,
    asynchronous: bool,
    report: Hook | None,
    timeout: int,
    speech: int,
    speech_end: int,
    silence: int,
    words: int = WORDS,
    partial: bool = False,
) -> MachineDetection:
    """The settings in the engine's terms; `timeout` is in seconds, the others in milliseconds."""
    return MachineDetection(
        wait_for_end=mode == "DetectMessageEnd",
        asynchronous=asynchronous,
        report=report,
        timeout_ms=timeout * 1000,
        speech_threshold_ms=speech,
        speech_end_ms=speech_end,
        silence_timeout_ms=silence,
        words_threshold=None if profile is TWILIO else words,
        tone_timeout_ms=timeout * 1000,
        partial_results=partial,
    )


def noun_detection(reader: Reader, element: etree._Element) -> MachineDetection | None:
    """What a Number or Sip asks for: its verdict is told beside the call."""
    mode = (element.get("machineDetection") or "").strip()
    if mode.lower() in OFF:
        return None
    if mode not in MODES:
        reader.warn("21234", f"machineDetection must be {' or '.join(MODES)}, not {mode!r}", element)
        return None
    report = reader.place(element, "amdStatusCallback", code=notes.INVALID_URL, method_code="13210")
    if report is None:
        reader.warn("21262", "machineDetection without amdStatusCallback: nobody is told", element)

    def milliseconds(name: str, default: int, least: int, most: int) -> int:
        return reader.integer(
            element, f"machineDetection{name}", default, code="21263", least=least, most=most
        )

    return detection(
        reader.profile,
        mode,
        asynchronous=True,
        report=report,
        timeout=milliseconds("Timeout", 30, 3, 60),
        speech=milliseconds("SpeechThreshold", 2400, 1000, 6000),
        speech_end=milliseconds("SpeechEndThreshold", 1200, 500, 5000),
        silence=milliseconds("SilenceTimeout", 5000, 2000, 10000),
    )


def read_detection(given: Parameters, profile: Profile) -> tuple[MachineDetection | None, tuple[Note, ...]]:
    """What a call to be made asks for, and remarks on it. The values are held to their bounds in any case.

    Raises:
        ApiError: 20422, 21209, 21234 or 21609.
    """

    def number(name: str, default: int, least: int, most: int) -> int:
        return checks.number(given, name, default, least, most, 21234)

    mode = given.get("MachineDetection").strip()
    off = mode.lower() in OFF
    if not off and mode not in MODES:
        raise invalid("MachineDetection", " or ".join(MODES), mode, 21234)
    url = checks.url(given, "AsyncAmdStatusCallback", 21609)
    method = checks.method(given, "AsyncAmdStatusCallbackMethod")
    asynchronous = checks.boolean(given, "AsyncAmd")
    least, most = (3, 59) if profile is TWILIO else (1, 120)
    found = detection(
        profile,
        mode,
        asynchronous=asynchronous,
        report=Hook(url=url, method=method) if url is not None and asynchronous else None,
        timeout=number("MachineDetectionTimeout", 30, least, most),
        speech=number("MachineDetectionSpeechThreshold", 2400, 1000, 6000),
        speech_end=number("MachineDetectionSpeechEndThreshold", 1200, 500, 5000),
        silence=number("MachineDetectionSilenceTimeout", 5000, 2000, 10000),
        words=number("MachineWordsThreshold", WORDS, 1, 100),
        partial=checks.boolean(given, "AsyncAmdPartialResults"),
    )
    if off:
        return None, ()
    if asynchronous and url is None:
        return found, (notes.warning("21262", "AsyncAmd without AsyncAmdStatusCallback: nobody is told"),)
    return found, ()
