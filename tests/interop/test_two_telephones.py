"""Telephones that register here and call each other: what each hears, also in another codec, on hold, and
transferred."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from tests.interop.baresip import Baresip, needs_baresip, running_baresip
from tests.interop.listening import likeness, voice

from ringback.calls.control import CallFilter
from ringback.config.tables import ClientTable
from ringback.routing.directory import Account
from ringback.testing.kit import NUMBER, RunningServer, WebApp

pytestmark = [pytest.mark.interop, needs_baresip]

NAMES = ("alice", "bob", "carol")
VOICES = {name: voice(0.5, seed=number) for number, name in enumerate(NAMES, 1)}
"""Each says half a second of this again and again."""
LIKE = 0.8


@pytest.fixture
async def app() -> AsyncIterator[WebApp]:
    async with WebApp() as app:
        yield app


@pytest.fixture
async def server(app: WebApp, data: Path) -> AsyncIterator[RunningServer]:
    clients = tuple(ClientTable(username=name, password=f"secret-of-{name}") for name in NAMES)
    settings = msgspec.structs.replace(app.settings("laml", data), client=clients)
    async with RunningServer(settings) as server:
        yield server


class Exchange:
    """Telephones at one server."""

    def __init__(self, server: RunningServer, directory: Path, free_port: Callable[..., int]) -> None:
        self._server = server
        self._directory = directory
        self._free_port = free_port
        self._stack = AsyncExitStack()

    async def telephone(self, name: str, codecs: str = "PCMU") -> Baresip:
        """Somebody's telephone, registered."""
        running = running_baresip(self._directory / name, self._free_port(), VOICES[name])
        phone = await self._stack.enter_async_context(running)
        await phone.register(self._server.sip_address, name, f"secret-of-{name}", codecs)
        return phone

    def at(self, name: str) -> str:
        """What is dialled."""
        return f"sip:{name}@{self._server.sip_address}"

    async def close(self) -> None:
        """Put them away."""
        await self._stack.aclose()


@pytest.fixture
async def exchange(
    server: RunningServer, tmp_path: Path, free_port: Callable[..., int]
) -> AsyncIterator[Exchange]:
    exchange = Exchange(server, tmp_path, free_port)
    yield exchange
    await exchange.close()


def hears(phone: Baresip, name: str) -> float:
    """How much of what was heard at its end is somebody's voice."""
    return likeness(phone.heard()[-3 * 8000 :], VOICES[name])


@pytest.mark.parametrize(
    ("callers", "callees"), [("PCMU", "PCMU"), ("PCMU", "PCMA"), ("G722", "PCMU"), ("G722", "G722")]
)
async def test_a_number_connects_two(app: WebApp, exchange: Exchange, callers: str, callees: str) -> None:
    app.reply("/voice", '<Response><Dial timeLimit="3"><Client>bob</Client></Dial></Response>')
    alice, bob = await exchange.telephone("alice", callers), await exchange.telephone("bob", callees)
    await alice.do("dial", exchange.at(NUMBER))
    await bob.until("CALL_ESTABLISHED")
    await bob.until("CALL_CLOSED")
    await alice.until("CALL_CLOSED")
    assert hears(alice, "bob") > LIKE
    assert hears(bob, "alice") > LIKE


async def test_they_call_each_other_by_name(server: RunningServer, exchange: Exchange) -> None:
    alice, bob = await exchange.telephone("alice"), await exchange.telephone("bob")
    await alice.do("dial", exchange.at("bob"))
    await bob.until("CALL_ESTABLISHED")
    await alice.until("CALL_ESTABLISHED")
    await bob.do("hangup")
    await alice.until("CALL_CLOSED")
    await server.settled()


async def test_one_holds_the_other(app: WebApp, server: RunningServer, exchange: Exchange) -> None:
    """baresip keeps nothing of what it heard after a hold: that it was sent some, the call's record tells."""
    app.reply("/voice", '<Response><Dial timeLimit="6"><Client>bob</Client></Dial></Response>')
    alice, bob = await exchange.telephone("alice"), await exchange.telephone("bob")
    await alice.do("dial", exchange.at(NUMBER))
    await bob.until("CALL_ESTABLISHED")
    await alice.until("CALL_ESTABLISHED")
    await alice.do("hold")
    await alice.do("resume")
    await alice.until("CALL_CLOSED")
    assert hears(bob, "alice") > LIKE
    await server.settled()
    which = CallFilter(account_id=server.directory.all(Account)[0].id)
    for call in await server.switchboard.list(which, limit=2):
        assert call.media is not None
        assert call.media.packets_out > 250  # of 300 in six seconds


async def test_one_transfers_the_other(app: WebApp, server: RunningServer, exchange: Exchange) -> None:
    app.reply("/voice", "<Response><Dial><Client>bob</Client></Dial></Response>")
    alice, bob = await exchange.telephone("alice"), await exchange.telephone("bob")
    carol = await exchange.telephone("carol")
    await alice.do("dial", exchange.at(NUMBER))
    await bob.until("CALL_ESTABLISHED")
    await alice.until("CALL_ESTABLISHED")
    await bob.do("transfer", exchange.at("carol"))
    await carol.until("CALL_ESTABLISHED")
    await bob.until("CALL_CLOSED")
    await carol.until("CALL_RTCP")
    await alice.do("hangup")
    await carol.until("CALL_CLOSED")
    assert hears(carol, "alice") > LIKE
    assert hears(alice, "carol") > LIKE
    await server.settled()
