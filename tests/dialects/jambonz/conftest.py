"""Surroundings for this dialect: two accounts, calls in memory, a web application over HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web
from starlette.applications import Starlette
from tests.dialects.asgi import Reply, exchange
from tests.dialects.jambonz.making import ACCOUNT, CREATED, OTHER, configured, record
from tests.dialects.jambonz.phone import PATIENT, Phone
from tests.dialects.jambonz.webapps import SocketApp, WebApp, served
from tests.dialects.memory import MemoryCalls, MemoryRecordings

from ringback.calls.services import Services
from ringback.calls.status import CallStatus
from ringback.dialects.jambonz import Jambonz
from ringback.dialects.jambonz.dialler import Timing
from ringback.dialects.jambonz.setup import setup_of
from ringback.dialects.jambonz.webhook import JambonzApplication
from ringback.net.clock import utcnow
from ringback.net.guard import AddressPolicy
from ringback.net.http import HttpPool
from ringback.routing.directory import Directory


@pytest.fixture
def calls() -> MemoryCalls:
    return MemoryCalls(CREATED)


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


@pytest.fixture
def a_call(services: Services, calls: MemoryCalls) -> None:
    """A configured application, and a call of it that is up."""
    services.directory.put(
        configured("https://app.example/voice", status_callback="https://app.example/status")
    )
    now = utcnow()
    calls.add(
        record(
            status=CallStatus.IN_PROGRESS,
            created_at=now - timedelta(seconds=10),
            answered_at=now - timedelta(seconds=5),
            sip_status=200,
            sip_reason="OK",
            application_state=setup_of(configured("https://app.example/voice")).state(),
        )
    )


@pytest.fixture
async def app() -> AsyncIterator[WebApp]:
    found = WebApp()
    web_app = web.Application()
    web_app.router.add_route("*", "/{path:.*}", found.answer)
    async for place in served(web_app):
        found.url = f"http://{place}"
        yield found


@pytest.fixture
async def socket_app() -> AsyncIterator[SocketApp]:
    found = SocketApp()
    web_app = web.Application()
    web_app.router.add_get("/{path:.*}", found.accept)

    async for place in served(web_app):
        found.url = f"ws://{place}"
        yield found


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
        headers = {"host": "voice.example"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if span:
            headers["range"] = span
        body = data if json is None else msgspec.json.encode(json)
        return await exchange(
            application, method, target, headers, body, scheme="https", host="voice.example"
        )

    return ask
