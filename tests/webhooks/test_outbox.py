from __future__ import annotations

from pathlib import Path

import msgspec

from ringback.store.records import Append, StoredDelivery
from ringback.store.store import Store
from ringback.webhooks.delivery import Delivery
from ringback.webhooks.outbox import StoreOutbox, from_stored, to_stored

DELIVERY = Delivery(
    id="11111111-1111-4111-8111-111111111111",
    account_id="22222222-2222-4222-8222-222222222222",
    call_id="33333333-3333-4333-8333-333333333333",
    sequence=4,
    url="http://127.0.0.1:5000/cb",
    fields=(("CallStatus", "completed"),),
    scheme="twilio",
)


def test_records_and_back() -> None:
    record = to_stored(DELIVERY, created_at=5.0)
    assert (record.call_id, record.sequence, record.created_at) == (DELIVERY.call_id, 4, 5.0)
    assert record.stream == f"{DELIVERY.call_id} http://127.0.0.1:5000"
    later = msgspec.structs.replace(record, attempts=2, not_before=9.0)
    back = from_stored(later)
    assert (back.attempts, back.not_before, back.fields) == (2, 9.0, DELIVERY.fields)
    assert back.stream_key() == record.stream


async def test_over_the_real_store(tmp_path: Path) -> None:
    store = await Store.open("sqlite", tmp_path)
    try:
        outbox = StoreOutbox(store)
        second = msgspec.structs.replace(DELIVERY, id="44444444-4444-4444-8444-444444444444", sequence=5)
        damaged = StoredDelivery(
            id="55555555-5555-4555-8555-555555555555", account_id=DELIVERY.account_id, payload=b"\xc1"
        )
        due = (to_stored(DELIVERY), to_stored(second), damaged)
        await store.append(Append(call_id="c", sequence=0, kind="k", at=0.0, payload=b"", deliveries=due))
        assert [delivery.id for delivery in await outbox.pending()] == [DELIVERY.id, second.id]
        await outbox.reschedule(DELIVERY.id, 99.0, 1, "status 500")
        [first, _] = await outbox.pending()
        assert (first.attempts, first.not_before) == (1, 99.0)
        await outbox.mark_delivered(DELIVERY.id, attempts=2, http_status=204)
        await outbox.mark_failed(second.id, "status 500", attempts=3, http_status=500)
        assert await outbox.pending() == []
    finally:
        await store.close()
