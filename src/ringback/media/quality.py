"""What arrived and what did not (RFC 3550, appendices A.1, A.3, A.8), for all rows of a worker.

Nearly all packets are the next of their series. What changes with each of those lies in two tables, a row's
numbers side by side, so that it is taken and put back with one operation each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media.model import Spread
from ringback.media.rows import Rows

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

MAX_DROPOUT = 3000
"""Sequence numbers that may be missing before a packet begins a new series (RFC 3550, A.1)."""
REMEMBERED = 64
"""Packets behind the highest for which duplicates are known."""
CLOCK = 8000
_ONE = np.uint64(1)
PACKETS, RECEIVED, HIGHEST, AUDIO_PACKETS, OCTETS, AUDIO_SAMPLES, SEEN, SSRC = range(8)
"""Columns of the numbers that change with each packet: the first four by one, the next two by its size."""
TRANSIT, JITTER, LEAST, MOST, SUM, COUNT = range(6)
"""The same of its time."""
_TIMES = 8
_ROW = np.dtype("V64")


class ReceptionReport(NamedTuple):
    """The numbers of an RTCP report block (RFC 3550, 6.4.1). `jitter` is in timestamp units."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int


class Reception(Rows):
    """Counts per row since its reset. Loss is over all SSRCs that the row has heard."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._counts = self.column(np.int64, (8,))
        self._times = self.column(np.float64, (_TIMES,))
        self._count_rows = self._counts.view(_ROW).reshape(-1)
        self._time_rows = self._times.view(_ROW).reshape(-1)
        self.packets = self._counts[:, PACKETS]
        self.octets = self._counts[:, OCTETS]
        self.audio_packets = self._counts[:, AUDIO_PACKETS]
        self.audio_samples = self._counts[:, AUDIO_SAMPLES]
        self.ssrc = self.share(self._counts[:, SSRC], initial=-1)
        self.duplicates = self.column(np.int64)
        self.reordered = self.column(np.int64)
        self.invalid = self.column(np.int64)
        self.comfort_noise = self.column(np.int64)
        self.events = self.column(np.int64)
        self._first = self.column(np.int64)
        self._highest = self._counts[:, HIGHEST]
        self._received = self._counts[:, RECEIVED]
        self._seen = self._counts[:, SEEN].view(np.uint64)
        self._lost_before = self.column(np.int64)
        self._expected_prior = self.column(np.int64)
        self._received_prior = self.column(np.int64)
        self._transit = self.share(self._times[:, TRANSIT], initial=np.nan)
        self._jitter = self._times[:, JITTER]
        self._jitter_min = self.share(self._times[:, LEAST], initial=np.inf)
        self._jitter_max = self._times[:, MOST]
        self._jitter_sum = self._times[:, SUM]
        self._jitter_count = self._times[:, COUNT]
        self.warm(0, capacity)

    def follow(
        self,
        rows: Int64,
        sequence: Int64,
        timestamps: Int64,
        ssrc: Int64,
        size: Int64 | int,
        arrivals: Float64,
    ) -> bool:
        """Account for audio packets of `size` octets if each is the next of its row's series, at most one per
        row. Returns whether they are.
        """
        counts = self._counts.take(rows, axis=0)
        step = (sequence - counts[:, HIGHEST]) & 0xFFFF
        if np.count_nonzero((step != 1) | (ssrc != counts[:, SSRC])):
            return False
        self._go_on(rows, counts, size)
        self.measure(rows, timestamps, arrivals)
        return True

    def go_on(self, rows: Int64, timestamps: Int64, size: int, arrivals: Float64) -> None:
        """Account for audio packets of `size` octets, of which it is known that each is the next of its row's
        series, at most one per row.
        """
        self._go_on(rows, self._counts.take(rows, axis=0), size)
        self.measure(rows, timestamps, arrivals)

    def overtake(self, rows: Int64, sequence: Int64, ssrc: Int64) -> Bool:
        """Which packets, at most one per row, are in front of all before them.

        Each of those then is the next of its row, see `go_on`; what is between is lost, or comes late.
        """
        step = ((sequence - self._highest[rows] + 32768) & 0xFFFF) - 32768
        restart = (self.ssrc[rows] != ssrc) | (np.abs(step) > MAX_DROPOUT)
        if np.count_nonzero(restart):
            self._restart(rows[restart], sequence[restart], ssrc[restart])
            step[restart] = 1
        gap = (step > 1).nonzero()[0]
        if len(gap):
            behind, missed = rows[gap], step[gap] - 1
            self._highest[behind] += missed
            seen = self._seen[behind] << np.minimum(missed, REMEMBERED - 1).astype(np.uint64)
            self._seen[behind] = np.where(missed < REMEMBERED, seen, np.uint64(0))
        ahead: Bool = step > 0
        return ahead

    def observe(self, rows: Int64, sequence: Int64, ssrc: Int64) -> tuple[Bool, Bool]:
        """Account for packets, at most one per row.

        Returns which are new (no duplicates), and which of those are in front of all before them.
        """
        step = ((sequence - self._highest[rows] + 32768) & 0xFFFF) - 32768
        known = self.ssrc[rows] == ssrc
        if np.count_nonzero(known & (step == 1)) == len(rows):
            # As nearly always: each the next of its row.
            self._seen[rows] = self._seen[rows] << _ONE | _ONE
            self._highest[rows] += 1
            self._received[rows] += 1
            return known, known
        restart = ~known | (np.abs(step) > MAX_DROPOUT)
        if np.count_nonzero(restart):
            self._restart(rows[restart], sequence[restart], ssrc[restart])
            step[restart] = 1
        ahead = step > 0
        distance = np.minimum(np.abs(step), REMEMBERED - 1).astype(np.uint64)
        seen = self._seen[rows]
        recent = np.abs(step) < REMEMBERED
        duplicate = ~ahead & recent & ((seen >> distance) & _ONE == _ONE)
        moved = np.where(recent, seen << distance, np.uint64(0)) | _ONE
        marked = np.where(recent, seen | _ONE << distance, seen)
        self._seen[rows] = np.where(ahead, moved, marked)
        self._highest[rows] += np.where(ahead, step, 0)
        self._received[rows] += ~duplicate
        self.duplicates[rows] += duplicate
        self.reordered[rows] += ~ahead & ~duplicate
        return ~duplicate, ahead

    def count_audio(self, rows: Int64, size: Int64) -> None:
        """Packets of audio that had not come before, at most one per row."""
        self.audio_packets[rows] += 1
        self.audio_samples[rows] += size

    def measure(self, rows: Int64, timestamps: Int64, arrivals: Float64) -> None:
        """Interarrival jitter (RFC 3550, A.8) of audio packets in order, at most one per row."""
        times = self._times.take(rows, axis=0)
        transit = arrivals * CLOCK - timestamps
        change = np.abs(transit - times[:, TRANSIT])
        times[:, TRANSIT] = transit
        # A new time line, or a timestamp that wrapped, is no jitter.
        moved = (~(change < CLOCK)).nonzero()[0]
        if len(moved):
            change[moved] = 0
            kept = times[moved]
        jitter = times[:, JITTER]
        jitter += (change - jitter) / 16
        times[:, SUM] += jitter
        times[:, COUNT] += 1
        np.minimum(times[:, LEAST], jitter, out=times[:, LEAST])
        np.maximum(times[:, MOST], jitter, out=times[:, MOST])
        if len(moved):
            times[moved] = kept
        self._time_rows[rows] = times.view(_ROW)[:, 0]

    def lost(self, row: int) -> int:
        """Packets that never came, duplicates not counted against them."""
        return int(self._lost_before[row] + max(0, self._expected(row) - self._received[row]))

    def jitter(self, row: int) -> Spread:
        """The jitter estimate over the leg's life, in ms."""
        count = int(self._jitter_count[row])
        if not count:
            return Spread()
        ms = 1000 / CLOCK
        return Spread(
            float(self._jitter_min[row]) * ms,
            float(self._jitter_max[row]) * ms,
            float(self._jitter_sum[row]) / count * ms,
        )

    def mean_ptime(self, row: int) -> float | None:
        """The mean length of the audio packets received, in ms."""
        packets = int(self.audio_packets[row])
        return int(self.audio_samples[row]) / packets / 8 if packets else None

    def report(self, row: int) -> ReceptionReport | None:
        """A report block's numbers, and the start of the next interval; None before anything was heard."""
        if self.ssrc[row] < 0:
            return None
        expected, received = self._expected(row), int(self._received[row])
        interval = expected - int(self._expected_prior[row])
        lost = interval - (received - int(self._received_prior[row]))
        self._expected_prior[row] = expected
        self._received_prior[row] = received
        fraction = min(255, (lost << 8) // interval) if interval > 0 and lost > 0 else 0
        highest = int(self._highest[row]) & 0xFFFFFFFF
        return ReceptionReport(
            int(self.ssrc[row]), fraction, expected - received, highest, int(self._jitter[row])
        )

    def _go_on(self, rows: Int64, counts: Int64, size: Int64 | int) -> None:
        counts[:, :OCTETS] += 1
        counts[:, OCTETS] += size
        counts[:, AUDIO_SAMPLES] += size
        counts[:, SEEN] = counts[:, SEEN] << 1 | 1
        self._count_rows[rows] = counts.view(_ROW)[:, 0]

    def _expected(self, row: int) -> int:
        return int(self._highest[row] - self._first[row]) + 1 if self.ssrc[row] >= 0 else 0

    def _restart(self, rows: Int64, sequence: Int64, ssrc: Int64) -> None:
        before = rows[self.ssrc[rows] >= 0]
        if len(before):
            expected = self._highest[before] - self._first[before] + 1
            self._lost_before[before] += np.maximum(0, expected - self._received[before])
        self.ssrc[rows] = ssrc
        self._first[rows] = sequence
        self._highest[rows] = sequence - 1
        self._seen[rows] = 0
        self._received[rows] = 0
        self._expected_prior[rows] = 0
        self._received_prior[rows] = 0
        self._transit[rows] = np.nan
