"""One INVITE usage: what an inbound and an outbound call have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ringback.sip.authorizer import Authorizer
from ringback.sip.core import Core, HeaderList, add_headers, checked, literal_flow, retry_after, set_body
from ringback.sip.dialog import Dialog, DialogState
from ringback.sip.events import Ended, InfoReceived, RequestReceived, SessionEvent
from ringback.sip.exchange import Exchange, local_response
from ringback.sip.flow import Flow, Outgoing
from ringback.sip.headers import Headers
from ringback.sip.incoming import IncomingRequest
from ringback.sip.layer import new_branch
from ringback.sip.message import Request, Response
from ringback.sip.offers import LocalOffer, OfferAnswer
from ringback.sip.pending import Pending
from ringback.sip.refresh import SessionTimer
from ringback.sip.transaction import ServerTransaction
from ringback.sip.uri import NameAddr

log = logging.getLogger(__name__)

Fill = Callable[[Request, Flow], None]
ExchangeResponse = Callable[[Exchange, Response], None]
ExchangeFailure = Callable[[Exchange, str], None]

_WHY_LOST = {
    "timeout": "no response came",
    "transport": "no address could be reached",
    "unresolved": "its next hop has no address",
    "refused": "its next hop may not be reached",
}


class SessionStateError(RuntimeError):
    """The call is not in a state in which this can be done (answered twice, no offer to answer …)."""


class Session:
    """A call as SIP sees it. Methods never block; once the call has ended they do nothing.

    Attributes: ``call_id``; ``local`` and ``remote``, names and addresses with their tags (the peer's once it
    is known); ``request``, the INVITE that began it; ``source``, the peer's observed address; ``state``:
    ``"calling"``, ``"ringing"``, ``"answered"`` (2xx sent or received) or ``"ended"``; ``on_event``, who
    hears of it.
    """

    owns_call_id = False

    def __init__(
        self,
        core: Core,
        request: Request,
        local: NameAddr,
        remote: NameAddr,
        source: Flow,
        authorizer: Authorizer | None = None,
    ) -> None:
        self.core = core
        self.request = request
        self.call_id = request.call_id
        self.local = local
        self.remote = remote
        self.source = source
        self.state = "calling"
        self.on_event: Callable[[SessionEvent], None] | None = None
        self.dialog: Dialog | None = None
        self.contact_user: str | None = None
        self.timer = SessionTimer(core.settings, core.timers, self._refresh, self._expire)
        self.offers = OfferAnswer(self)
        self.peer_allows: set[str] = set()
        self._dialogs: dict[str, Dialog] = {}
        self._acks: dict[tuple[str | None, int], Outgoing] = {}
        self._authorizer = authorizer
        self._quiet = False

    # For the owner

    @property
    def local_address(self) -> str:
        """Our address on the route to the peer (or the advertised one), for session descriptions."""
        return self.core.local_for(self.source)[1]

    def dialog_state(self) -> DialogState | None:
        """Enough to end the call after a restart (``SipEndpoint.bye_orphan``); None before there is a
        dialog."""
        return self.dialog.state() if self.dialog is not None else None

    def bye(self, headers: HeaderList = ()) -> Pending[Response]:
        """Hangs up, whatever the state: BYE, or CANCEL, or 480. Nothing more is heard of the call, but for
        the ``Failed`` of one that is cancelled. Resolves with the peer's response, or the one that stands for
        it."""
        raise NotImplementedError

    def reinvite(self, sdp: bytes | None, headers: HeaderList = ()) -> Pending[Response]:
        """Offers a new description (hold, codecs, address); waits its turn when another offer is open; 491 is
        retried. ``OfferAnswered`` brings the answer, the final response says how it went. ``sdp`` None asks
        the peer for its offer (``Offer`` follows, and ``reply_offer`` goes out in the ACK)."""
        return self.propose(LocalOffer("INVITE", sdp, headers))

    def update(self, sdp: bytes, headers: HeaderList = ()) -> Pending[Response]:
        """The same by UPDATE (RFC 3311), also before the answer."""
        return self.propose(LocalOffer("UPDATE", sdp, headers))

    def info(self, content_type: str, body: bytes, headers: HeaderList = ()) -> Pending[Response]:
        """Sends INFO; resolves with its final response."""
        return self.send_request("INFO", headers, body, content_type)

    def send_request(
        self, method: str, headers: HeaderList = (), body: bytes = b"", content_type: str = ""
    ) -> Pending[Response]:
        """Any other request inside the dialog (REFER, NOTIFY, MESSAGE); resolves with its final response."""
        if self.state == "ended" or self.dialog is None:
            return resolved("cancelled")
        extra = checked(headers)
        checked([("Content-Type", content_type)])

        def fill(request: Request, flow: Flow) -> None:
            if method in ("REFER", "SUBSCRIBE", "NOTIFY"):
                request.headers.add("Contact", self.core.contact(flow, self.contact_user))
            add_headers(request.headers, extra)
            set_body(request, body, content_type)

        return self.transact(self.dialog, method, fill)

    def reply_offer(self, sdp: bytes | None, headers: HeaderList = ()) -> None:
        """Answers the last ``Offer``, or the offer in ``Answered``. Raises SessionStateError when there is
        none."""
        if self.state != "ended" and not self.offers.reply(sdp, headers):
            raise SessionStateError("there is no offer to answer")

    def refuse_offer(self, status: int = 488, reason: str | None = None) -> None:
        """Declines the last ``Offer``; what was agreed before still holds. Raises SessionStateError."""
        if self.state != "ended" and not self.offers.refuse(status, reason):
            raise SessionStateError("there is no offer to decline")

    # For the parts of a session

    @property
    def invite_final(self) -> bool:
        """True once the INVITE that began it has its final response."""
        return self.state in ("answered", "ended")

    @property
    def owes_answer(self) -> bool:
        """True while the peer waits for our description in response to the INVITE that began it."""
        return False

    @property
    def settled(self) -> bool:
        """True when a re-INVITE of ours may go out: 2xx and ACK have been exchanged."""
        raise NotImplementedError

    def emit(self, event: SessionEvent) -> None:
        """Tells the owner, after what has been queued for sending has left."""
        if not self._quiet:
            self.core.notify(self._deliver, event)

    def _deliver(self, event: SessionEvent) -> None:
        if self.on_event is not None and not self._quiet:
            self.on_event(event)

    def propose(self, job: LocalOffer) -> Pending[Response]:
        """Queues an offer of ours."""
        if self.state == "ended":
            return resolved("cancelled")
        return self.offers.offer(job)

    def adopt(self, dialog: Dialog) -> None:
        """A dialog of this call: its requests come here."""
        self._dialogs[dialog.remote.tag or ""] = dialog
        self.core.dialogs[dialog.key] = self

    def exchange(
        self,
        dialog: Dialog,
        method: str,
        fill: Fill,
        on_response: ExchangeResponse,
        on_failure: ExchangeFailure,
    ) -> Exchange:
        """Sends a request inside a dialog."""

        def build(flow: Flow) -> Request:
            request = dialog.request(method)
            request.headers.add("User-Agent", self.core.settings.user_agent)
            fill(request, flow)
            return request

        exchange = Exchange(self.core, build, self._authorizer, on_response, on_failure)
        return exchange.start(dialog.next_hop, dialog)

    def transact(self, dialog: Dialog, method: str, fill: Fill) -> Pending[Response]:
        """The same for anything but INVITE, as one awaitable."""
        pending: Pending[Response] = Pending()

        def finish(response: Response) -> None:
            pending.resolve(response)
            if method != "BYE":
                self.check_gone(response)

        def on_response(_: Exchange, response: Response) -> None:
            if response.status >= 200:
                finish(response)

        def on_failure(_: Exchange, cause: str) -> None:
            if method == "BYE":
                note_lost_bye(self.call_id, cause)
            finish(local_response(cause))

        self.exchange(dialog, method, fill, on_response, on_failure)
        return pending

    def acknowledge(self, dialog: Dialog, invite: Request, sdp: bytes | None) -> None:
        """Sends the ACK of a 2xx on the dialog's route; for a repeated 2xx the same ACK again."""
        key = (dialog.remote.tag, invite.cseq.number)
        sent = self._acks.get(key)
        if sent is not None:
            self.core.send(sent)
        else:
            self._with_hop(dialog, lambda flow: self._send_ack(key, dialog, invite, sdp, flow))

    def _send_ack(
        self,
        key: tuple[str | None, int],
        dialog: Dialog,
        invite: Request,
        sdp: bytes | None,
        flow: Flow,
    ) -> None:
        request = dialog.request("ACK", cseq=invite.cseq.number)
        request.headers.insert_first("Via", self.core.layer.via(flow, new_branch()))
        request.headers.copy_from(invite.headers, "Authorization", "Proxy-Authorization")
        request.headers.add("User-Agent", self.core.settings.user_agent)
        set_body(request, sdp)
        other_way = self._contact_way(dialog) if flow.connection else None
        sent = self._acks[key] = Outgoing(flow, request.encode(), "", other_way)
        self.core.send(sent)

    def _with_hop(self, dialog: Dialog, then: Callable[[Flow], None]) -> None:
        if dialog.observed is not None:
            then(dialog.observed)
        else:
            hop = dialog.next_hop
            core = self.core

            def located(flows: list[Flow]) -> None:
                for flow in core.permitted(hop, flows, dialog.peer)[:1]:
                    then(flow)

            core.locate(hop, located)

    def _contact_way(self, dialog: Dialog) -> Flow | None:
        """Where else than to its connection the peer can be sent something at once."""
        literal = literal_flow(dialog.next_hop)
        flows = [literal] if literal is not None else []
        return next(iter(self.core.permitted(dialog.next_hop, flows, dialog.peer)), None)

    # Requests of the peer's

    def receive_request(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        """A new request inside one of the dialogs. Raises SipParseError for what cannot be read."""
        dialog = self._dialogs[request.from_.tag or ""]
        if not dialog.in_order(request.cseq.number):
            self.core.answer(transaction, 500, headers=[retry_after()])
            return
        if request.method in ("INVITE", "UPDATE"):
            dialog.refresh_target(request)
        dialog.note_request_source(request, flow)
        self.note_peer(request)
        match request.method:
            case "INVITE":
                self.offers.receive_invite(transaction, request)
            case "UPDATE":
                self.offers.receive_update(transaction, request)
            case "PRACK":
                self._receive_prack(transaction, request)
            case "INFO":
                self._receive_info(transaction, request)
            case "BYE":
                self._receive_bye(transaction, request)
            case _:
                incoming = IncomingRequest(request, flow, transaction.respond, transaction.to_tag)
                self.emit(RequestReceived(incoming))

    def note_peer(self, message: Request | Response) -> None:
        """Remembers which methods the peer knows."""
        allow = message.headers.get_all("Allow")
        if allow:
            self.peer_allows = set(message.allow)

    def receive_ack(self, request: Request) -> None:
        """The ACK of a 2xx of ours. Raises SipParseError."""
        self.offers.receive_ack(request)

    def _receive_prack(self, transaction: ServerTransaction, request: Request) -> None:
        self.core.answer(transaction, 481)

    def _receive_info(self, transaction: ServerTransaction, request: Request) -> None:
        self.core.answer(transaction, 200)
        content_type = request.content_type
        self.emit(InfoReceived(str(content_type) if content_type else "", request.body, request.headers))

    def _receive_bye(self, transaction: ServerTransaction, request: Request) -> None:
        self.core.answer(transaction, 200)
        if self.state != "ended":
            self.end(Ended("remote", request.headers, "BYE"))

    # The end

    def check_gone(self, response: Response) -> None:
        """Ends the call when a response shows that the peer does not know it (RFC 3261 12.2.1.2, RFC
        5057)."""
        if response.status in (408, 481):
            self.lost(f"{response.status} {response.reason}")

    def lost(self, cause: str) -> None:
        """Ends an answered call that cannot go on: BYE, and the owner hears of it."""
        self._abandon("error", cause)

    def _abandon(self, by: str, cause: str) -> None:
        if self.state != "answered":
            return
        if self.dialog is not None:
            self._send_bye(self.dialog, ())
        self.end(Ended(by, Headers(), cause))

    def _send_bye(self, dialog: Dialog, headers: HeaderList) -> Pending[Response]:
        extra = checked(headers)
        return self.transact(dialog, "BYE", lambda request, _: add_headers(request.headers, extra))

    def end(self, event: SessionEvent | None) -> None:
        """Nothing follows: forgets dialogs and timers. ``event`` is the last one."""
        if event is not None:
            self.emit(event)
        self.state = "ended"
        self.timer.stop()
        self.offers.stop()
        for dialog in self._dialogs.values():
            self.core.dialogs.pop(dialog.key, None)

    # Session timer

    def _refresh(self) -> None:
        """UPDATE without a description where the peer knows it, else the last offer again (RFC 4028 section
        7.4)."""
        dialog = self.dialog
        if dialog is None or self.state != "answered":
            return
        if "UPDATE" not in self.peer_allows:
            self.propose(LocalOffer("INVITE", self.offers.local_sdp, (), refresh=True))
            return

        def fill(request: Request, flow: Flow) -> None:
            self.core.describe_us(request, flow, self.contact_user)
            self.timer.ask(request, again=True)

        self.transact(dialog, "UPDATE", fill).then(self._refreshed)

    def _refreshed(self, response: Response) -> None:
        if self.state == "ended":
            return
        if 200 <= response.status < 300:
            self.timer.learn(response)
        elif response.status == 422 and self.timer.raise_minimum(response):
            self._refresh()

    def _expire(self) -> None:
        self._abandon("timer", "session expired")


def note_lost_bye(call_id: str, cause: str) -> None:
    """Says that a far end may not know that its call is over."""
    log.warning("the BYE of call %s did not get through: %s", call_id, _WHY_LOST.get(cause, cause))


def resolved(cause: str) -> Pending[Response]:
    """A result that needs no peer."""
    pending: Pending[Response] = Pending()
    pending.resolve(local_response(cause))
    return pending
