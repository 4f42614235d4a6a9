"""Calls created from outside that wait for their turn, in order, where an account or trunk has a limit."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING
from uuid import UUID

from ringback.calls.control import LimitReached
from ringback.calls.waiting import first_of
from ringback.routing.directory import Account
from ringback.routing.limits import Limits, Over, Share
from ringback.routing.outbound import Routed

if TYPE_CHECKING:
    from ringback.calls.call import Call
    from ringback.calls.placing import Placing


class _Waiting:
    """A call that waits; `turn` brings its share."""

    def __init__(self, routed: Routed) -> None:
        self.routed = routed
        self.turn: asyncio.Future[Share] = asyncio.get_running_loop().create_future()

    @property
    def trunks(self) -> frozenset[UUID | None]:
        """The ways it may go."""
        return frozenset(route.trunk.id if route.trunk else None for route in self.routed.routes)


class CallQueue:
    """One queue for each account. A call whose trunk is full does not hold up those that go another way."""

    def __init__(self, placing: Placing, limits: Limits) -> None:
        self._placing = placing
        self._limits = limits
        self._queues: dict[UUID, deque[_Waiting]] = {}
        self._timer: asyncio.TimerHandle | None = None
        limits.on_free = self._look

    def __len__(self) -> int:
        """How many calls wait."""
        return sum(map(len, self._queues.values()))

    def waiting(self, account_id: UUID) -> int:
        """How many calls of an account wait."""
        return len(self._queues.get(account_id, ()))

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
        account_id = call.record.account_id
        entry = _Waiting(routed)
        self._queues.setdefault(account_id, deque()).append(entry)
        self._look()
        await first_of(entry.turn, call.over_future)
        if not entry.turn.done():
            self._remove(account_id, entry)
            return None
        share = entry.turn.result()
        if call.over:
            share.end()
            return None
        return share

    def _look(self) -> None:
        """Let those begin whose turn has come."""
        if not self._queues:
            return
        waits = [wait for account_id in list(self._queues) if (wait := self._serve(account_id)) is not None]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if waits:
            self._timer = asyncio.get_running_loop().call_later(min(waits), self._look)

    def _serve(self, account_id: UUID) -> float | None:
        """Serve one account; seconds until there is reason to look again, None for when a call ends."""
        full: set[frozenset[UUID | None]] = set()
        soonest: float | None = None
        for entry in list(self._queues.get(account_id, ())):
            if entry.trunks in full:
                continue
            share = self._placing.share(account_id, entry.routed)
            if isinstance(share, Share):
                self._remove(account_id, entry)
                entry.turn.set_result(share)
                continue
            soonest = _sooner(soonest, share)
            if self._limits.over(self._placing.account(account_id)) is not None:
                break  # the account itself is at its limit: nobody behind has a chance
            full.add(entry.trunks)
        return soonest

    def _remove(self, account_id: UUID, entry: _Waiting) -> None:
        queue = self._queues.get(account_id)
        if queue is not None and entry in queue:
            queue.remove(entry)
            if not queue:
                del self._queues[account_id]


def _sooner(soonest: float | None, over: Over) -> float | None:
    if over.wait is None:
        return soonest
    return over.wait if soonest is None else min(soonest, over.wait)
