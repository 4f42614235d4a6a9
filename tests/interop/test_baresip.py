"""baresip, a telephone: it registers, calls, hears, presses keys, and is called."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.interop.baresip import Baresip, needs_baresip, running_baresip
from tests.interop.house import place
from tests.interop.listening import likeness, voice, wav

from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, NUMBER, RunningServer, WebApp

pytestmark = [pytest.mark.interop, needs_baresip]

PROMPT = voice(1.0)  # a pause follows it: what still waits in a jitter buffer at the end is not heard


@pytest.fixture
async def app() -> AsyncIterator[WebApp]:
    async with WebApp() as app:
        app.reply("/prompt.wav", wav(PROMPT))
        yield app


@pytest.fixture
async def server(app: WebApp, data: Path) -> AsyncIterator[RunningServer]:
    async with RunningServer(app.settings("laml", data)) as server:
        yield server


@pytest.fixture
async def phone(
    tmp_path: Path, free_port: Callable[..., int], server: RunningServer
) -> AsyncIterator[Baresip]:
    async with running_baresip(tmp_path / "phone", free_port()) as phone:
        await phone.register(server.sip_address, DEVICE, DEVICE_PASSWORD)
        yield phone


async def test_it_calls_hears_the_prompt_and_presses_keys(
    app: WebApp, server: RunningServer, phone: Baresip
) -> None:
    gather = '<Gather numDigits="3" timeout="10" action="/pressed"/>'
    app.reply("/voice", f"<Response>{gather}</Response>")
    app.reply("/pressed", "<Response><Play>/prompt.wav</Play><Pause/></Response>")
    await phone.do("dial", f"sip:{NUMBER}@{server.sip_address}")
    await phone.until("CALL_ESTABLISHED")
    assert (await app.request("/voice")).fields["From"] == f"sip:{DEVICE}@{server.sip_address}"
    for key in "4*2":
        await phone.do("sndcode", key)
    assert (await app.request("/pressed")).fields["Digits"] == "4*2"
    await phone.until("CALL_CLOSED")
    assert likeness(phone.heard(), PROMPT) > 0.95


async def test_it_is_called_by_rest_and_answers(app: WebApp, server: RunningServer, phone: Baresip) -> None:
    app.reply("/voice", "<Response><Play>/prompt.wav</Play><Pause/></Response>")
    made = await place(server, f"client:{DEVICE}", f"{app.url}/voice", StatusCallback=f"{app.url}/status")
    await phone.until("CALL_ESTABLISHED")
    await phone.until("CALL_CLOSED")
    done = await app.request("/status")
    assert (done.fields["CallSid"], done.fields["CallStatus"]) == (made["sid"], "completed")
    assert likeness(phone.heard(), PROMPT) > 0.95
