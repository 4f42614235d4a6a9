"""One long commit, told apart from a store that has too much to do: no IO, and no clock of its own.

A disk pauses now and then for some tenths of a second. Answers wait for it, but there is time for calls
meanwhile, and what has piled up is done soon after. Writes that have waited for the commit before theirs tell
that there was more than one.
"""

from __future__ import annotations

STORE = 0.15
"""Seconds that a write may wait for its commit: the 200 to an INVITE waits for one."""
PAUSE = 0.5
"""Seconds that one commit may take, and at the most as many again until what it held up is done."""


class Pausing:
    """`look` many times a second."""

    def __init__(self) -> None:
        self._until = 0.0

    def look(self, now: float, delay: float, committing: float) -> bool:
        """Whether the disk pauses, or what it held up is being done. `delay`: for how many seconds the oldest
        write has waited, for the last `committing` of which it was being committed."""
        if delay > STORE and delay - committing <= STORE / 2:
            self._until = now + committing if committing <= PAUSE else now
        return now < self._until
