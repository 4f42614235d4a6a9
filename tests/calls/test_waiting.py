"""Work that ends with something else: what it gives, what cancels it, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from ringback.calls.waiting import until


async def _never() -> str:
    await asyncio.Event().wait()
    return "never"


async def _turns(count: int) -> None:
    """Let the loop do what is due."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_work_that_is_done_first_gives_its_result() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    end = asyncio.get_running_loop().create_future()
    assert await until(end, work()) == "done"


async def test_its_error_is_the_callers() -> None:
    async def work() -> None:
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        await until(asyncio.get_running_loop().create_future(), work())


async def test_the_end_cancels_it_and_nothing_else() -> None:
    end = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(end.set_result, None)
    assert await until(end, _never()) is None
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await _turns(3)


async def test_what_comes_to_an_end_as_it_is_stopped_is_not_stopped_later() -> None:
    """The end is there, but nobody was told of it yet, when the work is done."""
    loop = asyncio.get_running_loop()
    end, done = loop.create_future(), loop.create_future()

    async def work() -> str:
        await done
        end.set_result(None)
        return "done"

    loop.call_soon(done.set_result, None)
    assert await until(end, work()) == "done"
    await _turns(3)


async def test_work_that_does_not_let_itself_be_cancelled_gives_its_result() -> None:
    async def work() -> str:
        try:
            return await _never()
        except asyncio.CancelledError:
            return "all the same"

    end = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(end.set_result, None)
    assert await until(end, work()) == "all the same"
    await _turns(3)


async def test_an_end_of_before_leaves_it_the_first_step() -> None:
    seen: list[str] = []

    async def work() -> str:
        seen.append("begun")
        return await _never()

    end = asyncio.get_running_loop().create_future()
    end.set_result(None)
    assert await until(end, work()) is None
    assert seen == ["begun"]


@pytest.mark.parametrize("also_ended", [False, True])
async def test_who_cancels_the_task_cancels_all_of_it(also_ended: bool) -> None:
    end = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(until(end, _never()))
    await _turns(1)
    if also_ended:
        end.set_result(None)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_a_time_limit_around_it_holds() -> None:
    end = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await until(end, _never())


async def test_one_within_another_ends_with_it() -> None:
    end = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(end.set_result, None)
    assert await until(end, until(end, _never())) is None
    await _turns(3)
