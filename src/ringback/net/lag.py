"""How long the event loop lets what is due wait: the sign of a machine that is too small or too busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

EVERY, AT_REST = 0.05, 0.2
"""Seconds between two samples, and while there is nothing to do."""


class LoopLag:
    """Asks the running loop to come back, again and again, and tells how many seconds late it did. Where
    `busy` says no it is asked less often."""

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
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Sample from now on."""
        # Not the loop's own clock: some loops read it once a turn, which hides what the turn took.
        seconds = self._every if self._busy is None or self._busy() else AT_REST
        self._due = time.monotonic() + seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._sample)

    def close(self) -> None:
        """Sample no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sample(self) -> None:
        late = max(0.0, time.monotonic() - self._due)
        for observe in self._observers:
            observe(late)
        self.start()
