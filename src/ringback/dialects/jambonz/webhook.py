"""An application on one call: asked over HTTP or its WebSocket, told over either."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from ringback.calls.application import (
    Action,
    Ask,
    Document,
    Holding,
    InDialogRequest,
    NewCall,
    Redirected,
    Referred,
    Screening,
    SipMessageFacts,
)
from ringback.calls.control import ControlError
from ringback.calls.events import AnswererDetected, Bridged, CallEvent, Unbridged
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus
from ringback.calls.verbs import Callee, Configure, HangUp, Hook, Note, Reject, Verb
from ringback.dialects.jambonz.allowed import CONFIRMING, HOLDING, Verbs, only
from ringback.dialects.jambonz.asking import HttpConversation
from ringback.dialects.jambonz.create import read_create
from ringback.dialects.jambonz.dialler import Timing
from ringback.dialects.jambonz.errors import INVALID_PAYLOAD, HookFailed, InvalidApplication
from ringback.dialects.jambonz.incidents import answerer, holding, in_dialog_request, referred
from ringback.dialects.jambonz.inquiries import Inquiries
from ringback.dialects.jambonz.lines import Lines
from ringback.dialects.jambonz.markup import Parsed, parse, parse_json
from ringback.dialects.jambonz.outcomes import action
from ringback.dialects.jambonz.payload import Payload, call_info, new_call
from ringback.dialects.jambonz.session import is_absolute, moved, session_for
from ringback.dialects.jambonz.setup import Setup
from ringback.dialects.jambonz.sids import spell
from ringback.dialects.jambonz.telling import Teller
from ringback.net.guard import same_origin

if TYPE_CHECKING:
    from ringback.calls.services import Services
    from ringback.routing.directory import Account
    from ringback.webhooks.delivery import Delivery

log = logging.getLogger(__name__)


class JambonzApplication:
    """`ringback.calls.application.Application` in this dialect. One instance belongs to one call.

    That of a leg that was dialled knows the one it was dialled by (`parent`) until it goes on alone.
    """

    dialect = "jambonz"
    profile = ""
    rings_at_once = False

    def __init__(
        self,
        services: Services,
        account: Account,
        setup: Setup,
        *,
        timing: Timing | None = None,
        parent: JambonzApplication | None = None,
        progress_hook: Hook | None = None,
    ) -> None:
        self.session = session_for(setup.speech, setup.call_hook.url)
        self._services = services
        self._account = account
        self._setup = setup
        self._timing = timing
        self._status_hook = setup.status_hook
        self._invite: SipMessageFacts | None = None
        self._parent = parent
        self._callees: list[JambonzApplication] = []
        self._latest: CallRecord | None = None
        self._confirming = False
        self._bridged = False
        self._inquiries: Inquiries | None = None
        http = HttpConversation(services.asker(self.dialect), account.webhook_secret)
        shared = parent._lines if parent is not None else None
        self._lines: Lines = Lines(services, self, http, setup.call_hook, timing=timing, parent=shared)
        self._teller = Teller(account, self._lines, services.public_url, progress_hook=progress_hook)

    # -- asked

    async def ask(self, ask: Ask, call: CallRecord) -> Document | None:
        """The next document. See `Application.ask`."""
        self._latest = call
        url = self._services.public_url
        match ask:
            case NewCall():
                self._invite = ask.invite() if ask.invite is not None else None
                return await self._first(call)
            case Redirected():
                return self._alone(await self._redirected(ask, call), call)
            case Action():
                payload = action(call, ask.verb, ask.outcome, url)
                return await self._following("verb:hook", ask.hook, payload, call)
            case Screening():
                return await self._screened(ask, call)
            case Referred():
                return self._alone(await self._transferred(ask, call), call)
            case Holding():
                payload = holding(ask, call, url)
                return await self._following("verb:hook", ask.hook, payload, call, HOLDING, "onHoldHook")
            case InDialogRequest():
                payload = in_dialog_request(ask, call, url)
                return await self._following("verb:hook", ask.hook, payload, call)
        return None

    async def _first(self, call: CallRecord) -> Document:
        """The first document, or the refusal that takes its place."""
        hook = self._setup.call_hook
        try:
            if self._setup.app_json:
                return self._prepared(self.take(parse_json(self._setup.app_json, self.session)))
            reply = await self._lines.converse("session:new", hook, self.new_call(call), call)
            if reply == [] and not self.session.socket:
                raise InvalidApplication("no application provided")
            # Over a socket the verbs may come later, as a command.
            verbs = reply or ([] if self.session.socket else reply)
            return self._prepared(self.take(parse(verbs, self.session)))
        except HookFailed as failure:
            return self._refusal(failure.message, failure.note())
        except InvalidApplication as error:
            invalid = HookFailed(INVALID_PAYLOAD, error.message, url=hook.url)
            return self._refusal(error.message, invalid.note())

    def _prepared(self, document: Document) -> Document:
        """The first document, with the hooks before it that were given when the call was placed."""
        setup = self._setup
        if setup.refer_hook is None and setup.request_hook is None:
            return document
        hooks = Configure(refer_hook=setup.refer_hook, request_hook=setup.request_hook)
        return msgspec.structs.replace(document, verbs=(hooks, *document.verbs))

    async def _redirected(self, ask: Redirected, call: CallRecord) -> Document | None:
        """Another place answers; where it is another server, it is the base from now on."""
        self._confirming = False
        hook, before = ask.hook, self.session
        if ask.status_hook is not None:
            self._status_hook = ask.status_hook
        if is_absolute(hook.url) and not same_origin(hook.url, before.base_url):
            self.session = moved(before, hook.url)
        payload = call_info(call, self._services.public_url)
        document = await self._following("session:redirect", hook, payload, call)
        if document is not None and document.goes_on:
            self.session = before
        elif before.socket and not self.session.socket:
            await self._lines.over_to_http()
        return document

    async def _screened(self, ask: Screening, call: CallRecord) -> Document | None:
        """What runs on a callee before it is connected; one whose hook fails is not."""
        self._confirming = True
        payload = call_info(call, self._services.public_url)
        document = await self._following("dial:confirm", ask.hook, payload, call)
        if document is not None and document.goes_on:
            verbs = (HangUp(cause="the confirm hook failed"),)
            return msgspec.structs.replace(document, verbs=verbs, goes_on=False)
        return document

    async def _transferred(self, ask: Referred, call: CallRecord) -> Document | None:
        """A document accepts the transfer, and every reply is one; a hook that fails refuses it, with its own
        status where that says no."""
        self._confirming = False
        payload = referred(ask, call, self._services.public_url)
        document = await self._following("verb:hook", ask.hook, payload, call)
        if document is None:
            return Document(verbs=(), application=self, at_end=self._at_end())
        if document.goes_on:
            log.info("call %s: the refer hook failed: %s", call.id, document.notes[0].message)
            status = document.notes[0].detail.get("status") or 0
            return msgspec.structs.replace(document, declined=status if 400 <= status < 700 else 501)
        return document

    async def _following(
        self,
        kind: str,
        hook: Hook,
        payload: Payload,
        call: CallRecord,
        allowed: Verbs | None = None,
        where: str = "",
    ) -> Document | None:
        """The document that takes over; None when the reply holds no verbs."""
        if self._confirming:
            allowed, where = CONFIRMING, "confirmHook"
        try:
            reply = await self._lines.converse(kind, hook, payload, call)
            if not isinstance(reply, list) or not reply:
                return None
            document = self.take(parse(reply, self.session))
        except HookFailed as failure:
            return self._as_before(failure.note(hook=hook.url))
        except InvalidApplication as error:
            invalid = HookFailed(INVALID_PAYLOAD, error.message, url=hook.url)
            return self._as_before(invalid.note(verb=kind))
        if allowed is None:
            return document
        verbs, notes = only(allowed, document.verbs, where)
        return msgspec.structs.replace(document, verbs=verbs, at_end=None, notes=(*document.notes, *notes))

    def take(self, parsed: Parsed) -> Document:
        """The document of verbs that were read; the session is as they leave it."""
        self.session = parsed.session
        return Document(verbs=parsed.verbs, application=self, at_end=self._at_end(), notes=parsed.notes)

    def _at_end(self) -> Verb | None:
        """Over HTTP a call whose verbs are used up ends; over a socket it waits for commands."""
        return None if self._lines.listens else HangUp(sip_status=603)

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

    def new_call(self, call: CallRecord) -> Payload:
        """The question that opens a session."""
        return new_call(
            call,
            self._account,
            invite=self._invite,
            env_vars=self._setup.env_vars,
            speech=self._setup.speech,
            public_url=self._services.public_url,
        )

    # -- the legs that a dial calls

    def for_callee(self, callee: Callee, caller: CallRecord) -> JambonzApplication:
        """The application of a dialled leg: what concerns it goes where the caller's goes."""
        self._latest = caller
        setup = msgspec.structs.replace(
            self._setup, status_hook=self._status_hook, app_json="", refer_hook=None, request_hook=None
        )
        made = JambonzApplication(
            self._services,
            self._account,
            setup,
            timing=self._timing,
            parent=self,
            progress_hook=callee.reports.hook if callee.reports is not None else None,
        )
        made.session = msgspec.structs.replace(self.session, early_media=False)
        self._callees.append(made)
        return made

    def callee(self, call_id: UUID | None = None) -> tuple[JambonzApplication, UUID] | None:
        """The leg that a dial connected, or the dialled leg of that id: its application, and its id."""
        for made in self._callees:
            latest = made._latest
            if latest is not None and (made._bridged if call_id is None else latest.id == call_id):
                return made, latest.id
        return None

    def _alone(self, document: Document | None, call: CallRecord) -> Document | None:
        """A dialled leg that gets a document of its own goes on without the call that dialled it."""
        parent = self._parent
        if parent is None or document is None or document.goes_on:
            return document
        self._leave()
        caller = parent._latest
        url = self._services.public_url
        about = {"parent_call_info": call_info(caller, url)} if caller is not None else {}
        self._lines.leave(call, call_info(call, url) | about)
        return msgspec.structs.replace(document, at_end=self._at_end())

    def _leave(self) -> None:
        parent, self._parent = self._parent, None
        if parent is not None and self in parent._callees:
            parent._callees.remove(self)

    async def place(self, body: Any) -> None:
        """Place another call, as a request over REST does. See `Commanded.place`."""
        services = self._services
        wanted = read_create(body, self._account, services.directory)
        application = JambonzApplication(services, self._account, wanted.setup)
        await services.calls.create(wanted.request(self._account, application))

    # -- told

    def invite_headers(self, call: CallRecord) -> Sequence[tuple[str, str]]:
        """Nothing of the service's own."""
        return ()

    def deliveries(self, event: CallEvent, call: CallRecord) -> Sequence[Delivery]:
        """The callback due, if any. See `Application.deliveries`."""
        self._latest = call
        return self._teller.due(event, call, self._status_hook, self.session)

    def notify(self, event: CallEvent, call: CallRecord) -> None:
        """Tell what goes over a socket, and ask what an event raises. See `Application.notify`."""
        self._latest = call
        self._teller.tell(event, call, self._status_hook, self.session)
        match event:
            case Bridged():
                self._bridged, self._confirming = True, False
            case Unbridged():
                self._bridged = False
            case AnswererDetected(hook=Hook()):
                # A dial asks about its callee as its own business: the reply is the caller's next document.
                (self._parent or self)._inquire(event)

    def _inquire(self, event: AnswererDetected) -> None:
        call = self._latest
        if call is None:
            return
        if self._inquiries is None:
            self._inquiries = Inquiries(spell(call.id))
        self._inquiries.put(partial(self._detected, event))

    async def _detected(self, event: AnswererDetected) -> None:
        """Tell who answered; verbs in the reply replace what the call does."""
        call, hook = self._latest, event.hook
        assert call is not None
        assert hook is not None
        language = self._setup.speech.recognizer_language or "en-US"
        payload = answerer(event, call, language, self._services.public_url)
        document = await self._following("verb:hook", hook, payload, call)
        if document is None:
            return
        if document.goes_on:
            log.warning("call %s: %s", call.id, document.notes[0].message)
            return
        try:
            await self._services.calls.redirect(call.account_id, call.id, document=document)
        except ControlError as error:
            log.info("call %s: %s", call.id, error.message)

    # -- the rest of the protocol

    def state(self) -> Mapping[str, Any]:
        """See `Application.state`. A status hook that a redirect moved is where a restart reports too."""
        return msgspec.structs.replace(self._setup, status_hook=self._status_hook).state()

    async def close(self) -> None:
        """Close the sockets, with what they still have to tell."""
        self._leave()
        if self._inquiries is not None:
            await self._inquiries.close()
        await self._lines.close()


def _header_text(text: str) -> str:
    """Text that is safe in a SIP header line."""
    return "".join(char if " " <= char <= "~" else " " for char in text)[:200]
