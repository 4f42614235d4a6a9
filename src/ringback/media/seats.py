"""The rows of a worker: which are free, lent and open, and the ports that go with them."""

from __future__ import annotations

import heapq
import socket

from ringback.media import protocol
from ringback.media.clockwork import PHASES
from ringback.media.ports import Ports, bind_pair

TRIES = 32
"""Ports tried at a time, when others hold some of ours."""
LEND_AT_ONCE = 8
"""Legs lent at a time, as long as the control side has others: each message wakes it."""


class Seat:
    """A lent or open row: its ports and sockets."""

    __slots__ = ("generation", "open", "port", "row", "rtcp", "rtp")

    def __init__(self, row: int, generation: int, port: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        self.row = row
        self.generation = generation
        self.port = port
        self.rtp = rtp
        self.rtcp = rtcp
        self.open = False


class Seats:
    """A row is lent with its sockets bound, opened once, and given back; its port then rests."""

    def __init__(self, settings: protocol.Settings) -> None:
        self._settings = settings
        self._ports = Ports(settings.first_port, settings.last_port, settings.port_rest)
        self._free = [list(range(phase, settings.max_legs, PHASES)) for phase in range(PHASES)]
        self._taken: dict[int, Seat] = {}
        self._generations = [0] * settings.max_legs
        self._lent_of = [0] * PHASES
        self._refusal = "the range holds no even port with an odd one after it"

    def get(self, row: int, generation: int) -> Seat | None:
        """The row's seat, if it is still that generation's."""
        seat = self._taken.get(row)
        return seat if seat is not None and seat.generation == generation else None

    @property
    def supplied(self) -> bool:
        """Whether the control side has as many as it may, or there are no more."""
        return self._lent >= self._settings.lend_ahead or not any(self._free) or self._ports.used_up

    def lend(self, now: float) -> list[Seat]:
        """As many as it takes for the control side to have enough of each phase's, or as there are."""
        lent = []
        while self._lent < self._settings.lend_ahead and any(self._free):
            bound = self._bind(now)
            if bound is None:
                break
            phase = min(
                (phase for phase in range(PHASES) if self._free[phase]), key=self._lent_of.__getitem__
            )
            row = heapq.heappop(self._free[phase])
            self._lent_of[phase] += 1
            self._generations[row] += 1
            seat = self._taken[row] = Seat(row, self._generations[row], *bound)
            lent.append(seat)
        return lent

    def lend_first(self, now: float) -> list[Seat]:
        """The same for the first time. Raises OSError if no port at all can be bound.

        Another server may hold the beginning of the range: here is the time to look for what lies behind it.
        """
        lent = []
        for _ in range(len(self._ports) // TRIES + 1):
            lent += self.lend(now)
            if self._lent == self._settings.lend_ahead:
                break
        if not lent:
            settings = self._settings
            where = f"{settings.rtp_host} from {settings.first_port} to {settings.last_port}"
            raise OSError(f"no pair of RTP ports can be bound on {where}: {self._refusal}")
        return lent

    def open(self, seat: Seat) -> bool:
        """A lent one is used from now on. Returns whether it is time to lend others."""
        seat.open = True
        self._lent_of[seat.row % PHASES] -= 1
        return self._lent <= self._settings.lend_ahead - LEND_AT_ONCE

    def give_back(self, seat: Seat, now: float) -> None:
        """An open one's leg has ended, and its sockets are closed."""
        del self._taken[seat.row]
        self._ports.give_back(seat.port, now)
        heapq.heappush(self._free[seat.row % PHASES], seat.row)

    def all(self) -> list[Seat]:
        """Those lent and open."""
        return list(self._taken.values())

    @property
    def _lent(self) -> int:
        return sum(self._lent_of)

    def _bind(self, now: float) -> tuple[int, socket.socket, socket.socket] | None:
        for _ in range(TRIES):
            port = self._ports.take(now)
            if port is None:
                return None
            try:
                return port, *bind_pair(self._settings.rtp_host, port)
            except OSError as error:
                self._refusal = error.strerror or str(error)
                self._ports.give_back(port, now)
        return None
