"""What is known of the RTP of all rows of a worker: the stream that goes to each, whoever speaks on it, and
what comes from it.

A row's stream is written by its phase's tick and by the relay, one at a time, and must be one stream to the
far end. So what they both need lies here; each phase holds its rows as views. It lies in two tables, a row's
numbers side by side, so that the relay has all that it needs of a row with one look.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from ringback.media.rows import Rows

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

SEQUENCE, END, PACKETS, OCTETS, SSRC, CARRIED, RELAYED, TIMESTAMP = range(8)
"""Columns of `Streams.out`."""
OUT = 8

HEAD = slice(3)
"""The three words of a header,"""
LENGTH = 3
"""the octets of the packet,"""
REMOTE = slice(4, 8)
"""and the socket address from which it comes,"""
MARKS = 8
"""are the marks of a packet: the first columns of `Streams.come` are those of the row's next."""
TO, TYPE, OFFSET, LEFT, HIGHEST, UNHEARD, LATELY, TAKEN = range(8, 16)
"""The other columns, see `Streams` and `ringback.media.routes`."""
COME = 16

_FLAG = 0 if sys.byteorder == "little" else 7
"""Which octet of a number says whether it is one."""


class Streams(Rows):
    """For `capacity` rows in each of `phases`; row r of phase p is r * phases + p here."""

    def __init__(self, capacity: int, phases: int) -> None:
        super().__init__(capacity * phases)
        self.phases = phases
        self.out = self.column(np.int64, (OUT,))
        self.come = self.column(np.int64, (COME,))
        self.ssrc = self.out[:, SSRC]
        self.sequence = self.out[:, SEQUENCE]
        """Of the next packet."""
        self.timestamp = self.out[:, TIMESTAMP]
        """Of the frame that the next tick makes."""
        self.end = self.out[:, END]
        """The timestamp behind the last audio sent."""
        self.packets = self.out[:, PACKETS]
        self.octets = self.out[:, OCTETS]
        self.event_packets = self.column(np.int64)
        self.routed = self.column(np.bool_)
        """The row's partner may be relayed to it."""
        self.carried = _flags(self.out, CARRIED)
        """It is: the tick sends nothing of its own, but silence when nothing comes."""
        self.relayed = _flags(self.out, RELAYED)
        """Something was, since the last tick."""
        self.burst = self.come[:, LATELY]
        """Packets of the row that were relayed to its partner since its last tick."""
        self.unheard = _flags(self.come, UNHEARD)
        """Nobody hears the row but by the relay: its packets need not come to its tick."""
        self.taken = self.come[:, TAKEN]
        """Packets admitted since the remote was set."""
        self.remote = self.come[:, REMOTE].view(np.uint64)
        """Where the row sends, and what it hears from once `latched`."""
        self.latched = self.column(np.bool_)
        self.tapped = self.column(np.bool_)
        """The row is recorded."""


def _flags(table: Int64, column: int) -> Bool:
    """A column of noughts and ones as flags."""
    return table.view(np.bool_)[:, 8 * column + _FLAG]
