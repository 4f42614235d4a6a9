"""Deliver callbacks: durable, in order within a stream, side by side across streams.

What is offered is already committed; this only sends it. A stream is the callbacks of one call to one
origin. Each stream has a task of its own while it has work; the bounds are on requests under way, in
total, per origin and per URL, so a slow or dead URL fills its own share and no other's. A wait between
attempts holds no share. What does not fit in memory stays in the outbox and is read again later.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import msgspec

from ringback.net.clock import Clock, SystemClock
from ringback.net.http import HttpPool
from ringback.webhooks.ask import effective_policy
from ringback.webhooks.delivery import Delivery, Outbox
from ringback.webhooks.retry import Outcome, next_delay
from ringback.webhooks.send import KeyRing, Sender

log = logging.getLogger(__name__)

OnResult = Callable[[Delivery, Outcome], None]


class Deliverer:
    """Sends deliveries until each is delivered or given up.

    `on_result` is called after every attempt: `outcome.attempts` counts them, `outcome.delivered` tells
    success, `outcome.given_up` that it was the last. `keys` gives the signing key of a delivery at the
    moment of sending.
    """

    def __init__(
        self,
        http: HttpPool,
        outbox: Outbox,
        *,
        keys: KeyRing,
        on_result: OnResult | None = None,
        clock: Clock | None = None,
        at_once: int = 1024,
        per_origin: int = 128,
        per_url: int = 32,
        max_queued: int = 50_000,
    ) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._sender = Sender(
            http, keys, self._clock, at_once=at_once, per_origin=per_origin, per_url=per_url
        )
        self._outbox = outbox
        self._on_result = on_result
        self._max_queued = max_queued
        self._streams: dict[str, deque[Delivery]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids: set[str] = set()
        self._overflowed = False
        self._refilling = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped = False

    @property
    def queued(self) -> int:
        """Deliveries in memory that are not finished."""
        return len(self._ids)

    async def start(self) -> None:
        """Take up what an earlier run left in the outbox."""
        self._accept(await self._outbox.pending())

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Take deliveries that have been committed. Returns at once; a repeated id is ignored."""
        if not self._stopped and not self._overflowed:
            self._accept(deliveries)

    async def drain(self, timeout: float) -> int:
        """Wait until everything is finished, at most `timeout` seconds; how many deliveries are left."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            pass
        return self.queued

    async def stop(self) -> None:
        """Stop at once; what was not finished is still in the outbox."""
        self._stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.id in self._ids:
                continue
            if len(self._ids) >= self._max_queued:
                # From here on nothing is taken until the outbox has been read again, or a later
                # delivery of a stream could overtake one that was left out.
                self._overflowed = True
                return
            self._enqueue(delivery)

    def _enqueue(self, delivery: Delivery) -> None:
        key = delivery.stream_key()
        self._ids.add(delivery.id)
        self._idle.clear()
        queue = self._streams.get(key)
        if queue is not None:
            queue.append(delivery)
            return
        self._streams[key] = deque([delivery])
        self._spawn(self._run(key, self._streams[key]))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, key: str, queue: deque[Delivery]) -> None:
        while queue:
            delivery = queue[0]
            try:
                await self._deliver(delivery)
            except Exception:  # the stream must go on; the outbox still holds this one
                log.exception("delivery %s ended unexpectedly", delivery.id)
            queue.popleft()
            self._finished(delivery)
        # No await since the queue was found empty: nothing can have been added to it.
        del self._streams[key]

    def _finished(self, delivery: Delivery) -> None:
        self._ids.discard(delivery.id)
        if self._overflowed and not self._refilling and len(self._ids) <= self._max_queued // 2:
            self._refilling = True
            self._spawn(self._refill())
        self._settle()

    def _settle(self) -> None:
        if not self._ids and not self._refilling:
            self._idle.set()

    async def _refill(self) -> None:
        while True:
            try:
                pending = await self._outbox.pending()
            except Exception:  # the database is gone for the moment, and nothing may be lost meanwhile
                log.exception("the outbox could not be read")
                await asyncio.sleep(1.0)
            else:
                break
        self._refilling = False
        self._overflowed = False
        self._accept(pending)
        self._settle()

    async def _deliver(self, delivery: Delivery) -> None:
        retries = effective_policy(delivery.url, delivery.policy).retries
        attempt = delivery.attempts
        not_before = delivery.not_before
        while True:
            wait = not_before - self._clock.now()
            if wait > 0:
                await asyncio.sleep(wait)
            attempt += 1
            outcome = await self._sender.send(delivery, attempt)
            delay = next_delay(retries, attempt, outcome.kind, outcome.status)
            if outcome.delivered:
                delay = None
                await self._outbox.mark_delivered(delivery.id, attempts=attempt, http_status=outcome.status)
            elif delay is None:
                outcome = msgspec.structs.replace(outcome, given_up=True)
                await self._outbox.mark_failed(
                    delivery.id, outcome.message, attempts=attempt, http_status=outcome.status
                )
            if self._on_result is not None:
                self._on_result(delivery, outcome)
            if delay is None:
                return
            not_before = self._clock.now() + delay
            await self._outbox.reschedule(delivery.id, not_before, attempt, outcome.message)
