from __future__ import annotations

import asyncio

import pytest

from ringback.net.turns import Turns


async def _wait(turns: Turns, key: str, order: list[str], name: str, until: asyncio.Event) -> None:
    async with turns.of(key):
        order.append(name)
        await until.wait()


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_turns_are_taken_in_order() -> None:
    turns, order, until = Turns(2), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(_wait(turns, "a", order, name, until)) for name in "1234"]
    tasks.append(asyncio.create_task(_wait(turns, "b", order, "other", until)))
    await _settled()
    assert order == ["1", "2", "other"]
    until.set()
    await asyncio.gather(*tasks)
    assert order == ["1", "2", "other", "3", "4"]
    assert len(turns) == 0


async def test_a_newcomer_does_not_overtake() -> None:
    turns = Turns(1)
    await turns.take("a")
    waiting = asyncio.create_task(turns.take("a"))
    await _settled()
    turns.give_back("a")
    newcomer = asyncio.create_task(turns.take("a"))
    await _settled()
    assert (waiting.done(), newcomer.done()) == (True, False)
    turns.give_back("a")
    await newcomer
    turns.give_back("a")
    assert len(turns) == 0


@pytest.mark.parametrize("late", [False, True])
async def test_who_leaves_holds_up_nobody(late: bool) -> None:
    """Also who leaves in the moment in which the turn comes."""
    turns = Turns(1)
    await turns.take("a")
    leaving, staying = (asyncio.create_task(turns.take("a")) for _ in range(2))
    await _settled()
    if late:
        turns.give_back("a")
    leaving.cancel()
    await _settled()
    if not late:
        turns.give_back("a")
    await staying
    assert leaving.cancelled()
    turns.give_back("a")
    assert len(turns) == 0


async def test_a_block_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1)
    with pytest.raises(ZeroDivisionError):
        async with turns.of("a"):
            raise ZeroDivisionError
    assert len(turns) == 0
