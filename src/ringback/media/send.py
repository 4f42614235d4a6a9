"""RTP out of all rows: one frame a tick into each row's packet."""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media import codecs, rtp
from ringback.media.g722 import Encoder
from ringback.media.rows import Rows
from ringback.media.streams import Streams

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

SAMPLES = 160
SLOT = 512
"""Octets of a row's packet: header and 60 ms of G.711, rounded up."""
PATIENCE = 5
"""Ticks without anything to relay after which the far end is sent silence."""
_SILENCE = np.array([*codecs.SILENCE, 0], np.uint8)
_QUIET = np.zeros(SAMPLES, np.int16)
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
        self.packets = self.share(streams.packets[mine])
        self.octets = self.share(streams.octets[mine])
        self.event_packets = self.share(streams.event_packets[mine])
        self.ssrc = self.share(streams.ssrc[mine])
        self.timestamp = self.share(streams.timestamp[mine])
        self.carried = self.share(streams.carried[mine])
        self.codec = self.column(np.int64)
        self._sequence = self.share(streams.sequence[mine])
        self._end = self.share(streams.end[mine])
        self._relayed = self.share(streams.relayed[mine])
        self._idle = self.column(np.int64)
        """Ticks since something was relayed."""
        self._encoders: dict[int, Encoder] = {}
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
        self._end[row] = self.timestamp[row]

    def configure(
        self, row: int, *, active: bool, payload_type: int, codec: str, frames: int, event_type: int | None
    ) -> None:
        """What is sent, and whether; `frames` of 20 ms go into a packet."""
        if active and not self.active[row]:
            self._marker[row] = True
        self.active[row] = active
        self._payload_type[row] = payload_type
        self.codec[row] = codecs.CODECS[codec]
        if codec == "G722":
            self._encoders.setdefault(row, Encoder())
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

    def reset(self, row: int) -> None:
        super().reset(row)
        self._encoders.pop(row, None)

    def held(self, count: int, carried: Bool) -> Bool:
        """Take which of the rows 0 to `count` the relay speaks for from now on.

        Returns those that must let this tick pass, as the relay has sent its 20 ms already.
        """
        changed = carried != self.carried[:count]
        if changed.any():
            self._filled[:count][changed] = 0
            self._idle[:count][changed] = 0
            self._marker[:count] |= changed & ~carried
            self.carried[:count] = carried
        return ~carried & (_ahead(self._end[:count], self.timestamp[:count]) > 0)

    def build(self, count: int, frames: Int16, audible: Bool, held: Bool | None = None) -> Outgoing:
        """One frame of rows 0 to `count`; those not `audible` send silence, those `held` nothing."""
        held = np.zeros(count, np.bool_) if held is None else held
        idle = self._idle[:count]
        idle += 1
        idle[self._relayed[:count]] = 0
        speaking = self.active[:count] & ~held & ~(self.carried[:count] & (idle < PATIENCE))
        if not speaking.any():
            self._pass_time(count, held | self.carried[:count])
            return Outgoing(_NOBODY, self._out, _NOBODY)
        self._encode(count, frames, audible, speaking)
        event = self._event[:count]
        filled, wanted = self._filled[:count], self._frames[:count]
        self._lay(count)
        filled += speaking
        due = speaking & ((filled >= wanted) | event)
        self._write(count, filled, event)
        lengths = rtp.HEADER + SAMPLES * filled
        lengths[event] = rtp.HEADER + 4
        self._pass_time(count, held | (self.carried[:count] & ~speaking))
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

    def _pass_time(self, count: int, relays: Bool) -> None:
        """A frame's time passes; what rows `relays` have sent last was not the tick's."""
        timestamp, end = self.timestamp[:count], self._end[:count]
        timestamp[:] = (timestamp + SAMPLES) & 0xFFFFFFFF
        np.copyto(end, timestamp, where=~relays)
        relayed = self._relayed[:count]
        rows = np.nonzero(relayed & self.carried[:count])[0]
        if len(rows):
            # The time line is the far source's now; its clock is not quite ours.
            ahead = _ahead(timestamp[rows], end[rows])
            ahead = np.minimum(np.maximum(ahead, -SAMPLES), 2 * SAMPLES)
            timestamp[rows] = (end[rows] + ahead) & 0xFFFFFFFF
        relayed[:] = False

    def _encode(self, count: int, frames: Int16, audible: Bool, speaking: Bool) -> None:
        codec = self.codec[:count]
        payload = self._payload[:count]
        payload[~audible] = _SILENCE[codec[~audible], None]
        audible = audible & speaking
        for number in (codecs.PCMU, codecs.PCMA):
            rows = np.nonzero(audible & (codec == number))[0]
            if len(rows):
                payload[rows] = codecs.encode(frames[rows], number)
        for row in self._encoders:
            if row < count and speaking[row] and codec[row] == codecs.G722:
                payload[row] = self._encoders[row].encode(frames[row] if audible[row] else _QUIET)

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


def _ahead(one: Int64, other: Int64) -> Int64:
    """How far the first timestamps are in front of the second."""
    return ((one - other + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
