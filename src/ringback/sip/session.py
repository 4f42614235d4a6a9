"""One INVITE usage: what an inbound and an outbound call have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ringback.sip.dialog import DialogState
from ringback.sip.events import SessionEvent
from ringback.sip.flow import Flow
from ringback.sip.message import Request, Response
from ringback.sip.pending import Pending
from ringback.sip.uri import NameAddr

HeaderList = Iterable[tuple[str, str]]


class SessionStateError(RuntimeError):
    """The call is not in a state in which this can be done (answered twice, no offer to answer …)."""


class Session:
    """A call as SIP sees it. Methods never block; once the call has ended they do nothing."""

    on_event: Callable[[SessionEvent], None] | None
    call_id: str
    local: NameAddr
    """Our name and address, with our tag."""
    remote: NameAddr
    """The peer's, with its tag once it is known."""
    request: Request
    """The INVITE that began it."""
    source: Flow
    """The peer's observed address (host, port, transport)."""
    state: str
    """``"calling"``, ``"ringing"``, ``"answered"`` (2xx sent or received) or ``"ended"``."""

    @property
    def local_address(self) -> str:
        """Our address on the route to the peer (or the advertised one), for session descriptions."""
        raise NotImplementedError

    def dialog_state(self) -> DialogState | None:
        """Enough to end the call after a restart (``SipEndpoint.bye_orphan``); None before there is a dialog."""
        raise NotImplementedError

    def bye(self, headers: HeaderList = ()) -> Pending[Response]:
        """Hangs up, whatever the state: BYE, or CANCEL, or 480. Resolves when the peer has answered."""
        raise NotImplementedError

    def reinvite(self, sdp: bytes | None, headers: HeaderList = ()) -> Pending[Response]:
        """Offers a new description (hold, codecs, address); waits its turn when another offer is open; 491 is
        retried. ``OfferAnswered`` brings the answer, the final response says how it went. ``sdp`` None asks the
        peer for its offer (``Offer`` follows, and ``reply_offer`` goes out in the ACK)."""
        raise NotImplementedError

    def update(self, sdp: bytes, headers: HeaderList = ()) -> Pending[Response]:
        """The same by UPDATE (RFC 3311), also before the answer."""
        raise NotImplementedError

    def info(self, content_type: str, body: bytes, headers: HeaderList = ()) -> Pending[Response]:
        """Sends INFO; resolves with its final response."""
        raise NotImplementedError

    def send_request(
        self, method: str, headers: HeaderList = (), body: bytes = b"", content_type: str = ""
    ) -> Pending[Response]:
        """Any other request inside the dialog (REFER, NOTIFY, MESSAGE); resolves with its final response."""
        raise NotImplementedError

    def reply_offer(self, sdp: bytes | None, headers: HeaderList = ()) -> None:
        """Answers the last ``Offer`` (or a late offer in ``Answered``)."""
        raise NotImplementedError

    def refuse_offer(self, status: int = 488, reason: str | None = None) -> None:
        """Declines the last ``Offer``; what was agreed before still holds."""
        raise NotImplementedError


class InboundCall(Session):
    """A call that came to us. 100 has been sent."""

    offer: bytes | None
    """The session description of the INVITE; None when the caller wants ours."""

    def ring(
        self, status: int = 180, reason: str | None = None, sdp: bytes | None = None, headers: HeaderList = ()
    ) -> None:
        """Sends a provisional response, reliably where the peer can (RFC 3262), again every minute."""
        raise NotImplementedError

    def answer(self, sdp: bytes, headers: HeaderList = ()) -> None:
        """Sends 200, repeated until it is acknowledged; ``Confirmed`` follows."""
        raise NotImplementedError

    def reject(self, status: int, reason: str | None = None, headers: HeaderList = ()) -> None:
        """Refuses the call with a final response of 300 to 699; no event follows."""
        raise NotImplementedError


class OutboundCall(Session):
    """A call that we place."""

    def cancel(self, headers: HeaderList = ()) -> None:
        """Gives up before the answer; ``headers`` (``Reason``) go with the CANCEL. ``Failed`` follows."""
        raise NotImplementedError
