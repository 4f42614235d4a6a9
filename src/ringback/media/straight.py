"""The relay's short way: packets that are just what was to come next of their rows, as nearly all are.

There is a way for arrays and one for a few packets at a time (`ringback.media.arrivals`). Both do the same,
to the same memory. A packet of a row that nobody else hears goes no further: it is `passed`, and only to be
counted.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media import rtp
from ringback.media.addresses import WORDS
from ringback.media.arrivals import HEAD, Few, Many
from ringback.media.routes import BURST
from ringback.media.streams import (
    CARRIED,
    COME,
    END,
    HIGHEST,
    LATELY,
    LEFT,
    LENGTH,
    MARKS,
    OCTETS,
    OFFSET,
    OUT,
    PACKETS,
    RELAYED,
    REMOTE,
    SEQUENCE,
    SSRC,
    TAKEN,
    TO,
    TYPE,
    UNHEARD,
    Streams,
)

Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

WORDS_OF_HEAD = struct.Struct(">III")
"""The three words of an RTP header."""
_ALL = 0x0101010101010101
"""Eight flags that are set, as one number."""
_COME, _OUT = np.dtype(f"V{8 * COME}"), np.dtype(f"V{8 * OUT}")


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
    """Reads and writes what `streams` knows."""

    def __init__(self, streams: Streams) -> None:
        self._come = streams.come
        self._out = streams.out
        # A row of either table as one item: numpy then copies it whole.
        self._come_rows = streams.come.view(_COME).reshape(-1)
        self._out_rows = streams.out.view(_OUT).reshape(-1)
        self._come_numbers = streams.come.data.cast("B").cast("l")
        self._out_numbers = streams.out.data.cast("B").cast("l")
        self._remotes = streams.come.data.cast("B").cast("L")

    def forward(self, many: Many) -> tuple[Bool, Departures | None, Bool]:
        """Which of the packets went this way, how they go out (with new headers where they came in), and
        which are thereby passed.
        """
        rows, slots, marks = many.rows, many.slots, many.marks
        come = self._come.take(rows, axis=0)
        out = self._out.take(come[:, TO], axis=0)
        straight: Bool = (marks == come[:, :MARKS]).view(np.int64)[:, 0] == _ALL
        straight &= out[:, SEQUENCE] == come[:, LEFT]
        straight &= (out[:, CARRIED] > 0) & (come[:, LATELY] < BURST)
        passed = straight & (come[:, UNHEARD] > 0)
        if not straight.all():
            if not straight.any():
                return straight, None, passed
            rows, slots, marks = rows[straight], slots[straight], marks[straight]
            come, out = come[straight], out[straight]
        to, first, length = come[:, TO], marks[:, 0], marks[:, LENGTH]
        size = length - rtp.HEADER
        timestamp = (marks[:, 1] + come[:, OFFSET]) & 0xFFFFFFFF
        head = np.empty((len(rows), 3), ">u4")
        head[:, 0] = come[:, TYPE] | out[:, SEQUENCE]
        head[:, 1] = timestamp
        head[:, 2] = out[:, SSRC]
        many.heads[slots] = head.view(HEAD)[:, 0]
        come[:, 0] = (first & 0xFFFF0000) | ((first + 1) & 0xFFFF)
        come[:, 1] = (marks[:, 1] + size) & 0xFFFFFFFF
        come[:, HIGHEST] = first & 0xFFFF
        come[:, LEFT] = out[:, SEQUENCE] = (out[:, SEQUENCE] + 1) & 0xFFFF
        come[:, LATELY] += 1
        come[:, TAKEN] += passed if len(passed) == len(rows) else passed[straight]
        out[:, END] = (timestamp + size) & 0xFFFFFFFF
        out[:, PACKETS] += 1
        out[:, OCTETS] += size
        out[:, RELAYED] = 1
        self._come_rows[rows] = come.view(_COME)[:, 0]
        self._out_rows[to] = out.view(_OUT)[:, 0]
        return straight, Departures(to, many.data, slots, np.zeros(len(rows), np.int64), length), passed

    def forward_few(self, few: Few) -> tuple[FewDepartures, list[int], list[int], Words]:
        """What goes out, which of the packets are thereby passed, which did not go this way, and the headers
        that all came with.
        """
        memory, slots, rows, lengths, _ = few
        octets, start, stride, sources, source_start, source_stride = memory
        come, out, remotes = self._come_numbers, self._out_numbers, self._remotes
        departing = FewDepartures([], [], [])
        passed: list[int] = []
        rest: list[int] = []
        words: list[tuple[int, int, int]] = []
        for index, row in enumerate(rows):
            slot, length = slots[index], lengths[index]
            place = start + slot * stride
            head = first, timestamp, ssrc = WORDS_OF_HEAD.unpack_from(octets, place)
            words.append(head)
            here = row * COME
            source = source_start + slot * source_stride
            to = come[here + TO]
            there = to * OUT
            sequence = out[there + SEQUENCE]
            if (
                first != come[here]
                or timestamp != come[here + 1]
                or ssrc != come[here + 2]
                or length != come[here + LENGTH]
                or sequence != come[here + LEFT]
                or not out[there + CARRIED]
                or come[here + LATELY] >= BURST
                or sources[source : source + WORDS] != remotes[here + REMOTE.start : here + REMOTE.stop]
            ):
                rest.append(index)
                continue
            size = length - rtp.HEADER
            new = (timestamp + come[here + OFFSET]) & 0xFFFFFFFF
            WORDS_OF_HEAD.pack_into(octets, place, come[here + TYPE] | sequence, new, out[there + SSRC])
            come[here] = (first & 0xFFFF0000) | ((first + 1) & 0xFFFF)
            come[here + 1] = (timestamp + size) & 0xFFFFFFFF
            come[here + HIGHEST] = first & 0xFFFF
            come[here + LEFT] = out[there + SEQUENCE] = (sequence + 1) & 0xFFFF
            come[here + LATELY] += 1
            out[there + END] = (new + size) & 0xFFFFFFFF
            out[there + PACKETS] += 1
            out[there + OCTETS] += size
            out[there + RELAYED] = 1
            if come[here + UNHEARD]:
                come[here + TAKEN] += 1
                passed.append(index)
            departing.rows.append(to)
            departing.slots.append(slot)
            departing.lengths.append(length)
        return departing, passed, rest, words
