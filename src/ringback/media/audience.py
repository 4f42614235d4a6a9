"""Which rows of a phase anybody hears, beyond a partner to whom the relay passes everything as it comes.

Somebody does where keys, speech or tones are listened for in the row's audio, where the row or its partner is
recorded, and where the partner's tick speaks. Packets of other rows go no further than the relay, and there
is nothing in their jitter buffers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.exchange import Corner
from ringback.media.rows import Rows

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


class Audience(Rows):
    """Who is heard is found out by `survey`, before each tick."""

    def __init__(self, capacity: int, corner: Corner) -> None:
        super().__init__(capacity)
        self._corner = corner
        streams = corner.streams
        mine = slice(corner.number, None, streams.phases)
        self._open = self.column(np.bool_)
        self.heard = self.column(np.bool_)
        self._unheard = self.share(streams.unheard[mine])
        self.burst = self.share(streams.burst[mine])
        self._carried = streams.carried
        self._tapped = streams.tapped
        self.everybody = True
        """Whether all open rows were heard, as of the latest survey."""

    def open(self, row: int) -> None:
        """A new leg, which nobody is bridged with."""
        self._open[row] = self.heard[row] = True

    def drop(self, row: int) -> None:
        # What was passed of a leg that ended is nobody's news in the next tick.
        self.burst[row] = 0

    @property
    def settled(self) -> bool:
        """Whether all open rows are heard, whoever listens."""
        return self.everybody and not len(self._corner.pairs[0])

    def survey(self, count: int, listening: Bool) -> Int64:
        """Look anew at rows 0 to `count`; to which of them something is `listening` is known.

        Returns those that are not heard any more.
        """
        rows, partners = self._corner.pairs
        heard = self._open[:count].copy()
        heard[rows] = ~self._carried[partners] | self._tapped[partners]
        heard |= listening | self._tapped[self._corner.number :: self._corner.streams.phases][:count]
        lost = np.nonzero(self.heard[:count] & ~heard)[0]
        self.heard[:count] = heard
        np.logical_not(heard, out=self._unheard[:count])
        self.everybody = not np.count_nonzero(heard != self._open[:count])
        return lost
