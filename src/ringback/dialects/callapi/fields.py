"""The fields of CallAPI's webhooks, in the order in which they are sent. A value of None is a bare name."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

from ringback.calls.events import CallEnded, CallEvent
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Dial, Gather, Record, Verb
from ringback.dialects.callapi.sids import (
    API_VERSION,
    account_sid,
    call_sid,
    instance_sid,
    recording_sid,
    recording_url,
)
from ringback.dialects.callapi.words import detector_word, status_word, word_of
from ringback.dialects.http import iso8601, rfc2822

Fields = tuple[tuple[str, str | None], ...]
PostStatus = Literal["new", "callback"]

_MOST_HEADERS = 50


class Here(NamedTuple):
    """This server, as the fields name it."""

    instance: str
    public_url: str


@lru_cache(maxsize=1024)  # each request of a call names both of its parties
def user_part(address: str) -> str:
    """The user of a SIP address, without a password, or the number, without a leading +."""
    bare = address.strip()
    for scheme in ("sip:", "sips:", "client:"):
        bare = bare.removeprefix(scheme)
    return bare.partition("@")[0].partition(":")[0].removeprefix("+")


def voice_fields(
    call: CallRecord,
    instance: str,
    post_status: PostStatus,
    *,
    dialled: UUID | None = None,
    detect_voicemail: bool = False,
) -> Fields:
    """The voice request (CallAPI "Incoming Calls"): `new` is the first of a call, `callback` every later one.

    `ForwardedFrom` is the word `null` when unknown; the X- and Diversion headers of the INVITE come last.
    `dialled` is the call that a Dial connected last; `detect_voicemail` asks for who answered, once known.
    """
    caller = user_part(call.from_) or None
    return (
        ("CallSid", call_sid(instance, call.id)),
        ("InstanceId", instance_sid(instance)),
        *((("OutboundCallSid", call_sid(instance, dialled)),) if dialled else ()),
        ("AccountSid", account_sid(call.account_id)),
        ("From", caller),
        ("To", user_part(call.to) or None),
        ("CallStatus", status_word(call)),
        ("ApiVersion", API_VERSION),
        ("Direction", call.direction.value),
        ("CallerName", call.caller_name or caller),
        ("ForwardedFrom", call.forwarded_from or "null"),
        ("CallTimestamp", iso8601(call.created_at)),
        ("PostStatus", post_status),
        *_detector(call, detect_voicemail),
        *_sip_headers(call),
    )


def screening_fields(call: CallRecord, instance: str, headers: Iterable[tuple[str, str]]) -> Fields:
    """What is asked about a dialled leg that answered: `call` is that leg, `headers` are those of its 200."""
    left_out = ("InstanceId", "CallTimestamp")
    fields = voice_fields(call, instance, "callback")
    return (
        *((name, value) for name, value in fields if name not in left_out),
        ("SipCallId", call.sip_call_id or None),
        *_named(headers, "SipHeader_"),
    )


def refer_fields(target: str, transferor: CallRecord | None, transferee: CallRecord) -> Fields:
    """A party asks to be transferred: where to, who asks, and who is to go there."""
    return (
        ("ReferTarget", user_part(target) or None),
        ("Transferor", _party(transferor)),
        ("Transferee", _party(transferee)),
    )


def action_fields(verb: Verb, outcome: Outcome, here: Here) -> Fields:
    """What a verb's own request adds."""
    match verb:
        case Gather():
            return (("Digits", outcome.digits or ""),)
        case Dial():
            return _dial_fields(outcome, here)
        case Record():
            return _record_fields(outcome, here)
    return ()


def progress_fields(event: CallEvent, call: CallRecord, here: Here, recording: Recording | None) -> Fields:
    """What a status callback adds (CallAPI "Making Calls"); `CallDuration` at the end only.

    `ParentCallSid` is there for the legs of a Dial, what was recorded at the end of a call placed by REST.
    """
    parent = call.parent_id
    more: Fields = (("ParentCallSid", call_sid(here.instance, parent)),) if parent else ()
    if isinstance(event, CallEnded):
        more += (("CallDuration", str(call.duration())),)
        if recording is not None and call.direction is Direction.OUTBOUND_API:
            more += _recorded(recording, call, here)
    return (
        *more,
        ("Timestamp", rfc2822(call.updated_at)),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", str(call.sequence_number)),
    )


def transcription_fields(recording: Recording, here: Here) -> Fields:
    """What became of a transcription that Record asked for: nothing transcribes here."""
    return (
        ("TranscriptionText", None),
        ("TranscriptionStatus", "failed"),
        ("TranscriptionUrl", None),
        ("RecordingUrl", recording_url(here.public_url, recording)),
    )


def seconds(duration: float) -> str:
    """Seconds as RestComm writes them: with a point."""
    return str(round(float(duration), 3))


def _dial_fields(outcome: Outcome, here: Here) -> Fields:
    """`DialCallSid` is the word `null` when nobody could be called."""
    callee, recording = outcome.callee, outcome.recording
    status = CallStatus.COMPLETED if outcome.bridged else outcome.callee_status or CallStatus.FAILED
    return (
        ("DialCallSid", call_sid(here.instance, callee) if callee else "null"),
        ("DialCallStatus", word_of(status)),
        ("DialCallDuration", str(outcome.talk_seconds)),
        *(_links(recording, here) if recording else ()),
        ("DialRingDuration", str(outcome.ring_seconds)),
        *((("DialSipCallId", outcome.sip_call_id),) if outcome.sip_call_id else ()),
        *((("DialSipResponseCode", str(outcome.sip_status)),) if outcome.sip_status else ()),
        *_named(outcome.sip_headers, "DialSipHeader_"),
    )


def _record_fields(outcome: Outcome, here: Here) -> Fields:
    """`Digits` is the key that ended the recording, or `hangup`."""
    recording = outcome.recording
    digits = "hangup" if outcome.end is EndOfVerb.HUNG_UP else outcome.finish_key or outcome.digits
    return (
        *(_links(recording, here) if recording else ()),
        ("RecordingDuration", seconds(recording.duration if recording else 0.0)),
        *((("Digits", digits),) if digits else ()),
    )


def _links(recording: Recording, here: Here) -> Fields:
    """Both are the same here: the one that needs no credentials."""
    url = recording_url(here.public_url, recording)
    return (("RecordingUrl", url), ("PublicRecordingUrl", url))


def _recorded(recording: Recording, call: CallRecord, here: Here) -> Fields:
    duration = recording.duration
    if not duration and recording.started_at and call.ended_at:  # it runs to the end of the call
        duration = max(0.0, (call.ended_at - recording.started_at).total_seconds())
    return (
        ("RecordingUrl", recording_url(here.public_url, recording)),
        ("RecordingSid", recording_sid(recording.id)),
        ("RecordingDuration", seconds(duration)),
    )


def _detector(call: CallRecord, wanted: bool) -> Fields:
    word = detector_word(call.answered_by) if wanted else None
    return (("VoicemailDetector", word),) if word else ()


def _party(call: CallRecord | None) -> str | None:
    """Who is at the far end of a call."""
    if call is None:
        return None
    return user_part(call.from_ if call.direction is Direction.INBOUND else call.to) or None


def _sip_headers(call: CallRecord) -> Fields:
    if call.direction is not Direction.INBOUND:
        return ()
    return _named(call.invite_headers, "SipHeader_", "x-", "diversion")


def _named(headers: Iterable[tuple[str, str]], prefix: str, *wanted: str) -> Fields:
    """The headers that begin so (else all that begin with X-), each under its own name in its own case."""
    kept = [
        (f"{prefix}{name}", value) for name, value in headers if name.lower().startswith(wanted or ("x-",))
    ]
    return tuple(kept[:_MOST_HEADERS])
