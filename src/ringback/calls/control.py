"""What may be done to calls from outside: by REST handlers and commands on an application's socket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import msgspec

from ringback.calls.status import CallStatus, Direction

if TYPE_CHECKING:
    from ringback.calls.application import Application, Document
    from ringback.calls.record import CallRecord
    from ringback.calls.recordings.recording import Recording
    from ringback.calls.verbs import (
        Configure,
        Hook,
        MachineDetection,
        Note,
        Play,
        RecordingPlan,
        Refer,
        Say,
        Target,
        Transfer,
        Verb,
    )
    from ringback.routing.directory import Account


class CallRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A call to be placed."""

    account: Account
    application: Application
    """Asked with NewCall when the far end answers."""
    application_id: UUID | None = None
    to: Target
    to_shown: str
    """`to` as the record shows it."""
    from_: str
    caller_id: str | None = None
    """What the callee sees, where it is not `from_`."""
    caller_name: str | None = None
    from_host: str | None = None
    ring_timeout: float = 60.0
    time_limit: float | None = None
    send_digits: str | None = None
    """Sent when the call is answered, before the application is asked."""
    custom: dict[str, Any] | None = None
    document: Document | None = None
    """Run this at the answer instead of asking (`Twiml=`, `app_json`)."""
    recording: RecordingPlan | None = None
    """Record the whole call from its answer on."""
    detection: MachineDetection | None = None
    """Find out who answered: before the application is asked, or beside it."""
    max_forwards: int = 70
    notes: tuple[Note, ...] = ()
    """What was wrong with the request without refusing it, for the call's time line."""


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls to list; every field given must match."""

    account_id: UUID
    call_ids: frozenset[UUID] | None = None
    statuses: frozenset[CallStatus] | None = None
    directions: frozenset[Direction] | None = None
    from_: str | None = None
    to: str | None = None
    match_suffix: bool = False
    """`from_` and `to` match the end of the number rather than the whole."""
    parent_id: UUID | None = None
    trunk: str | None = None
    """The name of the trunk that it came or went through."""
    answered: bool | None = None
    party: str = ""
    """A part of the calling or the called number."""
    started_from: datetime | None = None
    """Inclusive; 'started' is the moment the call was created here."""
    started_before: datetime | None = None
    """Exclusive."""
    ended_from: datetime | None = None
    ended_before: datetime | None = None
    live_or_ended_after: datetime | None = None
    """Leave out calls that ended before this."""
    order: str = "newest"
    """`newest`, `oldest`, or `FIELD` / `-FIELD` for created_at, from, to, direction, status, duration."""


class ControlError(Exception):
    """Something asked of a call cannot be done; each subclass is one reason, which a dialect words."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NoSuchCall(ControlError):
    """No call of this account has that id."""


class CallIsOver(ControlError):
    """The call has ended."""


class WrongState(ControlError):
    """The call is not in a state that allows this; the message says which it is in."""


class CallIsLive(ControlError):
    """A record can be deleted only after its call ended."""


class Unroutable(ControlError):
    """There is no way to the target: no trunk, device not registered, address refused."""

    def __init__(self, message: str, sip_status: int = 404) -> None:
        super().__init__(message)
        self.sip_status = sip_status


class CallerNotOwned(ControlError):
    """The caller id is none of the account's numbers, and the configuration wants it to be."""


class LimitReached(ControlError):
    """The account or the trunk has as many calls, or as many waiting, as it may have."""


class Overloaded(ControlError):
    """Not now: shutting down, store or storage unavailable, media exhausted, too much to convert."""


class Calls(Protocol):
    """All calls of this server. Ids of another account behave like ids that do not exist."""

    async def create(self, request: CallRequest) -> CallRecord:
        """Store the call as queued and start placing it; returns once the record is durable.

        Raises:
            Unroutable: nothing leads to the target.
            CallerNotOwned: the caller id is checked, and not the account's.
            LimitReached: it would have to wait, and as many wait already as may.
            Overloaded: not now.
        """
        ...

    async def get(self, account_id: UUID, call_id: UUID) -> CallRecord:
        """One call, live or ended.

        Raises:
            NoSuchCall: unknown, or another account's.
        """
        ...

    async def list(self, which: CallFilter, *, limit: int, offset: int = 0) -> Sequence[CallRecord]:
        """A page of calls."""
        ...

    async def page(
        self, which: CallFilter, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[CallRecord], int]:
        """A page of calls, and how many there are on all pages."""
        ...

    async def count(self, which: CallFilter) -> int:
        """How many calls match."""
        ...

    async def delete(self, account_id: UUID, call_id: UUID) -> None:
        """Forget an ended call.

        Raises:
            NoSuchCall, CallIsLive
        """
        ...

    async def redirect(
        self,
        account_id: UUID,
        call_id: UUID,
        *,
        hook: Hook | None = None,
        document: Document | None = None,
        application: Application | None = None,
        status_hook: Hook | None = None,
        while_ringing: bool = False,
    ) -> CallRecord:
        """Stop what the call does and run another document, fetched from `hook` or given.

        `application` answers from then on; without it the call's present one does. `status_hook`, with
        `hook`, is where it reports from then on. `while_ringing`: also an incoming call that is not answered.

        Raises:
            NoSuchCall, CallIsOver, WrongState (not answered yet)
        """
        ...

    async def append(self, account_id: UUID, call_id: UUID, verbs: Sequence[Verb]) -> CallRecord:
        """Run these verbs after what the call has still to do.

        Raises:
            NoSuchCall, CallIsOver, WrongState (it runs none: it is not answered, or connected by a Dial)
        """
        ...

    async def hang_up(
        self, account_id: UUID, call_id: UUID, *, headers: Sequence[tuple[str, str]] = ()
    ) -> CallRecord:
        """End the call in whatever state it is; one that is not answered becomes `canceled`.

        Raises:
            NoSuchCall, CallIsOver
        """
        ...

    async def cancel(self, account_id: UUID, call_id: UUID, *, as_no_answer: bool = False) -> CallRecord:
        """End the call only if it is not answered yet.

        Raises:
            NoSuchCall, CallIsOver, WrongState (answered)
        """
        ...

    async def send_digits(
        self, account_id: UUID, call_id: UUID, digits: str, *, duration_ms: int
    ) -> CallRecord:
        """Send keys on the live call.

        Raises:
            NoSuchCall, CallIsOver, WrongState (no media yet)
        """
        ...

    async def tag(self, account_id: UUID, call_id: UUID, data: dict[str, Any]) -> CallRecord:
        """Replace the application's own data on the call.

        Raises:
            NoSuchCall, CallIsOver
        """
        ...

    async def mute(self, account_id: UUID, call_id: UUID, *, muted: bool) -> CallRecord:
        """Ignore, or listen again to, what this party says.

        Raises:
            NoSuchCall, CallIsOver, WrongState (not answered)
        """
        ...

    async def redirect_callee(
        self, account_id: UUID, call_id: UUID, *, hook: Hook, status_hook: Hook | None = None
    ) -> CallRecord:
        """Give the callee that this call's Dial is connected with a document of its own; the callee's record.

        The Dial ends and the call goes on with its next verb.

        Raises:
            NoSuchCall, CallIsOver, WrongState (there is no callee that is connected)
        """
        ...

    async def redirect_both(
        self,
        account_id: UUID,
        call_id: UUID,
        *,
        to: Hook | Document,
        callee_to: Hook | Document,
        status_hook: Hook | None = None,
        application: Application | None = None,
    ) -> CallRecord:
        """Give this call and the callee that its Dial is connected with a document of its own each.

        The Dial reports nothing. `status_hook` and `application` are this call's, as in `redirect`.

        Raises:
            NoSuchCall, CallIsOver, WrongState (there is no callee that is connected)
        """
        ...

    async def play_over(self, account_id: UUID, call_id: UUID, verbs: Sequence[Say | Play]) -> CallRecord:
        """Speak or play to this party alone, over whatever it hears (whisper).

        Raises:
            NoSuchCall, CallIsOver, WrongState (no media yet)
        """
        ...

    async def start_recording(self, account_id: UUID, call_id: UUID, plan: RecordingPlan) -> Recording:
        """Record the call from now on.

        Raises:
            NoSuchCall, CallIsOver, WrongState (not answered)
        """
        ...

    async def change_recording(
        self,
        account_id: UUID,
        call_id: UUID,
        what: str,
        *,
        recording_id: UUID | None = None,
        name: str | None = None,
        silence: bool = True,
    ) -> Recording:
        """`pause`, `resume` or `stop` a recording of the live call; without an id the one begun last, or the
        one begun last under that `name` (`RecordingPlan.custom_id`).

        `silence`: what is left out by a pause is silence in the file, else nothing.

        Raises:
            NoSuchCall, CallIsOver, NoSuchRecording, WrongState (it has ended)
        """
        ...

    async def send_request(
        self,
        account_id: UUID,
        call_id: UUID,
        method: str,
        *,
        content_type: str,
        body: str,
        headers: Sequence[tuple[str, str]] = (),
    ) -> tuple[int, str]:
        """Send a request inside the dialog; the status and reason of its response.

        Raises:
            NoSuchCall, CallIsOver, WrongState (not answered)
        """
        ...

    async def amplify(self, account_id: UUID, call_id: UUID, *, decibels: float) -> CallRecord:
        """Make what this party says louder or quieter.

        Raises:
            NoSuchCall, CallIsOver, WrongState (no media yet)
        """
        ...

    async def configure(self, account_id: UUID, call_id: UUID, verb: Configure) -> CallRecord:
        """Change how the rest of the call behaves, at once and beside what it does.

        Raises:
            NoSuchCall, CallIsOver, WrongState (no media yet, where it is about what is heard)
        """
        ...

    async def limit_time(self, account_id: UUID, call_id: UUID, seconds: float) -> CallRecord:
        """End the call that many seconds after its answer.

        Raises:
            NoSuchCall, CallIsOver
        """
        ...

    async def transfer(self, account_id: UUID, call_id: UUID, verb: Refer | Transfer) -> CallRecord:
        """Hand the call over to somebody else, in place of the verb that it runs now.

        Where it is still there afterwards, it goes on with the next one.

        Raises:
            NoSuchCall, CallIsOver, WrongState (not answered)
        """
        ...

    async def set_application(self, account_id: UUID, call_id: UUID, application: Application) -> CallRecord:
        """Let another application take the callbacks from now on, without touching what runs.

        Raises:
            NoSuchCall, CallIsOver
        """
        ...
