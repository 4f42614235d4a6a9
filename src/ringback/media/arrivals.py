"""Packets of bridged rows as the relay takes them: in two forms, as arrays and as plain numbers.

With little to do at once, a loop in Python is quicker than arrays. What such a loop works on is the memory of
the arrays, by memoryviews: an item of one is a plain number, and costs half of what an item of an array does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media.rtp import HEADER

Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Float64 = npt.NDArray[np.float64]

HEAD = np.dtype(f"V{HEADER}")
FEW = 12
"""Packets up to which the loop is quicker."""


class Many(NamedTuple):
    """Packets that have come: packet i lies in `data[slots[i]]`, came to the worker's row `rows[i]` at
    `arrivals[i]` (see `rtp.Batch`), and has `marks[i]`: the three words of its header, its length in octets,
    and the four of the socket address from which it came. `heads` are the headers in all slots, each of them
    one item (dtype `HEAD`), so that numpy copies it whole.
    """

    data: UInt8
    heads: npt.NDArray[np.void]
    slots: Int64
    rows: Int64
    marks: Int64
    arrivals: Float64


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
    """Packets that have come, in order: their slots in `memory`, the worker's rows, lengths in octets, and
    when they came.
    """

    memory: Memory
    slots: list[int]
    rows: list[int]
    lengths: list[int]
    arrivals: list[float]
