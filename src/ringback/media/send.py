"""RTP out of all rows: one frame a tick into each row's packet."""

from __future__ import annotations

import secrets
import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media import codecs, rtp
from ringback.media.g722 import Encoder
from ringback.media.rows import Rows
from ringback.media.streams import OCTETS, OUT, PACKETS, SEQUENCE, TIMESTAMP, Streams

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

SAMPLES = 160
SLOT = 512
"""Octets of a row's packet: header and 60 ms of G.711, rounded up."""
PATIENCE = 5
"""Ticks without anything to relay after which the far end is sent silence."""
FRESH = struct.Struct("=IIH")
"""SSRC, timestamp and sequence number of a new leg."""
MARKER = 0x80
"""The bit of it in a header's second octet."""
_SPOKEN, _LAPSED = np.zeros((2, OUT), np.int64)
"""What a tick adds to a row's numbers where it sends a packet of one frame, and where it sends none."""
_SPOKEN[[SEQUENCE, PACKETS]] = 1
_SPOKEN[[TIMESTAMP, OCTETS]] = _LAPSED[TIMESTAMP] = SAMPLES
_STEPS = np.stack([_LAPSED, _SPOKEN])
_WRAP = np.full(OUT, -1)
"""What is left of them: the bits that the wire has room for."""
_WRAP[SEQUENCE] = 0xFFFF
_WRAP[TIMESTAMP] = 0xFFFFFFFF
_NOBODY = np.zeros(0, np.int64)


class Outgoing(NamedTuple):
    """Packets to send: row `rows[i]`'s is `packets[rows[i], :lengths[i]]`."""

    rows: Int64
    packets: UInt8
    lengths: Int64


class Senders(Rows):
    """SSRC, sequence and timestamp of a row go on through everything that it sends.

    While the relay speaks for a row (it is `carried`), the tick keeps the row's time and sends nothing, until
    nothing has come for `PATIENCE` ticks: then it sends silence. Timestamps only grow: a tick that would make
    what the relay has sent already is `held`.
    """

    def __init__(self, capacity: int, streams: Streams, number: int) -> None:
        super().__init__(capacity)
        mine = slice(number, None, streams.phases)
        self.active = self.column(np.bool_)
        self._numbers = self.share(streams.out[mine])
        self.packets = streams.packets[mine]
        self.octets = streams.octets[mine]
        self.event_packets = self.share(streams.event_packets[mine])
        self.ssrc = streams.ssrc[mine]
        self.timestamp = streams.timestamp[mine]
        self.carried = streams.carried[mine]
        self.codec = self.column(np.int64)
        self._sequence = streams.sequence[mine]
        self._end = streams.end[mine]
        self._relayed = streams.relayed[mine]
        self._idle = self.column(np.int64)
        """Ticks since something was relayed."""
        self._encoders: dict[int, Encoder] = {}
        self._payload_type = self.column(np.uint8)
        self._event_type = self.column(np.uint8)
        self._frames = self.column(np.int64, initial=1)
        self._filled = self.column(np.int64)
        self._marker = self.column(np.uint8, initial=MARKER)
        self._event = self.column(np.bool_)
        self._event_timestamp = self.column(np.int64)
        self._out = self.column(np.uint8, (SLOT,))
        self._payload = self.column(np.uint8, (SAMPLES,))
        self._second = self._out[:, 1]
        self._sequences = self._out.view(">u2")[:, 1]
        self._timestamps = self._out.view(">u4")[:, 1]
        self._body = self._out[:, rtp.HEADER : rtp.HEADER + SAMPLES]
        self._nobody = np.zeros(capacity, np.bool_)
        self._lengths = np.full(capacity, rtp.HEADER + SAMPLES)
        self._longer: set[int] = set()
        """Rows that send more than one frame in a packet."""
        self._pressing = False
        """Some row sends a telephone event in this tick."""
        self._relaying = False
        """The relay speaks for some row, or has sent more than its tick would have."""

    def begin(self, row: int) -> None:
        """A new leg: random SSRC, sequence and timestamp (RFC 3550, 5.1)."""
        self.ssrc[row], self.timestamp[row], self._sequence[row] = FRESH.unpack(
            secrets.token_bytes(FRESH.size)
        )
        self._end[row] = self.timestamp[row]
        self._out[row, 0] = rtp.PLAIN
        self._out.view(">u4")[row, 2] = self.ssrc[row]

    def configure(
        self, row: int, *, active: bool, payload_type: int, codec: str, frames: int, event_type: int | None
    ) -> None:
        """What is sent, and whether; `frames` of 20 ms go into a packet."""
        if active and not self.active[row]:
            self._marker[row] = MARKER
        self.active[row] = active
        self._payload_type[row] = payload_type
        self.codec[row] = codecs.CODECS[codec]
        if codec == "G722":
            self._encoders.setdefault(row, Encoder())
        self._event_type[row] = event_type or 0
        self._frames[row] = frames
        self._filled[row] = 0
        (self._longer.add if frames > 1 else self._longer.discard)(row)

    def put_event(self, row: int, payload: bytes, first: bool) -> None:
        """This tick the row sends a telephone event and no audio."""
        if first:
            self._event_timestamp[row] = self.timestamp[row]
        self._marker[row] = MARKER if first else 0
        self._event[row] = self._pressing = True
        self._out[row, rtp.HEADER : rtp.HEADER + 4] = np.frombuffer(payload, np.uint8)

    def drop(self, row: int) -> None:
        self._encoders.pop(row, None)
        self._longer.discard(row)

    def held(self, count: int, carried: Bool) -> Bool:
        """Take which of the rows 0 to `count` the relay speaks for from now on.

        Returns those that must let this tick pass, as the relay has sent its 20 ms already.
        """
        if not (self._relaying or np.count_nonzero(carried)):
            return self._nobody[:count]
        changed = carried != self.carried[:count]
        if np.count_nonzero(changed):
            self._filled[:count][changed] = 0
            self._idle[:count][changed] = 0
            self._marker[:count][changed & ~carried] = MARKER
            self.carried[:count] = carried
        held: Bool = ~carried & (_ahead(self._end[:count], self.timestamp[:count]) > 0)
        self._relaying = bool(np.count_nonzero(carried | held))
        return held

    def build(self, count: int, frames: Int16, audible: Bool, held: Bool) -> Outgoing:
        """One frame of rows 0 to `count`; those not `audible` send silence, those `held` nothing."""
        speaking, relays = self.active[:count], None
        if self._relaying:
            idle, carried = self._idle[:count], self.carried[:count]
            idle += 1
            idle[self._relayed[:count]] = 0
            relays = carried & (idle < PATIENCE)
            speaking = speaking & ~held & ~relays
            relays = held | (carried & ~speaking)
        if not np.count_nonzero(speaking):
            return self._depart(count, speaking, relays)
        self._encode(count, frames, audible, speaking)
        if self._longer or self._pressing:
            return self._fill(count, speaking, relays)
        self._body[:count] = self._payload[:count]
        self._write(count)
        self._marker[:count][speaking] = 0
        return self._depart(count, speaking, relays)

    def skip(self, count: int, frames: int) -> None:
        """Time has passed without packets: the timestamps pass with it."""
        self.timestamp[:count] = (self.timestamp[:count] + frames * SAMPLES) & 0xFFFFFFFF

    def _depart(self, count: int, due: Bool, relays: Bool | None) -> Outgoing:
        """A frame's time passes, and packets of a frame go out from rows `due`; what rows `relays` have sent
        last was not the tick's.
        """
        numbers = self._numbers[:count]
        numbers += _STEPS.take(due.view(np.int8), axis=0)
        numbers &= _WRAP
        self._end_frame(count, relays)
        rows = due.nonzero()[0]
        return Outgoing(rows, self._out, self._lengths[: len(rows)])

    def _end_frame(self, count: int, relays: Bool | None) -> None:
        """What was sent last ends with this frame, but in rows that are the relay's."""
        timestamp, end = self.timestamp[:count], self._end[:count]
        if relays is None:
            end[:] = timestamp
            return
        np.copyto(end, timestamp, where=~relays)
        relayed = self._relayed[:count]
        rows = (relayed & self.carried[:count]).nonzero()[0]
        if len(rows):
            # The time line is the far source's now; its clock is not quite ours.
            ahead = _ahead(timestamp[rows], end[rows])
            ahead = np.minimum(np.maximum(ahead, -SAMPLES), 2 * SAMPLES)
            timestamp[rows] = (end[rows] + ahead) & 0xFFFFFFFF
        relayed[:] = False

    def _encode(self, count: int, frames: Int16, audible: Bool, speaking: Bool) -> None:
        """Frames become payloads; those not audible become silence."""
        codec, payload = self.codec[:count], self._payload[:count]
        if np.count_nonzero(audible) < count:
            frames[~audible] = 0
        if not np.count_nonzero(codec):
            payload[:] = codecs.encode(frames, codecs.PCMU)
            return
        for number in (codecs.PCMU, codecs.PCMA):
            rows = (codec == number).nonzero()[0]
            if len(rows):
                payload[rows] = codecs.encode(frames[rows], number)
        for row in self._encoders:
            if row < count and speaking[row] and codec[row] == codecs.G722:
                payload[row] = self._encoders[row].encode(frames[row])

    def _write(self, count: int) -> None:
        """Headers of packets of one frame. What is constant in them was written when the leg began."""
        np.bitwise_or(self._payload_type[:count], self._marker[:count], out=self._second[:count])
        self._sequences[:count] = self._sequence[:count]
        self._timestamps[:count] = self.timestamp[:count]

    def _fill(self, count: int, speaking: Bool, relays: Bool | None) -> Outgoing:
        """Put frames behind those that wait in the packets already, and telephone events into theirs."""
        event, filled = self._event[:count], self._filled[:count]
        filled[event] = 0
        rows = (~event).nonzero()[0]
        body = self._out[:count, rtp.HEADER : rtp.HEADER + 3 * SAMPLES].reshape(count, 3, SAMPLES)
        body[rows, filled[rows]] = self._payload[rows]
        filled += speaking
        due = speaking & ((filled >= self._frames[:count]) | event)
        self._write(count)
        first = self.timestamp[:count] - SAMPLES * np.maximum(filled - 1, 0)
        self._timestamps[:count] = np.where(event, self._event_timestamp[:count], first & 0xFFFFFFFF)
        self._second[:count][event] = self._event_type[:count][event] | self._marker[:count][event]
        lengths = np.where(event, rtp.HEADER + 4, rtp.HEADER + SAMPLES * filled)
        outgoing = self._depart(count, due, relays)
        # It was taken that each packet holds a frame.
        self.octets[:count] += np.where(due, lengths - rtp.HEADER - SAMPLES, 0)
        self.event_packets[:count] += event & due
        filled[due] = 0
        self._marker[:count][due] = 0
        # The audio that follows an event begins a talk spurt of its own (RFC 3551, 4.1).
        self._marker[:count][event] = MARKER
        event[:] = self._pressing = False
        return outgoing._replace(lengths=lengths[outgoing.rows])


def _ahead(one: Int64, other: Int64) -> Int64:
    """How far the first timestamps are in front of the second."""
    return ((one - other + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
