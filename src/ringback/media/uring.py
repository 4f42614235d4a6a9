"""The transport over io_uring: a lane for each phase, and one for all rows that are hastened."""

from __future__ import annotations

import contextlib
import os
import socket
import time

import numpy as np
import numpy.typing as npt

from ringback.media import addresses
from ringback.media.arrivals import Few, Many
from ringback.media.lane import Lane
from ringback.media.ports import SO_TIMESTAMPNS, drain
from ringback.media.rtp import Batch
from ringback.media.send import Outgoing
from ringback.media.straight import Departures, FewDepartures

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

SLOTS = 1024
"""Packets of a phase that may be waiting or in work; more wait in their sockets."""
HASTENED_SLOTS = 4096
"""The same for all hastened rows, whose packets stay until their rows' ticks."""


class UringTransport:
    """Raises OSError where io_uring is not to be had."""

    name = "io_uring"

    def __init__(self, phases: int, capacity: int, family: int) -> None:
        self._lanes = [Lane(capacity, family, SLOTS) for _ in range(phases)]
        self._hastened = Lane(capacity * phases, family, HASTENED_SLOTS)
        self._wake = self._hastened.wake()
        self._sockets: dict[tuple[int, int], socket.socket] = {}

    @property
    def refused(self) -> int:
        """Packets that the kernel did not take."""
        return sum(lane.refused for lane in (*self._lanes, self._hastened))

    def attach(self, phase: int, row: int, rtp: socket.socket) -> None:
        rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        drain(rtp)
        self._sockets[phase, row] = rtp
        self._lanes[phase].forget(row)
        self._lanes[phase].arm(row, rtp)

    def detach(self, phase: int, row: int) -> None:
        self.slow(phase, row)
        self._lanes[phase].disarm(row)
        self._lanes[phase].forget(row)
        self._sockets.pop((phase, row)).close()

    def receive(self, phase: int) -> Batch | None:
        return self._lanes[phase].receive()

    def send(self, phase: int, outgoing: Outgoing, remotes: UInt64) -> None:
        self._lanes[phase].send(outgoing, remotes)

    def flush(self, phase: int) -> None:
        self._lanes[phase].flush()

    def hasten(self, phase: int, row: int) -> None:
        place = row * len(self._lanes) + phase
        if not self._hastened.armed[place]:
            self._lanes[phase].disarm(row)
            self._lanes[phase].flush()
            self._hastened.arm(place, self._sockets[phase, row])
            self._hastened.flush()

    def slow(self, phase: int, row: int) -> None:
        place = row * len(self._lanes) + phase
        if self._hastened.armed[place]:
            self._hastened.disarm(place)
            self._hastened.flush()
            self._hastened.forget(place)
            self._lanes[phase].arm(row, self._sockets[phase, row])

    @property
    def wake(self) -> int:
        return self._wake

    def receive_hastened(self) -> Many | Few | None:
        if not self._hastened.ready:
            # Nothing so far: from here on the descriptor is to tell us.
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
        return self._hastened.receive_few()

    def recall(self, slots: Int64, rows: Int64) -> Batch:
        return self._hastened.batch(slots, rows)

    def release(self, slots: Int64) -> None:
        self._hastened.release(slots)

    def send_hastened(self, departures: Departures, remotes: UInt64) -> None:
        self._hastened.send_from(departures, remotes)

    def send_few(self, departures: FewDepartures, remotes: UInt64) -> None:
        self._hastened.send_few(departures, remotes)

    def close(self) -> None:
        for lane in (*self._lanes, self._hastened):
            lane.close()
        for rtp in self._sockets.values():
            rtp.close()


def works(family: int) -> bool:
    """Whether packets truly pass: the kernel may lack a part, or a sandbox forbid it."""
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    lane = None
    probe = socket.socket(family, socket.SOCK_DGRAM)
    try:
        lane = Lane(1, family, 8)
        probe.bind((host, 0))
        probe.setblocking(False)
        probe.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        lane.arm(0, probe)
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
        probe.close()
    return False
