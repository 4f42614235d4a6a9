"""One request and its reply over a kept connection: the way that every webhook goes.

aiohttp's connector keeps, resolves, guards and secures the connections, and aiohttp's parser reads the reply.
Its `ClientSession` is left out: what it does between the two (cookies, proxies, redirects, kinds of bodies, a
task that writes them) is not wanted here, and costs more than the exchange itself.
"""

from __future__ import annotations

import asyncio
import re
import time
from functools import lru_cache, partial
from typing import cast

import aiohttp
import msgspec
from aiohttp import ClientRequest, ClientTimeout, hdrs
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ringback.net.connector import Connector, Counting
from ringback.net.failure import failure_of
from ringback.net.reply import BodyTooLarge, Headers, HttpFailure, HttpLimits
from ringback.net.step import Step

_ACCEPT_ENCODING = ClientRequest.DEFAULT_HEADERS[hdrs.ACCEPT_ENCODING]  # what the parser can decode
_CONTENT_METHODS = frozenset({"POST", "PUT", "PATCH"})
_METHOD = re.compile(r"[A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # would end a line, and begin another header
AT_ONCE = 0.05
"""Seconds within which a server that had been closing the connection shows it, once something is sent."""


class Received(msgspec.Struct, frozen=True):
    """A reply; the body is decoded where it came compressed."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


class _Stale(aiohttp.ServerDisconnectedError):
    """A kept connection was lost at once and without an octet: the server is taken to have been closing it
    before the request came. One that reads, and hangs up as fast, cannot be told from it."""


class Wire:
    """Exchanges over the connections of `connector`. Create it in a running loop."""

    def __init__(self, connector: Connector, user_agent: str) -> None:
        self._connector = connector
        self._headers = (("User-Agent", user_agent), ("Accept", "*/*"))
        # To the connector, a request is where it goes: one for each origin will do.
        self._origin = lru_cache(maxsize=256)(partial(_origin, asyncio.get_running_loop()))

    async def exchange(self, step: Step, headers: Headers, limits: HttpLimits) -> Received:
        """Send the step's request with these headers, and read the whole reply; raises `HttpFailure`.

        A request that met a stale connection is sent once more, on a fresh one: where one that was kept is
        stale the others are likely to be so too, as after a restart of the server, and are given up. Whatever
        else befalls a request, it may have been read: whether it is repeated is the caller's to decide.
        Of `limits`, the total is left to the caller.
        """
        try:
            try:
                return await self._attempt(step, headers, limits)
            except _Stale:
                return await self._attempt(step, headers, limits, fresh=True)
        except HttpFailure:
            raise
        except Exception as error:
            raise failure_of(error, step.target.url) from error

    async def _attempt(
        self, step: Step, headers: Headers, limits: HttpLimits, *, fresh: bool = False
    ) -> Received:
        origin = self._origin(step.target.origin)
        request = self._request(step, headers, origin.headers["Host"])
        timeout = _timeout(limits.connect_timeout)
        try:
            connection = await self._connector.connect(origin, [], timeout)
            while fresh and _handler(connection).requests:
                connection.close()
                connection = await self._connector.connect(origin, [], timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        handler, transport = _handler(connection), connection.transport
        kept, heard, began = handler.requests > 0, handler.octets, time.monotonic()
        try:
            if transport is None:
                raise aiohttp.ServerDisconnectedError
            handler.set_response_params(
                skip_payload=step.method == "HEAD",
                read_until_eof=True,  # a body of no declared length ends with the connection
                read_timeout=limits.read_timeout,
            )
            transport.write(request)
            handler.start_timeout()
            received = await _receive(handler, step, limits.max_body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            connection.close()
            if kept and handler.octets == heard and time.monotonic() - began < AT_ONCE:
                raise _Stale from error
            raise
        except BaseException:
            connection.close()
            raise
        connection.release()
        return received

    def _request(self, step: Step, headers: Headers, host: str) -> bytes:
        """The request as it is sent. A header that is given takes the place of one of ours."""
        if not _METHOD.fullmatch(step.method):
            raise HttpFailure("protocol", f"{step.method!r} is not a method", step.target.url)
        merged = CIMultiDict((("Host", host), *self._headers))
        merged.update(headers)
        merged.setdefault("Accept-Encoding", _ACCEPT_ENCODING)
        if step.body or step.method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
            merged.setdefault("Content-Length", str(len(step.body)))
        if step.body or step.method in _CONTENT_METHODS:
            merged.setdefault("Content-Type", "application/octet-stream")
        lines = [f"{step.method} {step.target.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in merged.items()]
        if _CONTROL.search("".join(lines)):
            raise HttpFailure("protocol", "a header holds a control character", step.target.url)
        return "\r\n".join([*lines, "", ""]).encode() + step.body


def _origin(loop: asyncio.AbstractEventLoop, url: str) -> ClientRequest:
    return ClientRequest("GET", URL(url, encoded=True), loop=loop)


def _handler(connection: Connection) -> Counting:
    return cast(Counting, connection.protocol)  # as every connection of a `Connector`


@lru_cache(maxsize=256)
def _timeout(connect: float) -> ClientTimeout:
    return ClientTimeout(sock_connect=connect)


async def _receive(handler: ResponseHandler, step: Step, limit: int) -> Received:
    url = step.target.url
    try:
        head, body = await handler.read()
        while 100 <= head.code < 200 and head.code != 101:  # interim, RFC 9110 section 15.2
            head, body = await handler.read()
    except HttpProcessingError as error:
        raise HttpFailure("protocol", f"the reply is not HTTP: {error.message}", url) from error
    declared = head.headers.get("Content-Length")
    if declared is not None and int(declared) > limit and step.method != "HEAD":
        raise BodyTooLarge(limit, url)
    return Received(head.code, head.headers, await _read(body, limit, url))


async def _read(body: StreamReader, limit: int, url: str) -> bytes:
    parts = bytearray()
    while not body.at_eof():
        parts += await body.readany()
        if len(parts) > limit:
            raise BodyTooLarge(limit, url)
    return bytes(parts)
