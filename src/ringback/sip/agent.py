"""The user agent: messages and a clock in; calls, requests, bytes and the next deadline out. No sockets here.

Whoever drives it calls ``receive`` or ``handle_timeout``, then sends what ``outgoing`` returns, resolves what
``lookups`` returns, and runs the calls of ``news``. ``core.wake`` is called when there is something new
without one of the two.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ringback.sip.admission import Admission, Always, Never, Refusal
from ringback.sip.authorizer import Authorizer
from ringback.sip.body import SDP, check_body
from ringback.sip.core import (
    METHODS,
    AddressAllowed,
    Core,
    HeaderList,
    Lookup,
    Settings,
    add_headers,
    new_call_id,
    new_tag,
)
from ringback.sip.dialog import Dialog, DialogState
from ringback.sip.errors import SipParseError
from ringback.sip.exchange import Exchange, local_response
from ringback.sip.flow import Flow, Outgoing
from ringback.sip.headers import Headers
from ringback.sip.inbound import InboundCall
from ringback.sip.incoming import IncomingRequest
from ringback.sip.layer import Key, Local, note_source, response_route, server_key
from ringback.sip.message import Message, Request, Response
from ringback.sip.outbound import Invitation, OutboundCall
from ringback.sip.parse import classify, parse_message
from ringback.sip.pending import Pending
from ringback.sip.recent import Recent
from ringback.sip.referral import Replaces
from ringback.sip.refusal import RawInvite, is_ack_of_refusal, refusal_tag
from ringback.sip.session import Session, note_lost_bye
from ringback.sip.timers import Clock
from ringback.sip.transaction import TIMEOUT, ServerTransaction
from ringback.sip.uri import NameAddr, Uri

log = logging.getLogger(__name__)

KNOWN_METHODS = frozenset(METHODS) | {"REFER", "NOTIFY", "MESSAGE", "SUBSCRIBE", "REGISTER", "PUBLISH"}
DIALOG_ONLY = frozenset({"BYE", "INFO", "UPDATE", "PRACK"})
ACCEPT = f"{SDP}, multipart/mixed"
_MOST_REFUSED = 16384
"""Refused calls that are remembered, at the least: for several seconds, however many come."""

Credentials = tuple[str, str]


class UserAgent:
    """One SIP user agent, client and server in one, without IO."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        local_for: Callable[[Flow], Local],
        *,
        address_allowed: AddressAllowed | None = None,
    ) -> None:
        self.core = core = Core(settings, clock, local_for, address_allowed)
        self.poll_timeout: Callable[[], float | None] = core.timers.next_deadline
        """When ``handle_timeout`` is due, on the clock given; None for not at all."""
        self.handle_timeout: Callable[[], None] = core.timers.fire
        """Does what is due."""
        self.outgoing: Callable[[], list[Outgoing]] = core.outgoing
        """Takes the messages to be sent, in order."""
        self.lookups: Callable[[], list[Lookup]] = core.lookups
        """Takes the names to be resolved; ``lookup.then(flows)`` gives the answer."""
        self.on_invitation: Callable[[InboundCall], None] | None = None
        self.on_register: Callable[[IncomingRequest], None] | None = None
        self.on_request: Callable[[IncomingRequest], None] | None = None
        self.admission: Admission = Always()
        self._closed: Never | None = None
        self._refused: Recent[Refusal] = Recent(clock, TIMEOUT, _MOST_REFUSED)

    # In and out

    def turn_away(self, data: bytes, host: str, port: int) -> bytes | None:
        """What a datagram from this address gets at once, at next to no cost: the refusal of a new call while
        there is no room, and its repetition afterwards; nothing for its ACK. None: `receive` it."""
        if is_ack_of_refusal(data):
            return b""
        if not data.startswith(b"INVITE "):
            return None
        full = (self._closed or self.admission).full()
        if not full and not self._refused:
            return None
        invite = RawInvite.read(data, host, port)
        if invite is None or self.core.layer.find_server(invite.key) is not None:
            return None
        refusal = self._refused.get(invite.key)
        if refusal is None:
            if not full or (self._closed is None and self.core.is_challenged(invite.call_id, host)):
                return None
            refusal = self._turn_down(invite.key, host)
        return invite.refusal(refusal.status, refusal.retry_after)

    def receive(self, data: bytes, flow: Flow) -> None:
        """One datagram. Keep-alives, STUN and garbage are dropped; what is nearly SIP gets its 4xx."""
        if classify(data) != "sip":
            return
        try:
            message = parse_message(data)
        except SipParseError as error:
            self.refuse_malformed(error, flow)
            return
        self.receive_message(message, flow)

    def receive_message(self, message: Message, flow: Flow) -> None:
        """One message, from a datagram or a stream. Never raises for what the peer sent."""
        if isinstance(message, Response):
            try:
                self.core.layer.receive_response(message)
            except SipParseError:
                pass  # nobody is told of a bad response: the transaction goes on waiting for a good one
            return
        try:
            note_source(message, flow)
            self._receive_request(message, flow)
        except SipParseError as error:
            self._refuse(message, flow, error.status, error.reason)

    def refuse_malformed(self, error: SipParseError, flow: Flow) -> None:
        """Answers a request that could be read in part, statelessly."""
        partial = error.partial
        if isinstance(partial, Request):
            try:
                note_source(partial, flow)
            except SipParseError:
                return
            self._refuse(partial, flow, error.status, error.reason)

    def run_news(self) -> bool:
        """Tells owners what happened to their calls and requests; False when nothing did. One owner's fault
        does not reach the others."""
        news = self.core.news()
        for handler, value in news:
            try:
                handler(value)
            except Exception:
                log.exception("a handler of %s failed", type(value).__name__)
        return bool(news)

    def send_failed(self, key: str) -> None:
        """A message could not be sent (its ``Outgoing.key``): its transaction ends or tries the next
        address."""
        transaction = self.core.layer.find_client(key)
        if transaction is not None:
            transaction.fail()

    # Requests from the network

    def _receive_request(self, request: Request, flow: Flow) -> None:
        layer = self.core.layer
        key = server_key(request)
        known = layer.find_server(key)
        if known is not None:
            known.receive(request)
            return
        if request.method == "ACK":
            self._receive_ack(request)
            return
        new_call = request.method == "INVITE" and request.to.tag is None
        if new_call:
            refusal = self._admit(request, key, flow)
            if refusal is not None:
                again = [("Retry-After", str(refusal.retry_after))]
                self._refuse(request, flow, refusal.status, None, again)
                return
        transaction = layer.accept(request, key, flow)
        if transaction is None:
            self._refuse(request, flow, 482, None)
            if new_call:
                self.admission.spare()
            return
        try:
            self._dispatch(transaction, request, flow)
        except SipParseError as error:
            headers = [("Accept", ACCEPT)] if error.status == 415 else []
            self.core.answer(transaction, error.status, error.reason, headers)
        if new_call and transaction.final:
            self.admission.spare()

    def _admit(self, request: Request, key: Key, flow: Flow) -> Refusal | None:
        """Let a new call in, or say with what it is refused. One that takes a running call's place adds none,
        and one that answers our challenge was let in when it got that."""
        refused = self._refused.get(key)
        if refused is not None:
            return refused
        if self._closed is not None:
            return self._turn_down(key, flow.host)
        expected = self.core.answer_challenge(request.call_id, flow.host)
        if not expected and self.admission.full() and not self._replaces_a_call(request):
            return self._turn_down(key, flow.host)
        self.admission.enter()
        return None

    def _turn_down(self, key: Key, host: str) -> Refusal:
        """Refuse a new call. Its repetitions get the same, though there be room by then: the caller may have
        heard of the first, and be gone."""
        refusal = (self._closed or self.admission).refuse(host)
        self._refused.note(key, refusal)
        return refusal

    def _replaces_a_call(self, request: Request) -> bool:
        rows = request.headers.get_all("Replaces")
        if len(rows) != 1:
            return False
        replaces = Replaces.parse(rows[0])
        return self.find_call(replaces.call_id, replaces.to_tag, replaces.from_tag) is not None

    def _dispatch(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        if request.method == "CANCEL":
            self._receive_cancel(transaction, request)
            return
        unknown = self._unsupported(request)
        if unknown:
            self.core.answer(transaction, 420, headers=[("Unsupported", ", ".join(unknown))])
        elif request.to.tag is not None:
            self._receive_in_dialog(transaction, request, flow)
        elif request.uri.scheme not in ("sip", "sips", "tel"):
            self.core.answer(transaction, 416)
        elif request.method == "OPTIONS":
            self._answer_options(transaction)
        elif request.max_forwards == 0:
            self.core.answer(transaction, 483)
        elif request.method == "INVITE":
            self._receive_invite(transaction, request, flow)
        elif request.method in DIALOG_ONLY:
            self.core.answer(transaction, 481)
        else:
            self._receive_other(transaction, request, flow)

    def _unsupported(self, request: Request) -> list[str]:
        """Option tags that the request requires and we do not know (RFC 3261 section 8.2.2.3)."""
        required = request.require
        if not required:
            return []
        known = self.core.settings.option_tags.split(", ")
        return [tag for tag in required if tag not in known]

    def _receive_ack(self, request: Request) -> None:
        dialog = self.core.dialogs.get(_dialog_key(request))
        if dialog is not None:
            try:
                dialog.receive_ack(request)
            except SipParseError:
                pass  # an ACK is never answered

    def _receive_cancel(self, transaction: ServerTransaction, request: Request) -> None:
        invite = self.core.layer.find_server(server_key(request, "INVITE"))
        if invite is None:
            self.core.answer(transaction, 481)
            return
        transaction.to_tag = invite.to_tag
        self.core.answer(transaction, 200)
        if not invite.final and invite.on_cancel is not None:
            invite.on_cancel(request)

    def _receive_in_dialog(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        dialog = self.core.dialogs.get(_dialog_key(request))
        if dialog is None:
            self.core.answer(transaction, 481)
        elif request.method == "OPTIONS":
            self._answer_options(transaction)
        elif request.method in METHODS or request.method in self.core.settings.methods:
            dialog.receive_request(transaction, request, flow)
        else:
            self._refuse_method(transaction)

    def _answer_options(self, transaction: ServerTransaction) -> None:
        tags = self.core.settings.option_tags
        headers = [("Allow", self.core.settings.allow), ("Accept", ACCEPT), ("Supported", tags)]
        status = 200 if self._closed is None else self._closed.refusal.status
        self.core.answer(transaction, status, headers=headers)

    def _receive_invite(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        transaction.respond(self.core.response(request, 100))
        request.validate()
        check_body(request)
        contact = request.contact
        if contact is None:
            raise SipParseError("Missing Contact")
        call = InboundCall(self.core, transaction, request, flow, contact.uri)
        minimum = call.timer.too_short(request)
        if minimum is not None:
            call.end(None)
            self.core.answer(transaction, 422, headers=[("Min-SE", str(minimum))])
        elif self.on_invitation is None:
            call.reject(480)
        else:
            self.core.notify(self.on_invitation, call)

    def _receive_other(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        handler = self.on_register if request.method == "REGISTER" else self.on_request
        if request.method not in self.core.settings.methods:
            self._refuse_method(transaction)
        elif handler is None:
            self.core.answer(transaction, 481)  # handled, but inside of calls only
        else:
            incoming = IncomingRequest(request, flow, transaction.respond, transaction.to_tag)
            self.core.notify(handler, incoming)

    def _refuse_method(self, transaction: ServerTransaction) -> None:
        """405 for what others do, 501 for what nobody knows (RFC 3261 section 8.2.1)."""
        status = 405 if transaction.request.method in KNOWN_METHODS else 501
        self.core.answer(transaction, status, headers=[("Allow", self.core.settings.allow)])

    def _refuse(
        self, request: Request, flow: Flow, status: int, reason: str | None, headers: HeaderList = ()
    ) -> None:
        """Answers without a transaction. The tag is the same each time: it is made from what was received."""
        if request.method == "ACK":
            return
        try:
            target, fallback = response_route(request, flow)
            tag = refusal_tag(request.call_id, (request.via.branch or "").lower())
        except SipParseError:
            return
        response = self.core.response(request, status, reason, tag)
        for name, value in headers:
            response.headers.add(name, value)
        self.core.send(Outgoing(target, response.encode(), "", fallback))

    # Requests of ours

    def refuse_new(self, status: int | None, retry_after: int) -> None:
        """New calls get ``status`` and Retry-After, statelessly; None accepts them again."""
        self._closed = None if status is None else Never(Refusal(status, retry_after))

    def invite(self, invitation: Invitation, credentials: Credentials | None) -> OutboundCall:
        """Prepares a call; ``start`` sends it. Raises ValueError for header fields that cannot be sent."""
        return OutboundCall(self.core, invitation, _authorizer(credentials))

    def request(
        self,
        method: str,
        target: Uri,
        *,
        from_: NameAddr,
        to: NameAddr,
        headers: HeaderList = (),
        body: bytes = b"",
        authorizer: Authorizer | None = None,
        route: Sequence[Uri] = (),
        call_id: str | None = None,
        cseq: Callable[[], int] | None = None,
        contact: bool = True,
    ) -> Pending[Response]:
        """A request outside any dialog; without ``contact`` a REGISTER only asks what is bound.

        Raises ValueError for header fields that cannot be sent.
        """
        extra, call_id = list(headers), call_id or new_call_id()
        sender = from_ if from_.tag else from_.with_tag(new_tag())
        numbers = iter(range(1, 2**31))
        add_headers(Headers(), extra)  # refuses the impossible here, not in a callback

        def build(flow: Flow) -> Request:
            number = cseq() if cseq is not None else next(numbers)
            fields = Headers([("Max-Forwards", "70"), ("From", str(sender)), ("To", str(to))])
            for uri in route:
                fields.add("Route", str(NameAddr(uri)))
            fields.add("Call-ID", call_id)
            fields.add("CSeq", f"{number} {method}")
            if contact:
                fields.add("Contact", self.core.contact(flow, from_.uri.user))
            fields.add("User-Agent", self.core.settings.user_agent)
            add_headers(fields, extra)
            return Request(method, target, fields, body)

        return self._finish(build, authorizer, route[0] if route else target)

    def bye_orphan(self, state: DialogState, credentials: Credentials | None = None) -> Pending[Response]:
        """Ends a call of an earlier life of this process. Raises SipParseError for a state that is none."""
        dialog = Dialog.restore(state)
        authorizer = _authorizer(credentials)
        if authorizer is not None and dialog.peer is not None:
            authorizer.trust([dialog.peer])

        def build(flow: Flow) -> Request:
            request = dialog.request("BYE")
            request.headers.add("User-Agent", self.core.settings.user_agent)
            return request

        return self._finish(build, authorizer, dialog.next_hop, dialog)

    def _finish(
        self,
        build: Callable[[Flow], Request],
        authorizer: Authorizer | None,
        next_hop: Uri,
        dialog: Dialog | None = None,
    ) -> Pending[Response]:
        pending: Pending[Response] = Pending()

        def on_response(_: Exchange, response: Response) -> None:
            if response.status >= 200:
                pending.resolve(response)

        def on_failure(_: Exchange, cause: str) -> None:
            if dialog is not None:
                note_lost_bye(dialog.call_id, cause)
            pending.resolve(local_response(cause))

        Exchange(self.core, build, authorizer, on_response, on_failure).start(next_hop, dialog)
        return pending

    def find_call(self, call_id: str, local_tag: str, remote_tag: str) -> Session | None:
        """The call of a dialog."""
        found = self.core.dialogs.get((call_id, local_tag, remote_tag))
        return found if isinstance(found, Session) else None


def _dialog_key(request: Request) -> tuple[str, str, str]:
    return (request.call_id, request.to.tag or "", request.from_.tag or "")


def _authorizer(credentials: Credentials | None) -> Authorizer | None:
    return Authorizer(*credentials) if credentials is not None else None
