"""The dialect behind a real HTTP server, and a web application that it asks."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from aiohttp.test_utils import TestServer
from starlette.applications import Starlette
from tests.dialects.laml.making import FakeCalls, directory

from ringback.calls.services import Services
from ringback.dialects.laml import Laml
from ringback.net.guard import AddressPolicy
from ringback.net.http import HttpPool
from ringback.store import Store


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
        **headers: str,
    ) -> None:
        """Answer so from now on."""
        self.replies[path] = (status, content_type, body, headers)

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


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open("sqlite", tmp_path) as opened:
        yield opened


@pytest.fixture
def calls() -> FakeCalls:
    return FakeCalls()


@pytest.fixture
def services(http: HttpPool, store: Store, calls: FakeCalls) -> Services:
    return Services(
        directory=directory(),
        http=http,
        store=store,
        public_url="http://127.0.0.1:8080",
        calls=calls,
        instance="0" * 32,
    )


@pytest.fixture
async def base_url(services: Services) -> AsyncIterator[str]:
    """The dialect's routes, served."""
    config = uvicorn.Config(Starlette(routes=Laml(services).routes()), log_level="error", lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await server.startup(sockets=[listening])
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        await server.shutdown(sockets=[listening])


Api = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def api(base_url: str) -> AsyncIterator[Api]:
    """`await api(method, path, user, password, …)`: status and decoded body."""
    async with aiohttp.ClientSession(base_url) as session:

        async def call(
            method: str, path: str, user: str | None, password: str = "secret", **more: Any
        ) -> tuple[int, Any]:
            auth = None if user is None else aiohttp.BasicAuth(user, password)
            async with session.request(method, path, auth=auth, **more) as response:
                text = await response.text()
                if text:
                    assert response.headers["Content-Type"].startswith("application/json")
                    return response.status, await response.json()
                return response.status, None

        yield call
