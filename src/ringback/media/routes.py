"""The directions in which packets are relayed, and what the next packet of each is to be like."""

from __future__ import annotations

import numpy as np

from ringback.media.rows import Rows

BURST = 16
"""Packets of one row between two of its ticks; more are a flood."""


class Routes(Rows):
    """Rows are the worker's. A route is one direction: from a row to its partner."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.to = self.column(np.int64, initial=-1)
        self.highest = self.column(np.int64)
        """The source's latest sequence number."""
        self.left = self.column(np.int64, initial=-1)
        """The partner's next sequence number as we left it; another one means that its tick has spoken."""
        self.timestamp_offset = self.column(np.int64)
        self.expected = self.column(np.int64, (3,), initial=-1)
        """The header words of the packet that comes next, if nothing unusual happens, and its length."""
        self.length = self.column(np.int64)
        self.type = self.column(np.int64)
        """The first word of its new header, without a sequence number."""
