"""A call that came to us: the server side of an INVITE (RFC 3261 section 13.3)."""

from __future__ import annotations

from ringback.sip.acceptance import Acceptance
from ringback.sip.body import sdp_body
from ringback.sip.core import Core, HeaderList, add_headers, checked, readable_sdp, set_body
from ringback.sip.dialog import Dialog
from ringback.sip.events import Cancelled, Confirmed, SessionEvent
from ringback.sip.exchange import local_response
from ringback.sip.flow import Flow
from ringback.sip.headers import Headers
from ringback.sip.message import Request, Response
from ringback.sip.pending import Pending
from ringback.sip.reliable import ReliableProvisionals
from ringback.sip.session import Session, SessionStateError, resolved
from ringback.sip.timers import Timer
from ringback.sip.transaction import ServerTransaction
from ringback.sip.uri import Uri

REPEAT_PROVISIONAL = 60.0
"""Seconds after which ringing is said again, so that no proxy gives up (RFC 3261 section 13.3.1.1)."""

Ringing = tuple[int, str | None, bytes | None, list[tuple[str, str]]]


class InboundCall(Session):
    """A call that came to us; 100 has been sent. ``offer`` is the session description of the INVITE, None
    when the caller wants ours."""

    def __init__(
        self, core: Core, transaction: ServerTransaction, request: Request, flow: Flow, target: Uri
    ) -> None:
        """Raises SipParseError for a body that cannot be read."""
        self.offer = sdp_body(request)
        dialog = Dialog.from_request(request, flow, transaction.to_tag, target)
        super().__init__(core, request, dialog.local, dialog.remote, flow)
        self.dialog = dialog
        self.contact_user = request.uri.user
        self._transaction = transaction
        self._acceptance: Acceptance | None = None
        self._reliable = ReliableProvisionals(core.timers, transaction, self._not_acknowledged_reliably)
        self._repeat: Timer | None = None
        self._bye_waits: tuple[list[tuple[str, str]], Pending[Response]] | None = None
        self._answering = False
        self._described = False
        self.offers.remote_sdp = self.offer
        transaction.on_cancel = self._cancelled
        self.note_peer(request)
        self.adopt(dialog)

    # For the owner

    def ring(
        self,
        status: int = 180,
        reason: str | None = None,
        sdp: bytes | None = None,
        headers: HeaderList = (),
    ) -> None:
        """Sends a provisional response, reliably where the peer can (RFC 3262), again every minute.

        Raises SessionStateError after ``answer`` and ValueError for a status that is not provisional.
        """
        if not 101 <= status <= 199:
            raise ValueError(f"not a provisional response: {status}")
        if self.state == "ended":
            return
        if self._answering:
            raise SessionStateError("the call is already answered")
        self.state = "ringing"
        self._ring((status, reason, sdp, checked(headers)))

    def answer(self, sdp: bytes, headers: HeaderList = ()) -> None:
        """Sends 200, repeated until it is acknowledged; ``Confirmed`` follows. Raises SessionStateError when
        done twice."""
        if self.state == "ended":
            return
        if self._answering:
            raise SessionStateError("the call is already answered")
        extra = checked(headers)
        self._answering = True
        self._stop_ringing()
        if self._reliable.waiting_with_sdp:
            self._reliable.when_clear(lambda: self._accept(sdp, extra))
        else:
            self._accept(sdp, extra)

    def reject(self, status: int, reason: str | None = None, headers: HeaderList = ()) -> None:
        """Refuses the call with a final response of 300 to 699; no event follows. Raises SessionStateError
        after ``answer`` and ValueError."""
        if not 300 <= status <= 699:
            raise ValueError(f"not a refusal: {status}")
        if self.state == "ended":
            return
        if self.state == "answered":
            raise SessionStateError("the call is already answered")
        extra = checked(headers)
        self._quiet = True
        if status in (401, 407):
            self.core.note_challenge(self.call_id, self.source.host)
        self._refuse(status, reason, extra)

    def bye(self, headers: HeaderList = ()) -> Pending[Response]:
        """Hangs up; before the answer that is 480. A BYE waits for the ACK (RFC 3261 section 15)."""
        if self.state == "ended":
            return resolved("cancelled")
        if self.state != "answered":
            self.reject(480, None, headers)
            pending: Pending[Response] = Pending()
            pending.resolve(Response(480))
            return pending
        extra = checked(headers)
        self._quiet = True
        assert self.dialog is not None
        if self.settled:
            pending = self._send_bye(self.dialog, extra)
            self.end(None)
            return pending
        if self._bye_waits is None:
            self._bye_waits = (extra, Pending())
        return self._bye_waits[1]

    # Responses

    @property
    def owes_answer(self) -> bool:
        return not self._described and not self.invite_final

    @property
    def settled(self) -> bool:
        return self._acceptance is not None and self._acceptance.acknowledged

    def _response(self, status: int, reason: str | None) -> Response:
        tag = self._transaction.to_tag
        response = self.core.response(self.request, status, reason, tag, record_route=status < 300)
        if status < 300:
            self.core.describe_us(response, self._transaction.flow, self.contact_user)
        return response

    def _ring(self, what: Ringing) -> None:
        status, reason, sdp, headers = what
        self._stop_ringing()
        response = self._response(status, reason)
        add_headers(response.headers, headers)
        set_body(response, sdp)
        if self._peer_has_100rel():
            self._send_reliably(response, sdp)
            what = (status, reason, None, headers)
        else:
            self._transaction.respond(response)
        self._repeat = self.core.timers.after(REPEAT_PROVISIONAL, lambda: self._ring(what))

    def _send_reliably(self, response: Response, sdp: bytes | None) -> None:
        if sdp is not None and not self._described:
            # The first description sent for certain is the answer (or our offer, which PRACK answers).
            self._described = True
            self.offers.local_sdp = sdp
            self.offers.open = self.offer is None
        self._reliable.send(response)

    def _peer_has_100rel(self) -> bool:
        return "100rel" in self.request.require or "100rel" in self.request.supported

    def _accept(self, sdp: bytes, headers: list[tuple[str, str]]) -> None:
        if self.state == "ended":
            return
        self._reliable.stop()
        self.state = "answered"
        response = self._response(200, None)
        self.timer.settle(self.request, response)
        add_headers(response.headers, headers)
        set_body(response, sdp)
        if not self._described:
            self.offers.local_sdp = sdp
            self.offers.open = self.offer is None
        if self.dialog is not None:
            self.dialog.confirmed = True
        self._acceptance = Acceptance(
            self.core.timers, self._transaction, response, self._acknowledged, self._never_acknowledged
        )

    def _stop_ringing(self) -> None:
        if self._repeat is not None:
            self._repeat.cancel()

    # What the peer does

    def receive_ack(self, request: Request) -> None:
        """The ACK of our 200, or of the 2xx of a re-INVITE."""
        if self._acceptance is not None and self._acceptance.cseq == request.cseq.number:
            self._acceptance.receive_ack(request)
        else:
            super().receive_ack(request)

    def _acknowledged(self, request: Request) -> None:
        if self._end_if_waiting():
            return
        sdp = readable_sdp(request) if self.offers.open else None
        if self.offers.open:
            self.offers.open = False
            self.offers.remote_sdp = sdp
        self.emit(Confirmed(sdp))
        self.offers.poll()

    def _never_acknowledged(self) -> None:
        if not self._end_if_waiting():
            self.lost("no ACK")

    def _end_if_waiting(self) -> bool:
        """The BYE that had to wait for the ACK."""
        if self._bye_waits is None or self.dialog is None:
            return False
        (headers, pending), self._bye_waits = self._bye_waits, None
        self._send_bye(self.dialog, headers).then(pending.resolve)
        self.end(None)
        return True

    def _receive_prack(self, transaction: ServerTransaction, request: Request) -> None:
        if not self._reliable.acknowledge(request):
            self.core.answer(transaction, 481)
            return
        sdp = sdp_body(request)
        if sdp is None:
            self.core.answer(transaction, 200)
        elif self.offers.open:
            self.core.answer(transaction, 200)
            self.offers.receive_answer(sdp)
        else:
            self.offers.receive_update(transaction, request)
        self._reliable.proceed()

    def _receive_bye(self, transaction: ServerTransaction, request: Request) -> None:
        if self.state == "answered":
            super()._receive_bye(transaction, request)
            return
        self.core.answer(transaction, 200)
        self._cancelled(request)

    def _cancelled(self, request: Request) -> None:
        if self.state in ("calling", "ringing"):
            self.emit(Cancelled(request.headers))
            self._refuse(487, None, ())

    def _not_acknowledged_reliably(self) -> None:
        """RFC 3262 section 3: the call is refused when a reliable response is never acknowledged."""
        if self.state in ("calling", "ringing"):
            self.emit(Cancelled(Headers()))
            self._refuse(504, None, ())

    def _refuse(self, status: int, reason: str | None, headers: HeaderList) -> None:
        response = self._response(status, reason)
        add_headers(response.headers, headers)
        self._transaction.respond(response)
        self.end(None)

    def end(self, event: SessionEvent | None) -> None:
        """Nothing follows."""
        self._stop_ringing()
        self._reliable.stop()
        if self._acceptance is not None:
            self._acceptance.stop()
        if self._bye_waits is not None:
            self._bye_waits[1].resolve(local_response("cancelled"))
        super().end(event)
