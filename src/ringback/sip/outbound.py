"""A call that we place: the client side of an INVITE (RFC 3261 section 13.2), with its forks and
redirections."""

from __future__ import annotations

import msgspec

from ringback.sip.authorizer import Authorizer
from ringback.sip.core import (
    Core,
    HeaderList,
    add_headers,
    checked,
    new_call_id,
    new_tag,
    readable_sdp,
    set_body,
    target_host,
)
from ringback.sip.dialog import Dialog
from ringback.sip.errors import SipParseError
from ringback.sip.events import Answered, Failed, Offer, Progress, SessionEvent
from ringback.sip.exchange import Exchange, local_response
from ringback.sip.flow import Flow
from ringback.sip.headers import Headers
from ringback.sip.message import Request, Response
from ringback.sip.pending import Pending
from ringback.sip.session import Session, resolved
from ringback.sip.transaction import ServerTransaction
from ringback.sip.uri import NameAddr, Uri


class Invitation(msgspec.Struct, frozen=True):
    """What to call, as whom, with what. ``route`` is a preloaded route set (an outbound proxy)."""

    target: Uri
    from_: NameAddr
    to: NameAddr
    offer: bytes | None
    headers: tuple[tuple[str, str], ...] = ()
    route: tuple[Uri, ...] = ()
    call_id: str | None = None
    max_forwards: int = 70
    session_expires: int | None = None
    """Seconds to ask for as the session's interval; None: as for every call."""


class OutboundCall(Session):
    """A call that we place."""

    owns_call_id = True

    def __init__(self, core: Core, invitation: Invitation, authorizer: Authorizer | None) -> None:
        """Raises ValueError for header fields that cannot be sent."""
        local = invitation.from_.without_params().with_tag(new_tag())
        self._invitation = invitation
        self._call_id = invitation.call_id or new_call_id()
        self._local_from = local
        self._cseq = 0
        self._target = invitation.target
        request = self._build_common(invitation.target, 1)
        request.encode()  # what cannot be written is refused here, not in a callback
        super().__init__(core, request, local, invitation.to.without_params(), Flow("udp", "", 0), authorizer)
        self.contact_user = invitation.from_.uri.user
        if invitation.session_expires is not None:
            self.timer.want(invitation.session_expires)
        self._targets: list[Uri] = []
        self._tried = {str(invitation.target)}
        self._exchange: Exchange | None = None
        self._cancel_headers: list[tuple[str, str]] | None = None
        self._cancel_sent = False
        self._over: Pending[Response] = Pending()
        self.heard = False
        """Whether any response has come."""
        self.offers.open = invitation.offer is not None
        self.offers.local_sdp = invitation.offer

    def start(self) -> None:
        """Sends the INVITE."""
        invitation = self._invitation
        self._exchange = Exchange(
            self.core, self._build, self._authorizer, self._on_response, self._on_failure
        )
        self._exchange.start(invitation.route[0] if invitation.route else self._target)

    # For the owner

    def cancel(self, headers: HeaderList = ()) -> None:
        """Gives up before the answer; ``headers`` (``Reason``) go with the CANCEL. ``Failed`` follows."""
        if self.state not in ("calling", "ringing") or self._cancel_headers is not None:
            return
        self._cancel_headers = checked(headers)
        assert self._exchange is not None
        self._exchange.stop()
        if self._exchange.transaction is None:
            self._fail(local_response("cancelled"), "cancelled")
        else:
            self._cancel_if_possible()

    def bye(self, headers: HeaderList = ()) -> Pending[Response]:
        """Hangs up; before the answer that is CANCEL."""
        if self.state == "ended":
            return resolved("cancelled")
        if self.state != "answered":
            self.cancel(headers)
            return self._over
        assert self.dialog is not None
        extra = checked(headers)
        self._quiet = True
        if self.offers.late is not None:
            self.offers.reply(None, ())  # the 2xx must be acknowledged before BYE may follow
        pending = self._send_bye(self.dialog, extra)
        self.end(None)
        return pending

    def _receive_bye(self, transaction: ServerTransaction, request: Request) -> None:
        if self.state in ("calling", "ringing"):
            # It was answered, and every 2xx was lost: the peer gives up. There is nothing left to cancel.
            self.core.answer(transaction, 200)
            self._fail(local_response("cancelled"), "rejected")
        else:
            super()._receive_bye(transaction, request)

    # Requests

    def _build_common(self, target: Uri, cseq: int) -> Request:
        invitation = self._invitation
        headers = Headers()
        headers.add("Max-Forwards", str(invitation.max_forwards))
        for route in invitation.route:
            headers.add("Route", str(NameAddr(route)))
        headers.add("From", str(self._local_from))
        headers.add("To", str(invitation.to.without_params()))
        headers.add("Call-ID", self._call_id)
        headers.add("CSeq", f"{cseq} INVITE")
        add_headers(headers, invitation.headers)
        request = Request("INVITE", target, headers, b"")
        set_body(request, invitation.offer)
        return request

    def _build(self, flow: Flow) -> Request:
        self._cseq += 1
        request = self._build_common(self._target, self._cseq)
        self.core.describe_us(request, flow, self.contact_user)
        self.timer.ask(request)
        if "User-Agent" not in request.headers:
            request.headers.add("User-Agent", self.core.settings.user_agent)
        self.request = request
        self.source = flow
        return request

    # Responses

    @property
    def settled(self) -> bool:
        return self.state == "answered" and self.offers.late is None

    def _on_response(self, exchange: Exchange, response: Response) -> None:
        status = response.status
        self.heard = True
        if exchange.flow is not None:
            self.source = exchange.flow
        if status == 100:
            self._cancel_if_possible()
        elif status < 200:
            self._provisional(exchange, response)
        elif status < 300:
            self._success(exchange, response)
        elif self.state in ("calling", "ringing"):
            self._refused(response)

    def _on_failure(self, _: Exchange, cause: str) -> None:
        if self.state not in ("calling", "ringing"):
            return
        if self._cancel_headers is not None:
            self._fail(local_response("cancelled"), "cancelled")
        elif self._targets:
            self._follow()
        else:
            self._fail(local_response(cause), cause)

    def _cancel_if_possible(self) -> None:
        exchange, headers = self._exchange, self._cancel_headers
        if headers is None or self._cancel_sent or exchange is None or not exchange.can_cancel():
            return
        assert exchange.transaction is not None
        self._cancel_sent = True
        self.core.layer.cancel(exchange.transaction, headers)

    def _provisional(self, exchange: Exchange, response: Response) -> None:
        self._cancel_if_possible()
        if self.state not in ("calling", "ringing"):
            return
        self.state = "ringing"
        self.note_peer(response)
        sdp = readable_sdp(response)
        if response.to.tag is not None:
            dialog = self._early(exchange, response)
            if "100rel" in response.require and not self._take_reliable(dialog, exchange, response, sdp):
                return
        if self._cancel_headers is None:
            self.emit(Progress(response.status, response.reason, sdp, response.headers))

    def _early(self, exchange: Exchange, response: Response) -> Dialog:
        """The early dialog of this response; every fork has its own."""
        dialog = self._dialogs.get(response.to.tag or "")
        if dialog is None:
            assert exchange.flow is not None
            dialog = Dialog.from_response(exchange.request, response, exchange.flow)
            self.adopt(dialog)
        if self.dialog is None or not self.dialog.confirmed:
            self.dialog = dialog
            self.remote = dialog.remote
        return dialog

    def _take_reliable(
        self, dialog: Dialog, exchange: Exchange, response: Response, sdp: bytes | None
    ) -> bool:
        """Sends PRACK (RFC 3262 section 4); False for a repetition, or one that came before its turn."""
        rseq = response.headers.get("RSeq") or ""
        if not (rseq.isascii() and rseq.isdigit() and len(rseq) <= 10):
            return False
        number = int(rseq)
        if dialog.remote_rseq is not None and number != dialog.remote_rseq + 1:
            return False
        dialog.remote_rseq = number
        rack = f"{number} {exchange.request.cseq}"

        def prack(answer: bytes | None) -> None:
            def fill(request: Request, _: Flow) -> None:
                request.headers.add("RAck", rack)
                set_body(request, answer)

            self.transact(dialog, "PRACK", fill)

        if sdp is not None and self._invitation.offer is None and self.offers.remote_sdp is None:
            self.offers.remote_sdp = sdp
            self.offers.late = prack
            self.emit(Offer(sdp, "PRACK"))
        else:
            if sdp is not None:
                self.offers.open = False
                self.offers.remote_sdp = sdp
            prack(None)
        return True

    def _success(self, exchange: Exchange, response: Response) -> None:
        tag = response.to.tag
        if self.dialog is not None and self.dialog.confirmed:
            if self.dialog.remote.tag != tag:
                self._hang_up_stray(exchange, response)
            elif self.offers.late is None:
                self.acknowledge(self.dialog, exchange.request, None)
        elif self.state not in ("calling", "ringing") or self._cancel_headers is not None:
            self._hang_up_stray(exchange, response)
            self._fail(local_response("cancelled"), "cancelled")
        else:
            self._answered(exchange, response)

    def _hang_up_stray(self, exchange: Exchange, response: Response) -> None:
        """A 2xx that nobody wants any more, from another fork or across our CANCEL: ACK, and BYE once."""
        assert exchange.flow is not None
        dialog = Dialog.from_response(exchange.request, response, exchange.flow)
        known = (dialog.remote.tag, exchange.request.cseq.number) in self._acks
        self.acknowledge(dialog, exchange.request, None)
        if not known:
            self._send_bye(dialog, ())

    def _answered(self, exchange: Exchange, response: Response) -> None:
        assert exchange.flow is not None
        early = self._dialogs.get(response.to.tag or "")
        dialog = Dialog.from_response(exchange.request, response, exchange.flow)
        if early is not None:
            dialog.local_cseq = max(early.local_cseq, dialog.local_cseq)
            dialog.remote_cseq, dialog.remote_rseq = early.remote_cseq, early.remote_rseq
        dialog.confirmed = True
        self._forget_forks()
        self.adopt(dialog)
        self.dialog, self.remote = dialog, dialog.remote
        self.state = "answered"
        self.note_peer(response)
        self.timer.learn(response)
        sdp = readable_sdp(response)
        request = exchange.request
        self.offers.open = False
        if self._invitation.offer is None and self.offers.remote_sdp is None and sdp is not None:
            self.offers.late = lambda answer: self.acknowledge(dialog, request, answer)
        else:
            self.acknowledge(dialog, request, None)
        self.offers.remote_sdp = sdp or self.offers.remote_sdp
        self.emit(Answered(response.status, response.reason, sdp, response.headers))
        self.offers.poll()

    def _forget_forks(self) -> None:
        for dialog in self._dialogs.values():
            self.core.dialogs.pop(dialog.key, None)
        self._dialogs.clear()

    # Refusals

    def _refused(self, response: Response) -> None:
        if self._cancel_headers is not None:
            self._fail(response, "cancelled")
        elif response.status == 422 and self.timer.raise_minimum(response):
            self.start()
        elif (300 <= response.status < 400 and self._take_contacts(response)) or self._targets:
            self._follow()
        else:
            self._fail(response, "rejected")

    def _take_contacts(self, response: Response) -> bool:
        """Adds where a redirection points, best first, none twice and not too many (RFC 3261 section
        8.1.3.4).

        Only at the host and port that redirect: whoever is called may be somebody else there, but does not
        decide who else is called at our cost.
        """
        room = self.core.settings.max_redirects + 1 - len(self._tried)
        try:
            contacts = response.contacts
        except SipParseError:
            contacts = []
        for contact in sorted(contacts, key=_quality, reverse=True):
            uri = contact.uri.with_(headers="") if contact.uri.headers else contact.uri
            if room > 0 and str(uri) not in self._tried and _is_beside(uri, self._invitation.target):
                self._tried.add(str(uri))
                self._targets.append(uri)
                room -= 1
        return bool(self._targets)

    def _follow(self) -> None:
        self._target = self._targets.pop(0)
        self._forget_forks()
        self.dialog = None
        self.start()

    def end(self, event: SessionEvent | None) -> None:
        """Nothing follows."""
        super().end(event)
        self._exchange = None  # it holds this call for as long as a response may come

    def _fail(self, response: Response, cause: str) -> None:
        if self.state == "ended":
            return
        self.end(Failed(response.status, response.reason, response.headers, cause))
        self._over.resolve(response)


def _is_beside(uri: Uri, target: Uri) -> bool:
    """Whether two SIP URIs are at the same host and port."""
    return uri.scheme == "sip" and _place(uri) == _place(target)


def _place(uri: Uri) -> tuple[str, str, int]:
    return uri.host.lower(), target_host(uri).lower(), uri.port or 5060


def _quality(contact: NameAddr) -> float:
    try:
        return float(contact.params.get("q") or 1.0)
    except ValueError:
        return 0.0
