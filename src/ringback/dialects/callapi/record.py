"""Record, as CallAPI documents it, with RestComm's own attributes beside."""

from __future__ import annotations

from lxml import etree

from ringback.calls.verbs import Answering, Hook, Note, Record, RecordingPlan
from ringback.dialects.callapi.attributes import Attributes
from ringback.dialects.callapi.errors import BAD_URL, VERB_NOT_SUPPORTED
from ringback.dialects.callapi.place import Place
from ringback.dialects.callapi.prompts import url_of

_KEYS = "1234567890*#"
_SILENCE, _LONGEST = 5, 3600


def record(element: etree._Element, place: Place, notes: list[Note]) -> Record:
    """Record. Without `action` the current document is asked again; nothing recorded asks nobody.

    Raises:
        Stopped: a URL that is none.
    """
    given = Attributes(element, notes)
    method = given.method("13610")
    action = given.text("action")
    if given.text("media") not in ("", "audio_only"):
        given.warn(VERB_NOT_SUPPORTED, "video is not supported: Record keeps audio.")
    return Record(
        answering=Answering.ANSWER,
        recording=RecordingPlan(source="record-verb", transcription=_transcription(given, place)),
        action=place.ask(url_of(action, place, BAD_URL) if action else "", method),
        report_empty=False,
        silence_timeout=float(given.number("timeout", _SILENCE, code="13611", least=1)),
        finish_keys=_finish_keys(given),
        max_seconds=float(given.number("maxLength", _LONGEST, code="13612", least=1)),
        beep=given.flag("playBeep", True, code="13616"),
    )


def _finish_keys(given: Attributes) -> frozenset[str]:
    """Every key where none is named; -1 is none, and what is empty or no key is #."""
    if given.text("finishOnKey") == "-1":
        return frozenset()
    if "finishOnKey" not in given:
        return frozenset(_KEYS)
    return given.keys("finishOnKey", _KEYS, frozenset("#"), code="13613") or frozenset("#")


def _transcription(given: Attributes, place: Place) -> Hook | None:
    """Nothing transcribes: a note says so, and so does the callback, which implies the wish."""
    wanted = given.flag("transcribe", False, code="13614")
    reference = given.text("transcribeCallback")
    if wanted or reference:
        given.warn("13618", "transcription is not supported: Record keeps audio only.")
    return place.ask(url_of(reference, place, BAD_URL), "POST") if reference else None
