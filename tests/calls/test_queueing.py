"""Calls that wait for their turn: in order, without holding up others, and without a look at all of them."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import UUID

from tests.calls.making import ACCOUNT, FakeApplication, FakeStore, fake_engine, record

from ringback.calls.call import Call
from ringback.calls.placing import Placing
from ringback.calls.queueing import CallQueue
from ringback.calls.status import EndedBy
from ringback.calls.verbs import HangUp
from ringback.routing.directory import Account
from ringback.routing.limits import Limits, Over, Share
from ringback.routing.outbound import Route, Routed
from ringback.routing.trunk import Limit, Trunk
from ringback.sip.uri import NameAddr, Uri
from ringback.testing.virtual_time import in_virtual_time

OTHER = UUID(int=99)


class House:
    """Accounts with limits, and calls that wait."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts = {account.id: account for account in accounts}
        loop = asyncio.get_running_loop()
        self.limits = Limits(loop.time)
        self.asked = 0
        self.queue = CallQueue(cast("Placing", self), self.limits)
        self.engine = fake_engine(FakeStore())
        self.turns: list[str] = []
        self.shares: list[Share] = []
        self.tasks: list[asyncio.Task[None]] = []

    def account(self, account_id: UUID) -> Account:
        return self.accounts[account_id]

    def share(self, account_id: UUID, routed: Routed) -> Share | Over:
        self.asked += 1
        trunks = dict.fromkeys(route.trunk for route in routed.routes)
        return self.limits.admit(self.account(account_id), tuple(trunks))

    def call(self, name: str, *trunks: Trunk | None, account: UUID = ACCOUNT) -> Call:
        call = Call(record(account_id=account), FakeApplication(), self.engine)
        self.tasks.append(asyncio.create_task(self._wait(call, name, ways(*trunks))))
        return call

    async def _wait(self, call: Call, name: str, routed: Routed) -> None:
        share = await self.queue.turn(call, routed)
        if share is not None:
            self.turns.append(name)
            self.shares.append(share)

    async def free(self) -> None:
        """The call that began first is over."""
        self.shares.pop(0).end()
        await rest()


def ways(*trunks: Trunk | None) -> Routed:
    uri = Uri.parse("sip:bob@192.0.2.9")
    routes = [
        Route(target=uri, to=NameAddr(uri), caller_id="", caller_name="", trunk=trunk)
        for trunk in trunks or (None,)
    ]
    return Routed(routes=tuple(routes))


async def rest() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def account(calls: int = 0, per_second: float = 0.0, id: UUID = ACCOUNT) -> Account:
    return Account(id=id, name="demo", token="t", limit=Limit(calls, per_second))


def trunk(number: int, calls: int) -> Trunk:
    return Trunk(id=UUID(int=number), account_id=ACCOUNT, name=f"t{number}", limit=Limit(calls))


@in_virtual_time
async def test_who_came_first_goes_first_whichever_way() -> None:
    house = House(account(calls=1))
    one, two = trunk(2, 0), trunk(3, 0)
    for name, way in (("a", one), ("b", one), ("c", two), ("d", one)):
        house.call(name, way)
        await rest()
    assert house.queue.waiting(ACCOUNT) == 3
    for _ in range(3):
        await house.free()
    assert house.turns == ["a", "b", "c", "d"]
    assert house.queue.waiting(ACCOUNT) == 0


@in_virtual_time
async def test_a_full_trunk_holds_up_nobody_who_goes_another_way() -> None:
    house = House(account())
    one, two = trunk(2, 1), trunk(3, 1)
    for name, way in (("a", one), ("b", one), ("c", two)):
        house.call(name, way)
    await rest()
    assert house.turns == ["a", "c"]
    await house.free()
    assert house.turns == ["a", "c", "b"]


@in_virtual_time
async def test_who_hangs_up_waits_no_more() -> None:
    house = House(account(calls=1))
    house.call("a")
    gone = house.call("b")
    house.call("c")
    await rest()
    gone.drop(HangUp(), EndedBy.CONTROL)
    await rest()
    assert house.queue.waiting(ACCOUNT) == 1
    await house.free()
    assert house.turns == ["a", "c"]


@in_virtual_time
async def test_a_rate_lets_them_begin_one_after_the_other() -> None:
    house = House(account(per_second=2.0))
    began = asyncio.get_running_loop().time()
    for name in "abcdef":
        house.call(name)
    await asyncio.wait(house.tasks)
    assert house.turns == list("abcdef")
    assert 1.9 < asyncio.get_running_loop().time() - began < 2.2


@in_virtual_time
async def test_a_limit_that_was_raised_lets_them_begin() -> None:
    house = House(account(calls=1))
    for name in "abc":
        house.call(name)
    await rest()
    assert (house.turns, len(house.queue)) == (["a"], 2)
    house.accounts[ACCOUNT] = account(calls=3)
    assert house.limits.on_free is not None
    house.limits.on_free(None)
    await rest()
    assert (house.turns, len(house.queue)) == (["a", "b", "c"], 0)


@in_virtual_time
async def test_many_that_wait_cost_nothing_when_others_come_and_go() -> None:
    """A look at one of each group is enough, and none at the groups of others."""
    house = House(account(calls=1), account(id=OTHER))
    for number in range(1000):
        house.call(str(number))
    await rest()
    assert house.queue.waiting(ACCOUNT) == 999
    assert house.asked <= 1000, "a new call looks at its own group"
    house.asked = 0
    house.call("other", account=OTHER)
    await rest()
    other: Any = house.shares.pop()
    other.end()
    assert house.asked == 1, "an end of somebody else's looks at nobody"
    await house.free()
    assert house.turns[-1] == "1"
    assert house.asked == 3
    for task in house.tasks:
        task.cancel()
    await asyncio.wait(house.tasks)
    assert house.queue.waiting(ACCOUNT) == 0
