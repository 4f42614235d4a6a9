"""An application on one call: asked over HTTP or its WebSocket, told over either."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ringback.calls.application import Action, Ask, Document, NewCall, Redirected, SipMessageFacts
from ringback.calls.events import CallEvent, Noted, VerbEnded, VerbStarted
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus
from ringback.calls.verbs import Callee, HangUp, Hook, Note, Reject, Verb
from ringback.dialects.jambonz.asking import HttpConversation
from ringback.dialects.jambonz.callbacks import Statuses, delivery
from ringback.dialects.jambonz.dialler import Timing
from ringback.dialects.jambonz.errors import INVALID_PAYLOAD, HookFailed, InvalidApplication
from ringback.dialects.jambonz.line import GOING_AWAY, Line
from ringback.dialects.jambonz.markup import Parsed, parse, parse_json
from ringback.dialects.jambonz.orders import Orders
from ringback.dialects.jambonz.payload import Payload, action, call_info, new_call
from ringback.dialects.jambonz.protocol import Command
from ringback.dialects.jambonz.session import (
    is_absolute,
    is_http_url,
    is_socket_url,
    moved,
    session_for,
)
from ringback.dialects.jambonz.setup import Setup
from ringback.dialects.jambonz.sids import spell
from ringback.dialects.jambonz.verbstatus import VerbReports
from ringback.net.guard import same_origin
from ringback.webhooks.ask import Asker

if TYPE_CHECKING:
    from ringback.calls.services import Services
    from ringback.routing.directory import Account
    from ringback.webhooks.delivery import Delivery


class JambonzApplication:
    """`ringback.calls.application.Application` in this dialect. One instance belongs to one call."""

    dialect = "jambonz"
    profile = ""
    rings_at_once = False

    def __init__(
        self, services: Services, account: Account, setup: Setup, *, timing: Timing | None = None
    ) -> None:
        self.session = session_for(setup.speech, setup.call_hook.url)
        self._services = services
        self._account = account
        self._setup = setup
        self._timing = timing
        self._credentials = setup.call_hook
        self._status_hook = setup.status_hook
        self._http = HttpConversation(Asker(services.http), account.webhook_secret)
        self._statuses = Statuses(services.public_url)
        self._untold: deque[Payload] = deque()
        self._verbs = VerbReports()
        self._invite: SipMessageFacts | None = None
        self._line: Line | None = None
        self._status_line: Line | None = None
        self._orders: Orders | None = None

    # -- asked

    async def ask(self, ask: Ask, call: CallRecord) -> Document | None:
        """The next document. See `Application.ask`."""
        match ask:
            case NewCall():
                self._invite = ask.invite
                return await self._first(call)
            case Redirected():
                return await self._redirected(ask, call)
            case Action():
                payload = action(call, ask.verb, ask.outcome, self._services.public_url)
                return await self._following("verb:hook", ask.hook, payload, call)
        return None

    def for_callee(self, callee: Callee, caller: CallRecord) -> JambonzApplication:
        """The application of a dialled leg: its status goes where the caller's goes."""
        setup = msgspec.structs.replace(self._setup, status_hook=self._status_hook)
        return JambonzApplication(self._services, self._account, setup, timing=self._timing)

    async def _first(self, call: CallRecord) -> Document:
        """The first document, or the refusal that takes its place."""
        hook = self._setup.call_hook
        try:
            if self._setup.app_json:
                return self.take(parse_json(self._setup.app_json, self.session))
            reply = await self._converse("session:new", hook, self._new_call(call), call)
            if reply == [] and not self.session.socket:
                raise InvalidApplication("no application provided")
            # Over a socket the verbs may come later, as a command.
            return self.take(parse(reply or ([] if self.session.socket else reply), self.session))
        except HookFailed as failure:
            return self._refusal(failure.message, failure.note())
        except InvalidApplication as error:
            invalid = HookFailed(INVALID_PAYLOAD, error.message, url=hook.url)
            return self._refusal(error.message, invalid.note())

    async def _redirected(self, ask: Redirected, call: CallRecord) -> Document | None:
        """Another place answers; where it is another server, it is the base from now on."""
        hook, before = ask.hook, self.session
        if ask.status_hook is not None:
            self._status_hook = ask.status_hook
        if is_absolute(hook.url) and not same_origin(hook.url, before.base_url):
            self.session = moved(before, hook.url)
        payload = call_info(call, self._services.public_url)
        document = await self._following("session:redirect", hook, payload, call)
        if document is not None and document.goes_on:
            self.session = before
        elif before.socket and not self.session.socket and self._line is not None:
            await self._line.close()
            self._line = None
        return document

    async def _following(self, kind: str, hook: Hook, payload: Payload, call: CallRecord) -> Document | None:
        """The document that takes over; None when the reply holds no verbs."""
        try:
            reply = await self._converse(kind, hook, payload, call)
            if not isinstance(reply, list) or not reply:
                return None
            return self.take(parse(reply, self.session))
        except HookFailed as failure:
            return self._as_before(failure.note(hook=hook.url))
        except InvalidApplication as error:
            invalid = HookFailed(INVALID_PAYLOAD, error.message, url=hook.url)
            return self._as_before(invalid.note(verb=kind))

    def take(self, parsed: Parsed) -> Document:
        """The document of verbs that were read; the session is as they leave it."""
        self.session = parsed.session
        return Document(verbs=parsed.verbs, application=self, at_end=self._at_end(), notes=parsed.notes)

    def _at_end(self) -> Verb | None:
        """Over HTTP a call whose verbs are used up ends; over a socket it waits for commands."""
        waits = self.session.socket and self._line is not None and not self._line.ended
        return None if waits else HangUp(sip_status=603)

    def _refusal(self, reason: str, note: Note) -> Document:
        headers = (("X-Reason", _header_text(reason)),)
        verb = Reject(
            sip_status=480,
            headers=headers,
            ended_as=CallStatus.FAILED,
            hang_up_if_answered=True,
            cause=reason,
        )
        at_end = HangUp(sip_status=480, headers=headers, cause=reason)
        return Document(verbs=(verb,), application=self, at_end=at_end, notes=(note,))

    def _as_before(self, note: Note) -> Document:
        return Document(verbs=(), application=self, at_end=self._at_end(), notes=(note,), goes_on=True)

    def _new_call(self, call: CallRecord) -> Payload:
        return new_call(
            call,
            self._account,
            invite=self._invite,
            env_vars=self._setup.env_vars,
            speech=self._setup.speech,
            public_url=self._services.public_url,
        )

    # -- conversations

    async def _converse(self, kind: str, hook: Hook, payload: Payload, call: CallRecord) -> Any:
        """Ask wherever the hook leads; the decoded reply."""
        hook = self._with_credentials(hook)
        if is_http_url(hook.url) or not (is_socket_url(hook.url) or self.session.socket):
            return await self._http.ask(hook, payload)
        name = None if kind == "session:new" else hook.url
        if self._leads_elsewhere(hook.url):
            return await self._open_line(kind, hook, payload, call)
        assert self._line is not None
        if self._line.opened:
            return await self._line.ask(kind, payload, hook=name)
        return await self._line.open(kind, payload, hook=name)

    def _leads_elsewhere(self, url: str) -> bool:
        if self._line is None:
            return True
        return is_socket_url(url) and not same_origin(url, self._line.hook.url)

    async def _open_line(self, kind: str, hook: Hook, payload: Payload, call: CallRecord) -> Any:
        """A socket to another server. It replaces the one there was; coming from HTTP it is a new session."""
        old, self._line = self._line, self._new_line(hook, call)
        if old is None:
            kind, payload = "session:new", self._new_call(call)
        name = None if kind == "session:new" else hook.url
        try:
            reply = await self._line.open(kind, payload, hook=name)
        except HookFailed:
            await self._line.close(GOING_AWAY)
            self._line = old
            raise
        self.session = moved(self.session, hook.url)
        if old is not None:
            await old.close()
        return reply

    def _new_line(self, hook: Hook, call: CallRecord) -> Line:
        orders = self._orders = self._orders or Orders(self._services, self, call, self._complain)
        return Line(
            self._services.http,
            hook,
            spell(call.id),
            on_command=orders.take,
            on_end=orders.end,
            on_message=self._services.on_message,
            timing=self._timing,
        )

    def _new_status_line(self, hook: Hook, call: CallRecord) -> Line:
        """A socket on which the application only listens: what it sends, or that it goes, changes nothing."""
        line = Line(
            self._services.http,
            hook,
            spell(call.id),
            on_command=lambda _: None,
            on_end=lambda _: None,
            on_message=self._services.on_message,
            timing=self._timing,
        )
        line.start()
        return line

    def _with_credentials(self, hook: Hook) -> Hook:
        """A hook without credentials of its own is asked with those of the application."""
        own = self._credentials
        if hook.username is not None or own.username is None:
            return hook
        return Hook(url=hook.url, method=hook.method, username=own.username, password=own.password)

    def _complain(self, command: Command, why: str) -> None:
        if self._line is not None:
            self._line.tell("jambonz:error", {"msg": why, "details": why, "command": command.name})

    # -- telling

    def deliveries(self, event: CallEvent, call: CallRecord) -> Sequence[Delivery]:
        """The status callback due, if any. See `Application.deliveries`."""
        payload = self._statuses.due(event, call)
        if payload is None:
            return ()
        hook = self._status_hook
        if hook is not None and is_http_url(hook.url):
            return (delivery(self._with_credentials(hook), payload, call, self._account),)
        if "error" not in payload:
            self._untold.append(payload)
        return ()

    def notify(self, event: CallEvent, call: CallRecord) -> None:
        """Tell what goes over a socket. See `Application.notify`."""
        line = self._telling_line(call)
        while self._untold:
            payload = self._untold.popleft()
            if line is not None:
                line.tell("call:status", payload)
        if self._line is None or not self.session.socket:
            return
        if isinstance(event, Noted) and event.note.level == "error":
            self._line.tell("jambonz:error", _error(event.note))
        elif self.session.notify_events and isinstance(event, VerbStarted | VerbEnded):
            self._line.tell("verb:status", self._verbs.report(event))
        elif isinstance(event, VerbStarted):
            self._verbs.report(event)

    def _telling_line(self, call: CallRecord) -> Line | None:
        """The socket for call:status: the application's own, or one to a status hook of its own."""
        hook = self._status_hook
        if hook is not None and is_http_url(hook.url):
            return None
        own = self.session.socket and (hook is None or _names_same(hook.url, self.session.base_url))
        if own:
            if self._line is None:
                self._line = self._new_line(self._with_credentials(self._setup.call_hook), call)
            return self._line
        if hook is None or not is_socket_url(hook.url):
            return None
        if self._status_line is None and self._untold:
            self._status_line = self._new_status_line(self._with_credentials(hook), call)
        return self._status_line

    # -- the rest of the protocol

    def state(self) -> Mapping[str, Any]:
        """See `Application.state`. A status hook that a redirect moved is where a restart reports too."""
        return msgspec.structs.replace(self._setup, status_hook=self._status_hook).state()

    async def close(self) -> None:
        """Close the sockets, with what they still have to tell."""
        if self._orders is not None:
            self._orders.close()
        lines = [line for line in (self._line, self._status_line) if line is not None]
        await asyncio.gather(*(line.close() for line in lines))


def _names_same(url: str, other: str) -> bool:
    return not is_absolute(url) or url.partition("#")[0] == other.partition("#")[0]


def _header_text(text: str) -> str:
    """Text that is safe in a SIP header line."""
    return "".join(char if " " <= char <= "~" else " " for char in text)[:200]


def _error(note: Note) -> Payload:
    payload: Payload = {"msg": note.message, "details": note.message, "code": note.code}
    if "verb" in note.detail:
        payload["verb"] = note.detail["verb"]
    return payload
