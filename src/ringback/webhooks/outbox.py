"""The durable store as an outbox: deliveries are opaque bytes to it, and a few columns."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable

import msgspec

from ringback.store.records import StoredDelivery
from ringback.store.store import Store
from ringback.webhooks.delivery import Delivery, decode, encode

log = logging.getLogger(__name__)


def to_stored(delivery: Delivery, *, created_at: float | None = None) -> StoredDelivery:
    """The record that is appended in the same transaction as the event that caused the callback."""
    at = time.time() if created_at is None else created_at
    return StoredDelivery(
        id=delivery.id,
        account_id=delivery.account_id,
        payload=encode(delivery),
        call_id=delivery.call_id,
        sequence=delivery.sequence,
        stream=delivery.stream_key(),
        attempts=delivery.attempts,
        not_before=delivery.not_before,
        created_at=at,
        updated_at=at,
    )


def from_stored(record: StoredDelivery) -> Delivery:
    """The delivery of a record, with what the store knows better: attempts and the next moment."""
    return msgspec.structs.replace(
        decode(record.payload), attempts=record.attempts, not_before=record.not_before, stream=record.stream
    )


class StoreOutbox:
    """`ringback.webhooks.delivery.Outbox` over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def pending(self) -> list[Delivery]:
        found: list[Delivery] = []
        for record in await self._store.pending():
            try:
                found.append(from_stored(record))
            except msgspec.MsgspecError as error:
                log.error("delivery %s cannot be read: %s", record.id, error)
                await self._store.mark_failed(
                    record.id, f"unreadable: {error}", attempts=record.attempts, http_status=None
                )
        return found

    def mark_delivered(self, id: str, *, attempts: int, http_status: int | None) -> Awaitable[None]:
        return self._store.mark_delivered(id, attempts=attempts, http_status=http_status)

    def mark_failed(self, id: str, why: str, *, attempts: int, http_status: int | None) -> Awaitable[None]:
        return self._store.mark_failed(id, why, attempts=attempts, http_status=http_status)

    def reschedule(self, id: str, not_before: float, attempts: int, why: str) -> Awaitable[None]:
        return self._store.reschedule(id, not_before, attempts=attempts, error=why)
