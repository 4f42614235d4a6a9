"""A 2xx to an INVITE on its way to the caller, again and again until the ACK (RFC 3261 section 13.3.1.4)."""

from __future__ import annotations

from collections.abc import Callable

from ringback.sip.message import Request, Response
from ringback.sip.timers import Timer, Timers
from ringback.sip.transaction import T1, T2, TIMEOUT, ServerTransaction


class Acceptance:
    """Repeats a 2xx, whatever the transport: a proxy on the path may have turned TCP into UDP."""

    def __init__(
        self,
        timers: Timers,
        transaction: ServerTransaction,
        response: Response,
        on_ack: Callable[[Request], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._timers = timers
        self._transaction = transaction
        self._response = response
        self._on_ack: Callable[[Request], None] | None = on_ack
        self._interval = T1
        self.cseq = transaction.request.cseq.number
        self.acknowledged = False
        self._give_up = timers.after(TIMEOUT, lambda: self._lost(on_lost))
        self._again: Timer = timers.after(T1, self._repeat)
        transaction.on_ack = self.receive_ack
        transaction.respond(response)

    def receive_ack(self, request: Request) -> None:
        """The ACK; further ones are absorbed."""
        on_ack = self._on_ack
        if on_ack is not None:
            self.stop()
            self.acknowledged = True
            on_ack(request)

    def stop(self) -> None:
        """Sends no more, and expects nothing."""
        self._again.cancel()
        self._give_up.cancel()
        self._transaction.on_ack = self._on_ack = None  # the one outlives the call, the other holds it

    def _repeat(self) -> None:
        self._transaction.respond(self._response)
        self._interval = min(2 * self._interval, T2)
        self._again = self._timers.after(self._interval, self._repeat)

    def _lost(self, on_lost: Callable[[], None]) -> None:
        self.stop()
        on_lost()
