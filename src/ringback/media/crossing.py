"""Bridges between workers: each tick a frame of linear audio goes to the other row's worker, by datagram.

Legs that meet are opened in one worker where there is room, so that this is the rare way. It costs a frame of
delay more than the tick's, and what is lost or comes late on it is silence. Keys go the same way.

Rows here are the worker's.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ringback.media.exchange import Exchange
from ringback.media.playout import SAMPLES

HEAD = struct.Struct("=5ic")
"""To (row, generation), from (worker, row, generation), and a key or nothing."""
AUDIO = b"\0"
QUEUE = 3
"""Frames that wait at most: more would only be delay."""
GULP = 4096


class Far(NamedTuple):
    """A row of another worker."""

    worker: int
    row: int
    generation: int


class Crossings:
    """`send(worker, datagram)` passes on; sans-IO."""

    def __init__(self, worker: int, exchange: Exchange, send: Callable[[int, bytes], None]) -> None:
        self._worker = worker
        self._exchange = exchange
        self._send = send
        self._far: dict[int, tuple[int, Far]] = {}
        self._frames: dict[int, deque[bytes]] = {}

    def __contains__(self, row: int) -> bool:
        return row in self._far

    def join(self, row: int, generation: int, far: Far) -> int:
        """The row hears one of another worker from now on. Returns the place where its audio is."""
        self._far[row] = (generation, far)
        self._frames[row] = deque(maxlen=QUEUE)
        return self._exchange.elsewhere(row)

    def part(self, row: int) -> None:
        """It does no more."""
        del self._far[row]
        del self._frames[row]

    def before(self, number: int) -> None:
        """A phase's tick comes: lay out what its rows hear in it."""
        for row, frames in self._frames.items():
            if row % self._exchange.phases == number:
                place = self._exchange.audio[self._exchange.elsewhere(row)]
                place[:] = np.frombuffer(frames.popleft(), np.int16) if frames else 0

    def after(self, number: int) -> None:
        """It is over: send what its rows said."""
        for row in self._far:
            if row % self._exchange.phases == number:
                self._post(row, AUDIO, self._exchange.audio[row].tobytes())

    def press(self, row: int, key: str) -> None:
        """The row's peer pressed a key."""
        self._post(row, key.encode(), b"")

    def receive(self, datagram: bytes) -> tuple[int, str] | None:
        """What came from another worker. Returns (row, key) of a key; what fits nothing is dropped."""
        if len(datagram) < HEAD.size:
            return None
        row, generation, *source, key = HEAD.unpack_from(datagram)
        if self._far.get(row) != (generation, Far(*source)):
            return None
        if key != AUDIO:
            return row, key.decode("latin-1")
        if len(datagram) == HEAD.size + 2 * SAMPLES:
            self._frames[row].append(datagram[HEAD.size :])
        return None

    def _post(self, row: int, key: bytes, audio: bytes) -> None:
        generation, far = self._far[row]
        head = HEAD.pack(far.row, far.generation, self._worker, row, generation, key)
        self._send(far.worker, head + audio)


class Crossroad:
    """The socket of a worker in the directory that all workers of a plane share, each by its number."""

    def __init__(self, directory: str, worker: int) -> None:
        self._directory = Path(directory)
        self._path = self._directory / str(worker)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._path.unlink(missing_ok=True)  # of the worker before that was lost
        self._socket.bind(os.fspath(self._path))

    def send(self, worker: int, datagram: bytes) -> None:
        """Never waits; what the other does not take is lost."""
        with contextlib.suppress(OSError):
            self._socket.sendto(datagram, os.fspath(self._directory / str(worker)))

    def receive(self) -> list[bytes]:
        """What has come."""
        came: list[bytes] = []
        while len(came) < GULP:
            try:
                came.append(self._socket.recv(2048))
            except OSError:
                break
        return came

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)
