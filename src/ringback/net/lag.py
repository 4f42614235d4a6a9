"""How long the event loop lets what is due wait: the sign of a machine that is too small or too busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

EVERY, AT_REST = 0.05, 1.0
"""Seconds between two samples, and while there is nothing to do."""


class LoopLag:
    """Asks the running loop to come back, again and again, and tells how many seconds late it did. Where
    `busy` says no it is asked less often, until it is told of work."""

    def __init__(
        self,
        *observers: Callable[[float], None],
        every: float = EVERY,
        busy: Callable[[], bool] | None = None,
    ) -> None:
        self._observers = observers
        self._every = every
        self._busy = busy
        self._due = 0.0
        self._resting = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Sample from now on."""
        self._resting = self._busy is not None and not self._busy()
        self._again(AT_REST if self._resting else self._every)

    def wake(self) -> None:
        """Work has come: the next sample is not as far off as at rest."""
        if self._resting:
            self.close()
            self._again(self._every)

    def close(self) -> None:
        """Sample no more."""
        self._resting = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sample(self) -> None:
        late = max(0.0, time.monotonic() - self._due)
        for observe in self._observers:
            observe(late)
        self.start()

    def _again(self, seconds: float) -> None:
        # Not the loop's own clock: some loops read it once a turn, which hides what the turn took.
        self._due = time.monotonic() + seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._sample)
