"""Provisional responses that arrive for certain (RFC 3262), as seen by the side that sends them."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from ringback.sip.message import Request, Response
from ringback.sip.timers import Timer, Timers
from ringback.sip.transaction import T1, TIMEOUT, ServerTransaction


def parse_rack(value: str | None) -> tuple[int, int, str] | None:
    """RSeq, CSeq number and method of a RAck; None for anything else."""
    parts = (value or "").split()
    if len(parts) != 3 or not all(
        part.isascii() and part.isdigit() and len(part) <= 10 for part in parts[:2]
    ):
        return None
    return int(parts[0]), int(parts[1]), parts[2]


class ReliableProvisionals:
    """Sends provisional responses one at a time, each until its PRACK (section 3)."""

    def __init__(self, timers: Timers, transaction: ServerTransaction, on_lost: Callable[[], None]) -> None:
        self._timers = timers
        self._transaction = transaction
        self._invite = transaction.request.cseq
        self._on_lost: Callable[[], None] | None = on_lost
        self._rseq = random.getrandbits(20)
        self._queue: deque[Response] = deque()
        self._current: Response | None = None
        self._interval = T1
        self._again: Timer | None = None
        self._give_up: Timer | None = None
        self._when_clear: Callable[[], None] | None = None

    @property
    def waiting(self) -> bool:
        """True while a PRACK is due."""
        return self._current is not None

    @property
    def waiting_with_sdp(self) -> bool:
        """True while a description is not acknowledged: a 2xx must wait for that (section 3)."""
        return self.waiting and any(response.body for response in (self._current, *self._queue) if response)

    def send(self, response: Response) -> None:
        """Sends now, or when the ones before are acknowledged."""
        if self._current is not None:
            self._queue.append(response)
            return
        self._current = response
        self._rseq += 1
        response.headers.add("Require", "100rel")
        response.headers.add("RSeq", str(self._rseq))
        self._interval = T1
        self._give_up = self._timers.after(TIMEOUT, self._lost)
        self._again = self._timers.after(T1, self._repeat)
        self._transaction.respond(response)

    def acknowledge(self, prack: Request) -> bool:
        """True when the PRACK fits the response that waits for one; the next goes out after ``proceed``."""
        rack = parse_rack(prack.headers.get("RAck"))
        if rack != (self._rseq, self._invite.number, self._invite.method):
            return False
        self._stop_timers()
        self._current = None
        return True

    def proceed(self) -> None:
        """Sends what waited for the PRACK."""
        if self._queue:
            self.send(self._queue.popleft())
        elif self._when_clear is not None:
            then, self._when_clear = self._when_clear, None
            then()

    def when_clear(self, then: Callable[[], None]) -> None:
        """Calls back when everything sent is acknowledged; what was not sent yet with no description is
        dropped."""
        self._queue = deque(response for response in self._queue if response.body)
        self._when_clear = then

    def stop(self) -> None:
        """A final response ends it."""
        self._stop_timers()
        self._queue.clear()
        self._current = self._when_clear = self._on_lost = None

    def _repeat(self) -> None:
        assert self._current is not None
        self._transaction.respond(self._current)
        self._interval *= 2
        self._again = self._timers.after(self._interval, self._repeat)

    def _lost(self) -> None:
        on_lost = self._on_lost
        self.stop()
        if on_lost is not None:
            on_lost()

    def _stop_timers(self) -> None:
        if self._again is not None:
            self._again.cancel()
        if self._give_up is not None:
            self._give_up.cancel()
