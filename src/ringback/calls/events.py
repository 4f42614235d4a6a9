"""Everything that can happen to a call, as typed and versioned values; the durable log holds nothing else.

The tag of a struct is its kind in the log. A changed meaning gets a new kind (`call.answered.2`), never a new
sense for an old one: logs outlive versions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args
from uuid import UUID

import msgspec

from ringback.calls.outcome import Outcome
from ringback.calls.recordings.recording import Recording
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import Hook, Note, Verb


class CallReceived(msgspec.Struct, frozen=True, kw_only=True, tag="call.received"):
    """An INVITE arrived and an application answers for it."""

    from_: str
    to: str
    caller_name: str | None
    forwarded_from: str | None
    sip_call_id: str
    source: str
    """`transport:host:port` of the far end."""
    trunk: str | None
    client: str | None
    from_uri: str = ""
    to_uri: str = ""


class CallRequested(msgspec.Struct, frozen=True, kw_only=True, tag="call.requested"):
    """A call to be placed was accepted over REST or from a document."""

    direction: Direction
    from_: str
    to: str
    caller_name: str | None


class CallInitiated(msgspec.Struct, frozen=True, kw_only=True, tag="call.initiated"):
    """The INVITE was sent."""

    sip_call_id: str
    target: str
    trunk: str | None = None


class CallRinging(msgspec.Struct, frozen=True, kw_only=True, tag="call.ringing"):
    """180 was sent or received (or another provisional response above 100), with or without SDP."""

    sip_status: int
    sip_reason: str
    early_media: bool


class CallRerouted(msgspec.Struct, frozen=True, kw_only=True, tag="call.rerouted"):
    """Outbound: one way failed, and the next is tried."""

    target: str
    trunk: str | None = None
    sip_status: int
    """Of the way that failed."""
    sip_reason: str
    cause: str


class CallAnswered(msgspec.Struct, frozen=True, kw_only=True, tag="call.answered"):
    """200 was sent or received. `dialog` is what a BYE after a restart needs."""

    sip_status: int = 200
    sip_reason: str = "OK"
    dialog: dict[str, Any] = {}


class MediaStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What the media plane counted. Milliseconds; None where nothing was measured."""

    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    lost_in: int = 0
    lost_out: int = 0
    """As the far end reported it."""
    late: int = 0
    duplicates: int = 0
    jitter_in_min: float | None = None
    jitter_in_avg: float | None = None
    jitter_in_max: float | None = None
    jitter_out_min: float | None = None
    jitter_out_avg: float | None = None
    jitter_out_max: float | None = None
    rtt_min: float | None = None
    rtt_avg: float | None = None
    rtt_max: float | None = None
    dtmf_in: int = 0
    dtmf_out: int = 0
    flushed: int = 0
    skipped: int = 0
    largest_buffer: int = 0
    """In packets of 20 ms."""
    average_ptime: int = 20


class CallEnded(msgspec.Struct, frozen=True, kw_only=True, tag="call.ended"):
    """The end, decided in one place."""

    status: CallStatus
    cause: str
    """For people: why, in a few words."""
    by: EndedBy
    sip_status: int
    sip_reason: str
    headers: tuple[tuple[str, str], ...] = ()
    """Of the BYE or CANCEL received."""
    media: MediaStatistics | None = None


class DocumentAsked(msgspec.Struct, frozen=True, kw_only=True, tag="document.asked"):
    """The application is being asked."""

    what: str
    """`new-call`, `action`, `redirect`, `failed`."""
    url: str | None = None


class DocumentReceived(msgspec.Struct, frozen=True, kw_only=True, tag="document.received"):
    """It answered: these verbs run next."""

    verbs: tuple[str, ...]
    milliseconds: int


class VerbStarted(msgspec.Struct, frozen=True, kw_only=True, tag="verb.started"):
    """A verb begins to run."""

    verb: Verb


class VerbEnded(msgspec.Struct, frozen=True, kw_only=True, tag="verb.ended"):
    """A verb has ended, with what came of it; `verb` is its class's name."""

    verb: str
    outcome: Outcome


class DigitReceived(msgspec.Struct, frozen=True, kw_only=True, tag="digit.received"):
    """A key was pressed; `method` is `rfc4733`, `inband` or `info`."""

    key: str
    method: str


class CallTagged(msgspec.Struct, frozen=True, kw_only=True, tag="call.tagged"):
    """The application's own data were replaced; JSON."""

    data: dict[str, Any]


class CallControlled(msgspec.Struct, frozen=True, kw_only=True, tag="call.controlled"):
    """Something was done to the live call from outside; `what` names it."""

    what: str
    detail: dict[str, Any] = {}


class Noted(msgspec.Struct, frozen=True, kw_only=True, tag="call.noted"):
    """A warning or an error in the dialect's own code and words."""

    note: Note


class MediaMissing(msgspec.Struct, frozen=True, kw_only=True, tag="media.missing"):
    """No RTP for some seconds; `cause` names the likely reason."""

    seconds: float
    cause: str


class MediaResumed(msgspec.Struct, frozen=True, kw_only=True, tag="media.resumed"):
    """RTP is there again."""


class Bridged(msgspec.Struct, frozen=True, kw_only=True, tag="call.bridged"):
    """Connected with another call."""

    other: UUID


class Unbridged(msgspec.Struct, frozen=True, kw_only=True, tag="call.unbridged"):
    """No longer connected with that call."""

    other: UUID


class Held(msgspec.Struct, frozen=True, kw_only=True, tag="call.held"):
    """This party put the call on hold, or took it off again."""

    held: bool


class KeysMatched(msgspec.Struct, frozen=True, kw_only=True, tag="keys.matched"):
    """Keys that a Dial watches for were pressed by this party."""

    keys: str
    hook: Hook


class AnswererDetected(msgspec.Struct, frozen=True, kw_only=True, tag="answerer.detected"):
    """What answering-machine detection found out.

    `what` is a verdict: `human`, `machine-start`, `machine-end-beep`, `machine-end-silence`,
    `machine-end-other`, `fax` or `unknown` (whose `reason` is `no-speech` or `timeout`). Where a machine is
    listened to further, it is no `verdict`: `machine-end-silence`, `tone`, `tone-timeout`; or `stopped`.
    """

    what: str
    milliseconds: int
    """Since the answer."""
    verdict: bool = True
    """Whether this decides who answered, or is one of the things that happen on the way."""
    partial: bool = False
    """The end of a machine's greeting is still waited for."""
    reason: str = ""
    frequency: float | None = None
    hook: Hook | None = None
    """Where this is told."""


class ReferProgress(msgspec.Struct, frozen=True, kw_only=True, tag="refer.progress"):
    """A NOTIFY told how the call that a REFER asked for goes."""

    sip_status: int
    sip_reason: str
    hook: Hook | None = None


class ReferReceived(msgspec.Struct, frozen=True, kw_only=True, tag="refer.received"):
    """The far end asked to be transferred; `sip_status` is what it was answered."""

    refer_to: str
    sip_status: int


class RecordingChanged(msgspec.Struct, frozen=True, kw_only=True, tag="recording.changed"):
    """A recording began, was interrupted, ended, was stored or lost: the recording as it is now."""

    recording: Recording


class TranscriptionFailed(msgspec.Struct, frozen=True, kw_only=True, tag="transcription.failed"):
    """The text of a recording was asked for, and there is none: nothing here recognises speech."""

    id: UUID
    recording: Recording
    hook: Hook
    """Where this is told."""


CallEvent = (
    CallReceived
    | CallRequested
    | CallInitiated
    | CallRerouted
    | CallRinging
    | CallAnswered
    | CallEnded
    | DocumentAsked
    | DocumentReceived
    | VerbStarted
    | VerbEnded
    | DigitReceived
    | CallTagged
    | CallControlled
    | Noted
    | MediaMissing
    | MediaResumed
    | Bridged
    | Unbridged
    | Held
    | KeysMatched
    | AnswererDetected
    | ReferProgress
    | ReferReceived
    | RecordingChanged
    | TranscriptionFailed
)

_decoder: msgspec.json.Decoder[CallEvent] = msgspec.json.Decoder(CallEvent)
_kinds: dict[type[CallEvent], str] = {each: str(each.__struct_config__.tag) for each in get_args(CallEvent)}


def kind_of(event: CallEvent) -> str:
    """The event's kind in the log."""
    return _kinds[type(event)]


encode: Callable[[CallEvent], bytes] = msgspec.json.Encoder().encode
"""The event as the log keeps it: JSON with its kind in `type`."""


def decode(data: bytes) -> CallEvent:
    """Read an event back from the log.

    Raises:
        msgspec.ValidationError: the log holds something this version does not know.
    """
    return _decoder.decode(data)
