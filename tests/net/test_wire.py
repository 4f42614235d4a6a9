"""What goes over the wire, octet by octet, and what may come back."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from ringback.net.guard import AddressPolicy
from ringback.net.http import BodyTooLarge, HttpFailure, HttpLimits, HttpPool
from ringback.net.wire import AT_ONCE

FORM = ("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class HangUp(msgspec.Struct, frozen=True):
    """Closes the connection instead of a reply, after saying something or working for so many seconds."""

    said: bytes = b""
    works: float = 0.0


class RawServer:
    """Answers each request with the next of `replies`."""

    def __init__(self, replies: list[bytes | HangUp], *, hang_up: bool) -> None:
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self.connections = 0
        self.url = ""
        self._replies = replies
        self._hang_up = hang_up

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while (head := await reader.readuntil(b"\r\n\r\n")) and self._replies:
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                self.requests.append(head + await reader.readexactly(int(fields.get(b"content-length", 0))))
                self.asked.set()
                reply = self._replies.pop(0)
                if isinstance(reply, HangUp):
                    writer.write(reply.said)
                    await asyncio.sleep(reply.works)
                    break
                writer.write(reply)
                if self._hang_up:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _raw(*replies: bytes | HangUp, hang_up: bool = False) -> AsyncIterator[RawServer]:
    raw = RawServer(list(replies), hang_up=hang_up)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield raw
    server.close()


class Restarted:
    """A server that was restarted: each of the first `old` connections answers one request, together with all
    the others, and is closed unread when another comes."""

    def __init__(self, old: int, then: bytes = OK) -> None:
        self.connections = 0
        self.met = 0
        """Old connections that something was sent on."""
        self.requests: list[bytes] = []
        """Those that the new server has read."""
        self._old = old
        self._then = then
        self._all = asyncio.Barrier(old)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        old = self.connections <= self._old
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            if old:
                await self._all.wait()
                writer.write(OK)
                if await reader.read(1):
                    self.met += 1
                return
            while request:
                self.requests.append(request)
                writer.write(self._then)
                if not self._then:
                    return
                request = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _restarted(pool: HttpPool, old: int, then: bytes = OK) -> AsyncIterator[tuple[Restarted, str]]:
    """The server and its URL; the pool keeps its old connections, the first of them from an upload."""
    restarted = Restarted(old, then)
    server = await asyncio.start_server(restarted.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    upload = pool.upload("PUT", url, Path(os.devnull), content_type="text/plain")
    await asyncio.gather(upload, *(pool.request("POST", url) for _ in range(old - 1)))
    yield restarted, url
    server.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens at once may take this machine a while."""
    monkeypatch.setattr("ringback.net.wire.AT_ONCE", 60.0)


@pytest.fixture
async def pool() -> AsyncIterator[HttpPool]:
    pool = HttpPool(AddressPolicy(allow_private=True))
    yield pool
    await pool.close()


@pytest.mark.parametrize(
    ("method", "headers", "body", "expected"),
    [
        (
            "POST",
            [FORM, ("User-Agent", "TwilioProxy/1.1"), ("X-Twilio-Signature", "s=")],
            b"A=1",
            "User-Agent: TwilioProxy/1.1|Accept: */*|Content-Type: application/x-www-form-urlencoded; "
            "charset=UTF-8|X-Twilio-Signature: s=|Accept-Encoding: {coded}|Content-Length: 3",
        ),
        ("GET", [], b"", "User-Agent: ringback|Accept: */*|Accept-Encoding: {coded}"),
        (
            "POST",
            [],
            b"",
            "User-Agent: ringback|Accept: */*|Accept-Encoding: {coded}|Content-Length: 0"
            "|Content-Type: application/octet-stream",
        ),
        (
            "DELETE",
            [("accept", "text/xml"), ("X-A", "1"), ("X-A", "é")],
            b"",
            "User-Agent: ringback|accept: text/xml|X-A: 1|X-A: é|Accept-Encoding: {coded}|Content-Length: 0",
        ),
    ],
)
async def test_the_request(
    pool: HttpPool, method: str, headers: list[tuple[str, str]], body: bytes, expected: str
) -> None:
    async with _raw(OK) as raw:
        await pool.request(method, f"{raw.url}/a%20b?c=%2B", headers=headers, body=body)
    (request,) = raw.requests
    head, _, sent = request.partition(b"\r\n\r\n")
    first, host, *others = head.decode().split("\r\n")
    assert (first, host) == (f"{method} /a%20b?c=%2B HTTP/1.1", f"Host: {raw.url.removeprefix('http://')}")
    coded = next(line for line in others if line.startswith("Accept-Encoding: ")).partition(": ")[2]
    assert "gzip" in coded
    assert others == expected.format(coded=coded).split("|")
    assert sent == body


@pytest.mark.parametrize(
    "header", [("X-A", "a\r\nX-B: b"), ("X-A\r\nX-B", "b"), ("X-A", "\0"), ("X-A", "\n")]
)
async def test_a_header_does_not_smuggle_another(pool: HttpPool, header: tuple[str, str]) -> None:
    async with _raw(OK) as raw:
        with pytest.raises(HttpFailure, match="control character") as failed:
            await pool.request("GET", raw.url, headers=[header])
    assert failed.value.kind == "protocol"
    assert raw.connections == 0


@pytest.mark.parametrize("method", ["G ET", "GET / HTTP/1.1\r\nX-A: b\r\n", ""])
async def test_what_is_no_method(pool: HttpPool, method: str) -> None:
    async with _raw(OK) as raw:
        with pytest.raises(HttpFailure, match="is not a method"):
            await pool.request(method, raw.url)
    assert raw.connections == 0


async def test_a_connection_is_kept(pool: HttpPool) -> None:
    async with _raw(OK, OK, OK) as raw:
        for _ in range(3):
            assert (await pool.request("POST", raw.url, body=b"x")).body == b"ok"
    assert raw.connections == 1


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
async def test_replies_after_which_the_connection_is_kept(pool: HttpPool, reply: bytes, body: bytes) -> None:
    async with _raw(reply, OK) as raw:
        assert (await pool.request("GET", raw.url)).body == body
        assert (await pool.request("GET", raw.url)).body == b"ok"
    assert raw.connections == 1


async def test_a_compressed_body(pool: HttpPool) -> None:
    packed = gzip.compress(b"<Response/>" * 100)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with _raw(head + packed, head + packed) as raw:
        assert (await pool.request("GET", raw.url)).body == b"<Response/>" * 100
        with pytest.raises(BodyTooLarge):
            await pool.request("GET", raw.url, limits=HttpLimits(max_body=1000))


async def test_the_head_alone(pool: HttpPool) -> None:
    async with _raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", OK) as raw:
        reply = await pool.request("HEAD", raw.url, limits=HttpLimits(max_body=10))
        assert (reply.status, reply.header("content-length"), reply.body) == (200, "9999999", b"")


async def test_a_body_that_ends_with_the_connection(pool: HttpPool) -> None:
    async with _raw(b"HTTP/1.1 200 OK\r\n\r\nall of it", hang_up=True) as raw:
        assert (await pool.request("GET", raw.url)).body == b"all of it"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", "protocol"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "connect"),
        (HangUp(), "connect"),
    ],
)
async def test_broken_replies(pool: HttpPool, reply: bytes | HangUp, kind: str) -> None:
    async with _raw(reply, hang_up=True) as raw:
        with pytest.raises(HttpFailure) as failed:
            await pool.request("GET", raw.url)
    assert failed.value.kind == kind
    assert raw.connections == 1  # nothing is asked twice that may have been read


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("old", [1, 3])
async def test_a_stale_connection_is_replaced_by_a_fresh_one(pool: HttpPool, old: int) -> None:
    async with _restarted(pool, old) as (server, url):
        for _ in range(2):
            assert (await pool.request("POST", url)).body == b"ok"
        assert (server.met, len(server.requests)) == (1, 2)
        assert server.connections == old + 1  # the fresh one is kept


@pytest.mark.usefixtures("patient")
async def test_after_a_stale_connection_a_fresh_one_is_the_last(pool: HttpPool) -> None:
    async with _restarted(pool, 3, then=b"") as (server, url):
        with pytest.raises(HttpFailure) as failed:
            await pool.request("POST", url)
        assert failed.value.kind == "connect"
        assert (server.met, len(server.requests)) == (1, 1)


async def test_a_server_that_closes_after_its_work_has_read_the_request(pool: HttpPool) -> None:
    async with _raw(OK, HangUp(works=2 * AT_ONCE), OK) as raw:
        await pool.request("POST", raw.url, body=b"1")
        with pytest.raises(HttpFailure) as failed:
            await pool.request("POST", raw.url, body=b"2")
    assert failed.value.kind == "connect"
    assert [request[-1:] for request in raw.requests] == [b"1", b"2"]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    "said",
    [
        b"H",
        b"HTTP/1.1 200 OK\r\nX",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
    ],
)
async def test_a_server_that_has_said_something_has_read_the_request(pool: HttpPool, said: bytes) -> None:
    async with _raw(OK, HangUp(said), OK) as raw:
        await pool.request("POST", raw.url, body=b"1")
        with pytest.raises(HttpFailure):
            await pool.request("POST", raw.url, body=b"2")
    assert [request[-1:] for request in raw.requests] == [b"1", b"2"]


async def test_who_is_cancelled_leaves_no_connection_behind(pool: HttpPool) -> None:
    async with _raw(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", OK) as raw:
        asked = asyncio.create_task(pool.request("GET", raw.url))
        await raw.asked.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert (await pool.request("GET", raw.url)).body == b"ok"
    assert raw.connections == 2


async def test_one_origin_has_so_many_connections() -> None:
    few = HttpPool(AddressPolicy(allow_private=True), per_origin=2)
    try:
        async with _raw(*[OK] * 8) as raw:
            ask: list[Awaitable[object]] = [few.request("GET", raw.url) for _ in range(8)]
            await asyncio.gather(*ask)
        assert len(raw.requests) == 8
        assert raw.connections == 2
    finally:
        await few.close()
