"""A few packets as plain numbers: with so little to do at once, a loop in Python is quicker than arrays.

What such a loop works on is the memory of the arrays, by memoryviews: an item of one is a plain number, and
costs half of what an item of an array does.
"""

from __future__ import annotations

from typing import NamedTuple

FEW = 40
"""Packets up to which the loop is quicker."""


class Memory(NamedTuple):
    """Where a transport has its slots; never written to but for the packets' headers.

    A slot's packet begins at `octets[start + slot * stride]`, the socket address from which it came at
    `sources[source_start + slot * source_stride]`, in 64-bit words (see `ringback.media.addresses`).
    """

    octets: memoryview
    start: int
    stride: int
    sources: memoryview
    source_start: int
    source_stride: int


class Few(NamedTuple):
    """Packets that have come, in order: their slots in `memory`, the worker's rows, and lengths in octets."""

    memory: Memory
    slots: list[int]
    rows: list[int]
    lengths: list[int]
