from __future__ import annotations

import asyncio

import pytest
from tests.patience import PATIENCE

from ringback.audio.flight import Flights


async def test_those_who_come_together_share() -> None:
    flights: Flights[int] = Flights()
    runs = 0
    go = asyncio.Event()

    async def work() -> int:
        nonlocal runs
        runs += 1
        mine = runs
        await go.wait()
        return mine

    tasks = [asyncio.create_task(flights.join("k", work)) for _ in range(5)]
    other = asyncio.create_task(flights.join("other", work))
    await asyncio.sleep(0)
    go.set()
    assert {await task for task in tasks} == {1}
    assert await other == 2
    assert runs == 2
    assert await flights.join("k", work) == 3


async def test_all_get_the_exception() -> None:
    flights: Flights[int] = Flights()

    async def work() -> int:
        await asyncio.sleep(0)
        raise LookupError("no")

    results = await asyncio.gather(*(flights.join("k", work) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, LookupError) for result in results)


async def test_the_last_to_leave_cancels_the_work() -> None:
    flights: Flights[int] = Flights()
    cancelled = asyncio.Event()

    async def work() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return 1

    first, second = (asyncio.create_task(flights.join("k", work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not cancelled.is_set()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    async with asyncio.timeout(PATIENCE):
        await cancelled.wait()
