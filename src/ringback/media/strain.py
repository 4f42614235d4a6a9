"""Whether the workers still keep time, and have time for more: read off their pulses, once a second each."""

from __future__ import annotations

from collections.abc import Iterable

from ringback.media.clockwork import FRAME, STEP
from ringback.media.model import TickStatistics

PULSE = 1.0
"""Seconds between two pulses of a worker, at the least."""
LATE_SHARE = 0.05
"""The share of ticks that may begin late: more, and running calls lose what they should hear in time."""
FULL, FREE = 0.9, 0.85
"""A worker that is at work for this share of the time takes no more legs, until it is down to that one.

Its legs stay for as long as their calls last: what is refused only when ticks are late is refused too late.
"""


class Strain:
    """Of the worker that is least strained, since that is where a new call's leg goes."""

    def __init__(self) -> None:
        self.lateness = 0.0
        """The share of late ticks over the one that may be, in the better of a worker's last two pulses:
        above 1 there are too many. A bad second between two good ones is a pause, and not too much to do."""
        self.full = False
        """No worker has time for more legs."""
        self._before: dict[int, TickStatistics] = {}
        self._lateness: dict[int, tuple[float, float]] = {}
        """Of the last pulse but one, and of the last."""
        self._busy: dict[int, float] = {}

    def look(self, workers: Iterable[TickStatistics]) -> None:
        """Take the workers' last pulses, as often as one likes."""
        known = {worker.pid: worker for worker in workers}
        for pid in self._before.keys() - known.keys():
            del self._before[pid]
            self._lateness.pop(pid, None)
            self._busy.pop(pid, None)
        for pid, pulse in known.items():
            before = self._before.get(pid)
            self._before[pid] = pulse
            # One of a worker that rests is a new one, too: it has used some time.
            if before is not None and pulse != before:
                self._measure(pid, before, pulse)
        self.lateness = min(map(min, self._lateness.values()), default=0.0)
        busy = min(self._busy.values(), default=0.0)
        self.full = busy > (FREE if self.full else FULL)

    def _measure(self, pid: int, before: TickStatistics, pulse: TickStatistics) -> None:
        ticks, skipped = pulse.ticks - before.ticks, pulse.overruns - before.overruns
        # There is a second between two pulses; a worker with nothing to do does not tick all the time.
        passed = max(PULSE, ticks * STEP + skipped * FRAME)
        # A frame that was left out is the worst lateness there is, for all phases.
        late = pulse.late - before.late + skipped * FRAME / STEP
        _, last = self._lateness.get(pid, (0.0, 0.0))
        self._lateness[pid] = last, late / (passed / STEP) / LATE_SHARE
        self._busy[pid] = (pulse.cpu_seconds - before.cpu_seconds) / passed
