"""The relay's short way: packets that are just what was to come next of their rows, as nearly all are.

There is a way for arrays and one for a few packets at a time (`ringback.media.few`). Both do the same, to the
same memory.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media import rtp
from ringback.media.addresses import WORDS
from ringback.media.few import Few
from ringback.media.routes import BURST, Routes
from ringback.media.rtp import Batch
from ringback.media.streams import Streams

Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

HEAD = struct.Struct(">III")
"""The three words of an RTP header."""


class Departures(NamedTuple):
    """Packets to send at once: packet i is `data[slots[i], starts[i] : starts[i] + lengths[i]]`, for row
    `rows[i]` of the worker.
    """

    rows: Int64
    data: UInt8
    slots: Int64
    starts: Int64
    lengths: Int64


class FewDepartures(NamedTuple):
    """The same of a few, each the whole of what came in its slot."""

    rows: list[int]
    slots: list[int]
    lengths: list[int]


Words = Sequence[tuple[int, int, int]]
"""Headers of packets."""


class Straight:
    """Reads and writes the routes' state and that of the streams."""

    def __init__(self, routes: Routes, streams: Streams) -> None:
        self._routes = routes
        self._streams = streams
        self._conditions = (
            routes.to.data,
            routes.expected.data.cast("B").cast("l"),
            routes.length.data,
            routes.left.data,
            streams.carried.data,
            streams.sequence.data,
            streams.burst.data,
            streams.remote.data.cast("B").cast("L"),
        )
        self._changes = (
            routes.type.data,
            routes.timestamp_offset.data,
            routes.highest.data,
            streams.ssrc.data,
            streams.end.data,
            streams.packets.data,
            streams.octets.data,
            streams.relayed.data,
        )

    def forward(self, batch: Batch, words: Int64) -> tuple[Bool, list[Departures]]:
        """Which of the packets went this way, and how they go out: with new headers where they came in."""
        routes, streams, rows = self._routes, self._streams, batch.rows
        to = routes.to[rows]
        straight: Bool = (words == routes.expected[rows]).all(axis=1)
        straight &= (streams.remote[rows] == batch.sources).all(axis=1)
        straight &= (batch.lengths == routes.length[rows]) & (streams.burst[rows] < BURST)
        straight &= streams.carried[to] & (streams.sequence[to] == routes.left[rows])
        if not straight.any():
            return straight, []
        slots, lengths = batch.slots, batch.lengths
        if not straight.all():
            rows, to, words = rows[straight], to[straight], words[straight]
            slots, lengths = slots[straight], lengths[straight]
        size = lengths - rtp.HEADER
        head = np.empty((len(rows), 3), ">u4")
        head[:, 0] = routes.type[rows] | streams.sequence[to]
        timestamp = (words[:, 1] + routes.timestamp_offset[rows]) & 0xFFFFFFFF
        head[:, 1] = timestamp
        head[:, 2] = streams.ssrc[to]
        batch.data[slots, : rtp.HEADER] = head.view(np.uint8)
        sequence = (words[:, 0] + 1) & 0xFFFF
        routes.highest[rows] = words[:, 0] & 0xFFFF
        routes.expected[rows, 0] = (words[:, 0] & 0xFFFF0000) | sequence
        routes.expected[rows, 1] = (words[:, 1] + size) & 0xFFFFFFFF
        routes.left[rows] = streams.sequence[to] = (streams.sequence[to] + 1) & 0xFFFF
        streams.end[to] = (timestamp + size) & 0xFFFFFFFF
        streams.burst[rows] += 1
        streams.packets[to] += 1
        streams.octets[to] += size
        streams.relayed[to] = True
        return straight, [Departures(to, batch.data, slots, np.zeros(len(rows), np.int64), lengths)]

    def forward_few(self, few: Few) -> tuple[FewDepartures, list[int], Words]:
        """What goes out, which of the packets did not go this way, and the headers that all came with."""
        memory, slots, rows, lengths = few
        octets, start, stride, sources, source_start, source_stride = memory
        to_of, expected, length_of, left, carried, sequences, burst, remote = self._conditions
        types, offsets, highest, ssrcs, ends, packets, octet_counts, relayed = self._changes
        departing = FewDepartures([], [], [])
        rest: list[int] = []
        words: list[tuple[int, int, int]] = []
        for index, row in enumerate(rows):
            slot, length = slots[index], lengths[index]
            at = start + slot * stride
            head = first, timestamp, ssrc = HEAD.unpack_from(octets, at)
            words.append(head)
            next = 3 * row
            source = source_start + slot * source_stride
            to = to_of[row]
            sequence = sequences[to]
            if (
                first != expected[next]
                or timestamp != expected[next + 1]
                or ssrc != expected[next + 2]
                or length != length_of[row]
                or sequence != left[row]
                or not carried[to]
                or burst[row] >= BURST
                or sources[source : source + WORDS] != remote[row * WORDS : row * WORDS + WORDS]
            ):
                rest.append(index)
                continue
            size = length - rtp.HEADER
            new = (timestamp + offsets[row]) & 0xFFFFFFFF
            HEAD.pack_into(octets, at, types[row] | sequence, new, ssrcs[to])
            highest[row] = first & 0xFFFF
            expected[next] = (first & 0xFFFF0000) | ((first + 1) & 0xFFFF)
            expected[next + 1] = (timestamp + size) & 0xFFFFFFFF
            left[row] = sequences[to] = (sequence + 1) & 0xFFFF
            ends[to] = (new + size) & 0xFFFFFFFF
            burst[row] += 1
            packets[to] += 1
            octet_counts[to] += size
            relayed[to] = True
            departing.rows.append(to)
            departing.slots.append(slot)
            departing.lengths.append(length)
        return departing, rest, words
