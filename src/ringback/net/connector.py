"""The connections of the HTTP client: kept, bounded for each origin, and aware of what has come over them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler

# Shorter than the idle time after which common servers hang up (5 s), so that a request
# seldom meets a connection that the other side is just closing.
_KEEPALIVE_SECONDS = 4.0


class Counting(ResponseHandler):
    """One connection of a `Connector`."""

    requests = 0
    """How many it has been used for: a fresh one for none."""
    octets = 0
    """How many the server has sent, within TLS."""

    def set_response_params(self, **params: Any) -> None:
        """What the reply to the next request may be."""
        self.requests += 1
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """What the server sends."""
        self.octets += len(data)
        super().data_received(data)


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector, each of whose connections is `Counting`. Create it in a running loop."""

    def __init__(self, resolver: AbstractResolver, *, per_origin: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(
            resolver=resolver,
            limit=0,
            limit_per_host=per_origin,
            ttl_dns_cache=10,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            ssl=tls if tls is not None else True,
        )
        connection: Callable[..., ResponseHandler] = Counting
        self._factory = partial(connection, loop=asyncio.get_running_loop())
