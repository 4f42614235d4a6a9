"""The dialect behind a real HTTP server, and a web application that it asks."""

from __future__ import annotations

import asyncio
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from aiohttp.test_utils import TestServer
from starlette.applications import Starlette
from tests.dialects.laml.making import ACCOUNT, NOON, directory
from tests.dialects.memory import MemoryCalls, MemoryRecordings

from ringback.calls.services import Services
from ringback.dialects.laml import Laml
from ringback.dialects.laml.settings import Settings
from ringback.dialects.laml.webhook import LamlApplication
from ringback.net.guard import AddressPolicy
from ringback.net.http import HttpPool
from ringback.store import Store, StoredEvent


class WebApplication:
    """Answers with what `replies` says for a path: (status, content type, body, more headers)."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.replies: dict[str, tuple[int, str, str | bytes, dict[str, str]]] = {}
        self.url = ""

    def reply(
        self,
        path: str,
        body: str | bytes,
        content_type: str = "text/xml",
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer so from now on."""
        self.replies[path] = (status, content_type, body, headers or {})

    async def answer(self, request: web.Request) -> web.Response:
        """Remember the request and answer it."""
        form = [(name, str(value)) for name, value in (await request.post()).items()]
        self.asked.append(
            Asked(request.method, str(request.url), request.path, form, dict(request.query), request.headers)
        )
        status, content_type, body, headers = self.replies.get(
            request.path, (404, "text/plain", "not here", {})
        )
        data = body.encode() if isinstance(body, str) else body
        more = {"Content-Type": content_type} if content_type else {}
        return web.Response(status=status, body=data, headers=more | headers)


class Asked:
    """One request that the web application got."""

    def __init__(
        self,
        method: str,
        url: str,
        path: str,
        form: list[tuple[str, str]],
        query: dict[str, str],
        headers: Any,
    ) -> None:
        self.method = method
        self.url = url
        self.path = path
        self.form = form
        self.fields = dict(form)
        self.query = query
        self.headers = headers


@pytest.fixture
async def app() -> AsyncIterator[WebApplication]:
    application = WebApplication()
    server = web.Application()
    server.router.add_route("*", "/{path:.*}", application.answer)
    test_server = TestServer(server)
    await test_server.start_server()
    application.url = str(test_server.make_url("")).rstrip("/")
    yield application
    await test_server.close()


@pytest.fixture
async def http() -> AsyncIterator[HttpPool]:
    pool = HttpPool(AddressPolicy(allow_private=True))
    yield pool
    await pool.close()


class Log:
    """Of the store, the calls' events only."""

    def __init__(self) -> None:
        self.stored: list[StoredEvent] = []

    async def events(self, call_id: str, *, after: int = -1) -> list[StoredEvent]:
        """The events of one call."""
        return [event for event in self.stored if event.call_id == call_id]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def calls() -> MemoryCalls:
    return MemoryCalls(NOON)


@pytest.fixture
def recordings() -> MemoryRecordings:
    return MemoryRecordings()


@pytest.fixture
def services(http: HttpPool, log: Log, calls: MemoryCalls, recordings: MemoryRecordings) -> Services:
    return Services(
        directory=directory(),
        http=http,
        store=cast(Store, log),
        public_url="http://127.0.0.1:8080",
        calls=calls,
        recordings=recordings,
        instance="0" * 32,
    )


@pytest.fixture
async def base_url(services: Services) -> AsyncIterator[str]:
    """The dialect's routes, served."""
    config = uvicorn.Config(Starlette(routes=Laml(services).routes()), log_level="error", lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # With the protocol named, asyncio turns Nagle's algorithm off, which costs 40 ms a reply otherwise.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        await server.startup(sockets=[listening])
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for serving in server.servers:
            serving.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        # uvicorn's own shutdown waits a tenth of a second; a file still being sent must be closed, though.
        if server.server_state.tasks:
            await asyncio.wait(server.server_state.tasks)


Make = Callable[..., LamlApplication]


@pytest.fixture
def make(services: Services, app: WebApplication) -> Make:
    """`make(profile, **settings)`: an application that asks `app`."""

    def build(profile: str = "twilio", **settings: Any) -> LamlApplication:
        settings.setdefault("voice_url", f"{app.url}/voice")
        return LamlApplication(services, ACCOUNT, Settings(profile=profile, **settings))

    return build


Api = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def api(base_url: str) -> AsyncIterator[Api]:
    """`await api(method, path, user, password, …)`: status and decoded body."""
    async with aiohttp.ClientSession(base_url) as session:

        async def call(
            method: str, path: str, user: str | None, password: str = "secret", **more: Any
        ) -> tuple[int, Any]:
            headers = dict(more.pop("headers", {}))
            if user is not None:
                headers["Authorization"] = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
            async with session.request(method, path, headers=headers, **more) as response:
                text = await response.text()
                if text:
                    assert response.headers["Content-Type"].startswith("application/json")
                    return response.status, await response.json()
                return response.status, None

        yield call
