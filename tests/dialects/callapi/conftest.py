"""One server's worth of surroundings: a directory of two accounts, calls in memory, a web application."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
import pytest
from aiohttp import web
from starlette.applications import Starlette
from tests.dialects.asgi import Reply, exchange
from tests.dialects.memory import MemoryCalls, MemoryRecordings

from ringback.calls.control import Unroutable
from ringback.calls.record import CallRecord
from ringback.calls.services import Services
from ringback.calls.status import CallStatus, Direction
from ringback.dialects.callapi import CallApi
from ringback.net.guard import AddressPolicy
from ringback.net.http import HttpPool
from ringback.routing.directory import Account, Directory

INSTANCE = "0123456789abcdef0123456789abcdef"
ACCOUNT = Account(id=UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6"), name="demo", token="secret")
OTHER = Account(id=UUID("11111111-2222-4333-8444-555555555555"), name="other", token="hidden")
CALL = UUID("9d3572be-9f7a-41ea-97f4-5ffeb3239325")
CREATED = datetime(2020, 5, 26, 17, 59, 16, 555000, UTC)
AC = f"AC{ACCOUNT.id.hex}"
SID = f"ID{INSTANCE}-CA{CALL.hex}"
Make = Callable[..., CallRecord]


@pytest.fixture
def account() -> Account:
    return ACCOUNT


@pytest.fixture
def other() -> Account:
    return OTHER


@pytest.fixture
def record() -> Callable[..., CallRecord]:
    """A call just received; keyword arguments replace fields."""

    def make(**fields: Any) -> CallRecord:
        call = CallRecord(
            id=CALL,
            account_id=ACCOUNT.id,
            dialect="callapi",
            direction=Direction.INBOUND,
            status=CallStatus.RINGING,
            from_="+13035550000",
            to="+18044731212",
            created_at=CREATED,
            ringing_at=CREATED,
            updated_at=CREATED,
            progress=2,
        )
        return msgspec.structs.replace(call, **fields)

    return make


@pytest.fixture
def calls() -> MemoryCalls:
    return MemoryCalls(CREATED)


@pytest.fixture
def unroutable() -> Exception:
    return Unroutable("The SIP Client client:bob is not registered or does not exist")


@pytest.fixture
async def services(calls: MemoryCalls) -> AsyncIterator[Any]:
    events: dict[str, list[Any]] = {}

    async def read(call_id: str) -> list[Any]:
        return events.get(call_id, [])

    http = HttpPool(AddressPolicy(allow_private=True))
    store: Any = SimpleNamespace(events=read, kept=events)
    memory: Any = calls
    yield Services(
        directory=Directory([ACCOUNT, OTHER]),
        http=http,
        store=store,
        public_url="http://127.0.0.1:8080",
        calls=memory,
        recordings=MemoryRecordings(),
        instance=INSTANCE,
    )
    await http.close()


@pytest.fixture
def dialect(services: Services) -> CallApi:
    return CallApi(services)


Rest = Callable[..., Awaitable[Reply]]


@pytest.fixture
def rest(dialect: CallApi) -> Rest:
    """`await rest("POST", "Calls.json", {"From": …})` as the account, unless told otherwise."""
    app = Starlette(routes=dialect.routes())

    async def request(
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = (f"AC{ACCOUNT.id.hex}", "secret"),
        base: str = f"/call/2012-04-24/Accounts/AC{ACCOUNT.id.hex}/",
    ) -> Reply:
        sent = dict(headers or {})
        if auth is not None:
            sent["authorization"] = _basic(*auth)
        content = urlencode(form).encode() if form is not None else body or b""
        if form is not None:
            sent.setdefault("content-type", "application/x-www-form-urlencoded")
        return await exchange(app, method, base + path, sent, content)

    return request


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class WebApp:
    """A user's web application: it keeps what it is asked, and answers what `replies` says for a path."""

    def __init__(self) -> None:
        self.asked: list[SimpleNamespace] = []
        self.replies: dict[str, Any] = {}
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = (await request.read()).decode()
        self.asked.append(
            SimpleNamespace(
                method=request.method,
                path=request.path,
                query=request.query_string,
                body=body,
                headers=request.headers,
                names=[pair.partition("=")[0] for pair in body.split("&")],
            )
        )
        reply = self.replies.get(request.path, (404, "text/plain", "nothing here"))
        if isinstance(reply, str):
            reply = (200, "text/xml", reply)
        if isinstance(reply, web.StreamResponse):
            return reply
        status, kind, text = reply
        response = web.Response(status=status, body=text.encode())
        response.content_type = kind
        return response


@pytest.fixture
async def application() -> AsyncIterator[WebApp]:
    app = WebApp()
    runner = web.ServerRunner(web.Server(app.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    app.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield app
    await runner.cleanup()


@pytest.fixture
def later() -> Callable[[float], datetime]:
    """So many seconds after the call began."""
    return lambda seconds: CREATED + timedelta(seconds=seconds)
