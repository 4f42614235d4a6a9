"""When ticks are due, and how well they are kept."""

from __future__ import annotations

import math
import resource

import numpy as np

from ringback.media.model import TickStatistics

FRAME = 0.020
PHASES = 4
STEP = FRAME / PHASES
"""Seconds between the ticks of two phases."""
LATE = 0.005
"""Seconds after which a tick is late: its packets are no longer on time."""
REMEMBERED = 2048
"""Ticks over which the 99th percentile is taken."""


def until_tick(phase: int, since: float) -> float:
    """Seconds until a phase's next tick, so many seconds after the worker's epoch.

    Phase p's ticks are due p steps more than whole frames after it; who knows the epoch knows when.
    """
    return (phase * STEP - since) % FRAME


def soonest(since: float) -> int:
    """The phase whose tick is next, so many seconds after the worker's epoch; the others follow in turn."""
    return math.ceil(since / STEP) % PHASES


class Clockwork:
    """The schedule of all phases' ticks on one absolute time line, from `now` on. Sans-IO: it is told the
    time. Both are of the monotonic clock."""

    def __init__(self, now: float, epoch: float) -> None:
        self._epoch = epoch
        self.due = now + until_tick(0, now - epoch)
        self.phase = 0
        self.ticks = 0
        self.overruns = 0
        self.slow = 0
        self.late = 0
        self._late_max = 0.0
        self._spent = np.zeros(REMEMBERED)
        self._spent_sum = 0.0
        self._spent_max = 0.0

    def resume(self, now: float) -> None:
        """Nothing was due until now: it goes on with whichever phase's tick is next."""
        self.phase = soonest(now - self._epoch)
        self.due = now + until_tick(self.phase, now - self._epoch)

    def begin(self, now: float) -> int:
        """A tick begins. Returns the whole frames that must be left out because they are past."""
        late = now - self.due
        self._late_max = max(self._late_max, late)
        self.late += late > LATE
        missed = int(late / FRAME) if late >= FRAME else 0
        self.due += missed * FRAME
        self.overruns += missed
        return missed

    def end(self, spent: float) -> None:
        """The tick took `spent` seconds; the next phase is due."""
        self._spent[self.ticks % REMEMBERED] = spent
        self._spent_sum += spent
        self._spent_max = max(self._spent_max, spent)
        self.slow += spent > FRAME
        self.ticks += 1
        self.phase = (self.phase + 1) % PHASES
        self.due += STEP

    def statistics(self) -> TickStatistics:
        """The part of the worker's statistics that is about time."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        known = self._spent[: min(self.ticks, REMEMBERED)]
        return TickStatistics(
            ticks=self.ticks,
            tick_mean_ms=self._spent_sum / max(1, self.ticks) * 1000,
            tick_p99_ms=float(np.percentile(known, 99)) * 1000 if len(known) else 0.0,
            tick_max_ms=self._spent_max * 1000,
            late_max_ms=self._late_max * 1000,
            slow=self.slow,
            late=self.late,
            overruns=self.overruns,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            page_faults=usage.ru_minflt,
        )
