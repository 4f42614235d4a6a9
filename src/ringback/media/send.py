"""RTP out of all rows: one frame a tick into each row's packet."""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media import codecs, rtp
from ringback.media.rows import Rows

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

SAMPLES = 160
SLOT = 512
"""Octets of a row's packet: header and 60 ms of G.711, rounded up."""
_SILENCE = np.array(codecs.SILENCE, np.uint8)


class Outgoing(NamedTuple):
    """Packets to send: row `rows[i]`'s is `packets[rows[i], :lengths[i]]`."""

    rows: Int64
    packets: UInt8
    lengths: Int64


class Senders(Rows):
    """SSRC, sequence and timestamp of a row go on through everything that it sends."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.active = self.column(np.bool_)
        self.packets = self.column(np.int64)
        self.octets = self.column(np.int64)
        self.event_packets = self.column(np.int64)
        self.ssrc = self.column(np.int64)
        self.timestamp = self.column(np.int64)
        """Of the frame that the next tick makes."""
        self.codec = self.column(np.int64)
        self._sequence = self.column(np.int64)
        self._payload_type = self.column(np.int64)
        self._event_type = self.column(np.int64)
        self._frames = self.column(np.int64, initial=1)
        self._filled = self.column(np.int64)
        self._marker = self.column(np.bool_, initial=True)
        self._event = self.column(np.bool_)
        self._event_timestamp = self.column(np.int64)
        self._out = self.column(np.uint8, (SLOT,))
        self._payload = self.column(np.uint8, (SAMPLES,))

    def begin(self, row: int) -> None:
        """A new leg: random SSRC, sequence and timestamp (RFC 3550, 5.1)."""
        self.reset(row)
        self.ssrc[row] = secrets.randbits(32)
        self.timestamp[row] = secrets.randbits(32)
        self._sequence[row] = secrets.randbits(16)

    def configure(
        self, row: int, *, active: bool, payload_type: int, codec: str, frames: int, event_type: int | None
    ) -> None:
        """What is sent, and whether; `frames` of 20 ms go into a packet."""
        if active and not self.active[row]:
            self._marker[row] = True
        self.active[row] = active
        self._payload_type[row] = payload_type
        self.codec[row] = codecs.CODECS[codec]
        self._event_type[row] = event_type or 0
        self._frames[row] = frames
        self._filled[row] = 0

    def put_event(self, row: int, payload: bytes, first: bool) -> None:
        """This tick the row sends a telephone event and no audio."""
        if first:
            self._event_timestamp[row] = self.timestamp[row]
        self._marker[row] = first
        self._event[row] = True
        self._out[row, rtp.HEADER : rtp.HEADER + 4] = np.frombuffer(payload, np.uint8)

    def build(self, count: int, frames: Int16, audible: Bool) -> Outgoing:
        """One frame of rows 0 to `count`; those not `audible` send silence."""
        self._encode(count, frames, audible)
        active, event = self.active[:count], self._event[:count]
        filled, wanted = self._filled[:count], self._frames[:count]
        self._lay(count)
        filled += active
        due = active & ((filled >= wanted) | event)
        self._write(count, filled, event)
        lengths = rtp.HEADER + SAMPLES * filled
        lengths[event] = rtp.HEADER + 4
        self.timestamp[:count] = (self.timestamp[:count] + SAMPLES) & 0xFFFFFFFF
        self._sequence[:count] = (self._sequence[:count] + due) & 0xFFFF
        self.packets[:count] += due
        self.octets[:count] += np.where(due, lengths - rtp.HEADER, 0)
        self.event_packets[:count] += event & due
        self._marker[:count] &= ~due
        filled[due] = 0
        rows = np.nonzero(due)[0]
        # The audio that follows an event begins a talk spurt of its own (RFC 3551, 4.1).
        self._marker[:count] |= event
        event[:] = False
        return Outgoing(rows, self._out, lengths[rows])

    def skip(self, count: int, frames: int) -> None:
        """Time has passed without packets: the timestamps pass with it."""
        self.timestamp[:count] = (self.timestamp[:count] + frames * SAMPLES) & 0xFFFFFFFF

    def _encode(self, count: int, frames: Int16, audible: Bool) -> None:
        codec = self.codec[:count]
        payload = self._payload[:count]
        payload[~audible] = _SILENCE[codec[~audible], None]
        for number in (codecs.PCMU, codecs.PCMA):
            rows = np.nonzero(audible & (codec == number))[0]
            if len(rows):
                payload[rows] = codecs.encode(frames[rows], number)

    def _lay(self, count: int) -> None:
        """Put the payload behind the frames that wait in the packet already."""
        filled, event = self._filled[:count], self._event[:count]
        body = self._out[:count, rtp.HEADER : rtp.HEADER + 3 * SAMPLES].reshape(count, 3, SAMPLES)
        if event.any():
            filled[event] = 0
            rows = np.nonzero(~event)[0]
            body[rows, filled[rows]] = self._payload[rows]
        elif filled.any():
            body[np.arange(count), filled] = self._payload[:count]
        else:
            body[:, 0] = self._payload[:count]

    def _write(self, count: int, filled: Int64, event: Bool) -> None:
        payload_type, timestamp = self._payload_type[:count], self.timestamp[:count]
        first = (timestamp - SAMPLES * np.maximum(filled - 1, 0)) & 0xFFFFFFFF
        if event.any():
            payload_type = np.where(event, self._event_type[:count], payload_type)
            first = np.where(event, self._event_timestamp[:count], first)
        rtp.write_headers(
            self._out[:count],
            payload_type,
            self._marker[:count],
            self._sequence[:count],
            first,
            self.ssrc[:count],
        )
