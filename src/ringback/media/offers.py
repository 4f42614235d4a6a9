"""The legs that a worker has lent: which of them is opened next.

A leg's first frame goes out with its phase's next tick. The control side knows when that is, so a leg comes
into the phase whose tick is soonest, once the commands that follow its opening are there: the first sound
then waits for 9 ms at most, where it would be any part of 20.

A tick costs a few tenths of a millisecond however few rows it has. So when there is something to do, but not
much, every second phase gets no new legs: the first sound then waits for 14 ms at most.
"""

from __future__ import annotations

import heapq

from ringback.media.clockwork import PHASES, soonest
from ringback.media.protocol import Offer

LEAD = 0.004
"""Seconds until the worker has the commands after the opening: what was negotiated, and what is played."""
FEW, MANY = 48, 400
"""Open legs from which, and up to which, half of the phases are enough: before it does not matter, and then a
tick would take more than 2 ms."""
ALL, HALF = range(PHASES), range(0, PHASES, 2)
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
        fit = self._lent(HALF if FEW <= sum(self._open) < MANY else ALL) or self._lent(ALL)
        if not fit:
            raise LookupError("no leg is lent")
        most = min(self._open[phase] for phase in fit) + UNEVEN
        phase = soonest(now + LEAD - self._epoch)
        while phase not in fit or self._open[phase] >= most:
            phase = (phase + 1) % PHASES
        self._open[phase] += 1
        return heapq.heappop(self._waiting[phase])[1]

    def closed(self, row: int) -> None:
        """An opened leg is no more."""
        self._open[row % PHASES] -= 1

    def _lent(self, phases: range) -> list[int]:
        """Those of the phases of which a leg is lent."""
        return [phase for phase in phases if self._waiting[phase]]
