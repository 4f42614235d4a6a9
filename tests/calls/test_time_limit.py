"""How long a call may last, counted from its answer."""

from __future__ import annotations

import asyncio

import pytest

from ringback.calls.time_limit import TimeLimit
from ringback.testing.virtual_time import in_virtual_time


@in_virtual_time
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(None, None, 100.0, id="the server's own"),
        pytest.param(20.0, None, 20.0, id="set before the answer"),
        pytest.param(None, 20.0, 20.0, id="set during the call: the time since the answer counts"),
        pytest.param(20.0, 60.0, 60.0, id="made longer"),
        pytest.param(None, 500.0, 100.0, id="never beyond the server's own"),
        pytest.param(None, 2.0, 5.0, id="already over"),
    ],
)
async def test_a_limit(before: float | None, after: float | None, expected: float) -> None:
    loop = asyncio.get_running_loop()
    over: asyncio.Future[float] = loop.create_future()
    limit = TimeLimit(100.0, lambda: over.set_result(loop.time()))
    if before is not None:
        limit.set(before)
    began = loop.time()
    limit.start()
    await asyncio.sleep(5)
    if after is not None:
        limit.set(after)
    assert await over - began == pytest.approx(expected)


@in_virtual_time
async def test_a_call_that_is_over_has_no_limit() -> None:
    over: list[None] = []
    limit = TimeLimit(1.0, lambda: over.append(None))
    limit.start()
    limit.cancel()
    await asyncio.sleep(10)
    assert not over
