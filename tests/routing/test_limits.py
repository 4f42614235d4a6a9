"""How many calls at once, and how many a second."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from ringback.routing.directory import Account
from ringback.routing.limits import Limits, Over, Share
from ringback.routing.trunk import Limit, Trunk


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def account(calls: int = 0, per_second: float = 0.0) -> Account:
    return Account(id=UUID(int=1), name="demo", token="t", limit=Limit(calls, per_second))


def trunk(number: int = 2, calls: int = 0, per_second: float = 0.0) -> Trunk:
    limit = Limit(calls, per_second)
    return Trunk(id=UUID(int=number), account_id=UUID(int=1), name=f"t{number}", limit=limit)


def admitted(limits: Limits, account: Account, *trunks: Trunk | None) -> Share:
    share = limits.admit(account, trunks)
    assert isinstance(share, Share), share
    return share


def refused(limits: Limits, account: Account, *trunks: Trunk | None) -> Over:
    over = limits.admit(account, trunks)
    assert isinstance(over, Over)
    return over


def test_calls_are_counted_also_without_limits() -> None:
    limits = Limits(Clock())
    shares = [admitted(limits, account(), trunk()) for _ in range(3)]
    assert (limits.calls[UUID(int=1)], limits.calls[UUID(int=2)]) == (3, 3)
    for share in shares:
        share.end()
        share.end()
    assert not limits.calls


def test_an_account_has_so_many_calls_at_once() -> None:
    limits = Limits(Clock())
    share = admitted(limits, account(calls=1))
    over = refused(limits, account(calls=1))
    assert (over.words, over.wait) == ("Max Account Calls In Progress", None)
    assert "demo" in over.why
    share.end()
    admitted(limits, account(calls=1))


def test_a_full_trunk_is_passed_over_for_the_next() -> None:
    limits = Limits(Clock())
    first, second = trunk(2, calls=1), trunk(3, calls=1)
    admitted(limits, account(), first, second)
    admitted(limits, account(), first, second)
    assert (limits.calls[first.id], limits.calls[second.id]) == (1, 1)
    assert refused(limits, account(), first, second).words == "Maximum Calls In Progress"
    assert limits.calls[UUID(int=1)] == 2  # who is refused counts nowhere


def test_a_call_moves_to_another_trunk_with_its_share() -> None:
    limits = Limits(Clock())
    first, second = trunk(2, calls=1), trunk(3, calls=1)
    share = admitted(limits, account(), first)
    assert share.move(first) is None
    assert share.move(second) is None
    assert (limits.calls[first.id], limits.calls[second.id]) == (0, 1)
    other = admitted(limits, account(), first)
    assert isinstance(other.move(second), Over)
    other.end()
    share.end()
    assert share.move(first) is None  # over: it takes no more
    assert not limits.calls


def test_a_rate_allows_a_second_worth_at_once_and_then_one_after_the_other() -> None:
    clock = Clock()
    limits = Limits(clock)
    fast = account(per_second=2.0)
    for _ in range(2):
        admitted(limits, fast)
    over = refused(limits, fast)
    assert over.words == "Call Rate Exceeded"
    assert over.wait == 0.5
    clock.now += 0.5
    admitted(limits, fast)
    refused(limits, fast)
    clock.now += 100.0
    for _ in range(2):
        admitted(limits, fast)
    refused(limits, fast)


def test_a_slow_rate_still_lets_one_call_begin() -> None:
    clock = Clock()
    limits = Limits(clock)
    slow = trunk(per_second=0.1)
    admitted(limits, account(), slow)
    assert refused(limits, account(), slow).wait == 10.0


def test_who_waits_is_told_when_a_share_is_free() -> None:
    limits = Limits(Clock())
    told: list[Collection[UUID] | None] = []
    limits.on_free = told.append
    admitted(limits, account(), trunk()).end()
    assert told == [[UUID(int=1), UUID(int=2)]]
