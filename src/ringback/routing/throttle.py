"""How many new calls a second there is time for, found out from how late everything else is.

No IO and no clock of its own. While nothing is late nothing is limited. When work has been twice as late as
it may be for a moment, the rate at which calls came in becomes the limit, and from then on follows what is
measured. The slow part finds out what the machine can do: the limit shrinks while work is late and grows
while it is not. The fast part keeps what waits from becoming too much, and from running out: the less late
work is at this moment, the more of the limit comes in. It ends when for a while nobody had to be refused, or
little is late any more and few come.

The numbers were found with the server of `tests/calls/loaded.py`, in virtual time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

FLOOR = 10.0
"""Calls a second that are let in, and at once, however late work is: another program may make it so."""
BEGIN = 2.0
"""The pressure at which a limit begins. What is less late mostly goes by itself, and hurts nobody."""
PATIENCE = 2
"""Measurements in a row that have to be as bad as that: one pause, however long, is none."""
FLOW = 0.25
"""Seconds over which the rates of those who came, and of those who came in, are averaged."""
LONGEST = 0.1
"""Seconds that a measurement stands for at the most: a pause, however long, is one bad moment."""
STOP = 3.0
"""The pressure at which no more than the floor comes in. At 1 it is the limit, at 0 half as much again."""
CUT = 0.6
"""By what part the limit shrinks in a second for each unit of pressure above 1; at the most one counts."""
GROWTH, FASTEST = 0.05, 0.3
"""By what part it grows in a second at half the pressure that may be, and at the most: the less is late, the
faster."""
BURST = 0.1
"""Seconds whose calls may come in at once, where they are more than the floor."""
RELEASE = 10.0
"""Seconds without a refusal after which the limit ends."""
CALM, REST = 0.5, 2.0
"""The pressure below which little is late, and for how many seconds it has to be until the limit doubles each
second, and ends when less than half of it is asked for: refusals alone keep no limit up."""
SPARED = 0.9
"""The part of a call that one has not needed which came to nothing at once."""


class Throttle:
    """`clock` gives seconds that never run backwards. `measured` is to be called many times a second; `full`
    before each new call, then `enter` or `refuse`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._measured_at = clock()
        self._late = 0
        self.pressure = 0.0
        """How late work was when it was last measured: 1 is as late as it may be."""
        self.rate: float | None = None
        """New calls a second that the machine seems able to take; None while it is not limited."""
        self._allowance = 0.0
        self._tokens = 0.0
        self._filled_at = 0.0
        self._entered = 0.0
        self._refused = 0
        self._flow_in = 0.0
        self._flow = 0.0
        self._refused_at = 0.0
        self._pressed_at = 0.0

    # -- the calls

    def full(self) -> bool:
        """There is no room for a new call now."""
        return self.rate is not None and self._refill() < 1.0

    def enter(self) -> None:
        """A new call comes in."""
        self._rouse()
        self._take(1.0)

    def spare(self) -> None:
        """One that came in came to nothing: it was told at once that nobody is there, or to say who it is."""
        self._take(-SPARED)

    def _rouse(self) -> None:
        """The first call after a rest, in which nothing is measured: it is no part of how fast they come."""
        now = self._clock()
        passed = now - self._measured_at
        if passed > LONGEST and self._flow < FLOOR and not self._entered and not self._refused:
            self._count(passed)
            self._measured_at = now

    def _take(self, calls: float) -> None:
        self._entered += calls
        if self.rate is not None:
            self._tokens -= calls

    def refuse(self) -> None:
        """A new call was refused."""
        self._rouse()
        self._refused += 1
        self._refused_at = self._clock()

    def _refill(self) -> float:
        now = self._clock()
        fresh = (now - self._filled_at) * self._allowance
        self._filled_at = now
        self._tokens = min(self._tokens + fresh, max(FLOOR, self._allowance * BURST))
        return self._tokens

    # -- what is measured

    def measured(self, pressure: float, *, excused: bool = False) -> None:
        """How late work was just now, as a share of how late it may be. `excused`: of something that is over
        soon by itself, and says nothing about what the machine can do: less comes in, but the limit stays."""
        now = self._clock()
        passed, self._measured_at = now - self._measured_at, now
        if passed <= 0.0:
            return
        self._count(passed)
        passed = min(passed, LONGEST)
        self.pressure = pressure
        if pressure > CALM:
            self._pressed_at = now
        if self.rate is None:
            self._late = self._late + 1 if pressure >= BEGIN and not excused else 0
            if self._late >= PATIENCE:
                self._begin(now)
        elif now - self._refused_at > RELEASE or (self._calm(now) and self.rate > 2.0 * self._flow):
            self.rate, self._late = None, 0
        else:
            self._adapt(now, 0.0 if excused else passed)

    def _calm(self, now: float) -> bool:
        return now - self._pressed_at > REST

    def _count(self, passed: float) -> None:
        share = _share(min(passed, LONGEST), FLOW)  # who came during a pause has not been counted yet
        self._flow_in += share * (self._entered / passed - self._flow_in)
        self._flow += share * ((self._entered + self._refused) / passed - self._flow)
        self._entered, self._refused = 0.0, 0

    def _begin(self, now: float) -> None:
        # Too high is put right by the fast part at once, too low by the slow one alone.
        self.rate = max(FLOOR, self._flow)
        self._tokens, self._filled_at, self._refused_at = FLOOR, now, now
        self._adapt(now, 0.0)

    def _adapt(self, now: float, passed: float) -> None:
        assert self.rate is not None
        if self.pressure > 1.0:
            change = -CUT * min(1.0, self.pressure - 1.0)
        elif self._calm(now):
            change = math.log(2.0)
        elif self.rate < 2.0 * self._flow:
            change = min(FASTEST, GROWTH * (1.0 - self.pressure) / max(self.pressure, 0.01))
        else:
            change = 0.0  # that there is room says nothing about twice what there is room for
        self.rate = max(FLOOR, self.rate * math.exp(change * passed))
        self._refill()
        self._allowance = max(FLOOR, self.rate * (STOP - self.pressure) / (STOP - 1.0))


def _share(passed: float, over: float) -> float:
    """The weight of what happened in `passed` seconds in an average over about `over`."""
    return 1.0 - math.exp(-passed / over)
