"""Calls created from outside: none is left behind, whatever becomes of who asked or of placing it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest
from tests.calls.making import ACCOUNT, FakeApplication, FakeStore, fake_engine, record

from ringback.calls.application import Application
from ringback.calls.call import Call
from ringback.calls.control import CallRequest, Overloaded
from ringback.calls.events import CallAnswered, CallEnded
from ringback.calls.outgoing import Outgoing
from ringback.calls.placing import Placement, Placing
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Target
from ringback.routing.directory import Account
from ringback.routing.limits import Limits, Share
from ringback.routing.outbound import Routed
from ringback.store.errors import StoreError


class Answering:
    """Places calls that are answered at once, and then fails."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._account = Account(id=ACCOUNT, name="demo", token="t")

    def account(self, account_id: object) -> Account:
        return self._account

    def verify(self, caller_id: str, account_id: object) -> None:
        """Anybody may be shown."""

    def routes(self, *args: Any, **more: Any) -> Routed:
        return Routed(routes=())

    def share(self, account_id: object, routed: Routed) -> Share:
        return cast("Share", self._limits.admit(self._account))

    def record(self, application: Application, direction: Direction, **known: Any) -> CallRecord:
        made = record(direction=direction, status=CallStatus.QUEUED)
        return msgspec.structs.replace(made, **known)

    async def place(self, call: Call, placement: Placement) -> bool:
        call.append(CallAnswered(dialog={}))
        raise RuntimeError("not foreseen")


class House:
    """What calls are created on."""

    def __init__(self, **store: Any) -> None:
        self.store = FakeStore(**store)
        engine = fake_engine(self.store)
        self.limits = engine.limits
        object.__setattr__(engine, "placing", cast("Placing", Answering(self.limits)))
        self.engine = engine
        self.outgoing = Outgoing(engine)

    async def create(self) -> Call:
        return await self.outgoing.create(
            CallRequest(
                account=Account(id=ACCOUNT, name="demo", token="t"),
                application=FakeApplication(),
                to=Target(kind="client", address="bob"),
                to_shown="bob",
                from_="100",
            )
        )

    async def emptied(self) -> CallEnded:
        """Wait until no call is up; how the only one ended."""
        await self.engine.roster.emptied(timeout=5)
        assert len(self.engine.roster) == 0
        assert not self.limits.calls
        [end] = [event for event in self.store.events if isinstance(event, CallEnded)]
        return end


async def test_a_call_whose_creator_went_away_is_over() -> None:
    house = House(commits_at_once=False)
    creating = asyncio.create_task(house.create())
    await house.store.holds("call.requested")
    creating.cancel()
    await asyncio.wait({creating})
    await house.store.holds("call.ended")
    for commit in house.store.waiting:
        commit.set_result(None)
    assert (await house.emptied()).status is CallStatus.CANCELED


async def test_a_call_that_cannot_be_stored_is_over() -> None:
    house = House(commits_at_once=False)
    creating = asyncio.create_task(house.create())
    await house.store.holds("call.requested")
    house.store.waiting[0].set_exception(StoreError("the disk is full"))
    with pytest.raises(Overloaded, match="disk"):
        await creating
    await house.store.holds("call.ended")
    for commit in house.store.waiting[1:]:
        commit.set_result(None)
    assert (await house.emptied()).status is CallStatus.FAILED


async def test_a_call_that_could_not_be_placed_is_over(caplog: pytest.LogCaptureFixture) -> None:
    house = House()
    await house.create()
    end = await house.emptied()
    assert (end.status, end.cause) == (CallStatus.FAILED, "internal error")
    assert "not foreseen" in caplog.text
