"""What comes to bridged rows, on its way: from the transport to the relay, out again, and to the rows' ticks.

Rows here are the worker's: phase and row within it in one number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ringback.media import rtp
from ringback.media.arrivals import Few, Many
from ringback.media.bridges import Bridges
from ringback.media.clockwork import PHASES
from ringback.media.crossing import Far
from ringback.media.moments import ahead, on_our_clock
from ringback.media.straight import Departures
from ringback.media.streams import HEAD
from ringback.media.tick import Phase
from ringback.media.transport import Transport
from ringback.media.waiting import Waiting

UInt64 = npt.NDArray[np.uint64]

MOST_WAITING = 64
"""How many packets of a row that is bridged no more are looked for: on a busy machine some wait."""


class Forwarding:
    """Whoever is bridged is received apart from its phase, and between its ticks.

    `remotes` is [row, word] of the socket addresses that rows send to.
    """

    def __init__(
        self, phases: Sequence[Phase], transport: Transport, bridges: Bridges, remotes: UInt64
    ) -> None:
        self._phases = phases
        self._transport = transport
        self._bridges = bridges
        self._relay = bridges.relay
        self._remotes = remotes
        self._waiting = Waiting(PHASES)
        self.received = 0
        self.sent = 0

    def __bool__(self) -> bool:
        """Whether anybody is bridged."""
        return bool(self._bridges)

    def relay(self) -> bool:
        """Send on what has come; the rows' ticks get it, too. Returns whether anything had."""
        came = self._transport.receive_hastened()
        if came is None:
            return False
        self.received += len(came.rows)
        if isinstance(came, Few):
            self._relay_few(came)
        else:
            self._relay_many(came)
        return True

    def take(self, number: int, now: float) -> None:
        """What was seen of a phase's rows comes to them, in the order in which it came.

        It was just settled anew who is heard: what comes from now on may be passed, behind what was kept.
        """
        self._take_kept(number, now)
        if self._bridges:
            self.relay()
        if self._take_kept(number, now):
            self.relay()  # the tick that follows takes as long again
        self._relay.account(ahead())

    def join(self, row: int, partner: int) -> None:
        """The two hear each other from now on; one alone hears nobody."""
        if row == partner:
            self.part(row)
            return
        self.relay()
        self._slow(self._bridges.join(row, partner))
        for one in (row, partner):
            self._transport.hasten(one % PHASES, one // PHASES)

    def cross(self, row: int, generation: int, far: Far) -> None:
        """The row hears one of another worker from now on."""
        self.relay()
        self._slow(self._bridges.cross(row, generation, far))

    def part(self, row: int) -> None:
        """The row hears nobody any more."""
        if row in self._bridges:
            for _ in range(MOST_WAITING):  # what has come before
                if not self.relay():
                    break
            self._relay.account(ahead())
        self._slow(self._bridges.part(row))

    def forget(self, row: int) -> None:
        """The row's leg has ended: nobody gets what waits for it."""
        self._transport.release(self._waiting.forget(row))

    def settle(self) -> None:
        """Once a second: what need not be done at each tick."""
        self._relay.settle()

    def _relay_few(self, few: Few) -> None:
        departures, rest, kept, words = self._relay.forward_few(few)
        slots, rows = few.slots, few.rows
        if departures.rows:
            self.sent += len(departures.rows)
            self._transport.send_few(departures, self._remotes)
        if rest:
            batch = self._transport.recall(
                np.array([slots[index] for index in rest]), np.array([rows[index] for index in rest])
            )
            self._depart(self._relay.pass_on(batch, rtp.heads(batch)))
        if kept:
            self._waiting.put_few(
                [slots[index] for index in kept],
                [rows[index] for index in kept],
                [words[index] for index in kept],
            )
        if len(kept) < len(slots):
            self._transport.release(np.array(list(set(slots).difference(slots[index] for index in kept))))

    def _relay_many(self, many: Many) -> None:
        departures, kept = self._relay.forward(many)
        self._depart(departures)
        if not kept.any():
            self._transport.release(many.slots)
            return
        self._waiting.put(many.slots[kept], many.rows[kept], many.marks[kept, HEAD])
        self._transport.release(many.slots[~kept])

    def _depart(self, ready: list[Departures]) -> None:
        for departures in ready:
            self.sent += len(departures.rows)
            self._transport.send_hastened(departures, self._remotes)

    def _take_kept(self, number: int, now: float) -> bool:
        """Returns whether there was anything."""
        kept = self._waiting.take(number)
        if kept is None:
            return False
        self._relay.account(ahead())  # what was passed before
        batch = self._transport.recall(kept.slots, kept.rows // PHASES)
        self._phases[number].take(on_our_clock(batch), kept.words, now)
        self._transport.release(kept.slots)
        return True

    def _slow(self, rows: list[int]) -> None:
        """Rows are bridged no more."""
        for row in rows:
            self._transport.slow(row % PHASES, row // PHASES)
