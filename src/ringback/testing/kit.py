"""A test kit: a whole server on free ports, and a web application that answers what the test says.

For tests of an application that runs elsewhere, `settings_for` takes its URL; for tests of Ringback itself
there is `WebApp`. Everything is real, SIP, audio and HTTP included, and nothing needs a fixed port.

>>> async with WebApp() as app, RunningServer(app.settings("laml", tmp_path)) as server:
...     app.reply("/voice", '<Response><Say>Hello</Say></Response>')
...     async with server.phone() as phone:
...         call = await phone.call(NUMBER)
...         await call.answered()
...         await call.ended()
...     asked = await app.request("/voice")
...     assert asked.fields["CallStatus"] == "ringing"
...     await server.settled()
...     assert (await app.request("/status")).fields["CallStatus"] == "completed"

With pytest, `asyncio_mode = "auto"` runs such a test as it is. A server starts in about half a second: many
tests share one with a fixture of a module's or a session's scope (`loop_scope`, too), and call
`WebApp.forget` between them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from ringback.calls.capacity import Capacity
from ringback.config import Settings
from ringback.config.tables import (
    AccountTable,
    ApplicationTable,
    CallsSection,
    ClientTable,
    NumberTable,
    ServerSection,
    TrunkTable,
)
from ringback.server import Server
from ringback.testing.softphone import Softphone

NUMBER = "+14155550100"
TOKEN = "test-token"
DEVICE = "alice"
DEVICE_PASSWORD = "wonderland"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request that came to the application. `fields`: of the form, the query, or the JSON object."""

    method: str
    path: str
    query: dict[str, str]
    fields: dict[str, Any]
    headers: dict[str, str]
    body: bytes
    url: str
    """As the server sent it, with scheme and host."""

    @property
    def basic(self) -> tuple[str, str] | None:
        """User and password, where it carried Basic credentials."""
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        user, _, password = base64.b64decode(value).decode().partition(":")
        return user, password


Reply = str | bytes | list[Any] | dict[str, Any] | web.StreamResponse
Answer = Reply | Callable[[Asked], Reply | Awaitable[Reply]]


class WebApp:
    """A web application on a free port. A path without a reply is answered with 404; `/status…` with 204."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        """Every request, in order."""
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)
        self._unread: dict[str, asyncio.Queue[Asked]] = defaultdict(asyncio.Queue)
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def reply(self, path: str, *answers: Answer) -> None:
        """Answer requests to a path with these, one after the other; the last one serves all that follow.

        A text is sent as XML, a list or object as JSON; a function makes the reply from the request.
        """
        self._answers[path] = deque(answers)

    def forget(self) -> None:
        """Forget what was asked and how to answer, for the next test on the same application."""
        self.asked.clear()
        self._answers.clear()
        self._unread.clear()

    async def request(self, path: str, *, timeout: float = 30.0) -> Asked:
        """The next request to a path that has not been looked at. Raises TimeoutError."""
        return await asyncio.wait_for(self._unread[path].get(), timeout)

    def settings(self, dialect: str, data: Path, **application: Any) -> Settings:
        """A server's settings: one account, this application for `NUMBER`, a device, everyone on loopback."""
        table = {
            "name": "app",
            "dialect": dialect,
            "voice_url": f"{self.url}/voice",
            "status_callback": f"{self.url}/status",
            **application,
        }
        return settings_for(data, ApplicationTable(**table))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = await _asked(request)
        self.asked.append(asked)
        self._unread[asked.path].put_nowait(asked)
        answers = self._answers.get(asked.path)
        if not answers:
            return web.Response(status=204 if asked.path.startswith("/status") else 404)
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        if callable(answer):
            made = answer(asked)
            answer = await made if isinstance(made, Awaitable) else made
        return _response(answer)


def settings_for(data: Path, *applications: ApplicationTable, **changes: Any) -> Settings:
    """Settings on free ports for these applications; `NUMBER` is the first one's."""
    first = applications[0].name
    values: dict[str, Any] = {
        "source": "test",
        "server": ServerSection(
            http="127.0.0.1:0",
            sip=("udp:127.0.0.1:0", "tcp:127.0.0.1:0"),
            rtp=f"127.0.0.1:{_first_rtp_port()}-59999",
            data=str(data),
        ),
        "calls": CallsSection(shutdown_seconds=0),
        "account": (AccountTable(name="test", token=TOKEN),),
        "application": applications,
        "number": (NumberTable(number=NUMBER, application=first),),
        "trunk": (TrunkTable(name="local", inbound_from=("127.0.0.0/8", "::1/128")),),
        "client": (ClientTable(username=DEVICE, password=DEVICE_PASSWORD),),
    }
    return Settings(**{**values, **changes})


def _first_rtp_port() -> int:
    """Tests that run at the same time begin in different places, so as not to search for free ports."""
    return secrets.randbelow(12_000) * 2 + 20_000


class _Unhurried(Capacity):
    """Does not look at how busy the machine is: that of tests often is, and calls would be refused."""

    def lagged(self, seconds: float) -> None:
        """It is all the same."""


class RunningServer(Server):
    """A server for the length of a block. It takes every call, however busy this machine is."""

    def __init__(self, settings: Settings, reread: Callable[[], Settings] | None = None) -> None:
        super().__init__(settings, reread)
        self.capacity = _Unhurried(self.directory, self.meter, time.monotonic)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def sip_address(self) -> str:
        """`host:port` of the UDP listening point."""
        return next(text for text in self.sip if text.startswith("udp:")).partition(":")[2]

    def phone(self, username: str = DEVICE, password: str = DEVICE_PASSWORD, **options: Any) -> Softphone:
        """A softphone of this server; start it, or use it as a block."""
        return Softphone(username, server=self.sip_address, password=password, **options)

    async def settled(self, timeout: float = 30.0) -> None:
        """Wait until no call is up and every callback was delivered. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await self.switchboard.idle()
            if await self.deliverer.drain(timeout):
                raise TimeoutError("callbacks are still on their way")


async def _asked(request: web.Request) -> Asked:
    body = await request.read()
    query = dict(request.query)
    return Asked(
        method=request.method,
        path=request.path,
        query=query,
        fields=_fields(request.content_type, body) if body else query,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        url=str(request.url),
    )


def _fields(content_type: str, body: bytes) -> dict[str, Any]:
    if content_type == "application/json":
        value = json.loads(body)
        return value if isinstance(value, dict) else {"": value}
    if content_type.startswith("audio/"):
        return {}
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def _response(answer: Answer) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    if isinstance(answer, str):
        return web.Response(text=answer, content_type="application/xml")
    if isinstance(answer, bytes):
        return web.Response(body=answer, content_type="application/octet-stream")
    if isinstance(answer, list | Mapping):
        return web.json_response(answer)
    raise TypeError(f"cannot answer with {answer!r}")
