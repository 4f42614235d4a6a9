"""The way into a phase: of what came to its sockets, what is taken in, and what is noticed by it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media import addresses, rtp
from ringback.media.exchange import Corner
from ringback.media.expected import marks_of
from ringback.media.gate import Gate
from ringback.media.model import FirstRtp, NoRtp, NoRtpCause, RtpResumed
from ringback.media.receive import Intake
from ringback.media.rtp import Batch, Headers
from ringback.media.watch import Watch

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

HINTS: dict[NoRtpCause, str] = {
    "never-received": "no RTP has come at all: NAT, a firewall, or the address in our SDP cannot be reached",
    "wrong-source": "RTP comes, but from an address that the peer did not announce: NAT, see nat_open",
    "stopped": "RTP came and has stopped: the peer is gone, or the network between",
}


class Entrance:
    """Nearly all packets are the expected ones of their rows, which are taken in as they are. Of others it is
    judged where they come from, and what they are.
    """

    def __init__(self, capacity: int, family: int, corner: Corner, heard: Bool, no_rtp_after: float) -> None:
        self._corner = corner
        self._gate = Gate(capacity, family, corner.streams, corner.number)
        self._intake = Intake(capacity, corner, heard)
        self._watch = Watch(capacity, no_rtp_after, self._intake.comfort)
        self.parts = self._gate, self._intake, self._watch
        self.rtcp: list[tuple[int, bytes, tuple[str, int]]] = []
        self.news: list[tuple[int, FirstRtp | RtpResumed | NoRtp]] = []
        """(row, what was noticed), to be taken."""

    def take(self, batch: Batch, words: Int64, now: float) -> list[tuple[int, int]]:
        """Take in packets with these header words. Returns (row, event code) of keys pressed."""
        if not len(words):
            return []
        marks = marks_of(batch, words)
        expected = self._intake.expected.match(batch.rows, marks)
        others = (~expected).nonzero()[0]
        if not len(others):
            self._know(batch.rows, now)
            self._intake.take_expected(batch, marks)
            return []
        self._know(batch.rows[expected], now)
        odd = batch.select(others)
        headers = rtp.parse(odd, words[others])
        taken = self._judge(odd, headers, now)
        foreseen = self._intake.foresee(odd, headers, taken)
        expected[others] = foreseen
        if np.count_nonzero(expected):
            marks[:, 0] &= ~rtp.MARKER
            self._intake.take_expected(batch.select(expected), marks[expected])
        rest = taken[~foreseen[taken]]
        return self._intake.take(odd, headers, rest, now) if len(rest) else []

    def notice(self, rows: Int64, now: float) -> None:
        """Packets of these rows came from where they should."""
        first, resumed = self._watch.hear(rows, now)
        for row in first:
            self.news.append((row, FirstRtp(*addresses.unpack(self._gate.remote[row]))))
        for row, seconds in resumed:
            self.news.append((row, RtpResumed(round(seconds, 3))))

    def look_out(self, count: int, now: float) -> None:
        """Notice which of rows 0 to `count` have been without packets for too long."""
        for row in self._watch.check(count, now):
            self._intake.expected.forget(row)
            if self._watch.heard[row]:
                cause: NoRtpCause = "stopped"
            else:
                cause = "wrong-source" if self._gate.wrong[row] else "never-received"
            self.news.append((row, NoRtp(round(now - float(self._watch.last[row]), 3), cause, HINTS[cause])))

    def _know(self, rows: Int64, now: float) -> None:
        """The expected packets of these rows came."""
        self._gate.count(rows)
        self._watch.keep(rows, now)

    def _judge(self, batch: Batch, headers: Headers, now: float) -> Int64:
        """Look at packets of all kinds, from anywhere. Returns the indices of our peers' RTP."""
        strange = ~headers.valid & ~headers.rtcp
        if np.count_nonzero(strange):
            np.add.at(self._intake.reception.invalid, self._corner.places(batch.rows[strange]), 1)
        for index in headers.rtcp.nonzero()[0].tolist():
            slot, size = int(batch.slots[index]), int(batch.lengths[index])
            source = addresses.unpack(batch.sources[index])
            self.rtcp.append((int(batch.rows[index]), batch.data[slot, :size].tobytes(), source))
        valid = headers.valid.nonzero()[0]
        valid = valid[self._gate.admit(batch.rows[valid], batch.sources[valid])]
        self.notice(batch.rows[valid], now)
        return valid
