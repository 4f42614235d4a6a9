"""RTCP of a worker's open legs: reports and goodbyes sent, what peers report heard."""

from __future__ import annotations

import heapq
import select
import socket
import time
from collections.abc import Callable, Sequence

from ringback.media import protocol
from ringback.media.clockwork import PHASES
from ringback.media.model import Report
from ringback.media.ports import drain
from ringback.media.rtcp import next_interval
from ringback.media.seats import Seat
from ringback.media.tick import Phase

PER_TICK = 4
"""Reports sent at a time."""
SIZE = 1500
"""Octets of a packet at most."""


class Reporting:
    """A report goes out about `every` seconds, and `tell` takes the leg's statistics with it."""

    def __init__(
        self, phases: Sequence[Phase], family: int, every: float, tell: Callable[[protocol.Message], None]
    ) -> None:
        self._phases = phases
        self._family = family
        self._every = every
        self._tell = tell
        self._seats: dict[int, Seat] = {}
        """Of open legs, by the descriptors of their RTCP sockets."""
        self._due: list[tuple[float, int, int, Seat]] = []
        self.poll = select.epoll()
        """Readable when something has come."""

    def __len__(self) -> int:
        """How many legs are open."""
        return len(self._seats)

    def open(self, seat: Seat) -> None:
        """A leg begins; what came before is thrown away."""
        drain(seat.rtcp)
        descriptor = seat.rtcp.fileno()
        self._seats[descriptor] = seat
        self.poll.register(descriptor, select.EPOLLIN)

    def expect(self, seat: Seat, now: float) -> None:
        """The leg has a peer: its first report comes after half an interval (RFC 3550, 6.2)."""
        self._put(seat, now + next_interval(self._every) / 2)

    def close(self, seat: Seat) -> None:
        """The leg ends: say BYE. Its socket for RTCP is closed."""
        self._send(seat, goodbye=True)
        del self._seats[seat.rtcp.fileno()]
        seat.rtcp.close()  # which takes it out of `poll`, too

    def send_due(self, now: float) -> None:
        """Send the reports that are due, a few at a time."""
        for _ in range(PER_TICK):
            if not self._due or self._due[0][0] > now:
                return
            _, row, _, seat = heapq.heappop(self._due)
            if self._seats.get(seat.rtcp.fileno()) is not seat:
                continue
            self._send(seat)
            report = Report(self._phases[row % PHASES].statistics(row // PHASES, now))
            self._tell(protocol.Happened(row, seat.generation, report))
            self._put(seat, now + next_interval(self._every))

    def receive(self) -> None:
        """Take in what came to the RTCP ports."""
        for descriptor, _ in self.poll.poll(0, 64):
            seat = self._seats[descriptor]
            try:
                data, source = seat.rtcp.recvfrom(SIZE)
            except OSError:
                continue  # an ICMP error taken off the socket
            self.hear(seat.row, data, (source[0].removeprefix("::ffff:"), source[1]))

    def hear(self, row: int, data: bytes, source: tuple[str, int]) -> None:
        """RTCP came for a row, on whichever port."""
        self._phases[row % PHASES].hear_rtcp(row // PHASES, data, source, time.time())

    def shut(self) -> None:
        """Nothing is heard any more."""
        self.poll.close()

    def _put(self, seat: Seat, due: float) -> None:
        heapq.heappush(self._due, (due, seat.row, seat.generation, seat))

    def _send(self, seat: Seat, goodbye: bool = False) -> None:
        phase, row = self._phases[seat.row % PHASES], seat.row // PHASES
        destination = phase.rtcp_destination(row)
        if destination is None:
            return
        host, port, muxed = destination
        data = phase.legs[row].reporter.compound(
            time.time(),
            timestamp=int(phase.senders.timestamp[row]),
            packets=int(phase.senders.packets[row]),
            octets=int(phase.senders.octets[row]),
            block=phase.intake.reception.report(seat.row),
            goodbye=goodbye,
        )
        if self._family == socket.AF_INET6 and ":" not in host:
            host = f"::ffff:{host}"
        try:
            (seat.rtp if muxed else seat.rtcp).sendto(data, (host, port))
        except OSError:
            pass  # unreachable for now; the next report is due soon
