"""RTP headers (RFC 3550, 5.1) of many packets at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
UInt64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]

HEADER = 12
MARKER = 0x80 << 16
"""The bit of it in a header's first word."""
PLAIN = 0x80
"""The first octet of an RTP header of this version, without padding, extension and contributors."""


_HEADER = np.dtype(f"V{HEADER}")


class Batch(NamedTuple):
    """Packets as they came from the sockets of one phase.

    `data` is [slot, octet]; packet i lies in `data[slots[i], :lengths[i]]`, came to row `rows[i]` from the
    socket address `sources[i]` (see `ringback.media.addresses`) at `arrivals[i]` seconds, as the
    kernel's clock saw it come.
    """

    data: UInt8
    slots: Int64
    rows: Int64
    lengths: Int64
    sources: UInt64
    arrivals: Float64

    def select(self, which: Bool | Int64) -> Batch:
        """Some of the packets."""
        return Batch(
            self.data,
            self.slots[which],
            self.rows[which],
            self.lengths[which],
            self.sources[which],
            self.arrivals[which],
        )


class Headers(NamedTuple):
    """One entry per packet; those not `valid` hold nothing of use."""

    valid: Bool
    rtcp: Bool
    """RTCP on the RTP port (RFC 5761, 4)."""
    marker: Bool
    payload_type: Int64
    sequence: Int64
    timestamp: Int64
    ssrc: Int64
    start: Int64
    """Where the payload begins."""
    size: Int64
    """Its octets, padding taken off."""


def heads(batch: Batch) -> Int64:
    """The three words of each fixed header, [packet, word]."""
    taken = batch.data[:, :HEADER].view(_HEADER)[batch.slots]
    words: Int64 = taken.view(">u4").astype(np.int64)
    return words


def payloads(batch: Batch, start: int, size: int) -> UInt8:
    """The octets from `start`, so many of each packet, [packet, octet], C-contiguous."""
    # Seen as one item each, numpy copies them whole.
    items = batch.data[:, start : start + size].view(f"V{size}")[batch.slots]
    octets: UInt8 = items.view(np.uint8)
    return octets


def parse(batch: Batch, words: Int64 | None = None) -> Headers:
    """Read the headers; `words` are their `heads`, where these have been taken before.

    A packet is invalid if it is no RTP version 2, or shorter than what it says it holds.
    """
    words = heads(batch) if words is None else words
    first = words[:, 0]
    if not np.count_nonzero(first >> 24 != PLAIN) and batch.lengths.min(initial=HEADER) >= HEADER:
        return _parse_plain(batch, words)
    valid = (batch.lengths >= HEADER) & (first >> 30 == 2)
    kind = first >> 16 & 0xFF
    rtcp = (batch.lengths >= 8) & (first >> 30 == 2) & (kind >= 192) & (kind <= 223)
    start = HEADER + (first >> 24 & 15) * 4
    extended = valid & (first >> 28 & 1 == 1)
    if extended.any():
        _skip_extensions(batch, extended, start, valid)
    size = batch.lengths - start
    padded = valid & (first >> 29 & 1 == 1) & (size > 0)
    if padded.any():
        count = batch.data[batch.slots[padded], batch.lengths[padded] - 1].astype(np.int64)
        size[padded] -= np.where(count == 0, 1 << 16, count)
    valid &= (size >= 0) & ~rtcp
    return Headers(
        valid,
        rtcp,
        (kind & 0x80) != 0,
        kind & 0x7F,
        first & 0xFFFF,
        words[:, 1],
        words[:, 2],
        start,
        size,
    )


def _parse_plain(batch: Batch, words: Int64) -> Headers:
    """The same where nothing but the fixed header is before the payload, and nothing behind it."""
    first = words[:, 0]
    kind = first >> 16 & 0xFF
    rtcp = (kind >= 192) & (kind <= 223)
    start = np.full(len(first), HEADER)
    size = batch.lengths - HEADER
    return Headers(
        ~rtcp,
        rtcp,
        kind >= 0x80,
        kind & 0x7F,
        first & 0xFFFF,
        words[:, 1],
        words[:, 2],
        start,
        size,
    )


def _skip_extensions(batch: Batch, extended: Bool, start: Int64, valid: Bool) -> None:
    """Move `start` past the header extensions (RFC 3550, 5.3.1)."""
    index = np.nonzero(extended)[0]
    fits = start[index] + 4 <= batch.lengths[index]
    valid[index[~fits]] = False
    index = index[fits]
    slots, at = batch.slots[index], start[index] + 2
    words = batch.data[slots, at].astype(np.int64) << 8 | batch.data[slots, at + 1]
    start[index] += 4 + 4 * words


def signed(difference: Int64, bits: int) -> Int64:
    """The difference of two numbers that wrap, seen from the nearer side."""
    half = 1 << bits - 1
    return ((difference + half) & (2 * half - 1)) - half


def waves(rows: Int64, which: Int64, share: int) -> tuple[list[Int64], int]:
    """Split packets `which` (indices into `rows`) so that no row is in one part twice, in the order of
    arrival: state is one entry per row.

    Returns the parts, and how many packets are beyond the `share` of their row and in no part.
    """
    if not len(which):
        return [], 0
    taken = rows[which]
    if np.bincount(taken).max() == 1:
        return [which], 0
    order = np.argsort(taken, kind="stable")
    ordered = taken[order]
    rank = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    parts = [which[order[rank == number]] for number in range(min(share, int(rank.max()) + 1))]
    return parts, int((rank >= share).sum())


def write_headers(
    out: UInt8, payload_type: Int64, marker: Bool, sequence: Int64, timestamp: Int64, ssrc: Int64
) -> None:
    """Fill the first 12 octets of each row of `out` [row, octet], whose rows are a multiple of four octets
    long.
    """
    out[:, 0] = 0x80
    out[:, 1] = payload_type | marker.astype(np.int64) << 7
    out.view(">u2")[:, 1] = sequence
    words = out.view(">u4")
    words[:, 1] = timestamp
    words[:, 2] = ssrc
