"""Documents that lead to each other without end: noticed, so that one call cannot spin for ever."""

from __future__ import annotations

from collections import deque

DOCUMENTS = 50
SECONDS = 5.0


class Runaway:
    """Too many documents in too short a time. No caller hears or does anything that fast."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=DOCUMENTS)

    def document(self, now: float) -> bool:
        """A document begins at `now` (seconds of any one clock); True when that is one too many."""
        self._times.append(now)
        return len(self._times) == DOCUMENTS and now - self._times[0] < SECONDS
