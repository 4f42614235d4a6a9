"""One server for all wrong input of a module; after each test it must be as sound as before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.world import FLAVOURS, World, settled_tasks


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A running server, shared. In the end a call still goes well in every dialect."""
    data: Path = tmp_path_factory.mktemp("world") / "data"
    async with World.running(data) as running:
        yield running
        for flavour in FLAVOURS:
            await running.works(flavour)
        await running.server.settled()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def unharmed(world: World) -> AsyncIterator[None]:
    """No call is left up, and no task."""
    before = asyncio.all_tasks()
    yield
    await world.server.settled()
    assert world.server.switchboard.live == 0
    assert await settled_tasks(before) == []
