"""Which packets a row takes: those from its peer's address, learnt as `ringback.media.latch` allows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media import addresses
from ringback.media.latch import WINDOW, may_latch
from ringback.media.model import RemoteMedia
from ringback.media.rows import Rows
from ringback.media.streams import HEAD, Streams

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]

JUDGED = 16
"""Foreign packets looked at in a tick; more than that are a flood, and only counted."""


class Gate(Rows):
    """`remote` is where each row sends, and what it hears from once `latched`."""

    def __init__(self, capacity: int, family: int, streams: Streams, number: int) -> None:
        super().__init__(capacity)
        self._family = family
        self._peers: dict[int, RemoteMedia] = {}
        self.known = self.column(np.bool_)
        self.remote = self.share(streams.remote[number :: streams.phases])
        self.latched = self.share(streams.latched[number :: streams.phases])
        self._expected = streams.come[number :: streams.phases, HEAD]
        self.wrong = self.column(np.int64)
        """Packets from elsewhere since the remote was set."""
        self.wrong_total = self.column(np.int64)
        self._taken = self.share(streams.taken[number :: streams.phases])

    def set_remote(self, row: int, remote: RemoteMedia) -> bool:
        """Take a peer's address. Returns whether it differs from before, which opens the latch again."""
        before = self._peers.get(row)
        self._peers[row] = remote
        if before is not None and (before.host, before.port) == (remote.host, remote.port):
            return False
        self.remote[row] = addresses.pack(remote.host, remote.port, self._family)
        self.known[row] = True
        self.latched[row] = False
        self.wrong[row] = 0
        self._taken[row] = 0
        return True

    def count(self, rows: Int64) -> None:
        """Packets of these rows were taken that need not be looked at, at most one per row."""
        self._taken[rows] += 1

    def drop(self, row: int) -> None:
        self._peers.pop(row, None)

    def admit(self, rows: Int64, sources: UInt64) -> Bool:
        """Which packets come from where they should."""
        known = self.known[rows]
        admitted: Bool = known & np.logical_and.reduce(self.remote[rows] == sources, axis=1)
        foreign = known & ~admitted
        if np.count_nonzero(foreign):
            # Rows that learn no more are not looked at: a flood on them must not delay others' learning.
            for index in np.nonzero(foreign & (self._taken[rows] < WINDOW))[0][:JUDGED].tolist():
                admitted[index] = self._judge(int(rows[index]), sources[index])
            refused = rows[foreign & ~admitted]
            np.add.at(self.wrong, refused, 1)
            np.add.at(self.wrong_total, refused, 1)
        taken = rows[admitted]
        self.latched[taken] = True
        np.add.at(self._taken, taken, 1)
        return admitted

    def _judge(self, row: int, source: UInt64) -> bool:
        """A packet from another address than the row's: learn it, or not."""
        if (self.remote[row] == source).all():
            return True  # learnt from a packet before it in this tick
        peer = self._peers[row]
        if (addresses.pack(peer.host, peer.port, self._family) == source).all():
            # What was signalled wins over what came before it from elsewhere.
            self._learn(row, source)
            return True
        if self.latched[row]:
            return False
        host, _ = addresses.unpack(source)
        if not may_latch(peer.host, host, peer.signalling_host, peer.nat_open):
            return False
        self._learn(row, source)
        self.latched[row] = True
        return True

    def _learn(self, row: int, source: UInt64) -> None:
        self.remote[row] = source
        self._expected[row] = -1  # no more of those from before, by the relay either
