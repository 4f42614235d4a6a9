"""Send one callback once, within the share that its URL and its origin have of the whole."""

from __future__ import annotations

from collections.abc import Callable

from ringback.net.clock import Clock
from ringback.net.http import HttpFailure, HttpPool, Redirects
from ringback.net.turns import Turns
from ringback.webhooks.ask import effective_policy, limits_of
from ringback.webhooks.delivery import Delivery, place
from ringback.webhooks.render import render, signer
from ringback.webhooks.retry import Outcome

KeyRing = Callable[[Delivery], str]  # the key that signs a delivery; "" for none


class Sender:
    """Makes one attempt at a delivery; bounds what is under way in total, per origin and per URL."""

    def __init__(
        self, http: HttpPool, keys: KeyRing, clock: Clock, *, at_once: int, per_origin: int, per_url: int
    ) -> None:
        self._http = http
        self._keys = keys
        self._clock = clock
        self._all = Turns(at_once)
        self._origins = Turns(per_origin)
        self._urls = Turns(per_url)

    async def send(self, delivery: Delivery, attempt: int) -> Outcome:
        """Send it as its `attempt`-th attempt; never raises for what the network or the server does."""
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
        # The narrowest bound first, so that a waiting request occupies none of the wider ones.
        async with (
            self._urls.of(place(delivery.url, with_path=True)),
            self._origins.of(place(delivery.url, with_path=False)),
            self._all.of(None),
        ):
            started = self._clock.monotonic()
            key, now = self._keys(delivery), self._clock.now()
            try:
                reply = await self._http.request(
                    rendered.method,
                    rendered.url,
                    headers=headers,
                    body=rendered.body,
                    limits=limits_of(policy, policy.total_timeout),
                    redirects=Redirects(policy.max_redirects, policy.redirect_keeps_method),
                    sign=signer(delivery.scheme, key, rendered, now, delivery.json),
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
