"""One server for all samples of a page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.world import World


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A running server, shared."""
    data: Path = tmp_path_factory.mktemp("world") / "data"
    async with World.running(data) as running:
        yield running
        await running.server.settled()
