"""One io_uring's worth of sockets: they receive into buffers by themselves, packets go out at once.

Each socket has one lasting receive request ("multishot", recvmsg with a provided buffer), which leaves for
each packet the sender's address, the kernel's time of arrival and the packet in a slot, ready to be parsed as
arrays.
"""

from __future__ import annotations

import mmap
import socket
import struct

import numpy as np
import numpy.typing as npt

from ringback.media import addresses
from ringback.media.arrivals import FEW, Few, Many, Memory
from ringback.media.arrivals import HEAD as RTP_HEAD
from ringback.media.ring import BUFFER, ENTRY, TAIL_AT, Ring, words_of
from ringback.media.rtp import Batch
from ringback.media.send import Outgoing
from ringback.media.straight import Departures, FewDepartures
from ringback.media.streams import HEAD, LENGTH, MARKS, REMOTE

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

OP_RECVMSG, OP_CANCEL, OP_SEND = 10, 14, 26
BUFFER_SELECT, SKIP_SUCCESS = 1 << 5, 1 << 6
RECEIVE_AGAIN = 1 << 1
"""IORING_RECV_MULTISHOT."""
HAS_BUFFER, MORE = 1 << 0, 1 << 1
BOTH = HAS_BUFFER | MORE

ROUNDS = 16
"""How often receives that have ended begin again in one look."""
SERIAL = 0xFFFFFF
"""Receives are numbered, in as many bits as this."""
NAME_AT, CONTROL_AT, PAYLOAD_AT = 16, 48, 80
"""Where things lie in a slot: after the kernel's header the address (32 octets), then one control message."""
SLOT = PAYLOAD_AT + 1520
SLOT_WORDS = SLOT // 8
CRUMB = np.dtype(f"V{PAYLOAD_AT + 16}")
"""The part of a slot that is looked at: all before the payload of RTP."""
CRUMB_WORDS = CRUMB.itemsize // 8
LENGTH_AT, STAMP_AT = 1, CONTROL_AT // 8 + 2
"""Words of a slot: the packet's length in the kernel's header, seconds and nanoseconds of its arrival."""
SOURCE = slice(NAME_AT // 8, NAME_AT // 8 + addresses.WORDS)
HEAD_AT = slice(PAYLOAD_AT // 4, PAYLOAD_AT // 4 + 3)
"""The header's words, of 32 bits."""
SEND_AT, SEND_LENGTH, CANCELLED, NAME = 2, 3, 2, 4
"""Words of an `ENTRY`: its addr, its len below its op_flags; what is to be cancelled; its user data."""
SENT = 1 << 62
"""Marks the completion of a send (or a cancellation); those of receives carry row and serial."""
_NOTHING = np.zeros(0, np.int64)


class Lane:
    """The ring, buffers and request templates of one phase, or of the rows that are hastened."""

    def __init__(self, capacity: int, family: int, slots: int) -> None:
        self.refused = 0
        entries = 1 << max(3, (capacity - 1).bit_length())
        self._ring = Ring(entries, 2 * entries + 2 * slots)
        self._slots = np.zeros((slots, SLOT), np.uint8)
        self._payload = self._slots[:, PAYLOAD_AT:]
        self._payload_at = self._payload.ctypes.data
        self._rtp_heads = np.ndarray(slots, RTP_HEAD, self._slots, PAYLOAD_AT, (SLOT,))
        self._crumbs = np.ndarray(slots, CRUMB, self._slots, 0, (SLOT,))
        self._words = self._slots.data.cast("B").cast("l")
        sources = self._slots.data.cast("B").cast("L")
        octets = self._slots.data.cast("B")
        self._memory = Memory(octets, PAYLOAD_AT, SLOT, sources, NAME_AT // 8, SLOT_WORDS)
        self.armed = np.zeros(capacity, np.bool_)
        self._serial = np.zeros(capacity, np.int64)
        self._current = np.full(capacity, -1, np.int64)
        """What completions of the row's receive carry."""
        self._current_items = self._current.data
        self._oldest = np.zeros(capacity, np.int64)
        """The serial number of the row's first receive whose packets are still the row's."""
        self._ended: set[int] = set()
        self._queued: set[int] = set()
        """Rows whose receive the kernel may not know of yet."""
        self._used: Int64 = np.zeros(0, np.int64)
        self._offer_slots()
        # What every receive asks for: room for the address and one control message.
        self._message = np.frombuffer(struct.pack("=QIIQQQQI4x", 0, 32, 0, 0, 0, 0, 32, 0), np.uint8).copy()
        receives = np.zeros(capacity, ENTRY)
        receives["opcode"] = OP_RECVMSG
        receives["flags"] = BUFFER_SELECT
        receives["ioprio"] = RECEIVE_AGAIN
        receives["addr"] = self._message.ctypes.data
        receives["len"] = 1
        self._receive_words, self._receive_of = words_of(receives), receives["fd"]
        cancels = np.zeros(capacity, ENTRY)
        cancels["opcode"] = OP_CANCEL
        cancels["flags"] = SKIP_SUCCESS
        cancels["user_data"] = SENT | 1
        self._cancel_words = words_of(cancels)
        self._sends = np.zeros(capacity, ENTRY)
        self._sends["opcode"] = OP_SEND
        self._sends["flags"] = SKIP_SUCCESS
        self._sends["op_flags"] = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
        self._sends["user_data"] = SENT
        self._sends["addr_len"] = addresses.SIZE[socket.AddressFamily(family)]
        self._send_words, self._send_by = words_of(self._sends), self._sends["fd"]
        self._send_octets = self._sends.view(np.uint8).data
        self._rows = np.arange(capacity, dtype=np.uint64)
        self._templates_of = 0

    def arm(self, row: int, rtp: socket.socket) -> None:
        """Receive for a row, from the next look at what has come on."""
        self.armed[row] = True
        self._serial[row] = serial = int(self._serial[row]) + 1
        name = row | (serial & SERIAL) << 32
        self._current[row] = self._receive_words[row, NAME] = self._cancel_words[row, CANCELLED] = name
        self._receive_of[row] = self._send_by[row] = rtp.fileno()
        self._ring.queue(self._receive_words[row : row + 1])
        self._queued.add(row)

    def disarm(self, row: int) -> None:
        """Receive no more, from the next look on; what has come is still to be had.

        The row's socket may be closed at once.
        """
        if not self.armed[row]:
            return
        if row in self._queued:
            self.flush()  # later the kernel would find another socket by that number, or none
        self.armed[row] = False
        self._current[row] = -1
        self._ended.discard(row)
        self._ring.queue(self._cancel_words[row : row + 1])

    def flush(self) -> None:
        """What was armed and disarmed is so from now on.

        Only when a receive is truly over does the kernel let go of the socket, and with it of the port.
        """
        if self._ring.unsent:
            self._ring.work()
        if not self._ring.unsent:
            self._queued.clear()

    def forget(self, row: int) -> None:
        """What has come for the row is nobody's."""
        self._oldest[row] = self._serial[row] + 1

    def wake(self) -> int:
        """See `Ring.wake`."""
        return self._ring.wake()

    @property
    def ready(self) -> bool:
        """Whether something has come; without a system call."""
        return self._ring.ready

    def receive(self) -> Batch | None:
        """What has come; valid until the next call."""
        self.release(self._used)
        self._used = self._used[:0]
        self._rearm()
        slots, rows = self._take_all()
        if self._queued and not self._ring.unsent:
            self._queued.clear()
        if not len(slots):
            return None
        self._used = slots
        return self.batch(slots, rows)

    def receive_few(self) -> Many | Few | None:
        """What has come, in one form or the other; its slots stay taken until `release`."""
        self._rearm()
        done = self._ring.peek(FEW)
        if done is None:
            return self._many()
        if not done:
            return None
        current, heads = self._current_items, self._words
        slots, rows, lengths, arrivals = [], [], [], []
        for user, _, flags in done:
            row = user & 0xFFFFFFFF
            if user != current[row] or flags & BOTH != BOTH:
                return self._many()
            slot = flags >> 16
            at = slot * SLOT_WORDS
            slots.append(slot)
            rows.append(row)
            lengths.append(heads[at + LENGTH_AT] & 0xFFFFFFFF)
            arrivals.append(heads[at + STAMP_AT] + heads[at + STAMP_AT + 1] * 1e-9)
        self._ring.skip(len(done))
        return Few(self._memory, slots, rows, lengths, arrivals)

    def _many(self) -> Many | None:
        slots, rows = self._take_all()
        if not len(slots):
            return None
        crumbs = self._crumbs[slots].view(np.int64).reshape(-1, CRUMB_WORDS)
        marks = np.empty((len(slots), MARKS), np.int64)
        marks[:, HEAD] = crumbs.view(">u4")[:, HEAD_AT]
        marks[:, LENGTH] = crumbs[:, LENGTH_AT] & 0xFFFFFFFF
        marks[:, REMOTE] = crumbs[:, SOURCE]
        return Many(self._payload, self._rtp_heads, slots, rows, marks, _arrivals(crumbs))

    def _take_all(self) -> tuple[Int64, Int64]:
        """Slots and rows of what has come.

        An empty packet ends its receive: without another look, a row that is sent many would hear but one of
        them a tick, and what is behind them too late.
        """
        slots, rows = self._take_some()
        for _ in range(ROUNDS):
            if not self._ended:
                break
            self._rearm()
            more, theirs = self._take_some()
            if not len(more):
                break
            slots, rows = np.concatenate((slots, more)), np.concatenate((rows, theirs))
        return slots, rows

    def _take_some(self) -> tuple[Int64, Int64]:
        if not self._ring.ready:
            return _NOTHING, _NOTHING
        done = self._ring.completions()
        user, flags = done[:, 0], done[:, 1] >> 32
        rows = user & 0xFFFFFFFF
        if (user == self._current[rows]).all() and (flags & BOTH == BOTH).all():
            # As nearly always: packets, and nothing else.
            return flags >> 16, rows
        return self._sort_out(user, flags, done[:, 1] & 0xFFFFFFFF)

    def _sort_out(self, user: Int64, flags: Int64, results: Int64) -> tuple[Int64, Int64]:
        """Completions of all kinds."""
        received = user < SENT
        self.refused += int((user == SENT).sum())
        rows = np.where(received, user & 0xFFFFFFFF, 0)
        serial = user >> 32 & SERIAL
        ours = received & ((serial - self._oldest[rows]) & SERIAL < SERIAL >> 1)
        # They begin again when slots are free.
        over = received & ((flags & MORE) == 0) & self.armed[rows] & (user == self._current[rows])
        if over.any():
            self._ended.update(rows[over].tolist())
        filled = (flags & HAS_BUFFER) != 0
        slots = flags >> 16
        good = ours & filled & (results >= PAYLOAD_AT) & (results < 1 << 31)
        if not good.all():
            self.release(slots[filled & ~good])
        return slots[good], rows[good]

    def send(self, outgoing: Outgoing, remotes: UInt64) -> None:
        base = outgoing.packets.ctypes.data
        if base != self._templates_of:
            self._sends["addr"] = base + self._rows * np.uint64(outgoing.packets.strides[0])
            self._address(remotes)
            self._templates_of = base
        requests = self._send_words.take(outgoing.rows, axis=0)
        requests[:, SEND_LENGTH] |= outgoing.lengths
        self._ring.queue(requests)
        self._ring.flush()

    def send_from(self, departures: Departures, remotes: UInt64) -> None:
        """Packets that may lie anywhere."""
        self._address_once(remotes)
        data = departures.data
        requests = self._send_words.take(departures.rows, axis=0)
        requests[:, SEND_AT] = departures.slots * data.strides[0] + departures.starts
        requests[:, SEND_AT] += data.ctypes.data
        requests[:, SEND_LENGTH] |= departures.lengths
        for first in range(0, len(requests), self._ring.entries):
            self._ring.queue(requests[first : first + self._ring.entries])
        self._ring.flush()

    def send_few(self, departures: FewDepartures, remotes: UInt64) -> None:
        """A few packets that lie in slots."""
        self._address_once(remotes)
        sends, ring = self._send_octets, self._ring
        for row, slot, length in zip(*departures, strict=True):
            template = sends[row * ENTRY.itemsize : (row + 1) * ENTRY.itemsize]
            ring.put(template, self._payload_at + slot * SLOT, length)
        ring.flush()

    def batch(self, slots: Int64, rows: Int64) -> Batch:
        """The packets in these slots."""
        crumbs = self._crumbs[slots].view(np.int64).reshape(-1, CRUMB_WORDS)
        lengths = crumbs[:, LENGTH_AT] & 0xFFFFFFFF
        return Batch(
            self._payload, slots, rows, lengths, crumbs[:, SOURCE].view(np.uint64), _arrivals(crumbs)
        )

    def release(self, slots: Int64) -> None:
        """Give slots back to the kernel."""
        if not len(slots):
            return
        tail = int(self._offers_tail[0])
        places = (tail + self._numbers[: len(slots)]) & (len(self._slots) - 1)
        self._offers[places] = self._offered[slots]
        self._offers_tail[0] = (tail + len(slots)) & 0xFFFF

    def close(self) -> None:
        self._ring.close()

    def _address(self, remotes: UInt64) -> None:
        self._sends["addr2"] = remotes.ctypes.data + self._rows * np.uint64(remotes.strides[0])

    def _address_once(self, remotes: UInt64) -> None:
        if remotes.ctypes.data != self._templates_of:
            self._address(remotes)
            self._templates_of = remotes.ctypes.data

    def _rearm(self) -> None:
        """Receives that the kernel gave up, out of slots or by an ICMP error, begin again."""
        if self._ended:
            self._ring.queue(self._receive_words[sorted(self._ended)])
            self._queued |= self._ended
            self._ended.clear()

    def _offer_slots(self) -> None:
        """Register the buffers (io_uring_register(2), IORING_REGISTER_PBUF_RING)."""
        count = len(self._slots)
        self._pages = mmap.mmap(-1, count * BUFFER.itemsize)
        offered = np.zeros(count, BUFFER)
        self._numbers = np.arange(count, dtype=np.int64)
        offered["addr"] = self._slots.ctypes.data + self._numbers * SLOT
        offered["len"] = SLOT
        offered["bid"] = self._numbers
        # What is offered of each slot; the last two octets of a place are not ours to write.
        place = np.dtype(f"V{TAIL_AT}")
        self._offered = np.ndarray(count, place, offered, 0, BUFFER.itemsize)
        self._offers = np.ndarray(count, place, self._pages, 0, BUFFER.itemsize)
        self._offers_tail = np.frombuffer(self._pages, np.uint16, 1, TAIL_AT)
        self._ring.register_buffers(self._offers.ctypes.data, count, 0)
        self.release(self._numbers)


def _arrivals(crumbs: Int64) -> npt.NDArray[np.float64]:
    arrivals: npt.NDArray[np.float64] = crumbs[:, STAMP_AT] + crumbs[:, STAMP_AT + 1] * 1e-9
    return arrivals
