"""What a worker says to the gateway, which writes recordings: orders, and a block for every tick of a phase
that has tapped rows.

Each message is a head of 16 octets (little-endian: what follows in octets, rows, tick) and a body: an order
in msgpack where the head says no rows, else row numbers (32 bit), lags [row, heard and sent] (16 bit) and
frames [row, heard and sent, sample].
A tick is a count of its phase's frames that goes on whether frames are made, skipped or lost: it is what
keeps a recording in time. Orders and blocks come in the order in which they happened.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from ringback.media.model import RecordingTrack

Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]

SAMPLES = 160
BLOCKS = 4
"""In a frame, of 5 ms: what lags are told in."""
LOOKBACK = 13
"""Frames by which audio may lag: a full jitter buffer, and the way into it."""
HEAD = struct.Struct("<IIQ")
ROW_OCTETS = 4 + 2 * 2 + 2 * SAMPLES * 2
LARGEST = 16 << 20
WAITING = 32 << 20
"""Octets that wait for a gateway that is slow, or only just starting; beyond that blocks are lost."""
LAST_WORDS = 1.0
"""Seconds that a worker which ends tries to get rid of what still waits."""
SEND_BUFFER = 4 << 20


class _Order(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Worker to gateway. `tick` is the first frame that it holds for."""


class Hello(_Order, frozen=True):
    """The first on a line: which worker it is, and its number of rows."""

    worker: int
    rows: int


class Start(_Order, frozen=True):
    row: int
    tick: int
    id: int
    path: str
    channels: int
    track: RecordingTrack


class Pause(_Order, frozen=True):
    row: int
    tick: int
    id: int
    paused: bool
    silence: bool


class Stop(_Order, frozen=True):
    row: int
    tick: int
    id: int


Order = Hello | Start | Pause | Stop


class Block(NamedTuple):
    """What the tapped rows of a phase heard and sent in a tick: frames [row, heard and sent, sample].

    Each had come, or left, so many blocks of 5 ms before the tick as its lag [row, heard and sent] says.
    """

    tick: int
    rows: Int64
    frames: Int16
    lags: Int64


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)


def encode_order(order: Order) -> bytes:
    """An order as it goes over the line."""
    body = _encoder.encode(order)
    return HEAD.pack(len(body), 0, 0) + body


def encode_block(block: Block) -> tuple[bytes, bytes, memoryview]:
    """A block as it goes over the line: head, rows with lags, frames."""
    count = len(block.rows)
    rows = block.rows.astype("<i4").tobytes() + block.lags.astype("<i2").tobytes()
    return HEAD.pack(count * ROW_OCTETS, count, block.tick), rows, block.frames.data.cast("B")


class Reader:
    """Cuts what comes over a line into orders and blocks. Raises ValueError for what is neither."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> Iterator[Order | Block]:
        """The messages that are complete with `data`. A block's arrays are read-only copies."""
        self._buffer += data
        start, size = 0, len(self._buffer)
        view = memoryview(bytes(self._buffer))
        while size - start >= HEAD.size:
            length, count, tick = HEAD.unpack_from(view, start)
            if length > LARGEST or (count and length != count * ROW_OCTETS):
                raise ValueError(f"a message of {length} octets for {count} rows")
            end = start + HEAD.size + length
            if end > size:
                break
            yield _message(view[start + HEAD.size : end], count, tick)
            start = end
        del self._buffer[:start]


def _message(body: memoryview, count: int, tick: int) -> Order | Block:
    if not count:
        return _decoder.decode(body)  # msgspec's errors are ValueErrors
    rows = np.frombuffer(body[: 4 * count], "<i4").astype(np.int64)
    lags = np.frombuffer(body[4 * count : 8 * count], "<i2").astype(np.int64).reshape(count, 2)
    return Block(tick, rows, np.frombuffer(body[8 * count :], "<i2").reshape(count, 2, SAMPLES), lags)


class TapLine:
    """The worker's end. Nothing here ever waits.

    `address` is the name of the gateway's socket in the abstract namespace. The line is made with the first
    order, and again with the next one after it broke.
    """

    def __init__(self, address: str, worker: int, rows: int) -> None:
        self._address = address
        self._hello = Hello(worker, rows)
        self._socket: socket.socket | None = None
        self._queue: deque[bytes | memoryview] = deque()
        self._waiting = 0
        self.lost = 0
        """Frames of rows that were dropped because the gateway did not keep up."""

    @property
    def waiting(self) -> bool:
        """Whether something is yet to be sent."""
        return bool(self._waiting)

    @property
    def connected(self) -> bool:
        """Whether there is a line. Blocks are for nobody while there is none."""
        return self._socket is not None

    def order(self, order: Order) -> None:
        """Send an order. Raises OSError where there is no gateway."""
        if self._socket is None:
            self._connect()
        self._put(encode_order(order))
        self.flush()

    def block(self, block: Block) -> None:
        """Send a block, or count its frames as lost."""
        if self._socket is None:
            return
        if self._waiting > WAITING:
            self.lost += len(block.rows)
            return
        head, rows, frames = encode_block(block)
        if self._queue:
            self._put(b"".join((head, rows, frames)))
            return
        try:
            sent = self._socket.sendmsg((head, rows, frames))
        except BlockingIOError:
            sent = 0
        except OSError:
            self._break()
            return
        if sent < len(head) + len(rows) + len(frames):
            self._put(b"".join((head, rows, frames))[sent:])

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it now."""
        while self._queue and self._socket is not None:
            first = self._queue[0]
            try:
                sent = self._socket.send(first)
            except BlockingIOError:
                return
            except OSError:
                self._break()
                return
            self._waiting -= sent
            if sent < len(first):
                self._queue[0] = memoryview(first)[sent:]
                return
            self._queue.popleft()

    def close(self) -> None:
        """End the line, with a moment for what still waits."""
        if self._socket is None:
            return
        until = time.monotonic() + LAST_WORDS
        self._socket.setblocking(True)
        with contextlib.suppress(OSError):
            while self._queue and (left := until - time.monotonic()) > 0:
                self._socket.settimeout(left)
                self._socket.sendall(self._queue.popleft())
        self._break()

    def _put(self, data: bytes) -> None:
        self._queue.append(data)
        self._waiting += len(data)

    def _connect(self) -> None:
        if not self._address:
            raise ConnectionError("recordings are not written here")
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.setblocking(False)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        try:
            line.connect(f"\0{self._address}")
            trust(line)
        except OSError:
            line.close()
            raise
        self._socket = line
        self._put(encode_order(self._hello))

    def _break(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._queue.clear()
        self._waiting = 0


def trust(line: socket.socket) -> None:
    """Names in the abstract namespace are anybody's: the other end must be a process of our own user.

    Raises PermissionError.
    """
    credentials = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, user, _ = struct.unpack("3i", credentials)
    if user != os.geteuid():
        raise PermissionError(f"the other end belongs to user {user}")
