"""The neutral instruction set: the union of what the dialects can say.

A parser makes each of its dialect's defaults explicit; the engine assumes none. Durations are seconds unless
the name says otherwise; URLs are absolute by the time they are here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from ringback.calls.status import CallStatus


class Answering(StrEnum):
    """What a verb does to an inbound call that is not answered yet."""

    ANSWER = "answer"
    """200 first, then the verb."""
    EARLY_MEDIA = "early-media"
    """183 with SDP, the verb plays before the answer."""
    NONE = "none"
    """The verb needs no media; the call keeps ringing."""


class OnError(StrEnum):
    """What follows a prompt that could not be spoken or fetched."""

    CONTINUE = "continue"
    HANG_UP = "hang-up"


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A place where the application is asked: an absolute URL, the method, and credentials of its own."""

    url: str
    method: str = "POST"
    username: str | None = None
    password: str | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to call."""

    kind: str
    """`number` (through a trunk), `client` (a device registered here) or `sip` (a URI)."""
    address: str
    """The number, the user name, or the URI."""
    headers: tuple[tuple[str, str], ...] = ()
    username: str | None = None
    password: str | None = None
    trunk: str | None = None
    """The trunk to use, by name; None: the account's."""
    proxy: str | None = None
    """A SIP URI where the INVITE goes first."""


class Reports(msgspec.Struct, frozen=True, kw_only=True):
    """Where a leg's progress is told: any of `initiated`, `ringing`, `answered`, `completed`."""

    hook: Hook
    events: tuple[str, ...] = ("completed",)


class MachineDetection(msgspec.Struct, frozen=True, kw_only=True):
    """How to tell people from machines once a call is answered, and who is told. Milliseconds."""

    wait_for_end: bool = False
    """A machine is reported when its greeting is over (beep or silence), not when it is recognised."""
    asynchronous: bool = False
    """The call goes on meanwhile and `report` is told; else the application is asked after the verdict."""
    report: Hook | None = None
    timeout_ms: int = 30_000
    speech_threshold_ms: int = 2_400
    """Speech longer than this is a machine."""
    speech_end_ms: int = 1_200
    """Silence after speech that ends a greeting."""
    silence_timeout_ms: int = 5_000
    """Silence at the beginning after which the verdict is `unknown`."""
    words_threshold: int | None = None
    """More words than this are a machine (a word is a burst of speech); None: words are not counted."""
    tone_timeout_ms: int = 20_000
    """How long a machine is listened to for its beep."""
    partial_results: bool = False
    """With `wait_for_end`: that it is a machine is told at once, too."""
    people_only: bool = False
    """Of a callee, and not asynchronous: a machine is hung up."""
    follow: bool = False
    """Without `wait_for_end`: a machine is listened to further, and when it stops speaking and its tone are
    told, too."""


class RecordingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How something is recorded, where it goes, and who is told."""

    source: str = "control"
    """`record-verb`, `dial-verb`, `outbound-api` or `control`: why there is a recording."""
    channels: int = 1
    """1: everything mixed; 2: what this party says, and what it hears."""
    alone: bool = False
    """Not begun while another one of the same source is being made: that one goes on, with a note."""
    track: str = "both"
    """`inbound` (what this party says), `outbound` (what it hears) or `both`."""
    trim: bool = False
    """Leave out silence at both ends."""
    report: Hook | None = None
    events: tuple[str, ...] = ("completed",)
    """Of `in-progress`, `completed`, `absent`, `failed`."""
    upload: Hook | None = None
    """Where the application wants the file itself sent."""
    custom_id: str | None = None
    """The application's own name for it."""
    transcription: Hook | None = None
    """Told the text, or that there is none."""


class Callee(msgspec.Struct, frozen=True, kw_only=True):
    """One party that a Dial calls."""

    target: Target
    shown: str
    """`to` as the leg's record shows it."""
    caller_id: str | None = None
    caller_name: str | None = None
    from_host: str | None = None
    briefing: tuple[Say | Play | Gather, ...] = ()
    """Run on the callee at its answer, who goes on only if still there at their end."""
    screening: Hook | None = None
    """Asked when the callee answers; its verbs run on the callee, who is connected if still there at their
    end."""
    screening_timeout: float | None = None
    """Seconds of screening after which the callee counts as hung up; None: no limit."""
    send_digits: str | None = None
    """Keys to send at the answer, before anything else."""
    reports: Reports | None = None
    detection: MachineDetection | None = None
    codecs: tuple[str, ...] = ()
    """What is offered, in this order; empty: everything we speak."""
    session_expires: int | None = None
    custom: dict[str, Any] | None = None
    """The application's own data on the leg."""


class KeyPatterns(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that are told to `hook` when they are pressed during a Dial."""

    hook: Hook
    caller: tuple[str, ...] = ()
    callee: tuple[str, ...] = ()


class _Verb(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    id: str | None = None
    """The application's own name for this verb, echoed where its dialect does so."""
    answering: Answering = Answering.NONE


class Clip(msgspec.Struct, frozen=True, tag=True):
    """Audio at a URL (http, https)."""

    url: str


class Silence(msgspec.Struct, frozen=True, tag=True):
    """Silence as part of what is played."""

    milliseconds: int


class Answer(_Verb, frozen=True):
    """Send 200."""


class Ring(_Verb, frozen=True):
    """Send 180, with these extra headers."""

    headers: tuple[tuple[str, str], ...] = ()


class Say(_Verb, frozen=True):
    """Speak texts one after the other, the whole `loop` times (0: until the call ends)."""

    texts: tuple[str, ...]
    ssml: bool = False
    voice: str = ""
    language: str = ""
    vendor: str = ""
    loop: int = 1
    on_error: OnError = OnError.CONTINUE
    use_cache: bool = True


class Play(_Verb, frozen=True):
    """Play clips one after the other, the whole `loop` times (0: until the call ends)."""

    clips: tuple[Clip | Silence, ...]
    loop: int = 1
    offset_ms: int = 0
    limit: float | None = None
    """Stop after this many seconds."""
    on_error: OnError = OnError.CONTINUE
    action: Hook | None = None


class Pause(_Verb, frozen=True):
    """Wait, in silence."""

    seconds: float


class Gather(_Verb, frozen=True):
    """Collect digits, with prompts that a key interrupts."""

    prompts: tuple[Say | Play | Pause, ...] = ()
    action: Hook | None = None
    report_empty: bool = False
    """Ask the action even when nothing was entered."""
    first_digit_timeout: float | None = 5.0
    """Seconds from the end of the prompts to the first key; None waits until the call ends."""
    inter_digit_timeout: float | None = 5.0
    """Seconds from a key to the next one; None leaves the first timer running."""
    finish_keys: frozenset[str] = frozenset("#")
    start_keys: frozenset[str] | None = None
    """Keys that may begin the input; others are ignored until one of these comes. None: any."""
    min_digits: int = 1
    """Fewer than this at a time-out count as nothing."""
    max_digits: int | None = None
    barge_in: bool = True
    """A key stops the prompts; if False, keys count but the prompts run to their end."""
    expected: str | None = None
    """Whoever enters anything else, or nothing, is hung up."""
    accepts_digits: bool = True
    accepts_speech: bool = False
    """Recorded for the outcome and the notes; nothing recognises speech yet."""


class SendDigits(_Verb, frozen=True):
    """Send keys to the far end: 0-9 * # A-D, `w` half a second and `W` a second of pause."""

    digits: str
    duration_ms: int = 100


class Redirect(_Verb, frozen=True):
    """Ask for another document and run that instead."""

    hook: Hook
    status_hook: Hook | None = None


class Reject(_Verb, frozen=True):
    """Refuse an inbound call that is not answered with this final response.

    An answered call goes on with the next verb, unless `hang_up_if_answered`.
    """

    sip_status: int = 603
    reason: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    ended_as: CallStatus = CallStatus.REJECTED
    hang_up_if_answered: bool = False
    cause: str | None = None


class HangUp(_Verb, frozen=True):
    """End the call: BYE when answered, else the final response `sip_status`."""

    headers: tuple[tuple[str, str], ...] = ()
    sip_status: int = 603
    ended_as: CallStatus | None = None
    """The status of the call, where it is not the one that follows from what happened."""
    cause: str | None = None


class RecordFrom(StrEnum):
    """When the recording of a Dial begins."""

    ANSWER = "answer"
    RINGING = "ringing"


class Dial(_Verb, frozen=True):
    """Call others, all at once or one after the other, and connect the first that answers."""

    callees: tuple[Callee, ...]
    sequential: bool = False
    action: Hook | None = None
    caller_id: str | None = None
    """None: the number or name of the caller."""
    caller_name: str | None = None
    ring_timeout: float = 30.0
    time_limit: float | None = None
    """Seconds of connection after which the callee is hung up."""
    answer_on_bridge: bool = False
    """The caller is answered only when a callee is."""
    passes_early_media: bool = True
    ringback: str = ""
    """The country whose ringing tone the caller hears, in the words of `ringback.media.tones`."""
    music: Clip | None = None
    """Played to the caller while it rings, in place of the ringing tone."""
    parks: bool = False
    """The caller is on hold while it rings: it hears what `hold_hook` or else the music on hold gives."""
    announcement: tuple[Say | Play, ...] = ()
    """Spoken to both once they are connected, over what they say to each other."""
    hang_up_keys: frozenset[str] = frozenset()
    """A key of the caller's that ends the connection."""
    recording: RecordingPlan | None = None
    record_from: RecordFrom = RecordFrom.ANSWER
    refer_hook: Hook | None = None
    """Asked when a party asks to be transferred (REFER)."""
    hold_hook: Hook | None = None
    """Asked when a party puts the other on hold: what it answers is played to the other."""
    keys: KeyPatterns | None = None
    detection: MachineDetection | None = None
    """For callees that have none of their own."""
    headers: tuple[tuple[str, str], ...] = ()
    """On every INVITE."""
    gain_db: float = 0.0
    """Of what the callee says."""
    hang_up_after_limit: bool = False
    """The caller is hung up too when the time limit passes."""


class Record(_Verb, frozen=True):
    """Record what the caller says."""

    recording: RecordingPlan
    action: Hook | None = None
    report_empty: bool = True
    """Ask the action even when nothing was recorded."""
    silence_timeout: float | None = 5.0
    """Seconds of silence that end it; None: no limit."""
    finish_keys: frozenset[str] = frozenset("1234567890*#")
    max_seconds: float = 3600.0
    beep: bool = True


class ControlRecording(_Verb, frozen=True):
    """Begin (`start`), interrupt (`pause`), continue (`resume`) or end (`stop`) recording the whole call."""

    what: str
    recording: RecordingPlan = RecordingPlan()
    """How to record; its name, if it has one, is also which recording to change, else the one begun last."""
    silence: bool = True
    """Pausing leaves silence of that length; else nothing of it is in the file."""


class Refer(_Verb, frozen=True):
    """Ask the far end to call somebody else (RFC 3515), and wait for what comes of it."""

    refer_to: str
    """A SIP URI, or a user part, which gets the far end's host."""
    referred_by: str | None = None
    referred_by_name: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    action: Hook | None = None
    progress: Hook | None = None
    """Told of each NOTIFY."""
    timeout: float = 15.0


class Fallbacks(msgspec.Struct, frozen=True, kw_only=True):
    """What follows a transfer that came to nothing; nothing: the next verb."""

    no_answer: tuple[Dial | HangUp | Redirect, ...] = ()
    busy: tuple[Dial | HangUp | Redirect, ...] = ()
    declined: tuple[Dial | HangUp | Redirect, ...] = ()
    failed: tuple[Dial | HangUp | Redirect, ...] = ()


class Transfer(_Verb, frozen=True):
    """Hand the caller over to somebody else, by calling them or by asking the far end to do that."""

    by: Dial | Refer
    """Its own action is not asked."""
    fallbacks: Fallbacks = Fallbacks()
    action: Hook | None = None
    """Asked when it is decided; verbs that it answers take the place of the fallback."""


class SendRequest(_Verb, frozen=True):
    """Send a request inside the dialog (INFO, MESSAGE …)."""

    method: str
    content_type: str = ""
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    action: Hook | None = None


class Configure(_Verb, frozen=True):
    """Change how the rest of the call behaves; what is None stays as it is."""

    hold_music: Clip | None = None
    refer_hook: Hook | None = None
    request_hook: Hook | None = None
    """Asked when the far end sends INFO or MESSAGE, or holds and un-holds."""
    gain_db: float | None = None
    detection: MachineDetection | None = None


class Tag(_Verb, frozen=True):
    """Replace the application's own data on the call."""

    data: dict[str, Any]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person should know about the call, in the dialect's own code and words."""

    level: str
    """`info`, `warning` or `error`."""
    code: str
    message: str
    detail: dict[str, Any] = {}


class Unbuilt(_Verb, frozen=True):
    """A verb that this version does not have: what the dialect says then, and what follows from it."""

    name: str
    note: Note
    then: tuple[HangUp | Reject, ...] = ()
    """What runs instead of the rest of the document; nothing: the document goes on."""
    failure: bool = True
    """Ask the application's fallback first (`ringback.calls.application.Failed`)."""


Verb = (
    Answer
    | Ring
    | Say
    | Play
    | Pause
    | Gather
    | SendDigits
    | Redirect
    | Reject
    | HangUp
    | Tag
    | Dial
    | Record
    | ControlRecording
    | Refer
    | Transfer
    | SendRequest
    | Configure
    | Unbuilt
)
