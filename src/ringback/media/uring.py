"""The transport over io_uring: sockets receive into a phase's buffers by themselves, a tick's packets go out
at once.

Each socket has one lasting receive request ("multishot", recvmsg with a provided buffer), which leaves for
each packet the sender's address, the kernel's time of arrival and the packet in a slot, ready to be parsed as
arrays.
"""

from __future__ import annotations

import mmap
import socket
import struct
import time

import numpy as np
import numpy.typing as npt

from ringback.media import addresses
from ringback.media.ports import SO_TIMESTAMPNS, drain
from ringback.media.ring import BUFFER, ENTRY, Ring
from ringback.media.rtp import Batch
from ringback.media.send import Outgoing

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

OP_RECVMSG, OP_CANCEL, OP_SEND = 10, 14, 26
BUFFER_SELECT, SKIP_SUCCESS = 1 << 5, 1 << 6
RECEIVE_AGAIN = 1 << 1
"""IORING_RECV_MULTISHOT."""
HAS_BUFFER, MORE = 1 << 0, 1 << 1

SLOTS = 1024
"""Packets of a phase that may be waiting or in work; more wait in their sockets."""
NAME_AT, CONTROL_AT, PAYLOAD_AT = 16, 48, 80
"""Where things lie in a slot: after the kernel's header the address (32 octets), then one control message."""
SLOT = PAYLOAD_AT + 1520
SENT = 1 << 62
"""Marks the completion of a send (or a cancellation); those of receives carry row and serial."""


class UringTransport:
    """Raises OSError where io_uring is not to be had."""

    name = "io_uring"

    def __init__(self, phases: int, capacity: int, family: int) -> None:
        self._lanes = [_Lane(capacity, family) for _ in range(phases)]

    @property
    def refused(self) -> int:
        """Packets that the kernel did not take."""
        return sum(lane.refused for lane in self._lanes)

    def attach(self, phase: int, row: int, rtp: socket.socket) -> None:
        self._lanes[phase].attach(row, rtp)

    def detach(self, phase: int, row: int) -> None:
        self._lanes[phase].detach(row)

    def receive(self, phase: int) -> Batch | None:
        return self._lanes[phase].receive()

    def send(self, phase: int, outgoing: Outgoing, remotes: UInt64) -> None:
        self._lanes[phase].send(outgoing, remotes)

    def close(self) -> None:
        for lane in self._lanes:
            lane.close()


class _Lane:
    """The ring, buffers and request templates of one phase."""

    def __init__(self, capacity: int, family: int) -> None:
        self.refused = 0
        entries = 1 << max(3, (capacity - 1).bit_length())
        self._ring = Ring(entries, 2 * entries + 2 * SLOTS)
        self._slots = np.zeros((SLOTS, SLOT), np.uint8)
        self._payload = self._slots[:, PAYLOAD_AT:]
        self._sockets: dict[int, socket.socket] = {}
        self._serial = np.zeros(capacity, np.int64)
        self._ended: set[int] = set()
        self._used: Int64 = np.zeros(0, np.int64)
        self._offer_slots()
        # What every receive asks for: room for the address and one control message.
        self._message = np.frombuffer(struct.pack("=QIIQQQQI4x", 0, 32, 0, 0, 0, 0, 32, 0), np.uint8).copy()
        self._receives = np.zeros(capacity, ENTRY)
        self._receives["opcode"] = OP_RECVMSG
        self._receives["flags"] = BUFFER_SELECT
        self._receives["ioprio"] = RECEIVE_AGAIN
        self._receives["addr"] = self._message.ctypes.data
        self._receives["len"] = 1
        self._sends = np.zeros(capacity, ENTRY)
        self._sends["opcode"] = OP_SEND
        self._sends["flags"] = SKIP_SUCCESS
        self._sends["op_flags"] = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
        self._sends["user_data"] = SENT
        self._sends["addr_len"] = addresses.SIZE[socket.AddressFamily(family)]
        self._templates_of = 0

    def attach(self, row: int, rtp: socket.socket) -> None:
        rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        drain(rtp)
        self._sockets[row] = rtp
        self._ended.discard(row)
        self._serial[row] += 1
        self._receives["fd"][row] = self._sends["fd"][row] = rtp.fileno()
        self._receives["user_data"][row] = row | int(self._serial[row] & 0xFFFFFF) << 32
        self._ring.submit(self._receives[row : row + 1])

    def detach(self, row: int) -> None:
        cancel = np.zeros(1, ENTRY)
        cancel["opcode"] = OP_CANCEL
        cancel["flags"] = SKIP_SUCCESS
        cancel["addr"] = self._receives["user_data"][row]
        cancel["user_data"] = SENT | 1
        self._ring.submit(cancel)
        # Only when the receive is truly over does the kernel let go of the socket, and with it of the port.
        self._ring.work()
        self._serial[row] += 1
        self._ended.discard(row)
        self._sockets.pop(row).close()

    def receive(self) -> Batch | None:
        self._recycle()
        self._rearm()
        done = self._ring.completions()
        if not len(done):
            return None
        user, flags = done["user_data"].astype(np.int64), done["flags"].astype(np.int64)
        received = user < SENT
        self.refused += int((user == SENT).sum())
        rows = user & 0xFFFFFFFF
        current = received & (user >> 32 == self._serial[np.where(received, rows, 0)] & 0xFFFFFF)
        filled = (flags & HAS_BUFFER) != 0
        slots = flags >> 16
        self._used = slots[filled]
        # They begin again when the slots of this batch are free.
        self._ended.update(rows[current & ((flags & MORE) == 0)].tolist())
        good = current & filled & (done["res"] >= PAYLOAD_AT)
        return self._batch(slots[good], rows[good])

    def send(self, outgoing: Outgoing, remotes: UInt64) -> None:
        base = outgoing.packets.ctypes.data
        if base != self._templates_of:
            count = np.arange(len(self._sends), dtype=np.uint64)
            self._sends["addr"] = base + count * np.uint64(outgoing.packets.strides[0])
            self._sends["addr2"] = remotes.ctypes.data + count * np.uint64(remotes.strides[0])
            self._templates_of = base
        requests = self._sends[outgoing.rows]
        requests["len"] = outgoing.lengths
        self._ring.submit(requests)

    def close(self) -> None:
        self._ring.close()
        for rtp in self._sockets.values():
            rtp.close()

    def _batch(self, slots: Int64, rows: Int64) -> Batch | None:
        if not len(slots):
            return None
        head = self._slots[slots, :PAYLOAD_AT]
        lengths = head.view(np.uint32)[:, 2].astype(np.int64)
        sources = head.view(np.uint64)[:, NAME_AT // 8 : NAME_AT // 8 + addresses.WORDS]
        stamp = head.view(np.int64)[:, CONTROL_AT // 8 + 2 : CONTROL_AT // 8 + 4]
        arrivals = stamp[:, 0] + stamp[:, 1] * 1e-9
        return Batch(self._payload, slots, rows, lengths, np.ascontiguousarray(sources), arrivals)

    def _rearm(self) -> None:
        """Receives that the kernel gave up, out of slots or by an ICMP error, begin again."""
        if self._ended:
            self._ring.submit(self._receives[sorted(self._ended)])
            self._ended.clear()

    def _offer_slots(self) -> None:
        """Register the buffers (io_uring_register(2), IORING_REGISTER_PBUF_RING)."""
        self._pages = mmap.mmap(-1, SLOTS * BUFFER.itemsize)
        self._offers = np.frombuffer(self._pages, BUFFER, SLOTS)
        self._offers_tail = np.frombuffer(self._pages, np.uint16, 1, 14)
        self._ring.register_buffers(self._offers.ctypes.data, SLOTS, 0)
        self._used = np.arange(SLOTS, dtype=np.int64)
        self._recycle()

    def _recycle(self) -> None:
        """Give the slots of the last batch back to the kernel."""
        used = self._used
        if not len(used):
            return
        tail = int(self._offers_tail[0])
        places = (tail + np.arange(len(used))) & (SLOTS - 1)
        self._offers["addr"][places] = self._slots.ctypes.data + used * SLOT
        self._offers["len"][places] = SLOT
        self._offers["bid"][places] = used
        self._offers_tail[0] = (tail + len(used)) & 0xFFFF
        self._used = used[:0]


def works(family: int) -> bool:
    """Whether packets truly pass: the kernel may lack a part, or a sandbox forbid it."""
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    lane = None
    try:
        lane = _Lane(1, family)
        probe = socket.socket(family, socket.SOCK_DGRAM)
        probe.bind((host, 0))
        probe.setblocking(False)
        lane.attach(0, probe)
        remote = addresses.pack(host, probe.getsockname()[1], family)[None, :]
        packet = np.arange(512, dtype=np.uint8)[None, :]
        lane.send(Outgoing(np.zeros(1, np.int64), packet, np.full(1, 172)), remote)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            batch = lane.receive()
            if batch is not None:
                got = batch.data[batch.slots[0], : batch.lengths[0]]
                return got.tobytes() == packet[0, :172].tobytes() and bool((batch.sources == remote).all())
    except OSError:
        return False
    finally:
        if lane is not None:
            lane.close()
    return False
