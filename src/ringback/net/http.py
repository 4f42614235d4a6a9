"""The one HTTP client: pooled, guarded, bounded in time and size, with redirects checked one by one."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import aiohttp
from aiohttp import ClientTimeout, ClientWebSocketResponse
from yarl import URL

from ringback.net.clock import elapsed_ms
from ringback.net.connector import Connector
from ringback.net.cookies import Cookies
from ringback.net.failure import failure_of
from ringback.net.guard import AddressPolicy, AddressRefused
from ringback.net.reply import (
    BodyTooLarge,
    Exchange,
    FailureKind,
    Headers,
    HttpFailure,
    HttpLimits,
    HttpReply,
    Redirects,
    Sign,
    media_type,
)
from ringback.net.resolver import GuardedResolver, Lookup, system_lookup
from ringback.net.step import HTTP_SCHEMES, WS_SCHEMES, Step, first_step, redirected, step_headers
from ringback.net.url import Target
from ringback.net.wire import Received, Wire

__all__ = [
    "BodyTooLarge",
    "Exchange",
    "FailureKind",
    "Headers",
    "HttpFailure",
    "HttpLimits",
    "HttpPool",
    "HttpReply",
    "Redirects",
    "Sign",
]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpPool:
    """Pooled connections to everywhere that `policy` allows. Create it in a running loop; `close` it.

    `per_origin` bounds the exchanges that one scheme, host and port has at a time; further ones wait
    within their own time limits.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        per_origin: int = 256,
        lookup: Lookup = system_lookup,
        tls: ssl.SSLContext | None = None,
        user_agent: str = "ringback",
    ) -> None:
        self.policy = policy
        self.on_exchange: Callable[[Exchange], None] | None = None
        """Told of every finished `request`, in the context of the task that made it."""
        self._resolver = GuardedResolver(policy, lookup=lookup)
        connector = Connector(self._resolver, per_origin=per_origin, tls=tls)
        self._wire = Wire(connector, user_agent)
        # For what is sent from a file, and for WebSockets.
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": user_agent, "Accept": "*/*"},
            trace_configs=[_trace()],
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
        await self._resolver.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        limits: HttpLimits | None = None,
        redirects: Redirects | None = None,
        cookies: Cookies | None = None,
        sign: Sign | None = None,
        auth: tuple[str, str] | None = None,
    ) -> HttpReply:
        """Send a request and read the whole reply, whatever its status; raises `HttpFailure`.

        `user:password@` in the URL, or else `auth`, becomes Basic credentials; they are not carried to
        another origin. The fragment is not sent. `sign` is called for each step with the method, the
        exact URL and the body that are about to be sent.
        """
        started = time.monotonic()
        try:
            step = first_step(method.upper(), url, tuple(headers), body, auth, HTTP_SCHEMES)
            received, final = await self._follow(
                step, limits or HttpLimits(), redirects or Redirects(), cookies, sign
            )
        except HttpFailure as failure:
            self._observe(
                # failure.url has no credentials, the URL as it was given may have them
                Exchange(method, failure.url, failure.status, failure.message, elapsed_ms(started), body, b"")
            )
            raise
        content_type, charset = media_type(received.headers.get("Content-Type"))
        reply = HttpReply(
            received.status,
            tuple(received.headers.items()),
            received.body,
            final,
            elapsed_ms(started),
            content_type,
            charset,
        )
        self._observe(Exchange(method, final, reply.status, "", reply.elapsed_ms, body, reply.body))
        return reply

    def _observe(self, exchange: Exchange) -> None:
        if self.on_exchange is not None:
            self.on_exchange(exchange)

    async def _follow(
        self, step: Step, limits: HttpLimits, rules: Redirects, cookies: Cookies | None, sign: Sign | None
    ) -> tuple[Received, str]:
        """The last reply, and the URL that it is of."""
        try:
            async with asyncio.timeout(limits.total_timeout):
                for _ in range(rules.limit + 1):
                    self._check_literal(step.target)
                    received = await self._wire.exchange(step, step_headers(step, cookies, sign), limits)
                    if cookies is not None:
                        cookies.store(step.target.url, received.headers.getall("Set-Cookie", ()))
                    location = received.headers.get("Location")
                    if received.status not in _REDIRECTS or location is None or rules.limit == 0:
                        return received, step.target.url
                    step = redirected(step, received.status, location, rules.keep_method)
        except TimeoutError as error:
            limit = limits.total_timeout or 0.0
            raise HttpFailure("timeout", f"no complete reply within {limit:g} s", step.target.url) from error
        message = f"more than {rules.limit} redirects"
        raise HttpFailure("too-many-redirects", message, step.target.url, status=received.status)

    async def upload(
        self,
        method: str,
        url: str,
        path: Path,
        *,
        content_type: str,
        limits: HttpLimits | None = None,
        auth: tuple[str, str] | None = None,
    ) -> int:
        """Send a file as the body, piece by piece; the reply's status. Redirects are not followed.

        Raises `HttpFailure`, OSError for a file that cannot be read.
        """
        bounds = limits or HttpLimits()
        step = first_step(method.upper(), url, (("Content-Type", content_type),), b"", auth, HTTP_SCHEMES)
        self._check_literal(step.target)
        with await asyncio.to_thread(path.open, "rb") as file:
            try:
                async with self._session.request(
                    step.method,
                    URL(step.target.url, encoded=True),
                    headers=list(step_headers(step, None, None)),
                    data=file,
                    allow_redirects=False,
                    timeout=ClientTimeout(
                        total=bounds.total_timeout,
                        sock_connect=bounds.connect_timeout,
                        sock_read=bounds.read_timeout,
                    ),
                ) as response:
                    return response.status
            except Exception as error:
                raise failure_of(error, step.target.url) from error

    async def ws_connect(
        self,
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        headers: Sequence[tuple[str, str]] = (),
        timeout: float = 5.0,
        max_message: int = 4 * 1024 * 1024,
        max_redirects: int = 0,
        heartbeat: float | None = None,
        sign: Sign | None = None,
        auth: tuple[str, str] | None = None,
    ) -> ClientWebSocketResponse:
        """Open a WebSocket (RFC 6455) through the same guard; `timeout` covers the handshake.

        Raises `HttpFailure`; one with a `status` is a server that answered something else than 101.
        """
        step = first_step("GET", url, tuple(headers), b"", auth, WS_SCHEMES)
        try:
            async with asyncio.timeout(timeout):
                for _ in range(max_redirects + 1):
                    self._check_literal(step.target)
                    try:
                        return await self._session.ws_connect(
                            URL(step.target.url, encoded=True),
                            protocols=list(subprotocols),
                            headers=list(step_headers(step, None, sign)),
                            max_msg_size=max_message,
                            heartbeat=heartbeat,
                            autoping=True,
                        )
                    except _Redirected as moved:
                        step = redirected(step, 307, moved.location, True, schemes=WS_SCHEMES)
        except TimeoutError as error:
            message = f"no WebSocket handshake within {timeout:g} s"
            raise HttpFailure("timeout", message, step.target.url) from error
        except HttpFailure:
            raise
        except Exception as error:
            raise failure_of(error, step.target.url) from error
        raise HttpFailure("too-many-redirects", f"more than {max_redirects} redirects", step.target.url)

    def _check_literal(self, at: Target) -> None:
        # Addresses in the URL itself never reach the resolver.
        if at.is_literal:
            try:
                self.policy.check_host(at.host, at.port, [at.host], url=at.url)
            except AddressRefused as refused:
                raise HttpFailure("refused-address", str(refused), at.url) from refused


class _Redirected(Exception):
    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


def _trace() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()

    async def refuse_redirect(
        _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
    ) -> None:
        # A WebSocket handshake cannot be told to leave redirects alone.
        location = params.response.headers.get("Location", "")
        params.response.close()
        raise _Redirected(location)

    config.on_request_redirect.append(refuse_redirect)
    return config
