from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from ringback.net.cookies import Cookies
from ringback.net.guard import AddressPolicy
from ringback.net.http import BodyTooLarge, HttpFailure, HttpLimits, HttpPool, Redirects
from ringback.net.resolver import AddressInfo

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def pool() -> AsyncIterator[HttpPool]:
    pool = HttpPool(AddressPolicy(allow_private=True))
    yield pool
    await pool.close()


@pytest.fixture
async def server() -> AsyncIterator[BaseTestServer]:
    async with TestServer(_application()) as server:
        yield server


def _application() -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/echo", _echo)
    app.router.add_get("/slow", _slow)
    app.router.add_get("/drip", _drip)
    app.router.add_get("/big", _big)
    app.router.add_get("/endless", _endless)
    app.router.add_get("/cookie", _cookie)
    app.router.add_route("*", "/move/{status}", _move)
    app.router.add_route("*", "/loop", _loop)
    app.router.add_get("/ws", _websocket)
    app.router.add_get("/latin", _latin)
    return app


async def _echo(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": (await request.read()).decode(),
        }
    )


async def _slow(request: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x")
        await asyncio.sleep(0.02)


async def _big(request: web.Request) -> web.Response:
    return web.Response(body=b"x" * 5000)


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 4096)


async def _cookie(request: web.Request) -> web.Response:
    response = web.Response(text=request.headers.get("Cookie", ""))
    response.set_cookie("session", "s1")
    return response


async def _move(request: web.Request) -> web.Response:
    location = request.query.get("to", "/echo")
    return web.Response(status=int(request.match_info["status"]), headers={"Location": location})


async def _loop(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/loop"})


async def _latin(request: web.Request) -> web.Response:
    return web.Response(body="é".encode("latin-1"), headers={"Content-Type": "Text/XML; charset=ISO-8859-1"})


async def _websocket(request: web.Request) -> web.WebSocketResponse:
    socket_ = web.WebSocketResponse(protocols=("ws.jambonz.org",))
    await socket_.prepare(request)
    await socket_.send_str(request.headers.get("Authorization", "none"))
    await socket_.close()
    return socket_


def _url(server: BaseTestServer, path: str) -> str:
    return str(server.make_url(path))


async def _json(pool: HttpPool, method: str, url: str, **more: object) -> dict[str, object]:
    reply = await pool.request(method, url, **more)  # type: ignore[arg-type]
    assert reply.status == 200
    found: dict[str, object] = json.loads(reply.body)
    return found


async def test_a_request_and_its_reply(pool: HttpPool, server: BaseTestServer) -> None:
    url = _url(server, "/echo") + "?a=%2B1#ct=2000"
    reply = await pool.request("post", url, headers=[("X-A", "1")], body=b"hello")
    assert (reply.status, reply.content_type, reply.charset) == (200, "application/json", "utf-8")
    assert reply.url == url.partition("#")[0]
    assert reply.elapsed_ms > 0
    assert reply.header("CONTENT-TYPE") == "application/json; charset=utf-8"
    assert reply.header("absent") is None
    assert '"path": "/echo?a=%2B1"' in reply.text()
    assert '"body": "hello"' in reply.text()
    assert '"user-agent": "ringback"' in reply.text()


async def test_a_file_is_sent_as_it_is(pool: HttpPool, tmp_path: Path) -> None:
    file = tmp_path / "audio.wav"
    file.write_bytes(b"RIFF" * 100_000)
    taken: list[tuple[str, str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        taken.append((request.method, request.headers["Content-Type"], await request.read()))
        return web.Response(status=201)

    app = web.Application(client_max_size=2**20)
    app.router.add_put("/copies", take)
    server = TestServer(app)
    await server.start_server(lingering_time=1.0)  # a file that it refuses may come no further
    async with server:
        url = str(server.make_url("/copies"))
        assert await pool.upload("put", url, file, content_type="audio/x-wav") == 201
        assert await pool.upload("POST", url, file, content_type="audio/x-wav") == 405
    assert taken == [("PUT", "audio/x-wav", file.read_bytes())]
    with pytest.raises(HttpFailure):
        await pool.upload("PUT", url, file, content_type="audio/x-wav")
    with pytest.raises(FileNotFoundError):
        await pool.upload("PUT", url, tmp_path / "none", content_type="audio/x-wav")


async def test_a_file_goes_nowhere_that_is_refused(tmp_path: Path) -> None:
    guarded = HttpPool(AddressPolicy(allow_private=False))
    try:
        for host in ("127.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]"):
            with pytest.raises(HttpFailure) as failed:
                await guarded.upload("PUT", f"http://{host}/", tmp_path / "none", content_type="audio/x-wav")
            assert failed.value.kind == "refused-address"
    finally:
        await guarded.close()


async def test_the_charset_of_a_reply(pool: HttpPool, server: BaseTestServer) -> None:
    reply = await pool.request("GET", _url(server, "/latin"))
    assert (reply.content_type, reply.charset, reply.text()) == ("text/xml", "iso-8859-1", "é")


async def test_credentials_in_the_url_are_basic(pool: HttpPool, server: BaseTestServer) -> None:
    url = _url(server, "/echo").replace("http://", "http://me:p%40ss@")
    seen = await _json(pool, "GET", url, auth=("other", "x"))
    headers = seen["headers"]
    assert isinstance(headers, dict)
    assert headers["authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()


async def test_cookies_come_back(pool: HttpPool, server: BaseTestServer) -> None:
    cookies = Cookies()
    first = await pool.request("GET", _url(server, "/cookie"), cookies=cookies)
    second = await pool.request("GET", _url(server, "/cookie"), cookies=cookies)
    other = await pool.request("GET", _url(server, "/cookie"))
    assert (first.text(), second.text(), other.text()) == ("", "session=s1", "")


@pytest.mark.parametrize(
    ("status", "keep", "method", "body"),
    [
        (301, False, "GET", ""),
        (302, False, "GET", ""),
        (303, False, "GET", ""),
        (307, False, "POST", "a=1"),
        (308, False, "POST", "a=1"),
        (302, True, "POST", "a=1"),
    ],
)
async def test_redirects_and_methods(
    pool: HttpPool, server: BaseTestServer, status: int, keep: bool, method: str, body: str
) -> None:
    seen = await _json(
        pool,
        "POST",
        _url(server, f"/move/{status}"),
        body=b"a=1",
        headers=[("Content-Type", "application/x-www-form-urlencoded")],
        redirects=Redirects(3, keep),
    )
    headers = seen["headers"]
    assert isinstance(headers, dict)
    assert (seen["method"], seen["body"]) == (method, body)
    assert ("content-type" in headers) == (method == "POST")


async def test_redirects_are_not_followed_unless_asked(pool: HttpPool, server: BaseTestServer) -> None:
    reply = await pool.request("GET", _url(server, "/move/302"))
    assert (reply.status, reply.header("location")) == (302, "/echo")


async def test_too_many_redirects(pool: HttpPool, server: BaseTestServer) -> None:
    with pytest.raises(HttpFailure) as failed:
        await pool.request("GET", _url(server, "/loop"), redirects=Redirects(3))
    assert failed.value.kind == "too-many-redirects"


async def test_each_step_is_signed_for_its_own_url(pool: HttpPool, server: BaseTestServer) -> None:
    signed: list[tuple[str, str, bytes]] = []

    def sign(method: str, url: str, body: bytes) -> list[tuple[str, str]]:
        signed.append((method, url, body))
        return [("X-Signature", f"s{len(signed)}")]

    seen = await _json(
        pool, "POST", _url(server, "/move/302"), body=b"a=1", redirects=Redirects(3), sign=sign
    )
    assert signed == [("POST", _url(server, "/move/302"), b"a=1"), ("GET", _url(server, "/echo"), b"")]
    headers = seen["headers"]
    assert isinstance(headers, dict)
    assert headers["x-signature"] == "s2"


async def test_credentials_do_not_cross_origins(pool: HttpPool, server: BaseTestServer) -> None:
    async with TestServer(_application()) as other:
        for goal, kept in ((_url(server, "/echo"), True), (_url(other, "/echo"), False)):
            url = _url(server, "/move/302").replace("http://", "http://me:pw@") + f"?to={goal}"
            seen = await _json(pool, "GET", url, redirects=Redirects(3))
            headers = seen["headers"]
            assert isinstance(headers, dict)
            assert ("authorization" in headers) is kept


async def test_a_redirect_to_the_metadata_service_is_refused(pool: HttpPool, server: BaseTestServer) -> None:
    url = _url(server, "/move/302") + "?to=http://169.254.169.254/latest/meta-data/"
    with pytest.raises(HttpFailure, match="metadata service") as failed:
        await pool.request("GET", url, redirects=Redirects(3))
    assert failed.value.kind == "refused-address"


async def test_a_redirect_to_another_scheme_is_refused(pool: HttpPool, server: BaseTestServer) -> None:
    with pytest.raises(HttpFailure) as failed:
        await pool.request(
            "GET", _url(server, "/move/302") + "?to=file:///etc/passwd", redirects=Redirects(3)
        )
    assert failed.value.kind == "protocol"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "localhost"])
async def test_private_addresses_are_refused_by_default(host: str) -> None:
    pool = HttpPool(AddressPolicy())
    try:
        with pytest.raises(HttpFailure) as failed:
            await pool.request("GET", f"http://{host}:9/")
        with pytest.raises(HttpFailure) as failed_ws:
            await pool.ws_connect(f"ws://{host}:9/")
    finally:
        await pool.close()
    assert failed.value.kind == failed_ws.value.kind == "refused-address"


async def test_a_name_that_is_rebound_is_pinned_to_the_checked_address(
    server: BaseTestServer,
) -> None:
    answers = ["127.0.0.1", "169.254.169.254"]

    def rebinding(host: str, port: int, family: socket.AddressFamily) -> list[AddressInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    origin = ("http", "app.example", server.port or 0)
    pool = HttpPool(AddressPolicy(always_allowed=frozenset({origin})), lookup=rebinding)
    try:
        reply = await pool.request("GET", f"http://app.example:{server.port}/echo")
        assert reply.status == 200
        assert answers == ["169.254.169.254"]
    finally:
        await pool.close()


async def test_every_address_of_a_name_is_checked() -> None:
    def mixed(host: str, port: int, family: socket.AddressFamily) -> list[AddressInfo]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("93.184.216.34", "192.168.0.1")
        ]

    pool = HttpPool(AddressPolicy(), lookup=mixed)
    try:
        with pytest.raises(HttpFailure, match=r"192\.168\.0\.1") as failed:
            await pool.request("GET", "http://mixed.example/")
    finally:
        await pool.close()
    assert failed.value.kind == "refused-address"


async def test_names_that_do_not_resolve() -> None:
    def nothing(host: str, port: int, family: socket.AddressFamily) -> list[AddressInfo]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    pool = HttpPool(AddressPolicy(), lookup=nothing)
    try:
        with pytest.raises(HttpFailure, match=r"nowhere\.example") as failed:
            await pool.request("GET", "http://nowhere.example/")
    finally:
        await pool.close()
    assert failed.value.kind == "dns"


async def test_time_limits(pool: HttpPool, server: BaseTestServer) -> None:
    with pytest.raises(HttpFailure) as silent:
        await pool.request("GET", _url(server, "/slow"), limits=HttpLimits(read_timeout=0.05))
    limits = HttpLimits(read_timeout=5.0, total_timeout=0.1)
    with pytest.raises(HttpFailure) as total:
        await pool.request("GET", _url(server, "/drip"), limits=limits)
    assert silent.value.kind == total.value.kind == "timeout"


async def test_nobody_listens(pool: HttpPool) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(HttpFailure) as failed:
            await pool.request("GET", f"http://{place}/")
    assert failed.value.kind == "connect"
    assert f"nothing listens at {place}" in str(failed.value)
    assert "ssl" not in str(failed.value)


@pytest.mark.parametrize("path", ["/big", "/endless"])
async def test_large_bodies_are_cut(pool: HttpPool, server: BaseTestServer, path: str) -> None:
    with pytest.raises(BodyTooLarge) as failed:
        await pool.request("GET", _url(server, path), limits=HttpLimits(max_body=4096))
    assert (failed.value.kind, failed.value.limit) == ("too-large", 4096)


async def test_what_is_no_url(pool: HttpPool) -> None:
    for url in ("voice.xml", "ftp://example.com", "http://127.1/"):
        with pytest.raises(HttpFailure) as failed:
            await pool.request("GET", url)
        assert failed.value.kind == "invalid-url"


async def test_garbage_instead_of_http(pool: HttpPool) -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SIP/2.0 200 OK\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(garbage, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(HttpFailure) as failed:
            await pool.request("GET", f"http://127.0.0.1:{port}/")
    assert failed.value.kind == "protocol"


async def test_plain_http_where_tls_is_expected(pool: HttpPool, server: BaseTestServer) -> None:
    with pytest.raises(HttpFailure) as failed:
        await pool.request("GET", _url(server, "/echo").replace("http://", "https://"))
    assert failed.value.kind == "tls"


async def test_websocket(pool: HttpPool, server: BaseTestServer) -> None:
    url = _url(server, "/ws").replace("http://", "ws://me:pw@")
    async with await pool.ws_connect(url, subprotocols=["ws.jambonz.org"]) as socket_:
        assert socket_.protocol == "ws.jambonz.org"
        assert await socket_.receive_str() == "Basic " + base64.b64encode(b"me:pw").decode()


async def test_websocket_redirects(pool: HttpPool, server: BaseTestServer) -> None:
    url = _url(server, "/move/302").replace("http://", "ws://") + "?to=/ws"
    async with await pool.ws_connect(url, max_redirects=2) as socket_:
        assert await socket_.receive_str() == "none"
    with pytest.raises(HttpFailure) as failed:
        await pool.ws_connect(url)
    assert failed.value.kind == "too-many-redirects"
    with pytest.raises(HttpFailure) as refused:
        await pool.ws_connect(url.replace("/ws", "http://169.254.169.254/"), max_redirects=2)
    assert refused.value.kind == "refused-address"


async def test_websocket_handshake_refused(pool: HttpPool, server: BaseTestServer) -> None:
    with pytest.raises(HttpFailure) as failed:
        await pool.ws_connect(_url(server, "/big").replace("http://", "ws://"))
    assert (failed.value.kind, failed.value.status) == ("protocol", 200)
    with pytest.raises(HttpFailure) as late:
        await pool.ws_connect(_url(server, "/slow").replace("http://", "ws://"), timeout=0.05)
    assert late.value.kind == "timeout"
