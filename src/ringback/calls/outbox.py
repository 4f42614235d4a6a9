"""Callbacks in the store: the deliverer's outbox on the calls' own database."""

from __future__ import annotations

import logging

import msgspec

from ringback.store.records import StoredDelivery
from ringback.store.store import Store
from ringback.webhooks.delivery import Delivery

logger = logging.getLogger(__name__)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Delivery)


def to_stored(delivery: Delivery) -> StoredDelivery:
    """A delivery as the store keeps it."""
    return StoredDelivery(
        id=delivery.id,
        account_id=delivery.account_id,
        payload=_encoder.encode(delivery),
        call_id=delivery.call_id,
        sequence=delivery.sequence,
        stream=delivery.stream_key(),
        attempts=delivery.attempts,
        not_before=delivery.not_before,
    )


class StoreOutbox:
    """`ringback.webhooks.delivery.Outbox`, kept in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def pending(self) -> list[Delivery]:
        """Everything due, in order of creation. What this version cannot read is given up."""
        due = []
        for stored in await self._store.pending():
            try:
                delivery = _decoder.decode(stored.payload)
            except msgspec.DecodeError as error:
                logger.error("callback %s cannot be read: %s", stored.id, error)
                self._store.mark_failed(stored.id, str(error), attempts=stored.attempts, http_status=None)
                continue
            due.append(
                msgspec.structs.replace(delivery, attempts=stored.attempts, not_before=stored.not_before)
            )
        return due

    async def mark_delivered(self, id: str, *, attempts: int, http_status: int | None) -> None:
        """Done."""
        await self._store.mark_delivered(id, attempts=attempts, http_status=http_status)

    async def mark_failed(self, id: str, why: str, *, attempts: int, http_status: int | None) -> None:
        """Given up."""
        await self._store.mark_failed(id, why, attempts=attempts, http_status=http_status)

    async def reschedule(self, id: str, not_before: float, attempts: int, why: str) -> None:
        """Tried in vain; again later."""
        await self._store.reschedule(id, not_before, attempts=attempts, error=why)
