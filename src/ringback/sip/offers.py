"""Offers inside a call: re-INVITE, UPDATE and PRACK in both directions, one at a time (RFC 3264, RFC
6337)."""

from __future__ import annotations

import random
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.sip.acceptance import Acceptance
from ringback.sip.body import check_body, sdp_body
from ringback.sip.core import HeaderList, add_headers, checked, readable_sdp, retry_after, set_body
from ringback.sip.events import Offer, OfferAnswered, OfferWithdrawn
from ringback.sip.exchange import Exchange, local_response
from ringback.sip.flow import Flow
from ringback.sip.message import Request, Response
from ringback.sip.pending import Pending
from ringback.sip.transaction import ServerTransaction

if TYPE_CHECKING:
    from ringback.sip.session import Session


class RemoteOffer:
    """An offer of the peer's that waits for our answer."""

    __slots__ = ("method", "sdp", "transaction")

    def __init__(self, transaction: ServerTransaction, sdp: bytes | None) -> None:
        self.transaction = transaction
        self.method = transaction.request.method
        self.sdp = sdp


class LocalOffer:
    """An offer of ours, waiting for its turn or for the answer. ``refresh``: only to keep the session
    alive."""

    __slots__ = ("headers", "method", "pending", "refresh", "sdp")

    def __init__(self, method: str, sdp: bytes | None, headers: HeaderList, refresh: bool = False) -> None:
        self.method = method
        self.sdp = sdp
        self.headers = checked(headers)
        self.refresh = refresh
        self.pending: Pending[Response] = Pending()


class OfferAnswer:
    """Who may offer now, and what was agreed last."""

    def __init__(self, session: Session) -> None:
        self._held = weakref.ref(session)
        self._core = session.core
        self._queue: deque[LocalOffer] = deque()
        self._current: LocalOffer | None = None
        self._acceptance: Acceptance | None = None
        self._yielding = False
        """Whether ours crossed the peer's, who is let go first."""
        self.remote: RemoteOffer | None = None
        self.open = False
        """True while an offer of ours that INVITE, a response or PRACK carries waits for its answer."""
        self.late: Callable[[bytes | None], None] | None = None
        """Takes our answer to an offer that came in a response: it goes out in ACK or PRACK."""
        self.local_sdp: bytes | None = None
        self.remote_sdp: bytes | None = None

    @property
    def _session(self) -> Session:
        """Not held in a circle, which only garbage collection would open: what is under way for it does."""
        session = self._held()
        assert session is not None
        return session

    def stop(self) -> None:
        """The call is over: what still waits is told so."""
        if self.remote is not None:
            self._core.answer(self.remote.transaction, 487)
            self.remote = None
        if self._acceptance is not None:
            self._acceptance.stop()
        for job in self._queue:
            job.pending.resolve(local_response("cancelled"))
        self._queue.clear()
        self.late = None

    # The peer offers

    def receive_invite(self, transaction: ServerTransaction, request: Request) -> None:
        """A re-INVITE. Raises SipParseError for a body that cannot be used."""
        core = self._core
        if self._refuse_glare(transaction, request):
            return
        check_body(request)
        minimum = self._session.timer.too_short(request)
        if minimum is not None:
            core.answer(transaction, 422, headers=[("Min-SE", str(minimum))])
            return
        sdp = sdp_body(request)
        transaction.respond(core.response(request, 100))
        if self._acceptance is not None:
            self._acceptance.stop()  # its ACK was lost; that the peer goes on says as much
        transaction.on_cancel = self._cancelled
        self._offered(transaction, sdp)

    def receive_update(self, transaction: ServerTransaction, request: Request) -> None:
        """An UPDATE (RFC 3311), or a PRACK that carries an offer. Raises SipParseError."""
        check_body(request)
        sdp = sdp_body(request)
        if sdp is None:
            minimum = self._session.timer.too_short(request)
            if minimum is not None:
                self._core.answer(transaction, 422, headers=[("Min-SE", str(minimum))])
                return
            transaction.respond(self._success(transaction, None, ()))
        elif not self._refuse_glare(transaction, request):
            self._offered(transaction, sdp)

    def receive_answer(self, sdp: bytes) -> None:
        """The answer to an offer that we made in a response, from ACK or PRACK."""
        self.open = False
        self.remote_sdp = sdp
        self._session.emit(OfferAnswered(sdp))
        self.poll()

    def _refuse_glare(self, transaction: ServerTransaction, request: Request) -> bool:
        """RFC 3261 section 14.2, RFC 3311 section 5.2: 491 when ours is open, 500 when theirs is."""
        session = self._session
        across = request.method == "INVITE" and not session.invite_final
        if self.remote is not None or session.owes_answer or (across and not session.owns_call_id):
            self._core.answer(transaction, 500, headers=[retry_after()])
            return True
        if self.open or self._current is not None or self.late is not None or across:
            self._core.answer(transaction, 491)
            return True
        return False

    def _offered(self, transaction: ServerTransaction, sdp: bytes | None) -> None:
        self.remote = RemoteOffer(transaction, sdp)
        self._session.emit(Offer(sdp, transaction.request.method))

    def _cancelled(self, _: Request) -> None:
        if self.remote is not None and self.remote.method == "INVITE":
            self._core.answer(self.remote.transaction, 487)
            self.remote = None
            self._session.emit(OfferWithdrawn("INVITE"))
            self.poll()

    def reply(self, sdp: bytes | None, headers: HeaderList) -> bool:
        """Answers the peer's offer; False when there is none."""
        if self.late is not None:
            late, self.late = self.late, None
            self.local_sdp = sdp or self.local_sdp
            late(sdp)
            self.poll()
            return True
        offer, self.remote = self.remote, None
        if offer is None:
            return False
        self.local_sdp = sdp
        self.remote_sdp = offer.sdp or self.remote_sdp
        response = self._success(offer.transaction, sdp, headers)
        if offer.method == "INVITE":
            self.open = offer.sdp is None
            self._acceptance = Acceptance(
                self._core.timers, offer.transaction, response, self._acknowledged, self._not_acknowledged
            )
        else:
            offer.transaction.respond(response)
        self.poll()
        return True

    def refuse(self, status: int, reason: str | None) -> bool:
        """Declines the peer's offer; False when there is none."""
        if self.late is not None:
            self.reply(None, ())
            return True
        offer, self.remote = self.remote, None
        if offer is None:
            return False
        self._core.answer(offer.transaction, status, reason)
        self.poll()
        return True

    def _success(self, transaction: ServerTransaction, sdp: bytes | None, headers: HeaderList) -> Response:
        request = transaction.request
        response = self._core.response(request, 200, None, transaction.to_tag)
        if request.method != "PRACK":
            self._core.describe_us(response, transaction.flow, self._session.contact_user)
            self._session.timer.settle(request, response)
        add_headers(response.headers, headers)
        set_body(response, sdp)
        return response

    def receive_ack(self, request: Request) -> bool:
        """The ACK of a 2xx to a re-INVITE; False when it is another's."""
        acceptance = self._acceptance
        if acceptance is None or acceptance.cseq != request.cseq.number:
            return False
        acceptance.receive_ack(request)
        return True

    def _acknowledged(self, request: Request) -> None:
        self._acceptance = None
        sdp = readable_sdp(request)
        if self.open and sdp is not None:
            self.receive_answer(sdp)
        else:
            self.open = False
            self.poll()

    def _not_acknowledged(self) -> None:
        self._acceptance = None
        self._session.lost("no ACK")

    # We offer

    def offer(self, job: LocalOffer) -> Pending[Response]:
        """Sends an offer as soon as the rules let us."""
        self._queue.append(job)
        self.poll()
        return job.pending

    def poll(self) -> None:
        """Sends the next offer if nothing is open."""
        busy = self.open or self.remote or self._current or self._acceptance or self.late
        if busy or self._yielding or not self._queue:
            return
        job = self._queue[0]
        ready = self._session.settled if job.method == "INVITE" else self._session.dialog is not None
        if ready:
            self._queue.popleft()
            self._send(job)

    def _send(self, job: LocalOffer) -> None:
        session = self._session
        dialog = session.dialog
        if dialog is None or session.state == "ended":
            job.pending.resolve(local_response("cancelled"))
            return
        self._current = job
        if job.refresh:
            job.sdp = self.local_sdp  # the peer may have made it another one while this waited

        def fill(request: Request, flow: Flow) -> None:
            self._core.describe_us(request, flow, session.contact_user)
            session.timer.ask(request, again=True)
            add_headers(request.headers, job.headers)
            set_body(request, job.sdp)

        def on_response(exchange: Exchange, response: Response) -> None:
            self._on_response(job, exchange, response)

        def on_failure(_: Exchange, cause: str) -> None:
            self._on_response(job, None, local_response(cause))

        session.exchange(dialog, job.method, fill, on_response, on_failure)

    def _on_response(self, job: LocalOffer, exchange: Exchange | None, response: Response) -> None:
        status = response.status
        if status < 200:
            return
        if status < 300:
            assert exchange is not None
            self._accepted(job, exchange, response)
        elif status == 491 and self._session.state != "ended":
            self._retry(job)
        elif status == 422 and self._session.timer.raise_minimum(response):
            self._send(job)
        else:
            self._current = None
            job.pending.resolve(response)
            self._session.check_gone(response)
            self.poll()

    def _retry(self, job: LocalOffer) -> None:
        """RFC 3261 section 14.1: the owner of the Call-ID waits longer. Meanwhile the peer may offer."""
        low, high = (210, 400) if self._session.owns_call_id else (0, 200)
        self._current = None
        self._queue.appendleft(job)
        self._yielding = True

        def again() -> None:
            self._yielding = False
            self.poll()

        self._core.timers.after(random.randint(low, high) / 100, again)

    def _accepted(self, job: LocalOffer, exchange: Exchange, response: Response) -> None:
        session = self._session
        dialog = session.dialog
        assert dialog is not None
        if self._current is not job:
            if self.late is None:
                session.acknowledge(dialog, exchange.request, None)  # the 2xx came again: so does the ACK
            return
        dialog.refresh_target(response)
        session.timer.learn(response)
        self._current = None
        sdp = readable_sdp(response)
        job.pending.resolve(response)
        if job.method == "INVITE" and job.sdp is None and sdp is not None:
            request = exchange.request
            self.late = lambda answer: session.acknowledge(dialog, request, answer)
            self.remote_sdp = sdp
            session.emit(Offer(sdp, "INVITE"))
            return
        if job.method == "INVITE":
            session.acknowledge(dialog, exchange.request, None)
        self._answered(job, sdp)

    def _answered(self, job: LocalOffer, sdp: bytes | None) -> None:
        self.local_sdp = job.sdp or self.local_sdp
        if sdp is not None and not (job.refresh and sdp == self.remote_sdp):
            self.remote_sdp = sdp
            self._session.emit(OfferAnswered(sdp))
        self.poll()
