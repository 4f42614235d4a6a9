"""One server's worth of surroundings: a directory of two accounts, calls in memory, a web application."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import msgspec
import pytest
from aiohttp import web
from starlette.applications import Starlette
from tests.dialects.memory import LiveChanges, MemoryRecordings

from ringback.calls.control import CallFilter, CallIsOver, CallRequest, NoSuchCall, Unroutable, WrongState
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


class MemoryCalls(LiveChanges):
    """`ringback.calls.control.Calls` over a dictionary; `done` tells what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[UUID, CallRecord] = {}
        self.requests: list[CallRequest] = []
        self.filters: list[CallFilter] = []
        self.done: list[tuple[Any, ...]] = []
        self.fail: Exception | None = None

    def add(self, *records: CallRecord) -> None:
        for record in records:
            self.records[record.id] = record

    async def create(self, request: CallRequest) -> CallRecord:
        if self.fail:
            raise self.fail
        self.requests.append(request)
        record = CallRecord(
            id=uuid4(),
            account_id=request.account.id,
            dialect=request.application.dialect,
            direction=Direction.OUTBOUND_API,
            status=CallStatus.QUEUED,
            from_=request.from_,
            to=request.to_shown,
            created_at=CREATED,
            updated_at=CREATED,
            application_state=dict(request.application.state()),
        )
        self.add(record)
        return record

    async def get(self, account_id: UUID, call_id: UUID) -> CallRecord:
        record = self.records.get(call_id)
        if record is None or record.account_id != account_id:
            raise NoSuchCall("no such call")
        return record

    def _matching(self, which: CallFilter) -> list[CallRecord]:
        return [
            record
            for record in sorted(self.records.values(), key=lambda record: record.created_at, reverse=True)
            if record.account_id == which.account_id
            and (which.statuses is None or record.status in which.statuses)
            and (which.from_ is None or record.from_.endswith(which.from_))
            and (which.to is None or record.to.endswith(which.to))
            and (which.parent_id is None or record.parent_id == which.parent_id)
            and (which.started_from is None or record.created_at >= which.started_from)
        ]

    async def list(self, which: CallFilter, *, limit: int, offset: int = 0) -> Sequence[CallRecord]:
        self.filters.append(which)
        return self._matching(which)[offset : offset + limit]

    async def count(self, which: CallFilter) -> int:
        return len(self._matching(which))

    async def hang_up(self, account_id: UUID, call_id: UUID, **_: Any) -> CallRecord:
        return await self._do(account_id, call_id, "hang_up")

    async def cancel(self, account_id: UUID, call_id: UUID, **_: Any) -> CallRecord:
        record = await self._do(account_id, call_id, "cancel")
        if record.status is CallStatus.IN_PROGRESS:
            raise WrongState("the call is in-progress")
        return record

    async def mute(self, account_id: UUID, call_id: UUID, *, muted: bool) -> CallRecord:
        record = await self._do(account_id, call_id, "mute", muted)
        if record.status is not CallStatus.IN_PROGRESS:
            raise WrongState(f"the call is {record.status}")
        return record

    async def redirect(self, account_id: UUID, call_id: UUID, **what: Any) -> CallRecord:
        record = await self._do(account_id, call_id, "redirect", what["hook"], what["application"])
        if record.status is not CallStatus.IN_PROGRESS:
            raise WrongState(f"the call is {record.status}")
        return record

    async def set_application(self, account_id: UUID, call_id: UUID, application: Any) -> CallRecord:
        return await self._do(account_id, call_id, "set_application", application)

    async def _do(self, account_id: UUID, call_id: UUID, what: str, *more: Any) -> CallRecord:
        record = await self.get(account_id, call_id)
        if record.status.final:
            raise CallIsOver("the call is over")
        self.done.append((what, *more))
        return record


@pytest.fixture
def calls() -> MemoryCalls:
    return MemoryCalls()


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


class Reply:
    """What the REST surface answered."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.text = body.decode()

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.text)


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
        whole, _, query = (base + path).partition("?")
        return await _exchange(app, method, whole, query, sent, content)

    return request


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


async def _exchange(
    app: Starlette, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> Reply:
    """One request through ASGI."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
    }
    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()  # the client stays, and says no more
        return waiting.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    return Reply(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in sent[1:]),
    )


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
