"""An S3 server in this process, and one in front of it that fails for a while."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import obstore
from aiohttp import web
from moto.server import ThreadedMotoServer
from obstore.store import from_url

BUCKET = "calls"
_KEPT = ("etag", "last-modified", "content-range")
OPTIONS = {"region": "us-east-1", "access_key_id": "test", "secret_access_key": "test"}


class ObjectStore:
    """`url` is its endpoint; `fail` lets the next requests that write be answered with 503."""

    def __init__(self, behind: str, http: aiohttp.ClientSession) -> None:
        self.url = ""
        self.failures = 0
        self.refused = 0
        self.refusing = asyncio.Event()
        self._behind = behind
        self._http = http

    @property
    def options(self) -> dict[str, str]:
        """Where and as whom."""
        return {**OPTIONS, "endpoint": self.url}

    async def objects(self) -> dict[str, bytes]:
        """What is stored, by name."""
        options: dict[str, Any] = {**self.options, "client_options": {"allow_http": True}}
        store = from_url(f"s3://{BUCKET}", **options)
        names = [item["path"] for item in (await obstore.list(store).collect_async())]
        return {name: bytes(await (await obstore.get_async(store, name)).bytes_async()) for name in names}

    async def handle(self, request: web.Request) -> web.Response:
        if request.method in ("PUT", "POST", "DELETE") and self.failures:
            self.failures -= 1
            self.refused += 1
            self.refusing.set()
            return web.Response(status=503, text="come back later")
        body = await request.read()
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "content-length")}
        url = f"{self._behind}{request.path_qs}"
        async with self._http.request(request.method, url, data=body or None, headers=headers) as reply:
            kept = {k: v for k, v in reply.headers.items() if k.lower() in _KEPT}
            return web.Response(status=reply.status, body=await reply.read(), headers=kept)


@functools.cache
def _served() -> str:
    """The server's address. It serves all tests of this process, until that ends; each finds it empty."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def object_store() -> AsyncIterator[ObjectStore]:
    """For the length of a block."""
    behind = await asyncio.to_thread(_served)
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        async with http.put(f"{behind}/{BUCKET}") as reply:
            assert reply.status == 200
        store = ObjectStore(behind, http)
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", store.handle)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        sockets: Any = runner.addresses
        store.url = f"http://127.0.0.1:{sockets[0][1]}"
        try:
            yield store
        finally:
            await runner.cleanup()
            async with http.post(f"{behind}/moto-api/reset") as reply:
                assert reply.status == 200
