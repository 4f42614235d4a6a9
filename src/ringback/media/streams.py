"""What the rows of a whole worker send as, and to: one RTP stream each, whoever speaks on it.

A row's stream is written by its phase's tick and by the relay, one at a time, and must be one stream to the
far end. So what they both need lies here, for all rows of the worker; each phase holds its rows as views.
"""

from __future__ import annotations

import numpy as np

from ringback.media import addresses
from ringback.media.rows import Rows


class Streams(Rows):
    """For `capacity` rows in each of `phases`; row r of phase p is r * phases + p here."""

    def __init__(self, capacity: int, phases: int) -> None:
        super().__init__(capacity * phases)
        self.phases = phases
        self.ssrc = self.column(np.int64)
        self.sequence = self.column(np.int64)
        """Of the next packet."""
        self.timestamp = self.column(np.int64)
        """Of the frame that the next tick makes."""
        self.end = self.column(np.int64)
        """The timestamp behind the last audio sent."""
        self.packets = self.column(np.int64)
        self.octets = self.column(np.int64)
        self.event_packets = self.column(np.int64)
        self.routed = self.column(np.bool_)
        """The row's partner may be relayed to it."""
        self.carried = self.column(np.bool_)
        """It is: the tick sends nothing of its own, but silence when nothing comes."""
        self.relayed = self.column(np.bool_)
        """Something was, since the last tick."""
        self.burst = self.column(np.int64)
        """Packets of the row that were relayed to its partner since its last tick."""
        self.remote = self.column(np.uint64, (addresses.WORDS,))
        """Where the row sends, and what it hears from once `latched`."""
        self.latched = self.column(np.bool_)
