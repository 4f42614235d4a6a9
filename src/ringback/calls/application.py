"""What the engine asks of an application, and what it gets: the seam between the call and the dialects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from uuid import UUID

import msgspec

from ringback.calls.verbs import Callee, Hook, Note, Verb

if TYPE_CHECKING:
    from ringback.calls.events import CallEvent
    from ringback.calls.outcome import Outcome
    from ringback.calls.record import CallRecord
    from ringback.routing.directory import Account
    from ringback.routing.directory import Application as ConfiguredApplication
    from ringback.webhooks.delivery import Delivery


class SipMessageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The INVITE as an application may want to see it."""

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...]
    body: str
    raw: str
    source_address: str
    source_port: int
    transport: str


class NewCall(msgspec.Struct, frozen=True, kw_only=True):
    """The first document: an inbound call arrived, or an outbound call was answered."""

    what: ClassVar[str] = "new-call"

    invite: Callable[[], SipMessageFacts] | None = None
    """Tells of the INVITE received, which few applications want to know; None on outbound calls."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """A verb with an action ended."""

    what: ClassVar[str] = "action"

    verb: Verb
    hook: Hook
    outcome: Outcome


class Redirected(msgspec.Struct, frozen=True, kw_only=True):
    """The Redirect verb, or control from outside, names another place."""

    what: ClassVar[str] = "redirect"

    hook: Hook
    status_hook: Hook | None = None
    """Where to report from now on; None leaves that as it is."""
    by_control: bool = False


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A verb of the running document could not be run; `note` says why."""

    what: ClassVar[str] = "failed"

    verb: Verb
    note: Note


class Screening(msgspec.Struct, frozen=True, kw_only=True):
    """A callee of a Dial answered: what is to happen on its leg before it is connected."""

    what: ClassVar[str] = "screening"

    hook: Hook
    headers: tuple[tuple[str, str], ...] = ()
    """Of the callee's 200."""


class Referred(msgspec.Struct, frozen=True, kw_only=True):
    """A party asks to be transferred (REFER). No document refuses it, as does one that is `declined`; any
    other, even without verbs, accepts it and runs on the party that remains."""

    what: ClassVar[str] = "refer"

    hook: Hook
    refer_to: str
    """The URI, without its headers."""
    refer_to_user: str
    referred_by: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Of the REFER."""
    referring_call: UUID | None = None
    referred_call: UUID | None = None


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A party put the other on hold; the verbs of the reply are played to the one that waits."""

    what: ClassVar[str] = "hold"

    hook: Hook
    from_: str
    to: str


class InDialogRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The far end sent a request inside the dialog (INFO, MESSAGE), or held (`INVITE`, `held` is set)."""

    what: ClassVar[str] = "request"

    hook: Hook
    method: str
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    held: bool | None = None


Ask = NewCall | Action | Redirected | Failed | Screening | Referred | Holding | InDialogRequest
"""`what` names each on the time line."""


def place_of(ask: Ask) -> str | None:
    """The URL that the question goes to, where the question itself says."""
    return None if isinstance(ask, NewCall | Failed) else ask.hook.url


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Verbs to run, who answers for what follows, and what happens at the end."""

    verbs: tuple[Verb, ...]
    application: Application
    at_end: Verb | None
    """Run when the verbs are used up and the call is still there; None: stay up and wait for commands."""
    notes: tuple[Note, ...] = ()
    """What is worth recording about how this document came to be (warnings, failures, fallbacks)."""
    goes_on: bool = False
    """The answer was of no use and the running document goes on: only `notes` are taken from this one."""
    declined: int | None = None
    """The SIP status (400 to 699) that refuses what a party asked for (`Referred`)."""


class Application(Protocol):
    """An application on one call, as its dialect plays it. One instance belongs to one call.

    It keeps what a conversation needs: the URL that relative ones resolve against, cookies, a socket.
    """

    @property
    def dialect(self) -> str:
        """`laml`, `jambonz` or `callapi`."""
        ...

    @property
    def profile(self) -> str:
        """The profile within the dialect; empty where there is one only."""
        ...

    @property
    def rings_at_once(self) -> bool:
        """Whether an inbound caller gets 180 before the first document is there."""
        ...

    async def ask(self, ask: Ask, call: CallRecord) -> Document | None:
        """Ask for the next document. None: go on with what is left of the current one.

        It never raises for what the web application did wrong: a failure becomes the document that the
        service runs then (a rejection, a spoken apology, a hang-up), with the reason in `notes`.
        It may be cancelled.
        """
        ...

    def for_callee(self, callee: Callee, caller: CallRecord) -> Application:
        """The application of a leg that this one's Dial calls.

        It takes the leg's callbacks and is asked for its screening; it shares nothing that changes with this
        one, so that the leg can go on alone (a redirect of the callee).
        """
        ...

    def invite_headers(self, call: CallRecord) -> Sequence[tuple[str, str]]:
        """What the service writes on the INVITE of a call of its own accord; `call` has its id by now."""
        ...

    def deliveries(self, event: CallEvent, call: CallRecord) -> Sequence[Delivery]:
        """The callbacks due for this event, rendered; `call` is the record with the event already applied.

        Called inside the step that stores the event: quick, pure, no waiting. What the script does and hears
        (verbs, documents, keys, missing audio) causes none, and is not asked about.
        """
        ...

    def notify(self, event: CallEvent, call: CallRecord) -> None:
        """Tell a connected application (a WebSocket) what happened; after `deliveries`; never blocks."""
        ...

    def state(self) -> Mapping[str, Any]:
        """What `Dialect.restore` needs to render the due callbacks after a restart; JSON types only."""
        ...

    async def close(self) -> None:
        """The call is over: close what was opened."""
        ...


class Dialect(Protocol):
    """One service's way to speak, as the engine needs it."""

    @property
    def name(self) -> str: ...

    def application(self, account: Account, application: ConfiguredApplication) -> Application:
        """A configured application, made ready for one call."""
        ...

    def restore(self, account: Account, state: Mapping[str, Any]) -> Application:
        """The application of a call found open after a restart, good for `deliveries` only."""
        ...
