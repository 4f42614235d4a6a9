"""What goes over the wire, octet by octet, and what may come back."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest

from ringback.net.guard import AddressPolicy
from ringback.net.http import BodyTooLarge, HttpFailure, HttpLimits, HttpPool

FORM = ("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RawServer:
    """Answers each request with the next of `replies`; one of None hangs up instead."""

    def __init__(self, replies: list[bytes | None], *, hang_up: bool) -> None:
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
                if reply is None:
                    break
                writer.write(reply)
                if self._hang_up:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _raw(*replies: bytes | None, hang_up: bool = False) -> AsyncIterator[RawServer]:
    raw = RawServer(list(replies), hang_up=hang_up)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield raw
    server.close()


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
        (None, "connect"),
    ],
)
async def test_broken_replies(pool: HttpPool, reply: bytes | None, kind: str) -> None:
    async with _raw(reply, hang_up=True) as raw:
        with pytest.raises(HttpFailure) as failed:
            await pool.request("GET", raw.url)
    assert failed.value.kind == kind
    assert raw.connections == 1  # nothing is asked twice that may have been read


async def test_a_stale_connection_is_replaced_once(pool: HttpPool) -> None:
    async with _raw(OK, None, OK) as raw:
        await pool.request("POST", raw.url, body=b"1")
        assert (await pool.request("POST", raw.url, body=b"2")).body == b"ok"
    assert [request[-1:] for request in raw.requests] == [b"1", b"2", b"2"]
    assert b"\r\nConnection: close\r\n" in raw.requests[-1]
    async with _raw(OK, None, None) as raw:
        await pool.request("POST", raw.url, body=b"1")
        with pytest.raises(HttpFailure) as failed:
            await pool.request("POST", raw.url, body=b"2")
    assert failed.value.kind == "connect"
    assert (len(raw.requests), raw.connections) == (3, 2)


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
