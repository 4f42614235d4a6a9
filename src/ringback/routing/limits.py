"""How many calls at once, and how many a second: of an account and of a trunk. Counted also where unlimited.

No IO and no clock of its own. A share is one call's, and ends with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from uuid import UUID

import msgspec

from ringback.routing.directory import Account
from ringback.routing.trunk import Limit, Trunk

Holder = Account | Trunk


class Over(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that is reached. `words` go into a SIP reason phrase, `why` to people; `wait` is the time in
    seconds until a rate allows the next call, None where a call has to end first."""

    words: str
    why: str
    wait: float | None = None


class Share:
    """One call's share of an account and, if it goes over one, of a trunk."""

    def __init__(self, limits: Limits, account: Account | None, trunk: Trunk | None) -> None:
        self._limits = limits
        self._account = account
        self._trunk = trunk
        self._over = False

    def move(self, trunk: Trunk | None) -> Over | None:
        """Go over another trunk; where that one is full the share stays where it is."""
        if self._over or trunk is None or (self._trunk is not None and self._trunk.id == trunk.id):
            return None
        over = self._limits.over(trunk)
        if over is None:
            former, self._trunk = self._trunk, trunk
            self._limits.count(trunk)
            self._limits.reshare(former)
        return over

    def end(self) -> None:
        """The call is over; once."""
        if not self._over:
            self._over = True
            self._limits.reshare(self._account, self._trunk)


class Limits:
    """Shares of all accounts and trunks. `clock` gives seconds that never run backwards."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rates: dict[UUID, _Rate] = {}
        self.calls: Counter[UUID] = Counter()
        """Calls at once, by the identifier of an account or a trunk."""
        self.on_free: Callable[[Collection[UUID] | None], None] | None = None
        """Told whose share was given back, whenever one was; None where it may be anybody's."""

    def admit(self, account: Account | None, trunks: Sequence[Trunk | None] = ()) -> Share | Over:
        """A share for a call, over the first trunk that takes it; None among them needs none."""
        over = self.full(account, trunks)
        if over is not None:
            return over
        trunk = next((trunk for trunk in trunks if self.over(trunk) is None), None)
        self.count(account)
        self.count(trunk)
        return Share(self, account, trunk)

    def full(self, account: Account | None, trunks: Sequence[Trunk | None]) -> Over | None:
        """The limit that speaks against one more call: the account's, or that of all trunks."""
        overs = [self.over(trunk) for trunk in trunks]
        return self.over(account) or (overs[0] if overs and None not in overs else None)

    def over(self, holder: Holder | None) -> Over | None:
        """The limit of an account or a trunk that is reached, if one is."""
        if holder is None:
            return None
        limit, what = holder.limit, f"{type(holder).__name__.lower()} {holder.name}"
        if limit.calls and self.calls[holder.id] >= limit.calls:
            ours = "Account " if isinstance(holder, Account) else ""
            words = f"{'Max' if ours else 'Maximum'} {ours}Calls In Progress"
            return Over(words=words, why=f"{what} has {limit.calls} calls, as many as it may have")
        wait = self._rate(holder).wait(self._clock(), limit.per_second) if limit.per_second else 0.0
        if wait <= 0:
            return None
        why = f"{what} may begin {limit.per_second:g} calls a second"
        return Over(words="Call Rate Exceeded", why=why, wait=wait)

    def count(self, holder: Holder | None) -> None:
        """One more call."""
        if holder is not None:
            self.calls[holder.id] += 1
            if holder.limit.per_second:
                self._rate(holder).take(self._clock(), holder.limit.per_second)

    def reshare(self, *holders: Holder | None) -> None:
        """One call less."""
        freed = [holder.id for holder in holders if holder is not None]
        for id in freed:
            self.calls[id] -= 1
            if not self.calls[id]:
                del self.calls[id]
        if self.on_free is not None:
            self.on_free(freed)

    def _rate(self, holder: Holder) -> _Rate:
        return self._rates.setdefault(holder.id, _Rate(holder.limit, self._clock()))


class _Rate:
    """A bucket of calls that fills up at the rate; it holds a second's worth, at least one."""

    def __init__(self, limit: Limit, now: float) -> None:
        self._left = max(1.0, limit.per_second)
        self._at = now

    def wait(self, now: float, per_second: float) -> float:
        """Seconds until there is one."""
        self._fill(now, per_second)
        return max(0.0, (1.0 - self._left) / per_second) if self._left < 1.0 - 1e-9 else 0.0

    def take(self, now: float, per_second: float) -> None:
        self._fill(now, per_second)
        self._left -= 1.0

    def _fill(self, now: float, per_second: float) -> None:
        self._left = min(max(1.0, per_second), self._left + (now - self._at) * per_second)
        self._at = now
