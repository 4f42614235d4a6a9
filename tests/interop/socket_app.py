"""An application that speaks over the WebSocket of jambonz: what it is told, and what the test has it say."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any, Self

from aiohttp import WSMsgType, web
from tests.patience import PATIENCE

PROTOCOL = "ws.jambonz.org"
Message = dict[str, Any]


class Conversation:
    """One connection of a server."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.protocol = socket.ws_protocol
        self.closed: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        """Resolved with the close code that the server sent."""
        self.statuses: list[Message] = []
        """The data of every `call:status`, in order."""
        self._socket = socket
        self._messages: asyncio.Queue[Message] = asyncio.Queue()

    async def next(self, kind: str, timeout: float = PATIENCE) -> Message:
        """The next message but for `call:status`; it must be of this type. Raises TimeoutError."""
        message = await asyncio.wait_for(self._messages.get(), timeout)
        assert message["type"] == kind, message
        return message

    async def acknowledge(self, message: Message, verbs: list[Message] | None = None) -> None:
        """Answer a message, with verbs where there are any."""
        answer: Message = {"type": "ack", "msgid": message["msgid"]}
        if verbs is not None:
            answer["data"] = verbs
        await self._socket.send_json(answer)

    async def command(self, name: str, data: Any) -> None:
        """Have something done."""
        await self._socket.send_json({"type": "command", "command": name, "data": data})

    async def drop(self) -> None:
        """Be gone."""
        await self._socket.close(code=1012)

    async def hang_up(self) -> None:
        """Close in peace."""
        await self._socket.close(code=1000)

    async def read(self) -> None:
        """Take what comes until the end."""
        async for frame in self._socket:
            if frame.type is WSMsgType.TEXT:
                message = json.loads(frame.data)
                if message["type"] == "call:status":
                    self.statuses.append(message["data"])
                else:
                    self._messages.put_nowait(message)
        self.closed.set_result(self._socket.close_code)


class SocketApp:
    """Takes connections on a free port."""

    def __init__(self) -> None:
        self.url = ""
        self._connections: asyncio.Queue[Conversation] = asyncio.Queue()
        application = web.Application()
        application.router.add_get("/calls", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"ws://127.0.0.1:{self._runner.addresses[0][1]}/calls"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def connection(self, timeout: float = PATIENCE) -> Conversation:
        """The next connection. Raises TimeoutError."""
        return await asyncio.wait_for(self._connections.get(), timeout)

    async def _take(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=[PROTOCOL])
        await socket.prepare(request)
        conversation = Conversation(socket)
        self._connections.put_nowait(conversation)
        await conversation.read()
        return socket
