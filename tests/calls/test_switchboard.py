"""Calls changed from outside, on an engine in memory."""

from __future__ import annotations

import asyncio

import pytest
from tests.calls.making import ACCOUNT, CALL, FakeApplication, FakeStore, answered_record, fake_engine

from ringback.calls.call import Call
from ringback.calls.events import CallControlled
from ringback.calls.status import CallStatus, EndedBy
from ringback.calls.switchboard import Switchboard
from ringback.testing.virtual_time import in_virtual_time


class House:
    """One call that is up."""

    def __init__(self, *, commits_at_once: bool = True) -> None:
        self.store = FakeStore(commits_at_once=commits_at_once)
        self.engine = fake_engine(self.store)
        self.switchboard = Switchboard(self.engine)
        self.application = FakeApplication()
        self.call = Call(answered_record(), self.application, self.engine)
        self.engine.roster.take(self.call)


@in_virtual_time
async def test_a_hang_up_does_not_wait_for_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown is that it is over, as it is."""
    house, closed = House(), asyncio.Event()

    async def close() -> None:
        await closed.wait()

    monkeypatch.setattr(house.call.recorder, "close", close)
    async with asyncio.timeout(5):
        shown = await house.switchboard.hang_up(ACCOUNT, CALL)
    assert (shown.status, shown.ended_by) == (CallStatus.COMPLETED, EndedBy.CONTROL)
    assert shown.ended_at is not None
    assert shown == await house.switchboard.get(ACCOUNT, CALL)
    closed.set()
    await house.call.closed
    assert house.call.record.ended_at == shown.ended_at


async def test_a_hang_up_waits_until_it_is_stored() -> None:
    house = House(commits_at_once=False)
    hanging_up = asyncio.create_task(house.switchboard.hang_up(ACCOUNT, CALL))
    await asyncio.wait_for(house.call.over_future, 5)
    [wanted] = [event for event in house.store.events if isinstance(event, CallControlled)]
    assert wanted.what == "hang up"
    assert not hanging_up.done()
    await house.store.holds("call.ended")
    for commit in house.store.waiting:
        commit.set_result(None)
    assert (await asyncio.wait_for(hanging_up, 5)).status is CallStatus.COMPLETED
    await house.call.closed
