"""The directions in which packets are relayed, and what the next packet of each is to be like."""

from __future__ import annotations

from ringback.media import streams as table
from ringback.media.rows import Rows
from ringback.media.streams import Streams

BURST = 16
"""Packets of one row between two of its ticks; more are a flood."""


class Routes(Rows):
    """Rows are the worker's. A route is one direction: from a row to its partner.

    It lies in what `streams` knows of what comes from the row.
    """

    def __init__(self, streams: Streams) -> None:
        super().__init__(streams.capacity)
        come = streams.come
        self.expected = self.share(come[:, table.HEAD], initial=-1)
        """The header words of the packet that comes next, if nothing unusual happens, and its length."""
        self.length = self.share(come[:, table.LENGTH])
        self.to = self.share(come[:, table.TO], initial=-1)
        self.type = self.share(come[:, table.TYPE])
        """The first word of its new header, without a sequence number."""
        self.timestamp_offset = self.share(come[:, table.OFFSET])
        self.left = self.share(come[:, table.LEFT], initial=-1)
        """The partner's next sequence number as we left it; another one means that its tick has spoken."""
        self.highest = self.share(come[:, table.HIGHEST])
        """The source's latest sequence number."""
        self.warm(0, streams.capacity)
