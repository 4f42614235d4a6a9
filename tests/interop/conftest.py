"""The server between callers and a trunk that the tests of a module share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.interop.carrier import Exchange, open_exchange


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exchange(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    """It says who calls, and who passed a call on."""
    directory = tmp_path_factory.mktemp("exchange")
    async with open_exchange(directory, caller_id="pai", diversion=True) as exchange:
        yield exchange
