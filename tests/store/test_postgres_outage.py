"""PostgreSQL goes away under the store and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine, text
from tests.patience import PATIENCE
from tests.store.making import call_id, event, row

from ringback.store import Store
from ringback.store.database import database_url

_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def test_cut_connections_lose_nothing(postgres: Callable[[], str], data: Path) -> None:
    url = postgres()
    async with await Store.open(url, data) as store:
        await store.append(event(1, row=row(1)))
        await asyncio.to_thread(_cut_connections, url, data)
        await asyncio.wait_for(store.append(event(2, row=row(2))), PATIENCE)
        assert store.healthy
        assert {found.id for found in await store.open_calls()} == {call_id(1), call_id(2)}


def _cut_connections(url: str, data: Path) -> None:
    engine = create_engine(database_url(url, data))
    with engine.connect() as connection:
        connection.execute(text(_CUT))
    engine.dispose()
