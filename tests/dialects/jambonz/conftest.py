"""Surroundings for this dialect: two accounts, calls in memory, a web application over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from aiohttp import web
from starlette.applications import Starlette
from tests.dialects.memory import LiveChanges, MemoryRecordings

from ringback.calls.application import Action, Document, NewCall, Redirected, SipMessageFacts
from ringback.calls.application import Ask as Question
from ringback.calls.control import CallFilter, CallIsOver, CallRequest, NoSuchCall, WrongState
from ringback.calls.events import CallEnded
from ringback.calls.outcome import Outcome
from ringback.calls.record import CallRecord, apply
from ringback.calls.services import Services
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import Callee, Gather, Hook, Reports, Target
from ringback.dialects.jambonz import Jambonz
from ringback.dialects.jambonz.dialler import Timing
from ringback.dialects.jambonz.setup import setup_of
from ringback.dialects.jambonz.webhook import JambonzApplication
from ringback.net.guard import AddressPolicy
from ringback.net.http import HttpPool
from ringback.routing.directory import Account, Application, Directory, Speech
from ringback.webhooks.delivery import Delivery

ACCOUNT = Account(
    id=UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6"),
    name="demo",
    token="38700987-c7a4-4685-a5bb-af378f9734de",
    webhook_secret="wh_secret_abc",
    service_provider_sid=UUID("2708b1b3-2736-40ea-b502-c53d8396247f"),
)
OTHER = Account(id=UUID("11111111-2222-4333-8444-555555555555"), name="other", token="hidden")
APPLICATION = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
CALL = UUID("9b2d7f3e-8c4a-4f1a-9d3e-1a2b3c4d5e6f")
CREATED = datetime(2026, 5, 26, 17, 59, 16, 555000, UTC)

INVITE = SipMessageFacts(
    method="INVITE",
    uri="sip:14155559876@192.0.2.1",
    headers=(
        ("From", "<sip:14155552671@192.0.2.7>;tag=a"),
        ("Content-Type", "application/sdp"),
        ("X-Two", "1"),
        ("X-Two", "2"),
    ),
    body="v=0\r\n",
    raw="INVITE sip:14155559876@192.0.2.1 SIP/2.0\r\n",
    source_address="192.0.2.7",
    source_port=5060,
    transport="UDP",
)


def configured(url: str, **fields: Any) -> Application:
    """A configured application of this dialect."""
    return Application(
        **{
            "id": APPLICATION,
            "account_id": ACCOUNT.id,
            "name": "ivr",
            "dialect": "jambonz",
            "voice_url": url,
            "speech": Speech(synthesis_vendor="google", synthesis_language="en-GB", synthesis_voice="Anna"),
            **fields,
        }
    )


def record(**fields: Any) -> CallRecord:
    """An inbound call just received; keyword arguments replace fields."""
    call = CallRecord(
        id=CALL,
        account_id=ACCOUNT.id,
        application_id=APPLICATION,
        dialect="jambonz",
        direction=Direction.INBOUND,
        status=CallStatus.INITIATED,
        from_="+14155552671",
        to="+14155559876",
        sip_call_id="abc@192.0.2.7",
        trunk="carrier",
        source="udp:192.0.2.7:5060",
        local_address="192.0.2.1:5060",
        sip_status=100,
        sip_reason="Trying",
        created_at=CREATED,
        initiated_at=CREATED,
        updated_at=CREATED,
        progress=1,
    )
    return msgspec.structs.replace(call, **fields)


class MemoryCalls(LiveChanges):
    """`ringback.calls.control.Calls` over a dictionary; `done` tells what was asked for, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[UUID, CallRecord] = {}
        self.requests: list[CallRequest] = []
        self.filters: list[CallFilter] = []
        self.done: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self.fail: Exception | None = None

    def add(self, *records: CallRecord) -> None:
        for call in records:
            self.records[call.id] = call

    async def create(self, request: CallRequest) -> CallRecord:
        if self.fail:
            raise self.fail
        self.requests.append(request)
        call = record(
            id=uuid4(),
            account_id=request.account.id,
            application_id=request.application_id,
            direction=Direction.OUTBOUND_API,
            status=CallStatus.QUEUED,
            from_=request.from_,
            to=request.to_shown,
            custom=request.custom,
            application_state=dict(request.application.state()),
        )
        self.add(call)
        return call

    async def get(self, account_id: UUID, call_id: UUID) -> CallRecord:
        call = self.records.get(call_id)
        if call is None or call.account_id != account_id:
            raise NoSuchCall("no such call")
        return call

    async def list(self, which: CallFilter, *, limit: int, offset: int = 0) -> Sequence[CallRecord]:
        self.filters.append(which)
        return [call for call in self.records.values() if _matches(call, which)][offset : offset + limit]

    async def count(self, which: CallFilter) -> int:
        return sum(_matches(call, which) for call in self.records.values())

    async def _live(self, account_id: UUID, call_id: UUID) -> CallRecord:
        call = await self.get(account_id, call_id)
        if call.status.final:
            raise CallIsOver("the call is over")
        return call

    async def _did(self, account_id: UUID, call_id: UUID, *what: Any) -> CallRecord:
        call = await self._live(account_id, call_id)
        if self.fail:
            raise self.fail
        self.done.put_nowait(what)
        return call

    async def _done(self, what: str, account_id: UUID, call_id: UUID, *details: Any) -> Any:
        await self._live(account_id, call_id)
        if self.fail:
            raise self.fail
        self.done.put_nowait((what, *details))
        return await super()._done(what, account_id, call_id, *details)

    async def delete(self, account_id: UUID, call_id: UUID) -> None:
        del self.records[call_id]

    async def redirect(self, account_id: UUID, call_id: UUID, **what: Any) -> CallRecord:
        return await self._did(account_id, call_id, "redirect", what)

    async def append(self, account_id: UUID, call_id: UUID, verbs: Any) -> CallRecord:
        return await self._did(account_id, call_id, "append", tuple(verbs))

    async def hang_up(self, account_id: UUID, call_id: UUID, **what: Any) -> CallRecord:
        return await self._did(account_id, call_id, "hang_up")

    async def cancel(self, account_id: UUID, call_id: UUID, *, as_no_answer: bool = False) -> CallRecord:
        if (await self._live(account_id, call_id)).answered_at is not None:
            raise WrongState("answered")
        return await self._did(account_id, call_id, "cancel", as_no_answer)

    async def send_digits(
        self, account_id: UUID, call_id: UUID, digits: str, *, duration_ms: int
    ) -> CallRecord:
        return await self._did(account_id, call_id, "send_digits", digits, duration_ms)

    async def tag(self, account_id: UUID, call_id: UUID, data: dict[str, Any]) -> CallRecord:
        return await self._did(account_id, call_id, "tag", data)

    async def mute(self, account_id: UUID, call_id: UUID, *, muted: bool) -> CallRecord:
        return await self._did(account_id, call_id, "mute", muted)

    async def set_application(self, account_id: UUID, call_id: UUID, application: Any) -> CallRecord:
        return await self._did(account_id, call_id, "set_application", application)


def _matches(call: CallRecord, which: CallFilter) -> bool:
    after = which.live_or_ended_after
    return (
        call.account_id == which.account_id
        and which.call_id in (None, call.id)
        and (which.statuses is None or call.status in which.statuses)
        and (which.directions is None or call.direction in which.directions)
        and (which.from_ is None or call.from_ == which.from_)
        and (which.to is None or call.to == which.to)
        and (which.trunk is None or call.trunk == which.trunk)
        and (which.answered is None or (call.answered_at is not None) == which.answered)
        and (which.party in call.from_ or which.party in call.to)
        and (which.started_from is None or call.created_at >= which.started_from)
        and (which.started_before is None or call.created_at < which.started_before)
        and (after is None or call.ended_at is None or call.ended_at > after)
    )


@pytest.fixture
def calls() -> MemoryCalls:
    return MemoryCalls()


@pytest.fixture
async def services(calls: MemoryCalls) -> AsyncIterator[Services]:
    http = HttpPool(AddressPolicy(allow_private=True))
    yield Services(
        directory=Directory([ACCOUNT, OTHER]),
        http=http,
        store=SimpleNamespace(),  # type: ignore[arg-type]
        public_url="https://voice.example",
        calls=calls,
        recordings=MemoryRecordings(),
        instance="0" * 32,
        sip_address="192.0.2.1:5060",
    )
    await http.close()


# -- a web application


@dataclass
class WebApp:
    """A user's application: what it was asked by HTTP, and what it answers to each path."""

    url: str = ""
    requests: list[tuple[web.Request, bytes]] = field(default_factory=list)
    replies: dict[str, Any] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request, await request.read()))
        reply = self.replies.get(request.path, [])
        if isinstance(reply, web.Response):
            return reply
        return web.json_response(reply)


@dataclass
class Socket:
    """One WebSocket connection, seen from the application."""

    ws: web.WebSocketResponse
    request: web.Request
    received: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    closed: asyncio.Future[int | None] = field(default_factory=asyncio.Future)

    async def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next message; of that type, others are an error."""
        async with asyncio.timeout(3):
            message = await self.received.get()
        assert kind is None or message["type"] == kind, message
        return message

    async def ack(self, message: dict[str, Any], data: Any = None) -> None:
        answer = {"type": "ack", "msgid": message["msgid"]}
        await self.send(answer if data is None else {**answer, "data": data})

    async def command(self, name: str, data: Any = None, **more: Any) -> None:
        await self.send({"type": "command", "command": name, "data": data, **more})

    async def send(self, message: Any) -> None:
        await self.ws.send_json(message)

    async def code(self) -> int | None:
        """Wait for the end; the close code."""
        async with asyncio.timeout(3):
            return await self.closed


@dataclass
class SocketApp:
    """A user's application on a WebSocket: its connections in the order in which they come."""

    url: str = ""
    connections: asyncio.Queue[Socket] = field(default_factory=asyncio.Queue)
    refuse: int = 0
    """How many connections to refuse with a dropped handshake."""

    async def accept(self, request: web.Request) -> web.StreamResponse:
        if self.refuse > 0:
            self.refuse -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=503)
        ws = web.WebSocketResponse(protocols=["ws.jambonz.org"])
        await ws.prepare(request)
        socket = Socket(ws, request)
        self.connections.put_nowait(socket)
        async for frame in ws:
            socket.received.put_nowait(msgspec.json.decode(frame.data))
        socket.closed.set_result(ws.close_code)
        return ws

    async def connection(self) -> Socket:
        async with asyncio.timeout(3):
            return await self.connections.get()


async def _served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"127.0.0.1:{port}"
    await runner.cleanup()


@pytest.fixture
async def app() -> AsyncIterator[WebApp]:
    found = WebApp()
    web_app = web.Application()
    web_app.router.add_route("*", "/{path:.*}", found.answer)
    async for place in _served(web_app):
        found.url = f"http://{place}"
        yield found


@pytest.fixture
async def socket_app() -> AsyncIterator[SocketApp]:
    found = SocketApp()
    web_app = web.Application()
    web_app.router.add_get("/{path:.*}", found.accept)

    async for place in _served(web_app):
        found.url = f"ws://{place}"
        yield found


# -- the engine's part

QUICK = Timing(handshake=1.0, ack=0.3, farewell=1.0, backoff=(0.01, 0.01), connections=5)
PATIENT = Timing(handshake=1.0, ack=3.0, farewell=1.0, backoff=(0.01, 0.01), connections=5)
SAY = {"verb": "say", "text": "hello"}
ENDED = CallEnded(status=CallStatus.COMPLETED, cause="", by=EndedBy.REMOTE, sip_status=200, sip_reason="OK")


CALLEE = UUID("5f0c6a1e-77aa-4b2c-8c3d-0a1b2c3d4e5f")


class Phone:
    """What the engine does with one application on one call."""

    def __init__(self, application: JambonzApplication, call: CallRecord) -> None:
        self.application = application
        self.record = call

    def callee(self, *, reports: Reports | None = None, **fields: Any) -> Phone:
        """A leg that this call's dial calls."""
        callee = Callee(target=Target(kind="client", address="bob"), shown="bob", reports=reports)
        call = record(
            id=CALLEE,
            direction=Direction.OUTBOUND_DIAL,
            parent_id=self.record.id,
            status=CallStatus.QUEUED,
            to="bob",
            source="",
            trunk=None,
            progress=0,
            **fields,
        )
        return Phone(self.application.for_callee(callee, self.record), call)

    def ask(self, question: Question) -> asyncio.Task[Any]:
        return asyncio.create_task(self.application.ask(question, self.record))

    def start(self) -> asyncio.Task[Document | None]:
        return asyncio.create_task(self.application.ask(NewCall(invite=INVITE), self.record))

    def act(self, url: str, **outcome: Any) -> asyncio.Task[Any]:
        action = Action(verb=Gather(id="menu"), hook=Hook(url=url), outcome=Outcome(**outcome))
        return asyncio.create_task(self.application.ask(action, self.record))

    def redirect(self, url: str) -> asyncio.Task[Document | None]:
        return asyncio.create_task(self.application.ask(Redirected(hook=Hook(url=url)), self.record))

    def tell(self, event: Any) -> Sequence[Delivery]:
        self.record = apply(self.record, event, CREATED)
        due = self.application.deliveries(event, self.record)
        self.application.notify(event, self.record)
        return due

    async def open(self, app: SocketApp, verbs: Any = None) -> tuple[Socket, Document]:
        starting = self.start()
        socket = await app.connection()
        await socket.ack(await socket.next("session:new"), verbs)
        document = await starting
        assert document is not None
        return socket, document


@pytest.fixture
async def phones(services: Services, calls: MemoryCalls, socket_app: SocketApp) -> AsyncIterator[Any]:
    calls.add(record())
    made: list[Phone] = []

    def make(url: str, timing: Timing = PATIENT, **fields: Any) -> Phone:
        setup = setup_of(configured(url, **fields))
        made.append(Phone(JambonzApplication(services, ACCOUNT, setup, timing=timing), record()))
        return made[-1]

    yield make
    for phone in made:
        await phone.application.close()


async def done(calls: MemoryCalls) -> tuple[Any, ...]:
    async with asyncio.timeout(3):
        return await calls.done.get()


# -- REST


@dataclass
class Reply:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.text)


Ask = Callable[..., Awaitable[Reply]]


@pytest.fixture
def rest(services: Services) -> Ask:
    """Asks the REST surface: `await rest("GET", path, json=…, data=…, token=…, span="bytes=…")`."""
    application = Starlette(routes=Jambonz(services).routes())

    async def ask(
        method: str,
        target: str,
        *,
        token: str | None = ACCOUNT.token,
        json: Any = None,
        data: bytes = b"",
        span: str = "",
    ) -> Reply:
        path, _, query = target.partition("?")
        headers = [(b"host", b"voice.example")]
        if token is not None:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        if span:
            headers.append((b"range", span.encode()))
        body = data if json is None else msgspec.json.encode(json)
        inbox = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            if not inbox:
                await asyncio.Event().wait()  # the client stays
            return inbox.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.9", 1234),
            "server": ("voice.example", 443),
        }
        await application(scope, receive, send)
        text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
        received = {name.decode().title(): value.decode() for name, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], text, received)

    return ask
