"""The calls that are up."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from ringback.calls.call import Call
    from ringback.calls.timeline import TimeLine

_LINGER = 2.0
"""Seconds: messages of the last transaction (the 200 to a BYE) still belong to the call's time line."""


class Roster:
    """Every call from its first event until everything about its end is done."""

    def __init__(self, time_line: TimeLine) -> None:
        self._time_line = time_line
        self._calls: dict[UUID, Call] = {}
        self._by_call_id: defaultdict[str, set[Call]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, call_id: UUID) -> bool:
        return call_id in self._calls

    @property
    def calls(self) -> Sequence[Call]:
        """All of them, as of now."""
        return tuple(self._calls.values())

    def get(self, call_id: UUID) -> Call | None:
        """One of them."""
        return self._calls.get(call_id)

    def with_call_id(self, sip_call_id: str) -> Collection[Call]:
        """Those whose dialogs have this Call-ID: two, where a call of ours comes back in."""
        return self._by_call_id.get(sip_call_id, ())

    def take(self, call: Call) -> None:
        """Keep a call until its end is durable."""
        self._calls[call.record.id] = call
        self._by_call_id[call.record.sip_call_id].add(call)
        call.closed.add_done_callback(lambda _: self._let_go(call))

    def _let_go(self, call: Call) -> None:
        self._calls.pop(call.record.id, None)
        named_alike = self._by_call_id[call.record.sip_call_id]
        named_alike.discard(call)
        if not named_alike:
            del self._by_call_id[call.record.sip_call_id]
        loop = asyncio.get_running_loop()
        loop.call_later(_LINGER, self._time_line.forget, call.record.sip_call_id)

    async def emptied(self, timeout: float | None = None) -> None:
        """Wait until none is up and the end of each is durable, or that many seconds have passed."""
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        while self._calls:
            left = None if deadline is None else deadline - asyncio.get_running_loop().time()
            if left is not None and left <= 0:
                return
            await asyncio.wait({call.closed for call in self._calls.values()}, timeout=left)
