"""Calls created from outside that wait for their turn, in order, where an account or trunk has a limit."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from ringback.calls.control import LimitReached
from ringback.calls.waiting import first_of
from ringback.routing.directory import Account
from ringback.routing.limits import Limits, Share
from ringback.routing.outbound import Routed

if TYPE_CHECKING:
    from ringback.calls.call import Call
    from ringback.calls.placing import Placing


class _Group(msgspec.Struct, frozen=True):
    """Calls of one account that may go the same ways: where the first has no chance, none has."""

    account_id: UUID
    trunks: frozenset[UUID | None]

    @classmethod
    def of(cls, account_id: UUID, routed: Routed) -> _Group:
        return cls(account_id, frozenset(route.trunk.id if route.trunk else None for route in routed.routes))

    @property
    def holders(self) -> Iterable[UUID]:
        """Whose shares these calls need."""
        return (self.account_id, *(id for id in self.trunks if id is not None))


class _Waiting:
    """A call that waits; `turn` brings its share."""

    def __init__(self, routed: Routed) -> None:
        self.routed = routed
        self.turn: asyncio.Future[Share] = asyncio.get_running_loop().create_future()


class CallQueue:
    """A queue for each group of calls, so that a full trunk does not hold up calls that go another way, and a
    share that was given back costs a look at those alone who may want it."""

    def __init__(self, placing: Placing, limits: Limits) -> None:
        self._placing = placing
        self._limits = limits
        self._numbers = 0
        self._queues: dict[_Group, OrderedDict[int, _Waiting]] = {}
        """Those that wait, by number: a lower one came earlier."""
        self._groups: defaultdict[UUID, set[_Group]] = defaultdict(set)
        """Those in which somebody waits, by the accounts and trunks whose shares they need."""
        self._waiting: Counter[UUID] = Counter()
        self._timers: dict[UUID, asyncio.TimerHandle] = {}
        """When an account's rate, or a trunk's of its, allows another call."""
        limits.on_free = self._freed

    def __len__(self) -> int:
        """How many calls wait."""
        return self._waiting.total()

    def waiting(self, account_id: UUID) -> int:
        """How many calls of an account wait."""
        return self._waiting[account_id]

    def check(self, account: Account, routed: Routed) -> None:
        """Raise LimitReached where one more call would have to wait and as many wait as may."""
        waiting = self.waiting(account.id)
        if waiting < account.max_queued:
            return
        over = self._limits.full(account, [route.trunk for route in routed.routes])
        if over is not None or waiting:
            why = over.why if over is not None else f"account {account.name} is at its limit"
            raise LimitReached(f"{why}, and {waiting} more are waiting")

    async def turn(self, call: Call, routed: Routed) -> Share | None:
        """Wait until the call may be placed; None when it ended before."""
        group, entry = _Group.of(call.record.account_id, routed), _Waiting(routed)
        number = self._enter(group, entry)
        self._look({group})
        try:
            await first_of(entry.turn, call.over_future)
        finally:
            if not entry.turn.done():
                self._leave(group, number)
        if not entry.turn.done():
            return None
        share = entry.turn.result()
        if call.over:
            share.end()
            return None
        return share

    def _enter(self, group: _Group, entry: _Waiting) -> int:
        self._numbers += 1
        self._queues.setdefault(group, OrderedDict())[self._numbers] = entry
        self._waiting[group.account_id] += 1
        for holder in group.holders:
            self._groups[holder].add(group)
        return self._numbers

    def _leave(self, group: _Group, number: int) -> None:
        queue = self._queues[group]
        del queue[number]
        self._waiting[group.account_id] -= 1
        if not self._waiting[group.account_id]:
            del self._waiting[group.account_id]
        if not queue:
            del self._queues[group]
            for holder in group.holders:
                self._groups[holder].discard(group)
                if not self._groups[holder]:
                    del self._groups[holder]

    def _freed(self, holders: Collection[UUID] | None) -> None:
        if holders is None:
            self._look(self._queues.keys())
        elif self._queues:
            self._look({group for holder in holders for group in self._groups.get(holder, ())})

    def _look(self, groups: Collection[_Group]) -> None:
        """Let those begin whose turn has come, of these groups; who came first goes first."""
        order = [(next(iter(self._queues[group])), group) for group in groups]  # no two numbers are the same
        heapq.heapify(order)
        full: set[UUID] = set()
        while order:
            number, group = heapq.heappop(order)
            if group.account_id not in full and self._serve(group, number, full) and group in self._queues:
                heapq.heappush(order, (next(iter(self._queues[group])), group))

    def _serve(self, group: _Group, number: int, full: set[UUID]) -> bool:
        """Give the first of a group its share, if there is one; `full` gets accounts that have none."""
        entry = self._queues[group][number]
        share = self._placing.share(group.account_id, entry.routed)
        if isinstance(share, Share):
            self._leave(group, number)
            entry.turn.set_result(share)
            return True
        if share.wait is not None:
            self._look_again(group.account_id, share.wait)
        if self._limits.over(self._placing.account(group.account_id)) is not None:
            full.add(group.account_id)
        return False

    def _look_again(self, account_id: UUID, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        timer = self._timers.get(account_id)
        if timer is None or timer.when() > loop.time() + seconds:
            if timer is not None:
                timer.cancel()
            self._timers[account_id] = loop.call_later(seconds, self._time_has_come, account_id)

    def _time_has_come(self, account_id: UUID) -> None:
        del self._timers[account_id]
        self._look(self._groups.get(account_id, set()))
