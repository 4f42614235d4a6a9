from __future__ import annotations

import asyncio
import time
from unittest.mock import Mock

import pytest

from ringback.net.lag import AT_REST, LoopLag


async def test_a_loop_that_is_held_up_is_seen() -> None:
    seen: asyncio.Queue[float] = asyncio.Queue()
    lag = LoopLag(seen.put_nowait, every=0.001)
    lag.start()
    time.sleep(0.1)  # noqa: ASYNC251 - to hold up the loop is what this is about
    assert await seen.get() >= 0.09
    await seen.get()
    lag.close()


async def test_a_loop_with_nothing_to_do_is_asked_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_later", lambda seconds, _: asked.append(seconds))
    LoopLag(every=0.05, busy=lambda: True).start()
    LoopLag(every=0.05, busy=lambda: False).start()
    LoopLag(every=0.05).start()
    assert asked == [0.05, AT_REST, 0.05]


async def test_at_rest_it_comes_soon_once_there_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    timers: list[Mock] = []

    def call_later(seconds: float, _: object) -> Mock:
        asked.append(seconds)
        timers.append(Mock())
        return timers[-1]

    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", call_later)
    lag = LoopLag(every=0.05, busy=lambda: False)
    lag.wake()
    assert asked == []
    lag.start()
    lag.wake()
    lag.wake()
    assert asked == [AT_REST, 0.05]
    timers[0].cancel.assert_called_once()
    lag.close()
    lag.wake()
    assert len(asked) == 2


async def test_closed_it_leaves_no_timer() -> None:
    seen: list[float] = []
    lag = LoopLag(seen.append, every=0.001)
    lag.close()
    lag.start()
    lag.close()
    await asyncio.sleep(0.01)
    assert seen == []
