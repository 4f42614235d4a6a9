"""jambonz applications on a WebSocket that break the rules: the socket closes, the call hears of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import WSMsgType, web
from tests.patience import PATIENCE
from tests.world import World, uri_of, with_socket

from ringback.testing.softphone import Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

STAY = [{"verb": "answer"}, {"verb": "pause", "length": 60}]
GO = {"type": "command", "command": "redirect", "data": [{"verb": "hangup"}]}
NUMBER = "+14158880001"


class Connection:
    """One connection, at the application's end."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self.types: list[str] = []
        """What came, in order."""

    async def next(self, kind: str) -> dict[str, Any]:
        """Wait for a message of a type, past others."""
        while True:
            message = await self._socket.receive(timeout=PATIENCE)
            assert message.type is WSMsgType.TEXT, message
            received: dict[str, Any] = json.loads(message.data)
            self.types.append(received["type"])
            if received["type"] == kind:
                return received

    async def closed(self) -> int | None:
        """Wait until the server closes; its code."""
        while True:
            message = await self._socket.receive(timeout=PATIENCE)
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return self._socket.close_code

    async def ack(self, message: dict[str, Any], data: Any) -> None:
        """Answer a message."""
        await self.send({"type": "ack", "msgid": message["msgid"], "data": data})

    async def stay(self) -> None:
        """Take the call and wait until it is answered: a redirection before would replace the answer."""
        await self.ack(await self.next("session:new"), STAY)
        while (await self.next("call:status"))["data"]["call_status"] != "in-progress":
            pass

    async def send(self, message: Any) -> None:
        """Send an object, or a text as it is."""
        await self._socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def send_bytes(self, data: bytes) -> None:
        """What no application may do."""
        await self._socket.send_bytes(data)

    async def close(self, code: int) -> None:
        """Hang up the socket."""
        await self._socket.close(code=code)


Behaviour = Callable[[Connection], Awaitable[None]]


class SocketApp:
    """A WebSocket server whose connections behave as told, one after the other."""

    def __init__(self) -> None:
        self.url = ""
        self.behaviours: list[Behaviour] = []
        self.status = 101
        self.faults: list[BaseException] = []
        application = web.Application()
        application.router.add_get("/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def start(self) -> None:
        """Open a port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"ws://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close it."""
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.status != 101:
            return web.Response(status=self.status)
        socket = web.WebSocketResponse(protocols=["ws.jambonz.org"])
        await socket.prepare(request)
        connection = Connection(socket)
        try:
            await self.behaviours.pop(0)(connection)
        except Exception as fault:
            self.faults.append(fault)
        return socket


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app() -> AsyncIterator[SocketApp]:
    running = SocketApp()
    await running.start()
    yield running
    await running.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(app: SocketApp, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    data: Path = tmp_path_factory.mktemp("world") / "data"
    async with World.running(data, with_socket(f"{app.url}/session", NUMBER)) as running:
        yield running


async def call(world: World, app: SocketApp, *behaviours: Behaviour) -> tuple[str, int, list[str]]:
    """Call the application; how the call ended, its last SIP status, the codes of its errors."""
    app.behaviours = list(behaviours)
    app.faults.clear()
    async with world.server.phone() as phone:
        placed = await phone.call(NUMBER)
        who = await placed.ended()
        await world.server.settled()
    assert app.faults == []
    assert app.behaviours == []
    record = await world.record(placed)
    assert record.cause
    notes = await world.notes(record.id)
    return who, placed.status, [note.code for note in notes if note.level == "error"]


async def well(connection: Connection) -> None:
    """An application that keeps the rules."""
    await connection.ack(await connection.next("session:new"), [{"verb": "answer"}, {"verb": "hangup"}])
    assert await connection.closed() == 1000


async def after_a_drop(connection: Connection) -> None:
    """The connection that follows: it acknowledges, then ends the call."""
    await connection.ack(await connection.next("session:reconnect"), None)
    await connection.send(GO)
    assert await connection.closed() == 1000


async def test_a_message_over_24_kib_closes_the_socket(world: World, app: SocketApp) -> None:
    async def talkative(connection: Connection) -> None:
        await connection.stay()
        await connection.send(json.dumps({**GO, "padding": "x" * 24 * 1024}))
        assert await connection.closed() == 1009

    assert await call(world, app, talkative, after_a_drop) == ("remote", 200, [])
    assert await call(world, app, well) == ("remote", 200, [])


async def test_a_message_just_within_24_kib_is_taken(world: World, app: SocketApp) -> None:
    async def wordy(connection: Connection) -> None:
        await connection.stay()
        await connection.send(json.dumps({**GO, "padding": "x" * (24 * 1024 - 200)}))
        assert await connection.closed() == 1000

    assert await call(world, app, wordy) == ("remote", 200, [])


async def test_bytes_close_the_socket(world: World, app: SocketApp) -> None:
    async def binary(connection: Connection) -> None:
        await connection.stay()
        await connection.send_bytes(b"\x00" * 320)
        assert await connection.closed() == 1003

    assert await call(world, app, binary, after_a_drop) == ("remote", 200, [])


async def test_messages_that_make_no_sense_are_answered_with_an_error(world: World, app: SocketApp) -> None:
    nonsense = [
        "{",
        "[]",
        '"x"',
        "{}",
        '{"type": "sing"}',
        '{"type": "ack"}',
        '{"type": "command"}',
        "[" * 9000,
    ]

    async def confused(connection: Connection) -> None:
        await connection.stay()
        for text in nonsense:
            await connection.send(text)
            error = await connection.next("jambonz:error")
            assert error["data"]["msg"] == "InvalidMessage"
            assert len(error["data"]["content"]) <= 1000
        for command in ({"command": "sing", "data": {}}, {"command": "redirect", "data": [{"verb": "sing"}]}):
            await connection.send({"type": "command", **command})
        await connection.send({"type": "ack", "msgid": "nobody's", "data": [{"verb": "hangup"}]})
        await connection.send(GO)
        await connection.closed()

    assert await call(world, app, confused) == ("remote", 200, [])


@pytest.mark.parametrize("verbs", [[1, "x"], [{"verb": "sing"}], "say", {"verb": "say"}], ids=str)
async def test_a_first_ack_that_holds_no_verbs(world: World, app: SocketApp, verbs: Any) -> None:
    async def wrong(connection: Connection) -> None:
        await connection.ack(await connection.next("session:new"), verbs)
        await connection.closed()

    assert await call(world, app, wrong) == ("failed", 480, ["invalid-app-payload"])


async def test_an_application_that_never_acknowledges(world: World, app: SocketApp) -> None:
    async def silent(connection: Connection) -> None:
        await connection.next("session:new")
        assert await connection.closed() == 1001

    assert await call(world, app, silent) == ("failed", 480, ["webhook-failure"])


async def test_an_application_that_leaves_before_it_answers(world: World, app: SocketApp) -> None:
    async def leaving(connection: Connection) -> None:
        await connection.next("session:new")
        await connection.close(1000)

    assert await call(world, app, leaving) == ("failed", 480, ["webhook-failure"])


@pytest.mark.parametrize("status", [404, 500, 200, 302])
async def test_a_server_that_speaks_no_websocket(world: World, app: SocketApp, status: int) -> None:
    app.status = status
    try:
        assert await call(world, app) == ("failed", 480, ["webhook-connection-failure"])
    finally:
        app.status = 101
    assert await call(world, app, well) == ("remote", 200, [])


async def test_nobody_is_there(world: World, free_port: Callable[..., int]) -> None:
    """A call that was placed is answered, and hung up."""
    async with Softphone("callee", server=world.server.sip_address) as phone:
        sid = await world.rest("jambonz").place(uri_of(phone), f"ws://127.0.0.1:{free_port()}/#rc=0")
        placed = await phone.incoming()
        placed.answer()
        assert await placed.ended() == "remote"
        await asyncio.wait_for(world.server.settled(), PATIENCE)
    record = await world.record(sid)
    assert record.status == "failed"
    assert [note.code for note in await world.notes(record.id)] == ["webhook-connection-failure"]
