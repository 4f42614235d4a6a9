"""How long a call may last from its answer on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class TimeLimit:
    """Runs out `most` seconds after `start`, or earlier where `set` says so, before or after the start."""

    def __init__(self, most: float, run_out: Callable[[], None]) -> None:
        self._most = self._seconds = most
        self._run_out: Callable[[], None] | None = run_out
        self._started: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """The call is answered."""
        self._started = asyncio.get_running_loop().time()
        self._arm()

    def set(self, seconds: float) -> None:
        """End it this long after its answer, if that comes before `most`."""
        self._seconds = min(seconds, self._most)
        self._arm()

    def cancel(self) -> None:
        """The call is over, and is not held any longer."""
        self._disarm()
        self._run_out = None

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        self._disarm()
        if self._started is not None and self._run_out is not None:
            at = self._started + self._seconds
            self._timer = asyncio.get_running_loop().call_at(at, self._run_out)
