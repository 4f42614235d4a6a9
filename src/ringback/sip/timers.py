"""One heap of timers for everything that waits."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

Clock = Callable[[], float]
Action = Callable[[], None]


class Timer:
    """A deadline in the heap; ``cancel`` forgets the action at once and the entry when its time comes."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Action) -> None:
        self.when = when
        self.action: Action | None = action

    def cancel(self) -> None:
        """The action will not run. Safe to call twice, and after it ran."""
        self.action = None


class Timers:
    """Deadlines on a clock that counts seconds. Nothing runs by itself: ask ``next_deadline``, call
    ``fire``."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()

    def after(self, delay: float, action: Action) -> Timer:
        """Runs ``action`` in ``delay`` seconds."""
        timer = Timer(self.clock() + delay, action)
        heapq.heappush(self._heap, (timer.when, next(self._order), timer))
        return timer

    def next_deadline(self) -> float | None:
        """When ``fire`` has something to do; None when nothing waits."""
        heap = self._heap
        while heap and heap[0][2].action is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def fire(self) -> None:
        """Runs every action whose time has come, in order of time."""
        heap, now = self._heap, self.clock()
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            action, timer.action = timer.action, None
            if action is not None:
                action()
