"""Calls changed from outside, on an engine in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from tests.calls.making import (
    ACCOUNT,
    CALL,
    FakeApplication,
    FakeStore,
    answered_record,
    document,
    fake_engine,
)
from tests.patience import PATIENCE

from ringback.calls.call import Call
from ringback.calls.events import CallControlled
from ringback.calls.status import CallStatus, EndedBy
from ringback.calls.switchboard import Switchboard
from ringback.calls.verbs import HangUp, Hook, Pause
from ringback.testing.virtual_time import in_virtual_time

OTHER_CALL = UUID("33333333-3333-4333-8333-333333333333")


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
    async with asyncio.timeout(PATIENCE):
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
    await asyncio.wait_for(house.call.over_future, PATIENCE)
    [wanted] = [event for event in house.store.events if isinstance(event, CallControlled)]
    assert wanted.what == "hang up"
    assert not hanging_up.done()
    await house.store.holds("call.ended")
    for commit in house.store.waiting:
        commit.set_result(None)
    assert (await asyncio.wait_for(hanging_up, PATIENCE)).status is CallStatus.COMPLETED
    await house.call.closed


OTHER = Hook(url="http://other.example/voice")


class Another(FakeApplication):
    """Of another dialect, with another state."""

    dialect = "callapi"

    def state(self) -> Mapping[str, Any]:
        return {"url": OTHER.url}


async def rest() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def over(house: House) -> None:
    await house.call.hang_up(HangUp())
    await asyncio.wait_for(house.call.closed, PATIENCE)


@pytest.mark.parametrize("how", ["redirect", "callbacks"])
async def test_an_application_that_was_replaced_is_closed_and_its_successor_on_record(
    how: str,
) -> None:
    """After a crash it is the successor whose callbacks are due."""
    house, another = House(), Another()
    switchboard = house.switchboard
    waits = document(another, Pause(seconds=60))
    if how == "redirect":
        record = await switchboard.redirect(ACCOUNT, CALL, document=waits, application=another)
    else:
        record = await switchboard.set_application(ACCOUNT, CALL, another)
    assert (record.dialect, record.application_state) == ("callapi", {"url": OTHER.url})
    row = next(append.row for append in reversed(house.store.appends) if append.row is not None)
    assert row.dialect == "callapi"
    await rest()
    assert house.application.closed
    assert not another.closed
    await over(house)
    assert another.closed


async def test_a_former_application_stays_open_for_the_legs_that_it_dialled() -> None:
    """What concerns them may go over its socket."""
    house, another = House(), Another()
    leg = Call(answered_record(id=OTHER_CALL, parent_id=CALL), FakeApplication(), house.engine)
    house.call.legs.add(leg)
    await house.switchboard.set_application(ACCOUNT, CALL, another)
    await rest()
    assert not house.application.closed
    leg.drop(HangUp(), EndedBy.REMOTE)
    await leg.closed
    await rest()
    assert house.application.closed
    await over(house)


async def test_a_former_application_is_closed_with_the_call_at_the_latest() -> None:
    house = House()
    leg = Call(answered_record(id=OTHER_CALL, parent_id=CALL), FakeApplication(), house.engine)
    house.call.legs.add(leg)
    await house.switchboard.set_application(ACCOUNT, CALL, Another())
    await over(house)
    assert house.application.closed
