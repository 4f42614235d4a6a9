"""Record, and the recording that other elements ask for: what it holds, where it goes, who is told."""

from __future__ import annotations

import msgspec
from lxml import etree

from ringback.calls.verbs import Answering, ControlRecording, Hook, Record, RecordingPlan
from ringback.dialects.laml import notes
from ringback.dialects.laml.profiles import TWILIO
from ringback.dialects.laml.reader import Reader
from ringback.dialects.xml import children, local_name

EVENTS = ("in-progress", "completed", "absent", "failed")
TRIMS = ("trim-silence", "do-not-trim")
TRACKS = ("both", "inbound", "outbound")
_KEYS = frozenset("0123456789*#")
_DEFAULT_LENGTH = 3600
_LONGEST = 86_400
_LONGEST_TRANSCRIBED = 120


def plan(
    reader: Reader,
    element: etree._Element,
    *,
    source: str,
    channels: int = 1,
    track: str = "both",
    trim: str = "do-not-trim",
    storage: str = "",
    transcription: Hook | None = None,
) -> RecordingPlan:
    """What the `recording…` attributes of an element say; `trim` is the element's default, `storage` the
    name of its attribute for the file itself."""
    return RecordingPlan(
        source=source,
        channels=channels,
        track=track,
        trim=reader.choice(element, "trim", TRIMS, trim, code="13699") == "trim-silence",
        report=reader.place(element, "recordingStatusCallback", code="13256", method_code="13610"),
        events=with_failures(
            reader.words(element, "recordingStatusCallbackEvent", EVENTS, ("completed",), code="13621")
        ),
        upload=_upload(reader, element, storage) if storage else None,
        transcription=transcription,
    )


def with_failures(events: tuple[str, ...]) -> tuple[str, ...]:
    """Whoever waits for a recording to be complete is told, too, that it never will be."""
    if "completed" not in events:
        return events
    return tuple(dict.fromkeys((*events, "failed", "absent")))


def _upload(reader: Reader, element: etree._Element, name: str) -> Hook | None:
    return reader.place(element, name, code=notes.INVALID_URL, method_code="13610", methods=("POST", "PUT"))


def record(reader: Reader, element: etree._Element) -> Record:
    """Record. Twilio asks the action only when something was recorded, SignalWire always."""
    reader.no_children(element)
    transcription = _transcription(reader, element)
    return Record(
        recording=plan(
            reader,
            element,
            source="record-verb",
            track="inbound",
            trim="trim-silence",
            storage="storageUrl",
            transcription=transcription,
        ),
        action=reader.action(element, method_code="13610", to_document=True),
        report_empty=reader.profile is not TWILIO,
        silence_timeout=float(reader.integer(element, "timeout", 5, code="13611", most=_LONGEST)) or None,
        finish_keys=_finish_keys(reader, element),
        max_seconds=float(_length(reader, element, transcribed=transcription is not None)),
        beep=reader.boolean(element, "playBeep", True, code="13616"),
        answering=Answering.ANSWER,
    )


def _transcription(reader: Reader, element: etree._Element) -> Hook | None:
    """Who is told the text; a callback implies that one is wanted."""
    wanted = reader.boolean(element, "transcribe", bool(element.get("transcribeCallback")), code="13614")
    told = reader.place(element, "transcribeCallback", code=notes.INVALID_URL, method_code="13610")
    if wanted:
        reader.warn("13619", "Record: speech is not recognised by this version: no transcription", element)
    return told if wanted else None


def _length(reader: Reader, element: etree._Element, *, transcribed: bool) -> int:
    least = 1 if reader.profile is TWILIO else 0
    length = reader.integer(
        element, "maxLength", _DEFAULT_LENGTH, code="13612", least=least, most=_LONGEST
    ) or (_DEFAULT_LENGTH)
    if not transcribed or length <= _LONGEST_TRANSCRIBED:
        return length
    if element.get("maxLength") is not None:
        reader.warn("13615", f"Record: with transcribe, maxLength is {_LONGEST_TRANSCRIBED} at most", element)
    return _LONGEST_TRANSCRIBED


def _finish_keys(reader: Reader, element: etree._Element) -> frozenset[str]:
    given = element.get("finishOnKey")
    if given is None:
        return _KEYS
    keys = frozenset(given.replace(" ", ""))
    if keys <= _KEYS:
        return keys
    reader.warn("13613", f"Record: finishOnKey must be keys (0-9 * #), not {given!r}", element)
    return _KEYS


# -- Start and Stop: a recording of the whole call, which Twilio's documents can begin and end


def is_recording(reader: Reader, element: etree._Element) -> bool:
    """Whether a Start or Stop is about nothing but one recording."""
    return reader.profile is TWILIO and [local_name(child) for child in children(element)] == ["Recording"]


def start(reader: Reader, element: etree._Element) -> ControlRecording:
    """Start with a Recording."""
    (noun,) = children(element)
    reader.known_attributes(noun)
    channels = reader.choice(noun, "channels", ("mono", "dual"), "dual", code=notes.SCHEMA_WARNING)
    recording = plan(
        reader,
        noun,
        source="control",
        channels=2 if channels == "dual" else 1,
        track=reader.choice(noun, "track", TRACKS, "both", code=notes.SCHEMA_WARNING),
        trim="trim-silence",
    )
    recording = msgspec.structs.replace(recording, custom_id=noun.get("name") or None)
    return ControlRecording(what="start", recording=recording, answering=Answering.ANSWER)


def stop(reader: Reader, element: etree._Element) -> ControlRecording:
    """Stop with a Recording: the one begun last, of that name where it says one."""
    (noun,) = children(element)
    reader.known_attributes(noun)
    return ControlRecording(what="stop", recording=RecordingPlan(custom_id=noun.get("name") or None))
