"""What goes on beside the calls: until the end, whatever fails."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.patience import PATIENCE

from ringback.housekeeping import repeat
from ringback.store.errors import StoreError


async def test_housekeeping_goes_on_after_a_failure_until_the_server_stops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    again = asyncio.Event()
    failures = [OSError("the disk"), StoreError("the database"), RuntimeError("a mistake")]

    async def work() -> None:
        if failures:
            raise failures.pop()
        again.set()

    async with contextlib.AsyncExitStack() as stack:
        before = asyncio.all_tasks()
        repeat(stack, 0.001, work)
        (task,) = asyncio.all_tasks() - before
        await asyncio.wait_for(again.wait(), PATIENCE)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert caplog.text.count("housekeeping failed") == 2
    assert caplog.text.count("housekeeping waits for the store: the database") == 1
