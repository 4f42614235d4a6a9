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
    from ringback.calls.verbs import Hook, Verb
    from ringback.routing.directory import Account


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


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls to list; every field given must match."""

    account_id: UUID
    statuses: frozenset[CallStatus] | None = None
    directions: frozenset[Direction] | None = None
    from_: str | None = None
    to: str | None = None
    match_suffix: bool = False
    """`from_` and `to` match the end of the number rather than the whole."""
    parent_id: UUID | None = None
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


class CallerNotOwned(ControlError):
    """The caller id is none of the account's numbers, and the configuration wants it to be."""


class Overloaded(ControlError):
    """No call can be taken now: shutting down, store unavailable, media exhausted."""


class Calls(Protocol):
    """All calls of this server. Ids of another account behave like ids that do not exist."""

    async def create(self, request: CallRequest) -> CallRecord:
        """Store the call as queued and start placing it; returns once the record is durable.

        Raises:
            Unroutable: nothing leads to the target.
            CallerNotOwned: the caller id is checked, and not the account's.
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
            NoSuchCall, CallIsOver
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

    async def set_application(self, account_id: UUID, call_id: UUID, application: Application) -> CallRecord:
        """Let another application take the callbacks from now on, without touching what runs.

        Raises:
            NoSuchCall, CallIsOver
        """
        ...
