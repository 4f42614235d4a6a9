"""A carrier as it is configured: its gateways, how it wants numbers and callers written, what it may do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal
from uuid import UUID

import msgspec

from ringback.sip.flow import split_address
from ringback.sip.grammar import NO_PARAMS, Params
from ringback.sip.uri import Uri

NumberFormat = Literal["as-dialled", "+e164", "e164"]
CallerIdForm = Literal["from", "pai", "rpid"]
CalledFrom = Literal["request-uri", "to", "p-called-party-id"]

_SHORTEST_E164 = 8
"""Digits. What is shorter is a short code or an emergency number, which no country code belongs before."""


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """One address of a carrier. The lowest `priority` is used first; `weight` shares the calls out among
    those of the same priority (as in :rfc:`2782`)."""

    host: str  # host[:port]
    transport: str = "udp"
    priority: int = 0
    weight: int = 1

    def uri(self, user: str | None = None) -> Uri:
        """The gateway itself, or somebody there, by the transport that it wants."""
        host, port = split_address(self.host, 0)
        params = NO_PARAMS if self.transport == "udp" else Params({"transport": self.transport})
        return Uri(user=user, host=host, port=port or None, params=params)


class Limit(msgspec.Struct, frozen=True):
    """How much at once and how fast; 0 is no limit."""

    calls: int = 0
    per_second: float = 0.0


class Trunk(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier: where calls to telephone numbers go, and who may send us calls."""

    id: UUID
    account_id: UUID
    name: str
    gateways: tuple[Gateway, ...] = ()  # none: this trunk only sends us calls
    username: str = ""
    password: str = ""
    register: bool = False
    options_seconds: int = 0  # how often gateways are asked whether they are there; 0: never
    answer_seconds: float = 5.0  # a gateway that has not said anything by then is passed over
    limit: Limit = Limit()

    number_format: NumberFormat = "as-dialled"
    strip: str = ""  # taken off the front of the number called, once it is in that format
    prefix: str = ""  # put before it
    caller_id: CallerIdForm = "from"
    identity: str = ""  # the number that P-Asserted-Identity or Remote-Party-ID names; empty: the caller's
    diversion: bool = False  # say which number of ours forwarded a call (:rfc:`5806`)

    inbound_from: tuple[str, ...] = ()  # addresses and networks, "192.0.2.0/24"
    application_id: UUID | None = None  # answers what no number matches
    called_from: CalledFrom = "request-uri"
    trust_identity: bool = False  # who calls is taken from P-Asserted-Identity
    overload_status: int = 503  # what calls are refused with that there is no time for

    def called(self, number: str) -> str:
        """A number as the carrier wants it: its format, without `strip`, with `prefix`."""
        return self.prefix + self.formatted(number).removeprefix(self.strip)

    def formatted(self, number: str) -> str:
        """A number with or without its +, as the carrier wants it; a short code stays as it is."""
        bare = number.removeprefix("+")
        if self.number_format == "as-dialled" or not (bare.isascii() and bare.isdigit()):
            return number
        if self.number_format == "e164":
            return bare
        return f"+{bare}" if len(bare) >= _SHORTEST_E164 else number


def in_order(
    gateways: Iterable[Gateway], up: Callable[[Gateway], bool], chance: Callable[[], float]
) -> list[Gateway]:
    """The order in which gateways are tried: by priority, within it by weighted chance, those down last.

    `chance` gives a number from 0 up to 1, as random.random does. One that is down is still tried when there
    is no other: what is known about it may be old.
    """
    left = sorted(gateways, key=lambda gateway: (not up(gateway), gateway.priority))
    chosen: list[Gateway] = []
    while left:
        rank = (up(left[0]), left[0].priority)
        peers = [gateway for gateway in left if (up(gateway), gateway.priority) == rank]
        picked = _weighted(peers, chance())
        chosen.append(picked)
        left.remove(picked)
    return chosen


def _weighted(gateways: list[Gateway], chance: float) -> Gateway:
    """One of several, by weight."""
    total = sum(gateway.weight for gateway in gateways)
    if total == 0:
        return gateways[int(chance * len(gateways))]
    mark = chance * total
    for gateway in gateways:
        mark -= gateway.weight
        if mark < 0:
            break
    return gateway
