"""Dial: whom to call, how, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from lxml import etree

from ringback.calls.verbs import Answering, Callee, Dial, RecordFrom, RecordingPlan, Unbuilt
from ringback.dialects.laml import notes
from ringback.dialects.laml.addresses import BadAddress, caller_of
from ringback.dialects.laml.nouns import client, number, sip, telephone_number
from ringback.dialects.laml.profiles import SIGNALWIRE
from ringback.dialects.laml.reader import Reader
from ringback.dialects.laml.recorded import TRACKS, plan
from ringback.dialects.xml import children, local_name, own_text

MOST_CALLEES = 10
_UNBUILT_NOUNS = frozenset({"Application", "Conference", "Queue", "Sim", "Verto", "WhatsApp"})
_NOUNS: dict[str, Callable[[Reader, etree._Element], list[Callee]]] = {
    "Client": client,
    "Number": number,
    "Sip": sip,
}
_TONES = (
    *("at", "au", "bg", "br", "be", "ch", "cl", "cn", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr", "hu"),
    *("il", "in", "it", "lt", "jp", "mx", "my", "nl", "no", "nz", "ph", "pl", "pt", "ru", "se", "sg", "th"),
    *("uk", "us", "us-old", "tw", "ve", "za"),
)
_RECORD_WORDS = (
    *("do-not-record", "record-from-answer", "record-from-ringing"),
    *("record-from-answer-dual", "record-from-ringing-dual", "true", "false"),
)
_SHORTEST_RING, _LONGEST_RING = 5, 600
_LONGEST_CALL = 14_400
_LONGEST_LIMIT = 86_400
_LONGEST_NAME = 70


def dial(reader: Reader, element: etree._Element) -> Dial | Unbuilt:
    """Dial. Nobody to call is no error of the document: the verb then fails, and its action is told."""
    nouns = [local_name(child) for child in children(element)]
    unbuilt = next((name for name in nouns if name in _UNBUILT_NOUNS), None)
    if unbuilt is not None:
        return _not_built(reader, element, unbuilt, alone=len(nouns) == 1)
    callees, sequential = _callees(reader, element)
    caller, host = _caller(reader, element)
    ringback = reader.choice(element, "ringTone", _TONES, "", code="13220")
    on_bridge = reader.boolean(element, "answerOnBridge", False, code="13219")
    recording, record_from = _recording(reader, element)
    return Dial(
        callees=tuple(msgspec.structs.replace(callee, from_host=host) for callee in callees),
        sequential=reader.boolean(element, "sequential", False, code="13218") or sequential,
        action=reader.action(element, method_code="13210"),
        caller_id=caller,
        caller_name=(element.get("callerName") or "").strip()[:_LONGEST_NAME] or None,
        ring_timeout=float(_ring_timeout(reader, element)),
        time_limit=float(
            reader.integer(element, "timeLimit", _LONGEST_CALL, code="13216", least=1, most=_LONGEST_LIMIT)
        ),
        answer_on_bridge=on_bridge,
        # A tone that is asked for is what is heard, whatever the far end plays.
        passes_early_media=not ringback,
        ringback=ringback,
        hang_up_keys=frozenset("*" if reader.boolean(element, "hangupOnStar", False, code="13213") else ""),
        recording=recording,
        record_from=record_from,
        refer_hook=reader.place(
            element, "referUrl", method="referMethod", code=notes.INVALID_URL, method_code="13210"
        ),
        answering=Answering.NONE if on_bridge else Answering.ANSWER,
    )


def _not_built(reader: Reader, element: etree._Element, noun: str, *, alone: bool) -> Unbuilt:
    reader.known_tree(element)
    if noun == "Conference" and not alone:
        reader.warn("13000", "Dial: a Conference stands alone", element)
    message = f"Dial with {noun} is not supported by this version"
    return Unbuilt(name="Dial", note=notes.error(notes.VERB_NOT_SUPPORTED, message, verb="Dial", noun=noun))


def _ring_timeout(reader: Reader, element: etree._Element) -> int:
    return max(
        _SHORTEST_RING, reader.integer(element, "timeout", 30, code="13212", least=1, most=_LONGEST_RING)
    )


def _caller(reader: Reader, element: etree._Element) -> tuple[str | None, str | None]:
    """(user, host) of what the callees see; (None, None): the caller itself."""
    given = (element.get("callerId") or "").strip()
    if not given:
        return None, None
    try:
        return caller_of(given)
    except BadAddress:
        reader.warn("13214", f"Dial: {given[:100]!r} cannot be a caller id", element)
        return None, None


def _callees(reader: Reader, element: etree._Element) -> tuple[list[Callee], bool]:
    """The callees, and whether they are alternatives, to be tried one after the other."""
    found = _nouns(reader, element)
    if len(found) == 1:
        alternatives = found[0]
        return alternatives[:MOST_CALLEES], len(alternatives) > 1
    if any(len(each) > 1 for each in found):
        reader.warn("13250", "Dial: of several nouns, each is called at its first Uri only", element)
    callees = [each[0] for each in found if each]
    if reader.profile is SIGNALWIRE and {"sip"} < {callee.target.kind for callee in callees}:
        reader.warn("13215", "Dial: beside Sip there can be no other nouns; they are left out", element)
        callees = [callee for callee in callees if callee.target.kind == "sip"]
    if len(callees) > MOST_CALLEES:
        reader.warn("13215", f"Dial: only the first {MOST_CALLEES} of {len(callees)} are called", element)
    return callees[:MOST_CALLEES], False


def _nouns(reader: Reader, element: etree._Element) -> list[list[Callee]]:
    found = []
    for child in children(element):
        name = local_name(child)
        read = _NOUNS.get(name)
        if read is None:
            reader.misplaced(child, f"Dial cannot hold {name}", code="13215")
            continue
        reader.known_attributes(child)
        found.append(read(reader, child))
    text = own_text(element)
    if found:
        if text:
            reader.warn("13215", "Dial: beside nouns, the text is left out", element)
        return found
    target = telephone_number(reader, element, text)
    return [] if target is None else [[Callee(target=target, shown=target.address)]]


def _recording(reader: Reader, element: etree._Element) -> tuple[RecordingPlan | None, RecordFrom]:
    word = reader.choice(element, "record", _RECORD_WORDS, "do-not-record", code="13217")
    recording = plan(
        reader,
        element,
        source="dial-verb",
        channels=2 if word.endswith("-dual") else 1,
        track=reader.choice(element, "recordingTrack", TRACKS, "both", code=notes.SCHEMA_WARNING),
        storage="recordingStorageUrl",
    )
    if word in ("do-not-record", "false"):
        return None, RecordFrom.ANSWER
    return recording, RecordFrom.RINGING if "ringing" in word else RecordFrom.ANSWER
