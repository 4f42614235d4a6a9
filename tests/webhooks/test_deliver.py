from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.patience import PATIENCE
from twilio.request_validator import RequestValidator

from ringback.net.guard import AddressPolicy
from ringback.net.http import HttpPool
from ringback.webhooks.deliver import Deliverer
from ringback.webhooks.delivery import CALLBACK_POLICY, Delivery, decode, encode, place
from ringback.webhooks.policy import FetchPolicy, RetryPolicy
from ringback.webhooks.retry import Outcome

FAST = FetchPolicy(retries=RetryPolicy(3, frozenset({"ct", "rt", "5xx"}), (0.0,)))


class MemoryOutbox:
    """An outbox that lives as long as the test."""

    def __init__(self) -> None:
        self.waiting: dict[str, Delivery] = {}
        self.done: dict[str, str] = {}
        self.failing = False

    def add(self, *deliveries: Delivery) -> list[Delivery]:
        self.waiting.update({delivery.id: delivery for delivery in deliveries})
        return list(deliveries)

    async def pending(self) -> list[Delivery]:
        if self.failing:
            self.failing = False
            raise ConnectionError("the database is away")
        return list(self.waiting.values())

    async def mark_delivered(self, id: str, *, attempts: int, http_status: int | None) -> None:
        self.waiting.pop(id, None)
        self.done[id] = f"delivered {http_status} after {attempts}"

    async def mark_failed(self, id: str, why: str, *, attempts: int, http_status: int | None) -> None:
        self.waiting.pop(id, None)
        self.done[id] = f"failed {http_status} after {attempts}: {why}"

    async def reschedule(self, id: str, not_before: float, attempts: int, why: str) -> None:
        waiting = self.waiting[id]
        self.waiting[id] = msgspec.structs.replace(waiting, attempts=attempts, not_before=not_before)


class Receiver:
    """Callbacks as they arrive; `/hold/...` waits until it is let go."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self.statuses: list[int] = []
        self.release = asyncio.Event()
        self.base = ""

    async def take(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((request.path, str(request.url), form, headers))
        if request.path.startswith("/hold"):
            await self.release.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    def order(self, path: str = "/cb") -> list[str]:
        return [form["n"] for at, _, form, _ in self.got if at == path]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.take)
    async with TestServer(app) as server:
        receiver.base = str(server.make_url("")).rstrip("/")
        yield receiver
        receiver.release.set()


@pytest.fixture
async def outbox() -> MemoryOutbox:
    return MemoryOutbox()


@pytest.fixture
async def make(outbox: MemoryOutbox) -> AsyncIterator[Callable[..., Deliverer]]:
    pool = HttpPool(AddressPolicy(allow_private=True))
    made: list[Deliverer] = []

    def build(**more: Any) -> Deliverer:
        made.append(Deliverer(pool, outbox, keys=lambda delivery: f"key of {delivery.key_ref}", **more))
        return made[-1]

    yield build
    for deliverer in made:
        await deliverer.stop()
    await pool.close()


def callback(
    receiver: Receiver, number: int, *, call: str = "c1", path: str = "/cb", **more: Any
) -> Delivery:
    given: dict[str, Any] = {
        "id": f"{call}-{number}",
        "account_id": "a1",
        "call_id": call,
        "sequence": number,
        "url": receiver.base + path,
        "fields": (("n", str(number)),),
        "policy": FAST,
    }
    return Delivery(**{**given, **more})


async def test_a_call_in_order(
    make: Callable[..., Deliverer], outbox: MemoryOutbox, receiver: Receiver
) -> None:
    results: list[tuple[str, bool]] = []
    deliverer = make(on_result=lambda delivery, outcome: results.append((delivery.id, outcome.delivered)))
    deliveries = outbox.add(*(callback(receiver, number) for number in range(20)))
    deliverer.offer(deliveries[:10])
    deliverer.offer(deliveries[5:])  # five are offered twice
    assert await deliverer.drain(5) == 0
    assert receiver.order() == [str(number) for number in range(20)]
    assert outbox.waiting == {}
    assert results == [(f"c1-{number}", True) for number in range(20)]


async def test_signature_and_token(
    make: Callable[..., Deliverer], outbox: MemoryOutbox, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    deliverer = make()
    deliverer.offer(
        outbox.add(
            callback(
                receiver,
                1,
                scheme="twilio",
                key_ref="a1",
                token="t-1",
                token_header="I-Twilio-Idempotency-Token",
            )
        )
    )
    await deliverer.drain(5)
    assert len(receiver.got) == 2
    for _, url, form, headers in receiver.got:
        assert headers["i-twilio-idempotency-token"] == "t-1"
        assert RequestValidator("key of a1").validate(url, form, headers["x-twilio-signature"])


async def test_attempts_and_giving_up(
    make: Callable[..., Deliverer], outbox: MemoryOutbox, receiver: Receiver
) -> None:
    outcomes: list[Outcome] = []
    deliverer = make(on_result=lambda _, outcome: outcomes.append(outcome))
    receiver.statuses = [500, 500, 500, 404, 204]
    deliverer.offer(outbox.add(*(callback(receiver, number) for number in range(3))))
    await deliverer.drain(5)
    assert outbox.done == {
        "c1-0": "failed 500 after 3: status 500",
        "c1-1": "failed 404 after 1: status 404",
        "c1-2": "delivered 204 after 1",
    }
    assert receiver.order() == ["0", "0", "0", "1", "2"]
    assert [outcome.attempts for outcome in outcomes] == [1, 2, 3, 1, 1]


async def test_a_slow_url_delays_no_other_call(
    make: Callable[..., Deliverer], outbox: MemoryOutbox, receiver: Receiver
) -> None:
    last = asyncio.Event()
    deliverer = make(
        per_url=4, on_result=lambda delivery, _: last.set() if delivery.id == "quick-4" else None
    )
    slow = [callback(receiver, 1, call=f"slow{number}", path="/hold") for number in range(50)]
    quick = [callback(receiver, number, call="quick") for number in range(5)]
    deliverer.offer(outbox.add(*slow, *quick))
    async with asyncio.timeout(PATIENCE):
        await last.wait()
    assert receiver.order() == ["0", "1", "2", "3", "4"]
    assert len(receiver.order("/hold")) <= 4
    receiver.release.set()
    assert await deliverer.drain(5) == 0
    assert len(receiver.order("/hold")) == 50


async def test_a_dead_server_keeps_its_deliveries(
    make: Callable[..., Deliverer], outbox: MemoryOutbox, receiver: Receiver
) -> None:
    patient = FetchPolicy(retries=RetryPolicy(3, frozenset({"ct"}), (60.0,)))
    dead = callback(receiver, 1, call="dead", url="http://127.0.0.1:1/cb", policy=patient)
    rescheduled = asyncio.Event()
    deliverer = make(on_result=lambda delivery, _: rescheduled.set() if delivery is dead else None)
    deliverer.offer(outbox.add(dead, callback(receiver, 1, call="well")))
    async with asyncio.timeout(PATIENCE):
        await rescheduled.wait()
    assert await deliverer.drain(0.1) == 1
    await deliverer.stop()
    assert outbox.done == {"well-1": "delivered 204 after 1"}
    assert outbox.waiting["dead-1"].attempts == 1
    assert outbox.waiting["dead-1"].not_before > 0


async def test_a_restart_goes_on_where_it_was(
    make: Callable[..., Deliverer], outbox: MemoryOutbox, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    outbox.add(callback(receiver, 1, attempts=2), callback(receiver, 2))
    deliverer = make()
    await deliverer.start()
    assert await deliverer.drain(5) == 0
    assert outbox.done == {"c1-1": "failed 500 after 3: status 500", "c1-2": "delivered 204 after 1"}


async def test_what_does_not_fit_is_read_again_in_order(
    make: Callable[..., Deliverer], outbox: MemoryOutbox, receiver: Receiver
) -> None:
    outbox.failing = True
    deliverer = make(max_queued=4)
    for number in range(30):
        deliverer.offer(outbox.add(callback(receiver, number)))
    assert deliverer.queued == 4
    assert await deliverer.drain(5) == 0
    assert receiver.order() == [str(number) for number in range(30)]


async def test_after_stopping_nothing_is_taken(
    make: Callable[..., Deliverer], outbox: MemoryOutbox, receiver: Receiver
) -> None:
    deliverer = make()
    deliverer.offer(outbox.add(callback(receiver, 1, path="/hold")))
    await deliverer.stop()
    deliverer.offer(outbox.add(callback(receiver, 2)))
    assert outbox.done == {}
    assert set(outbox.waiting) == {"c1-1", "c1-2"}


async def test_a_broken_outbox_does_not_stop_the_stream(
    make: Callable[..., Deliverer], outbox: MemoryOutbox, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(id: str, *, attempts: int, http_status: int | None) -> None:
        raise ConnectionError("the database is away")

    outbox.mark_delivered = broken  # type: ignore[method-assign]
    deliverer = make()
    deliverer.offer(outbox.add(callback(receiver, 1), callback(receiver, 2)))
    assert await deliverer.drain(5) == 0
    assert receiver.order() == ["1", "2"]
    assert "ended unexpectedly" in caplog.text


def test_deliveries_survive_encoding() -> None:
    delivery = Delivery(
        id="d",
        account_id="a",
        url="https://u:p@x.example/cb",
        fields=(("a", None), ("b", "ü")),
        json=b"{}",
        auth=("u", "p"),
        policy=CALLBACK_POLICY,
    )
    assert decode(encode(delivery)) == delivery
    with pytest.raises(msgspec.MsgspecError):
        decode(b"\xc1")


def test_streams_and_places() -> None:
    delivery = Delivery(id="d", account_id="a", url="https://u:p@X.example:8443/cb?a=1#f", call_id="c")
    assert delivery.stream_key() == "c https://x.example:8443"
    assert msgspec.structs.replace(delivery, stream="s").stream_key() == "s"
    assert place(delivery.url, with_path=True) == "https://x.example:8443/cb"
    assert place("http://[::1", with_path=True) == "http://[::1"
