"""A disk in virtual time, and the store's one writer before it: see `ringback.store.writer`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from ringback.store.writer import BREATH, GROUP_SECONDS, LINGER_SECONDS

COMMIT = 0.0012
"""Seconds that a commit takes, however much is in it."""
Work = Callable[[], None]


class Disk:
    """Takes writes, commits them in groups, and has what waits for them done. `stalls`: (from, seconds) of
    commits that take so long instead; `each`: seconds that each write adds to its commit."""

    def __init__(
        self,
        clock: Callable[[], float],
        at: Callable[[float, Work], None],
        *,
        stalls: Iterable[tuple[float, float]] = (),
        each: float = 0.0,
    ) -> None:
        self._clock = clock
        self._at = at
        self._stalls = deque(sorted(stalls))
        self._each = each
        self._pending: list[Work] = []
        self._pending_since = 0.0
        self._writing_since = 0.0
        self._handed_over: float | None = None
        """When the commit under way was begun."""
        self._planned = False
        self._not_before = 0.0

    @property
    def delay(self) -> float:
        """For how many seconds the oldest write has waited."""
        if self._handed_over is not None:
            return self._clock() - self._writing_since
        return self._clock() - self._pending_since if self._pending else 0.0

    @property
    def committing(self) -> float:
        """For how many of them it is being committed."""
        return self._clock() - self._handed_over if self._handed_over is not None else 0.0

    def write(self, then: Work) -> None:
        """Commit something, then go on."""
        if not self._pending:
            self._pending_since = self._clock()
        self._pending.append(then)
        self._plan()

    def _plan(self) -> None:
        if self._pending and not self._planned and self._handed_over is None:
            self._planned = True
            self._at(max(self._clock(), self._not_before), self._begin)

    def _begin(self) -> None:
        self._planned = False
        self._handed_over, self._writing_since = self._clock(), self._pending_since
        group, self._pending = self._pending, []
        takes = COMMIT + self._each * len(group)
        if self._stalls and self._stalls[0][0] <= self._handed_over:
            takes = self._stalls.popleft()[1]
        self._at(self._handed_over + takes, lambda: self._settle(group))

    def _settle(self, group: list[Work]) -> None:
        assert self._handed_over is not None
        now = self._clock()
        breath = BREATH * (now - self._handed_over)
        self._not_before = now + min(max(GROUP_SECONDS, breath), LINGER_SECONDS)
        self._handed_over = None
        self._plan()
        for work in group:
            self._at(now, work)
