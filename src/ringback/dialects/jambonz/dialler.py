"""Connecting to an application's WebSocket: the first time with retries, after a drop with growing pauses."""

from __future__ import annotations

import asyncio
import logging

import msgspec
from aiohttp import ClientWebSocketResponse

from ringback.calls.verbs import Hook
from ringback.dialects.jambonz.errors import WEBHOOK_CONNECTION, HookFailed
from ringback.dialects.jambonz.protocol import MAX_MESSAGE, SUBPROTOCOL
from ringback.net.http import HttpFailure, HttpPool
from ringback.webhooks.ask import effective_policy
from ringback.webhooks.policy import BACKOFF, FetchPolicy, RetryPolicy
from ringback.webhooks.retry import next_delay

log = logging.getLogger(__name__)

# Where the fragment of the URL says nothing: five retries when there is no connection.
_FIRST = FetchPolicy(retries=RetryPolicy(attempts=6, on=frozenset({"ct"})))


class Timing(msgspec.Struct, frozen=True):
    """Seconds, and how many connections one call gets in all."""

    handshake: float = 1.5
    ack: float = 5.0
    farewell: float = 2.0
    backoff: tuple[float, ...] = BACKOFF
    connections: int = 5


class Dialler:
    """Makes the connections of one line."""

    def __init__(self, http: HttpPool, hook: Hook, call_sid: str, timing: Timing) -> None:
        self.timing = timing
        self.socket: ClientWebSocketResponse | None = None
        """The latest connection."""
        self.connections = 0
        """How many were made, or tried after a drop."""
        self._http = http
        self._hook = hook
        self._call_sid = call_sid

    async def first(self) -> ClientWebSocketResponse:
        """The first connection.

        Raises:
            HookFailed: none, after the retries that the URL's fragment asks for.
        """
        # The policy reads http URLs; the fragment is the same.
        policy = effective_policy(self._hook.url.replace("ws", "http", 1), _FIRST).retries
        policy = msgspec.structs.replace(policy, backoff=self.timing.backoff)
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._connect()
            except HttpFailure as error:
                delay = next_delay(policy, attempt, error.kind)
                if delay is None:
                    raise HookFailed(
                        WEBHOOK_CONNECTION, error.message, url=error.url, status=error.status
                    ) from error
            await asyncio.sleep(delay)

    async def again(self) -> ClientWebSocketResponse | None:
        """A further connection after a drop; None when there were enough."""
        while self.connections < self.timing.connections:
            steps = self.timing.backoff
            await asyncio.sleep(steps[min(self.connections, len(steps)) - 1])
            try:
                return await self._connect()
            except HttpFailure as error:
                log.info("call %s: reconnecting failed: %s", self._call_sid, error.message)
                self.connections += 1
        return None

    async def _connect(self) -> ClientWebSocketResponse:
        auth = (self._hook.username, self._hook.password or "") if self._hook.username else None
        self.socket = await self._http.ws_connect(
            self._hook.url,
            subprotocols=[SUBPROTOCOL],
            timeout=self.timing.handshake,
            max_message=MAX_MESSAGE,
            max_redirects=2,
            auth=auth,
        )
        self.connections += 1
        return self.socket
