"""Applications of a user, over HTTP and on a WebSocket, that keep what they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from tests.patience import PATIENCE


@dataclass
class WebApp:
    """A user's application: what it was asked by HTTP, and what it answers to each path."""

    url: str = ""
    requests: list[tuple[web.Request, bytes]] = field(default_factory=list)
    replies: dict[str, Any] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request, await request.read()))
        reply = self.replies.get(request.path, [])
        if isinstance(reply, web.Response):
            return reply
        return web.json_response(reply)

    def bodies(self, path: str) -> list[Any]:
        """What was sent there, decoded."""
        return [msgspec.json.decode(body) for request, body in self.requests if request.path == path]


@dataclass
class Socket:
    """One WebSocket connection, seen from the application."""

    ws: web.WebSocketResponse
    request: web.Request
    received: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    closed: asyncio.Future[int | None] = field(default_factory=asyncio.Future)

    async def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next message; of that type, others are an error."""
        async with asyncio.timeout(PATIENCE):
            message = await self.received.get()
        assert kind is None or message["type"] == kind, message
        return message

    async def ack(self, message: dict[str, Any], data: Any = None) -> None:
        answer = {"type": "ack", "msgid": message["msgid"]}
        await self.send(answer if data is None else {**answer, "data": data})

    async def command(self, name: str, data: Any = None, **more: Any) -> None:
        await self.send({"type": "command", "command": name, "data": data, **more})

    async def send(self, message: Any) -> None:
        await self.ws.send_json(message)

    async def code(self) -> int | None:
        """Wait for the end; the close code."""
        async with asyncio.timeout(PATIENCE):
            return await self.closed


@dataclass
class SocketApp:
    """A user's application on a WebSocket: its connections in the order in which they come."""

    url: str = ""
    connections: asyncio.Queue[Socket] = field(default_factory=asyncio.Queue)
    refuse: int = 0
    """How many connections to refuse with a dropped handshake."""

    async def accept(self, request: web.Request) -> web.StreamResponse:
        if self.refuse > 0:
            self.refuse -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=503)
        ws = web.WebSocketResponse(protocols=["ws.jambonz.org"])
        await ws.prepare(request)
        socket = Socket(ws, request)
        self.connections.put_nowait(socket)
        async for frame in ws:
            socket.received.put_nowait(msgspec.json.decode(frame.data))
        socket.closed.set_result(ws.close_code)
        return ws

    async def connection(self) -> Socket:
        async with asyncio.timeout(PATIENCE):
            return await self.connections.get()


async def served(app: web.Application) -> AsyncIterator[str]:
    """Its host and port, while it is served."""
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"127.0.0.1:{port}"
    await runner.cleanup()
