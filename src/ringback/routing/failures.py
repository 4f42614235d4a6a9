"""Wrong passwords, counted by the address they came from, so that nobody can try them all.

Each address has a bucket of failures that it may cause at once, which fills up again slowly. An empty bucket
bars the address from trying, right passwords included: the work of checking is not done, and nothing is
learnt. What an account's web application says of an address counts for that account alone. Bounded in memory;
the address seen least recently is forgotten first.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from uuid import UUID

_NETWORK_OF_ONE = 64
"""Bits of the prefix that one IPv6 subscriber has to itself."""


Subscriber = tuple[UUID | None, str]  # the account (None: all), and where the attempts come from


class Failures:
    """`burst` failures at once, `per_minute` more of them; `clock` gives seconds that never run backwards."""

    def __init__(
        self, clock: Callable[[], float], *, burst: int, per_minute: float, most: int = 10_000
    ) -> None:
        self._clock = clock
        self._burst = burst
        self._rate = per_minute / 60.0
        self._most = most
        self._left: OrderedDict[Subscriber, tuple[float, float]] = OrderedDict()  # -> (left, as of)
        self._barred: OrderedDict[Subscriber, float] = OrderedDict()  # -> until

    def barred(self, address: str, account: UUID | None = None) -> int:
        """Seconds until that address may try again, at that account; 0: now."""
        where = _network(address)
        return max(self._wait((key, where)) for key in {account, None})

    def _wait(self, key: Subscriber) -> int:
        now = self._clock()
        until = self._barred.get(key, 0.0)
        if until > now:
            return int(until - now) + 1
        if key not in self._left or not self._burst:
            return 0
        left = self._filled(key, now)
        if left >= 1.0:
            return 0
        return int((1.0 - left) / self._rate) + 1 if self._rate else 3600

    def note(self, address: str, account: UUID | None = None) -> None:
        """A wrong password came from there; `account`: by the word of its web application."""
        key, now = (account, _network(address)), self._clock()
        self._left[key] = (self._filled(key, now) - 1.0, now)
        self._left.move_to_end(key)
        while len(self._left) > self._most:
            self._left.popitem(last=False)

    def bar(self, address: str, seconds: float, account: UUID | None = None) -> None:
        """Let that address try nothing for a while; `account`: nothing at that account."""
        key = (account, _network(address))
        self._barred[key] = self._clock() + seconds
        self._barred.move_to_end(key)
        while len(self._barred) > self._most:
            self._barred.popitem(last=False)

    def _filled(self, key: Subscriber, now: float) -> float:
        left, at = self._left.get(key, (float(self._burst), now))
        return min(float(self._burst), left + (now - at) * self._rate)


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    """The address, or for IPv6 the network that belongs to one subscriber."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(ipaddress.ip_network((parsed, _NETWORK_OF_ONE), strict=False))
