"""Send one callback once, within the share that its URL and its origin have of the whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ringback.net.clock import Clock
from ringback.net.http import HttpFailure, HttpPool, Redirects
from ringback.webhooks.ask import effective_policy, limits_of
from ringback.webhooks.delivery import Delivery, place
from ringback.webhooks.render import render, signer
from ringback.webhooks.retry import Outcome

KeyRing = Callable[[Delivery], str]  # the key that signs a delivery; "" for none


class Shares:
    """A bound on what is under way per key, kept only while the key is in use."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """Wait for one of the key's places and keep it for the block."""
        share, users = self._used.get(key) or (asyncio.Semaphore(self._limit), 0)
        self._used[key] = (share, users + 1)
        try:
            async with share:
                yield
        finally:
            share, users = self._used[key]
            if users == 1:
                del self._used[key]
            else:
                self._used[key] = (share, users - 1)


class Sender:
    """Makes one attempt at a delivery; bounds what is under way in total, per origin and per URL."""

    def __init__(
        self, http: HttpPool, keys: KeyRing, clock: Clock, *, at_once: int, per_origin: int, per_url: int
    ) -> None:
        self._http = http
        self._keys = keys
        self._clock = clock
        self._total = asyncio.Semaphore(at_once)
        self._origins = Shares(per_origin)
        self._urls = Shares(per_url)

    async def send(self, delivery: Delivery, attempt: int) -> Outcome:
        """Send it as its `attempt`-th attempt; never raises for what the network or the server does."""
        # The narrowest bound first, so that a waiting request occupies none of the wider ones.
        async with (
            self._urls.hold(place(delivery.url, with_path=True)),
            self._origins.hold(place(delivery.url, with_path=False)),
            self._total,
        ):
            return await self._send(delivery, attempt)

    async def _send(self, delivery: Delivery, attempt: int) -> Outcome:
        policy = effective_policy(delivery.url, delivery.policy)
        rendered = render(
            delivery.method,
            delivery.url,
            fields=delivery.fields,
            json=delivery.json if delivery.encoding == "json" else None,
            query_to_body=delivery.query_to_body,
            hash_body=delivery.hash_body,
        )
        headers = (*rendered.headers, *delivery.headers)
        if delivery.token and delivery.token_header:
            headers = (*headers, (delivery.token_header, delivery.token))
        started = self._clock.monotonic()
        try:
            reply = await self._http.request(
                rendered.method,
                rendered.url,
                headers=headers,
                body=rendered.body,
                limits=limits_of(policy, policy.total_timeout),
                redirects=Redirects(policy.max_redirects, policy.redirect_keeps_method),
                sign=signer(
                    delivery.scheme, self._keys(delivery), rendered, self._clock.now(), delivery.json
                ),
                auth=delivery.auth,
            )
        except HttpFailure as failure:
            spent = (self._clock.monotonic() - started) * 1000.0
            return Outcome(failure.status, failure.kind, failure.message, attempt, spent)
        return Outcome(
            reply.status,
            None,
            f"status {reply.status}",
            attempt,
            reply.elapsed_ms,
            delivered=policy.accepts(reply.status),
        )
