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


Verb = Answer | Ring | Say | Play | Pause | Gather | SendDigits | Redirect | Reject | HangUp | Tag | Unbuilt
