"""HTTP connections that send no request, or half of one: they end in time, and are never too many."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ringback import connection
from ringback.config.tables import ServerSection
from ringback.connection import BODY_SECONDS, HEAD_SECONDS
from ringback.serving import WebListeners
from ringback.testing.virtual_time import in_virtual_time

WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHost: a\r\n"
NO_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK"


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body() or b"nothing")


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    """A listener's port."""
    web = WebListeners(ServerSection(http="127.0.0.1:0"))
    await web.serve(Starlette(routes=[Route("/", echo, methods=["GET", "POST"])]))
    try:
        yield int(web.url.rpartition(":")[2])
    finally:
        await web.close()


class Client:
    """A connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[Client]:
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        try:
            yield client
        finally:
            client.writer.close()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self) -> bytes:
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60.0)
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        return head + await self.reader.readexactly(int(length.partition(b":")[2]))

    async def closed(self) -> float:
        """Wait until the server closes it; how long that took."""
        started = asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(self.reader.read(), 1000.0)
        except ConnectionError:
            pass
        return asyncio.get_running_loop().time() - started


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [(b"", HEAD_SECONDS), (b"\r\n", HEAD_SECONDS), (HALF, HEAD_SECONDS), (NO_BODY, BODY_SECONDS)],
)
@in_virtual_time
async def test_a_request_that_does_not_arrive(sent: bytes, seconds: float) -> None:
    async with listening() as port, Client.to(port) as client:
        client.send(sent)
        assert await client.closed() == pytest.approx(seconds, abs=0.5)


@in_virtual_time
async def test_a_trickle_is_not_enough() -> None:
    async with listening() as port, Client.to(port) as client:
        closed = asyncio.ensure_future(client.closed())
        client.send(HALF)
        while not closed.done():
            client.send(b"X: y\r\n")
            await asyncio.wait({closed}, timeout=1.0)
        assert closed.result() == pytest.approx(HEAD_SECONDS, abs=1.5)


@pytest.mark.parametrize("rest", [b"\r\n", HALF])
@pytest.mark.parametrize("at_once", [True, False])
@in_virtual_time
async def test_half_a_request_behind_a_whole_one(rest: bytes, at_once: bool) -> None:
    async with listening() as port, Client.to(port) as client:
        client.send(WHOLE + rest if at_once else WHOLE)
        assert (await client.reply()).startswith(REPLY)
        if not at_once:
            client.send(rest)
        assert await client.closed() <= HEAD_SECONDS + 0.5


@in_virtual_time
async def test_a_slow_request_that_arrives_is_answered() -> None:
    async with listening() as port, Client.to(port) as client:
        for _ in range(3):
            for part in (NO_BODY[:20], NO_BODY[20:], b"hel", b"lo"):
                client.send(part)
                await asyncio.sleep(4.0)
            assert (await client.reply()).endswith(b"hello")


@in_virtual_time
async def test_each_reply_says_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 784111777.25
    monkeypatch.setattr(time, "time", lambda: now)
    async with listening() as port, Client.to(port) as client:
        for sent, status in ((WHOLE, b"200"), (WHOLE, b"200"), (b"nonsense\r\n\r\n", b"400")):
            client.send(sent)
            reply = await client.reply()
            assert reply.startswith(b"HTTP/1.1 " + status)
            date = formatdate(now, usegmt=True).encode()
            assert reply.split(b"\r\n").count(b"date: " + date) == 1
            now += 0.5


@in_virtual_time
async def test_too_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those above the limit are closed at once; when one of the others is gone there is room again."""
    monkeypatch.setattr(connection, "MOST", 2)
    async with listening() as port, Client.to(port) as first:
        first.send(HALF)
        async with Client.to(port) as second, Client.to(port) as third:
            assert await third.closed() < 1.0
            second.send(WHOLE)
            assert (await second.reply()).startswith(REPLY)
        assert await first.closed() == pytest.approx(HEAD_SECONDS, abs=0.5)
        async with Client.to(port) as fourth:
            fourth.send(WHOLE)
            assert (await fourth.reply()).startswith(REPLY)


@in_virtual_time
async def test_connections_never_take_most_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "open_files", lambda: 4)
    async with listening() as port, Client.to(port), Client.to(port) as second:
        assert await second.closed() < 1.0


def test_the_commands_may_open_as_many_files_as_the_system_lets_them() -> None:
    work = "async def work():\n print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n return 0\n"
    script = f"import resource\nfrom ringback.cli.app import run\n{work}run(work())"
    hard = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 4096)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)),
    )
    assert int(done.stdout) == hard
