"""The store: calls, their events, due callbacks and small objects, made durable by one writer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

from ringback.store.records import (
    Append,
    CallFilter,
    CallRow,
    Cursor,
    StoredDelivery,
    StoredEvent,
    StoredObject,
    TraceEntry,
)


class Store:
    """Opened once per process, used from one event loop. Writes are awaitables that resolve after the commit."""

    @classmethod
    async def open(cls, url: str, data: Path) -> Self:
        """`url` is "sqlite" (a file in `data`) or "postgresql://…". Migrates, then starts the writer."""
        raise NotImplementedError

    async def close(self) -> None:
        """Commit what is queued (as far as commits work) and let go of the database."""
        raise NotImplementedError

    @property
    def healthy(self) -> bool:
        """False while commits fail or stall: refuse new calls."""
        raise NotImplementedError

    def append(self, append: Append, *, new_call: bool = False) -> asyncio.Future[None]:
        """Never blocks. Raises StoreUnavailable (for a new call while unhealthy) or StoreOverloaded."""
        raise NotImplementedError

    async def call(self, call_id: str) -> CallRow | None: ...
    async def calls(
        self, filter: CallFilter, *, limit: int = 50, offset: int = 0, after: Cursor | None = None
    ) -> list[CallRow]: ...
    async def count(self, filter: CallFilter) -> int: ...
    async def open_calls(self) -> list[CallRow]: ...
    async def events(self, call_id: str, *, after: int = -1) -> list[StoredEvent]: ...
    async def delete_call(self, call_id: str) -> bool: ...
    async def prune(self, before: float, *, piece: int = 200) -> int: ...

    async def pending(self) -> list[StoredDelivery]: ...
    def mark_delivered(self, id: str, *, attempts: int, http_status: int | None) -> asyncio.Future[None]: ...
    def mark_failed(
        self, id: str, why: str, *, attempts: int, http_status: int | None
    ) -> asyncio.Future[None]: ...
    def reschedule(
        self, id: str, not_before: float, *, attempts: int, error: str
    ) -> asyncio.Future[None]: ...
    def put_deliveries(self, deliveries: list[StoredDelivery]) -> asyncio.Future[None]: ...

    async def get_object(self, kind: str, id: str) -> StoredObject | None: ...
    async def list_objects(
        self, kind: str, *, account_id: str | None = None, name: str | None = None
    ) -> list[StoredObject]: ...
    def put_object(self, value: StoredObject) -> asyncio.Future[None]: ...
    def delete_object(self, kind: str, id: str) -> asyncio.Future[None]: ...

    def trace(self, call_id: str, at: float, kind: str, data: bytes | str) -> None:
        """Lossy and never blocking: dropped when the trace cannot keep up."""
        raise NotImplementedError

    async def traces(self, call_id: str) -> list[TraceEntry]: ...
