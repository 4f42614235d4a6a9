"""The official twilio library against a running server: its REST client, its validator, its markup."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.interop.listening import find, voice, wav
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.twiml.voice_response import Gather, VoiceResponse

from ringback.routing.directory import Account
from ringback.testing.kit import DEVICE, NUMBER, TOKEN, Asked, RunningServer, WebApp
from ringback.testing.softphone import CallFailed, Softphone

pytestmark = pytest.mark.interop


class _Ours(TwilioHttpClient):  # type: ignore[misc]  # the library has no types
    """What changes when an application moves here: the host name."""

    def __init__(self, url: str) -> None:
        super().__init__(timeout=10.0)
        self._url = url

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> Response:
        return super().request(
            method, url.replace("https://api.twilio.com", self._url), *arguments, **options
        )


@pytest.fixture
async def app() -> AsyncIterator[WebApp]:
    async with WebApp() as app:
        yield app


@pytest.fixture
async def server(app: WebApp, data: Path) -> AsyncIterator[RunningServer]:
    settings = app.settings("laml", data, profile="twilio", voice_url=f"{app.url}/voice?shop=7&name=a%20b")
    async with RunningServer(settings) as server:
        yield server


@pytest.fixture
async def phone(server: RunningServer) -> AsyncIterator[Softphone]:
    async with server.phone() as phone:
        yield phone


@pytest.fixture
def client(server: RunningServer) -> Iterator[Client]:
    http = _Ours(server.http_url)
    yield Client(f"AC{server.directory.all(Account)[0].id.hex}", TOKEN, http_client=http)
    http.session.close()


async def test_a_call_from_its_creation_to_its_deletion(
    app: WebApp, server: RunningServer, phone: Softphone, client: Client
) -> None:
    app.reply("/answered", "<Response><Pause length='60'/></Response>")
    app.reply("/elsewhere", "<Response><Pause length='60'/></Response>")
    await phone.register()
    made = await asyncio.to_thread(
        client.calls.create, to=f"client:{DEVICE}", from_=NUMBER, url=f"{app.url}/answered"
    )
    assert (made.status, made.direction, made._from) == ("queued", "outbound-api", NUMBER)
    ringing = await phone.incoming()
    ringing.answer()
    assert (await app.request("/answered")).fields["CallSid"] == made.sid
    fetched = await asyncio.to_thread(made.fetch)
    assert (fetched.sid, fetched.status) == (made.sid, "in-progress")

    turned = VoiceResponse()
    turned.redirect(f"{app.url}/elsewhere")
    await asyncio.to_thread(made.update, twiml=str(turned))
    assert (await app.request("/elsewhere")).fields["CallSid"] == made.sid
    await asyncio.to_thread(made.update, status="completed")
    assert await ringing.ended() == "remote"
    await server.settled()

    ended = await asyncio.to_thread(made.fetch)
    assert (ended.status, ended.answered_by, ended.parent_call_sid) == ("completed", None, None)
    assert int(ended.duration) >= 0
    assert timedelta() <= ended.end_time - ended.start_time < timedelta(minutes=1)
    assert await asyncio.to_thread(made.delete)
    with pytest.raises(TwilioRestException) as error:
        await asyncio.to_thread(made.fetch)
    assert (error.value.status, error.value.code) == (404, 20404)


async def test_no_number_and_a_wrong_token(server: RunningServer, client: Client) -> None:
    with pytest.raises(TwilioRestException) as error:
        await asyncio.to_thread(client.calls.create, to="", from_=NUMBER, url="http://127.0.0.1/")
    assert (error.value.status, error.value.code) == (400, 21201)
    http = _Ours(server.http_url)
    stranger = Client(client.account_sid, "wrong", http_client=http)
    with pytest.raises(TwilioRestException) as error:
        await asyncio.to_thread(stranger.calls("CA" + "0" * 32).fetch)
    assert (error.value.status, error.value.code) == (401, 20003)
    http.session.close()


async def test_lists_filters_and_pages(
    app: WebApp, server: RunningServer, phone: Softphone, client: Client
) -> None:
    app.reply(
        "/voice", *['<Response><Reject reason="busy"/></Response>'] * 5, "<Response><Reject/></Response>"
    )
    for _ in range(7):
        call = await phone.call(NUMBER)
        with pytest.raises(CallFailed):
            await call.answered()
    await server.settled()

    def sids(**filters: Any) -> list[str]:
        return [call.sid for call in client.calls.list(**filters)]

    everything = await asyncio.to_thread(sids)
    assert len(everything) == len(set(everything)) == 7
    pages = [call.sid for call in await asyncio.to_thread(lambda: list(client.calls.stream(page_size=3)))]
    assert pages == everything
    assert await asyncio.to_thread(sids, limit=2) == everything[:2]
    assert await asyncio.to_thread(sids, status="busy") == everything[2:]
    assert await asyncio.to_thread(sids, status="completed") == []
    assert await asyncio.to_thread(sids, to=NUMBER, page_size=2, limit=5) == everything[:5]
    assert await asyncio.to_thread(sids, from_="+19995550100") == []
    now = datetime.now(UTC)
    assert await asyncio.to_thread(sids, start_time_after=now - timedelta(days=1)) == everything
    assert await asyncio.to_thread(sids, start_time_before=now - timedelta(days=1)) == []


def _valid(asked: Asked) -> bool:
    """Whether the library takes the request for one of its own service's."""
    parameters = asked.fields if asked.method == "POST" else {}
    validator = RequestValidator(TOKEN)
    return bool(validator.validate(asked.url, parameters, asked.headers["x-twilio-signature"]))


async def test_webhooks_carry_a_signature_that_the_library_accepts(
    app: WebApp, server: RunningServer, phone: Softphone
) -> None:
    app.reply(
        "/voice",
        '<Response><Redirect method="GET">/next?a=1&amp;b=x%20y%26z</Redirect></Response>',
    )
    app.reply("/next", "<Response><Reject/></Response>")
    call = await phone.call(NUMBER)
    with pytest.raises(CallFailed):
        await call.answered()
    asked = [await app.request("/voice"), await app.request("/next"), await app.request("/status")]
    assert [request.method for request in asked] == ["POST", "GET", "POST"]
    assert [_valid(request) for request in asked] == [True, True, True]
    assert not RequestValidator("another").validate(
        asked[0].url, asked[0].fields, asked[0].headers["x-twilio-signature"]
    )
    await server.settled()


async def test_markup_that_the_library_writes_is_done(
    app: WebApp, server: RunningServer, phone: Softphone
) -> None:
    prompt = voice(0.6)
    app.reply("/prompt.wav", wav(prompt))
    document = VoiceResponse()
    gather = Gather(num_digits=2, action="/pressed", method="POST", input="dtmf", timeout=5)
    gather.play("/prompt.wav", loop=1)
    document.append(gather)
    document.redirect("/nothing-pressed")
    app.reply("/voice", str(document))
    farewell = VoiceResponse()
    farewell.say("Good bye", voice="Polly.Joanna", language="en-US")
    farewell.hangup()
    app.reply("/pressed", str(farewell))
    call = await phone.call(NUMBER)
    await call.hears(0.8)
    await call.press("42")
    assert (await app.request("/pressed")).fields["Digits"] == "42"
    assert await call.ended() == "remote"
    assert find(call.heard(), prompt).likeness > 0.95
    await server.settled()
