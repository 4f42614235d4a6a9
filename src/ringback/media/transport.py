"""How packets cross into the kernel and back: a batch per phase.

Here with one system call a packet, for any Linux.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ringback.media import addresses, uring
from ringback.media.arrivals import FEW, Few, Many, Memory
from ringback.media.arrivals import HEAD as RTP_HEAD
from ringback.media.ports import SO_TIMESTAMPNS, drain
from ringback.media.rtp import Batch, heads
from ringback.media.send import Outgoing
from ringback.media.straight import Departures, FewDepartures
from ringback.media.streams import HEAD, LENGTH, MARKS, REMOTE

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

SLOT = 1500
"""Octets of a packet slot: an Ethernet frame's worth, far more than any audio packet."""
BATCH = 2048
"""Packets taken in a tick at most; more wait in their sockets."""
ROUNDS = 4
"""How often a phase's sockets are asked again in a tick, for rows with several packets."""

STAMP = struct.Struct("@ll")
"""The time of arrival (struct timespec)."""
STAMP_SPACE = socket.CMSG_SPACE(STAMP.size)


class Transport(Protocol):
    """Sockets of all phases. Rows are those within a phase, where nothing else is said."""

    name: str

    @property
    def refused(self) -> int:
        """Packets that the kernel did not take."""

    def attach(self, phase: int, row: int, rtp: socket.socket) -> None:
        """Receive for a row, from the phase's next `receive` or `flush` on. What had come is thrown away."""

    def detach(self, phase: int, row: int) -> None:
        """Stop receiving for a row and close its socket. Its port may be taken until the phase's next
        `receive` or `flush`.
        """

    def flush(self, phase: int) -> None:
        """See to what was attached and detached now."""

    def receive(self, phase: int) -> Batch | None:
        """What has come to the phase's sockets. The batch is valid until the phase's next."""

    def send(self, phase: int, outgoing: Outgoing, remotes: UInt64) -> None:
        """Send packets; `remotes` is [row, word] of socket addresses."""

    def hasten(self, phase: int, row: int) -> None:
        """What comes for the row from now on is received by `receive_hastened`."""

    def slow(self, phase: int, row: int) -> None:
        """It is received with its phase again."""

    @property
    def wake(self) -> int:
        """A file descriptor that is readable when something may have come for a hastened row."""

    def receive_hastened(self) -> Many | Few | None:
        """What has come for hastened rows. Rows are the worker's; slots stay taken until `release`."""

    def recall(self, slots: Int64, rows: Int64) -> Batch:
        """Packets of hastened rows again, as belonging to `rows`."""

    def release(self, slots: Int64) -> None:
        """Packets of hastened rows are done with."""

    def send_hastened(self, departures: Departures, remotes: UInt64) -> None:
        """Send packets to hastened rows; `remotes` is [the worker's row, word] of socket addresses."""

    def send_few(self, departures: FewDepartures, remotes: UInt64) -> None:
        """The same of a few, which lie in slots of hastened rows."""

    def close(self) -> None:
        """Close everything."""


class SocketTransport:
    """`recvmsg_into` and `sendto`."""

    name = "sockets"

    def __init__(self, phases: int, capacity: int, family: int) -> None:
        self._refused = 0
        self._family = family
        self._lanes = [_Lane(capacity) for _ in range(phases)]
        self._hastened = _Lane(capacity * phases)
        self._unused = list(range(BATCH))

    @property
    def refused(self) -> int:
        return self._refused

    def attach(self, phase: int, row: int, rtp: socket.socket) -> None:
        with contextlib.suppress(OSError):  # some sandboxes know no such thing
            rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        drain(rtp)
        lane = self._lanes[phase]
        lane.sockets[row] = rtp
        lane.listen(row, rtp)

    def detach(self, phase: int, row: int) -> None:
        self.slow(phase, row)
        lane = self._lanes[phase]
        rtp = lane.sockets.pop(row)
        lane.ignore(rtp)
        rtp.close()

    def flush(self, phase: int) -> None:
        """It was seen to at once."""

    def hasten(self, phase: int, row: int) -> None:
        lane, place = self._lanes[phase], row * len(self._lanes) + phase
        if place not in self._hastened.sockets:
            rtp = self._hastened.sockets[place] = lane.sockets[row]
            lane.ignore(rtp)
            self._hastened.listen(place, rtp)

    def slow(self, phase: int, row: int) -> None:
        rtp = self._hastened.sockets.pop(row * len(self._lanes) + phase, None)
        if rtp is not None:
            self._hastened.ignore(rtp)
            self._lanes[phase].listen(row, rtp)

    @property
    def wake(self) -> int:
        return self._hastened.poll.fileno()

    def receive_hastened(self) -> Many | Few | None:
        lane, unused = self._hastened, self._unused
        slots = []
        for descriptor, _event in lane.poll.poll(0):
            if not unused:
                break
            if self._take(lane, lane.rows[descriptor], unused[-1]):
                slots.append(unused.pop())
        if not slots:
            return None
        places = np.array(slots, np.int64)
        rows = lane.batch_rows[places]
        if len(slots) > FEW:
            return lane.many(places, rows)
        lengths, arrivals = lane.lengths[places], lane.arrivals[places]
        return Few(lane.memory, slots, rows.tolist(), lengths.tolist(), arrivals.tolist())

    def recall(self, slots: Int64, rows: Int64) -> Batch:
        return self._hastened.batch(slots, rows)

    def release(self, slots: Int64) -> None:
        self._unused += slots.tolist()

    def send_hastened(self, departures: Departures, remotes: UInt64) -> None:
        lane = self._hastened
        self._learn(lane, departures.rows, remotes)
        ends = departures.starts + departures.lengths
        for row, slot, start, end in zip(
            departures.rows.tolist(),
            departures.slots.tolist(),
            departures.starts.tolist(),
            ends.tolist(),
            strict=True,
        ):
            self._put(lane, row, departures.data[slot, start:end].data)

    def send_few(self, departures: FewDepartures, remotes: UInt64) -> None:
        lane = self._hastened
        self._learn(lane, np.array(departures.rows), remotes)
        for row, slot, length in zip(*departures, strict=True):
            self._put(lane, row, lane.views[slot][0][:length])

    def receive(self, phase: int) -> Batch | None:
        lane = self._lanes[phase]
        filled = 0
        for _ in range(ROUNDS):
            before = filled
            for descriptor, _event in lane.poll.poll(0):
                if filled == BATCH:
                    break
                filled += self._take(lane, lane.rows[descriptor], filled)
            if filled == before:
                break
        if not filled:
            return None
        return lane.batch(np.arange(filled), lane.batch_rows[:filled])

    def send(self, phase: int, outgoing: Outgoing, remotes: UInt64) -> None:
        lane = self._lanes[phase]
        self._learn(lane, outgoing.rows, remotes)
        for row, length in zip(outgoing.rows.tolist(), outgoing.lengths.tolist(), strict=True):
            self._put(lane, row, outgoing.packets[row, :length].data)

    def close(self) -> None:
        self._hastened.poll.close()
        for lane in self._lanes:
            lane.poll.close()
            for rtp in lane.sockets.values():
                rtp.close()

    def _take(self, lane: _Lane, row: int, index: int) -> int:
        try:
            length, control, _, source = lane.sockets[row].recvmsg_into(lane.views[index], STAMP_SPACE)
        except OSError:
            return 0  # nothing there, or an ICMP error to be taken off the socket
        words = lane.packed.get(source)
        if words is None:
            if len(lane.packed) > 8192:
                lane.packed.clear()
            words = lane.packed[source] = addresses.pack(source[0], source[1], self._family)
        lane.sources[index] = words
        seconds, nanoseconds = STAMP.unpack(control[0][2]) if control else (time.time(), 0)
        lane.arrivals[index] = seconds + nanoseconds * 1e-9
        lane.lengths[index] = length
        lane.batch_rows[index] = row
        return 1

    def _put(self, lane: _Lane, row: int, packet: memoryview) -> None:
        try:
            lane.sockets[row].sendto(packet, lane.destinations[row])
        except OSError:
            # Full buffers, or an answer by ICMP to a packet before: the next tick has the next packet.
            self._refused += 1

    def _learn(self, lane: _Lane, rows: Int64, remotes: UInt64) -> None:
        """Where the rows send to, in the form that the system call wants."""
        changed = (lane.known[rows] != remotes[rows]).any(axis=1)
        for row in rows[changed].tolist():
            lane.known[row] = remotes[row]
            lane.destinations[row] = self._destination(remotes[row])

    def _destination(self, words: UInt64) -> tuple[str, int]:
        host, port = addresses.unpack(words)
        if self._family == socket.AF_INET6 and ":" not in host:
            host = f"::ffff:{host}"
        return host, port


class _Lane:
    """The sockets and slots of one phase, or of the rows that are hastened."""

    def __init__(self, capacity: int) -> None:
        self.poll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.rows: dict[int, int] = {}
        self.destinations: dict[int, tuple[str, int]] = {}
        self.packed: dict[tuple[str, int], UInt64] = {}
        self.known = np.zeros((capacity, addresses.WORDS), np.uint64)
        self.slots = np.zeros((BATCH, SLOT), np.uint8)
        self.views = [[memoryview(slot)] for slot in self.slots]  # type: ignore[arg-type]  # rows of an array are buffers
        self.heads = np.ndarray(BATCH, RTP_HEAD, self.slots, 0, (SLOT,))
        self.sources = np.zeros((BATCH, addresses.WORDS), np.uint64)
        self.lengths = np.zeros(BATCH, np.int64)
        self.arrivals = np.zeros(BATCH, np.float64)
        self.batch_rows = np.zeros(BATCH, np.int64)
        sources = self.sources.data.cast("B").cast("L")
        octets = self.slots.data.cast("B")
        self.memory = Memory(octets, 0, SLOT, sources, 0, addresses.WORDS)

    def listen(self, row: int, rtp: socket.socket) -> None:
        """Receive for a row."""
        self.rows[rtp.fileno()] = row
        self.poll.register(rtp.fileno(), select.EPOLLIN)

    def ignore(self, rtp: socket.socket) -> None:
        """Receive no more."""
        self.poll.unregister(rtp.fileno())
        del self.rows[rtp.fileno()]

    def many(self, slots: Int64, rows: Int64) -> Many:
        """The packets in these slots, for the relay."""
        batch = self.batch(slots, rows)
        marks = np.empty((len(slots), MARKS), np.int64)
        marks[:, HEAD] = heads(batch)
        marks[:, LENGTH] = batch.lengths
        marks[:, REMOTE] = batch.sources.view(np.int64)
        return Many(self.slots, self.heads, slots, rows, marks, batch.arrivals)

    def batch(self, slots: Int64, rows: Int64) -> Batch:
        """The packets in these slots."""
        return Batch(
            self.slots,
            slots,
            rows,
            self.lengths[slots],
            self.sources[slots],
            self.arrivals[slots],
        )


def choose(kind: str, phases: int, capacity: int, family: int) -> Transport:
    """The transport asked for; `auto` is io_uring where it works.

    Raises OSError if io_uring is asked for in vain.
    """
    if kind == "io_uring" or (kind == "auto" and uring.works(family)):
        return uring.UringTransport(phases, capacity, family)
    return SocketTransport(phases, capacity, family)
