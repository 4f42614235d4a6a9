"""`kill -9` at any moment: what the next start on the same data makes of the calls that were up.

The server runs as a process of its own. One call is brought to each of the moments that matter, then it is
killed and started again, once for all of them; the tests look at what became of each: one final state, each
callback delivered once (the same token on a repeat), a BYE to whoever was talking.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from tests.patience import PATIENCE
from tests.server.process import Process, running
from tests.server.site import NUMBERS, SPEAKS, serve_tone

from ringback.running import running_server
from ringback.store.records import CallFilter, CallRow, StoredDelivery, StoredEvent
from ringback.store.store import Store
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, Asked, WebApp
from ringback.testing.softphone import PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAML = SPEAKS["laml"]
GATHER = LAML.gather("/laml/digits", keys=4, timeout=60)
DIALLED = {"connected": "dialled", "hearing it ring": "rung"}
"""Callers who dialled somebody, and the legs of their dials."""
INBOUND_TALKING = ("playing", "waiting", "some keys in", *DIALLED)
INBOUND = ("ringing", *INBOUND_TALKING, "just over")
TALKING = (*INBOUND_TALKING, "dialled")
EVERY = (*INBOUND, "calling out", *DIALLED.values())
REGISTERED = "registered before, called after"
CALLERS = {name: f"+1415555020{place}" for place, name in enumerate((*EVERY, REGISTERED))}
"""Each call's From: by it everybody knows which one it is."""


class Application:
    """Does what brings each caller to the moment that its name says."""

    def __init__(self, app: WebApp) -> None:
        self.app = app
        self.up_again = False
        tone = serve_tone(app, "/tone.wav", 0.1)
        self._documents = {
            CALLERS["playing"]: LAML.document(LAML.play(tone, loop=0)),
            CALLERS[REGISTERED]: LAML.document(LAML.hang_up()),
        }
        self.dialled: dict[str, str] = {}
        """Where the legs of dials go."""
        app.reply("/laml/voice", self._voice)
        app.reply("/status/laml", lambda _: web.Response(status=204 if self.up_again else 503))

    async def _voice(self, asked: Asked) -> Any:
        caller = asked.fields["From"]
        if caller == CALLERS["ringing"]:
            await asyncio.sleep(60)
        for name, leg in DIALLED.items():
            if caller == CALLERS[name]:
                return LAML.document(self._dial(leg))
        return self._documents.get(caller, LAML.document(LAML.pause(0), GATHER))

    def _dial(self, leg: str) -> str:
        """A leg is known by its caller id."""
        told = f'statusCallback="{self.app.url}/status/laml"'
        every = 'statusCallbackEvent="initiated ringing answered completed"'
        address = f"sip:bob@{self.dialled[leg]}"
        return f'<Dial callerId="{CALLERS[leg]}"><Sip {told} {every}>{address}</Sip></Dial>'

    def told(self, name: str) -> list[Asked]:
        """The callbacks of one call."""
        return [
            asked
            for asked in self.app.asked
            if asked.path == "/status/laml" and asked.fields["From"] == CALLERS[name]
        ]

    def told_the_end(self, name: str) -> bool:
        """Whether the end of a call was told and taken."""
        told = self.told(name)
        return self.up_again and bool(told) and told[-1].fields["CallStatus"] in ("completed", "failed")


class Aftermath:
    """What is left when the second server has been stopped in good order."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.ended: dict[str, str] = {}
        """Callers who were talking: who ended it for them."""
        self.rows: dict[str, CallRow] = {}
        self.events: dict[str, list[StoredEvent]] = {}
        self.due: list[StoredDelivery] = []
        self.second_exit = -1
        self.worker_lived = True
        self.device_was_called = False

    async def read(self, data: Path) -> None:
        async with await Store.open("sqlite", data) as store:
            self.due = await store.pending()
            names = {number: name for name, number in CALLERS.items()}
            for row in await store.calls(CallFilter()):
                self.rows[names[row.from_]] = row
                self.events[names[row.from_]] = await store.events(row.id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def aftermath(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Aftermath]:
    data = tmp_path_factory.mktemp("crash") / "data"
    async with WebApp() as app, contextlib.AsyncExitStack() as stack:
        application = Application(app)
        found = Aftermath(application)
        server = await stack.enter_async_context(running(app, data))
        phones = {
            name: await stack.enter_async_context(Softphone(CALLERS[name], server=server.sip))
            for name in EVERY
        }
        device = await stack.enter_async_context(
            Softphone(DEVICE, server=server.sip, password=DEVICE_PASSWORD)
        )
        await device.register()
        legs = {leg: phones[leg] for leg in DIALLED.values()}
        application.dialled = {leg: phone.listening.partition(":")[2] for leg, phone in legs.items()}
        calls = {name: await phones[name].call(NUMBERS["laml"]) for name in INBOUND}
        calls |= {leg: await phone.incoming(PATIENCE) for leg, phone in legs.items()}
        await bring_to_their_moments(server, application, calls, phones["calling out"])
        [worker] = _children(_pid(server))
        await server.kill()
        application.up_again = True
        await server.start()
        found.worker_lived = _lives(worker)
        for name in TALKING:
            found.ended[name] = await calls[name].ended()
        await server.create(CALLERS[REGISTERED], f"client:{DEVICE}", app)
        call = await device.incoming()
        call.answer()
        found.device_was_called = await call.ended() == "remote"
        async with asyncio.timeout(PATIENCE):
            while not all(application.told_the_end(name) for name in EVERY):
                await app.request("/status/laml")
        found.second_exit = await server.stop()
        await found.read(data)
        yield found


async def bring_to_their_moments(
    server: Process, application: Application, calls: dict[str, PhoneCall], callee: Softphone
) -> None:
    calls["rung"].ring()
    calls["dialled"].answer()
    for name in (*TALKING, "just over"):
        await calls[name].answered()
        await calls[name].hears(0.3)
    await calls["some keys in"].press("12")
    await server.create(
        CALLERS["calling out"], f"sip:bob@{callee.listening.partition(':')[2]}", application.app
    )
    (await callee.incoming()).ring()
    await server.holds(len(EVERY))
    calls["just over"].hang_up()
    async with asyncio.timeout(PATIENCE):
        while not application.told("just over"):
            await application.app.request("/status/laml")


@pytest.mark.parametrize("name", EVERY)
async def test_every_call_is_in_one_final_state(aftermath: Aftermath, name: str) -> None:
    row = aftermath.rows[name]
    if name == "just over":
        assert (row.status, row.cause, row.ended_by) == ("completed", "the far end hung up", "remote")
    else:
        status = "completed" if name in TALKING else "failed"
        assert (row.status, row.cause, row.ended_by) == (status, "the server was restarted", "server")
    assert row.ended_at is not None


@pytest.mark.parametrize("name", EVERY)
async def test_its_log_has_no_gap_and_ends_once(aftermath: Aftermath, name: str) -> None:
    events = aftermath.events[name]
    assert [event.sequence for event in events] == list(range(len(events)))
    assert [event.kind for event in events].count("call.ended") == 1


@pytest.mark.parametrize("name", EVERY)
async def test_its_callbacks_are_delivered_once_in_content(aftermath: Aftermath, name: str) -> None:
    told = aftermath.application.told(name)
    last = told[-1].fields["CallStatus"]
    assert last == ("completed" if name in (*TALKING, "just over") else "failed")
    by_token: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for asked in told:
        by_token[asked.headers["i-twilio-idempotency-token"]].append(asked.fields)
    for repeats in by_token.values():
        assert all(fields == repeats[0] for fields in repeats)
    finals = [fields for [fields, *_] in by_token.values() if fields["CallStatus"] == last]
    assert len(finals) == 1
    assert aftermath.due == []


async def test_who_was_talking_is_hung_up_on(aftermath: Aftermath) -> None:
    assert aftermath.ended == dict.fromkeys(TALKING, "remote")


async def test_devices_are_still_registered(aftermath: Aftermath) -> None:
    assert aftermath.device_was_called


async def test_the_first_media_worker_is_gone_and_the_second_server_stops_in_order(
    aftermath: Aftermath,
) -> None:
    assert not aftermath.worker_lived
    assert aftermath.second_exit == 0


def _pid(server: Process) -> int:
    found = running_server(server.data)
    assert found is not None
    return found.pid


def _lives(pid: int) -> bool:
    """Running, and not merely unmourned: whoever inherits orphans may not look after them."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid and "ringback.media.worker" in (process / "cmdline").read_text():
                found.append(int(process.name))
    return found
