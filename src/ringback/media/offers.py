"""The legs that a worker has lent: which of them is opened next.

A leg's first frame goes out with its phase's next tick. The control side knows when that is, so a leg comes
into the phase whose tick is soonest, once the commands that follow its opening are there: the first sound
then waits for 9 ms at most, where it would be any part of 20.
"""

from __future__ import annotations

import heapq

from ringback.media.clockwork import PHASES, soonest
from ringback.media.protocol import Offer

LEAD = 0.004
"""Seconds until the worker has the commands after the opening: what was negotiated, and what is played."""
UNEVEN = 8
"""Legs by which a phase may be fuller than the emptiest: the longest tick is what counts."""


class Offers:
    """Within a phase the lowest row goes first, so that rows stay dense. `epoch` is the worker's."""

    def __init__(self, epoch: float) -> None:
        self._epoch = epoch
        self._waiting: list[list[tuple[int, Offer]]] = [[] for _ in range(PHASES)]
        self._open = [0] * PHASES

    def __bool__(self) -> bool:
        return any(self._waiting)

    def put(self, offer: Offer) -> None:
        """A leg is lent."""
        heapq.heappush(self._waiting[offer.row % PHASES], (offer.row, offer))

    def take(self, now: float) -> Offer:
        """The leg to open now. Raises LookupError when none is there."""
        filled = [self._open[phase] for phase in range(PHASES) if self._waiting[phase]]
        if not filled:
            raise LookupError("no leg is lent")
        most = min(filled) + UNEVEN
        phase = soonest(now + LEAD - self._epoch)
        while not self._waiting[phase] or self._open[phase] >= most:
            phase = (phase + 1) % PHASES
        self._open[phase] += 1
        return heapq.heappop(self._waiting[phase])[1]

    def closed(self, row: int) -> None:
        """An opened leg is no more."""
        self._open[row % PHASES] -= 1
