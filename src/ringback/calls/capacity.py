"""Whether there is time for another call: measured, never configured, and asked before anything is done.

Four things tell that there is too much to do: SIP messages wait to be read, the event loop comes late to what
is due, the store to what it should commit, media workers to their ticks. How late each is, as a share of how
late it may be, makes one pressure (the highest), and `routing.throttle` makes of it how many new calls may
come in. What belongs to calls that are up does not ask: it is what is protected.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Protocol

from ringback.calls.meter import Meter
from ringback.calls.pausing import STORE, Pausing
from ringback.media.model import PlaneStatistics
from ringback.media.strain import Strain
from ringback.routing.directory import Directory
from ringback.routing.throttle import Throttle
from ringback.sip.admission import Refusal

SIP = 0.01
"""Seconds that a message may wait to be read."""
LOOP = 0.01
"""Seconds that the event loop may be late. Some ten of its turns make a call's set-up, so that a
call has waited 100 ms then. Later than that more calls wait, and no more are done."""
RETRY_AFTER = (1, 3)
"""Seconds, at random between the two: those who were refused together should not come back together."""
SUMMARY = 10.0
"""Seconds between two lines of the log while calls are refused."""
_HOSTS = 4096

logger = logging.getLogger(__name__)


class Reading(Protocol):
    """What is seen of the SIP endpoint."""

    def waited(self) -> float:
        """Seconds that the latest message waited to be read; 0 when none came since this was asked."""


class Committing(Protocol):
    """What is seen of the store."""

    @property
    def delay(self) -> float:
        """For how many seconds the oldest write has waited."""

    @property
    def committing(self) -> float:
        """For how many of them it is being committed, and no longer waits for a commit before it."""


class Ticking(Protocol):
    """What is seen of the media plane."""

    def stats(self) -> PlaneStatistics:
        """The workers' last pulses."""


class Capacity:
    """An `Admission` (see `ringback.sip.admission`). `lagged` makes it look: connect it with a `LoopLag`."""

    def __init__(self, directory: Directory, meter: Meter, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._meter = meter
        self._clock = clock
        self._strain = Strain()
        self._pausing = Pausing()
        self.throttle = Throttle(clock)
        self.refused = 0
        """New calls that were refused for want of time, so far."""
        self._statuses: dict[str, int] = {}
        self._told = False
        """That calls are refused was said, and not yet that there is time again."""
        self._said_at = 0.0
        self._said_refused = 0
        self._watched: tuple[Reading, Committing, Ticking] | None = None
        self.on_enter: Callable[[], None] | None = None
        """Told of each new call that comes in: at rest there is nothing to measure."""

    # -- new calls

    def full(self) -> bool:
        """There is no time for a new call now."""
        return self._strain.full or self.throttle.full()

    def enter(self) -> None:
        """A new call comes in."""
        self.throttle.enter()
        if self.on_enter is not None:
            self.on_enter()

    def spare(self) -> None:
        """One that came in came to nothing, at once."""
        self.throttle.spare()

    def refuse(self, host: str) -> Refusal:
        """A new call from this address is refused; "" is for one that somebody asked for over HTTP."""
        self.throttle.refuse()
        self.refused += 1
        status = self._statuses.get(host)
        if status is None:
            status = self._statuses[host] = self._status(host)
        if host:
            self._meter.refused(status)
        return Refusal(status, random.randint(*RETRY_AFTER))

    def _status(self, host: str) -> int:
        if len(self._statuses) >= _HOSTS:
            self._statuses.clear()
        trunks = self._directory.trunks_from(host)
        return trunks[0].overload_status if trunks else 503

    # -- what is measured

    @property
    def limited(self) -> bool:
        """Whether new calls are refused beyond some rate, or altogether."""
        return self._strain.full or self.throttle.rate is not None

    def watch(self, sip: Reading, store: Committing, media: Ticking) -> None:
        """What to look at from now on."""
        self._watched = (sip, store, media)

    def lagged(self, seconds: float) -> None:
        """The event loop came so late to what was due: a moment to look at everything."""
        excused = False
        pressures = {"the event loop": seconds / LOOP}
        if self._watched is not None:
            sip, store, media = self._watched
            self._strain.look(media.stats().workers)
            excused = self._pausing.look(self._clock(), store.delay, store.committing)
            pressures |= {
                "SIP": sip.waited() / SIP,
                "the store": store.delay / STORE,
                "media": self._strain.lateness,
            }
        cause = max(pressures, key=lambda each: pressures[each])
        self.throttle.measured(pressures[cause], excused=excused)
        self._say(cause)

    def forget(self) -> None:
        """Trunks have changed."""
        self._statuses.clear()

    # -- for people

    def _say(self, cause: str) -> None:
        """What is refused is told in summary: a line for each call would be work, too. A limit that nobody
        comes up against is nobody's business."""
        now, refused = self._clock(), self.refused - self._said_refused
        due = self.limited and refused and not (self._told and now - self._said_at < SUMMARY)
        over = self._told and not self.limited
        if not due and not over:
            return
        self._said_refused = self.refused
        if not self.limited:
            logger.info("there is time for every call again; %d were refused since the last line", refused)
        elif self._strain.full:
            logger.warning("the media workers have no time for more calls; %d were refused", refused)
        else:
            text = "%s is late: %.0f new calls a second are let in; %d were refused since the last line"
            logger.warning(text, cause, self.throttle.rate, refused)
        self._told, self._said_at = self.limited, now
