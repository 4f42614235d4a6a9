"""Timers for everything that waits: sorted by their lengths first, since there are few of those."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush, heapreplace
from itertools import count

import msgspec

Clock = Callable[[], float]
Action = Callable[[], None]


class Timer(msgspec.Struct, eq=False):
    """A deadline; ``cancel`` forgets the action at once and the rest when its time comes."""

    when: float
    order: int
    """Of two that are due at the same time the lower one is first."""
    action: Action | None

    def cancel(self) -> None:
        """The action will not run. Safe to call twice, and after it ran."""
        self.action = None


class Timers:
    """Deadlines on a clock that counts seconds. Nothing runs by itself: ask ``next_deadline``, call
    ``fire``.

    Of two timers of one length the one set first is due first. So each length has a queue, and a heap holds
    no more than the queues' heads: RFC 3261 has some ten lengths, a busy server tens of thousands of timers.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._queues: dict[float, deque[Timer]] = {}
        self._heads: list[tuple[float, int, float]] = []  # when, order and length of each queue's first
        self._order = count()

    def after(self, delay: float, action: Action) -> Timer:
        """Runs ``action`` in ``delay`` seconds."""
        timer = Timer(self.clock() + delay, next(self._order), action)
        queue = self._queues.get(delay)
        if queue is None:
            queue = self._queues[delay] = deque()
            heappush(self._heads, (timer.when, timer.order, delay))
        queue.append(timer)
        return timer

    def next_deadline(self) -> float | None:
        """When ``fire`` has something to do; None when nothing waits."""
        while self._heads:
            when, _, delay = self._heads[0]
            if self._queues[delay][0].action is not None:
                return when
            self._take_first()
        return None

    def fire(self) -> None:
        """Runs every action whose time has come, in order of time."""
        heads, now = self._heads, self.clock()
        while heads and heads[0][0] <= now:
            timer = self._take_first()
            action, timer.action = timer.action, None
            if action is not None:
                action()

    def _take_first(self) -> Timer:
        """Take out the earliest timer, and what was cancelled right behind it."""
        delay = self._heads[0][2]
        queue = self._queues[delay]
        timer = queue.popleft()
        while queue and queue[0].action is None:
            queue.popleft()
        if queue:
            heapreplace(self._heads, (queue[0].when, queue[0].order, delay))
        else:
            heappop(self._heads)
            del self._queues[delay]
        return timer
