"""The official twilio library against a running server: its REST client, its validator, its markup."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from tests.interop.listening import find, voice, wav
from tests.patience import PATIENCE
from tests.world import uri_of
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from ringback.routing.directory import Account
from ringback.testing.kit import DEVICE, NUMBER, TOKEN, Asked, RunningServer, WebApp
from ringback.testing.softphone import CallFailed, Softphone

pytestmark = pytest.mark.interop


class _Ours(TwilioHttpClient):  # type: ignore[misc]  # the library has no types
    """What changes when an application moves here: the host name."""

    def __init__(self, url: str) -> None:
        super().__init__(timeout=PATIENCE)
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


async def test_two_parties_are_sent_different_ways(
    app: WebApp, server: RunningServer, phone: Softphone, client: Client
) -> None:
    """Dial as the library writes it; then the callee gets a document of its own, and the caller goes on."""
    async with Softphone("bob", server=server.sip_address) as bob:
        document = VoiceResponse()
        dial = Dial(action="/dialled", timeout=20)
        dial.sip(
            uri_of(bob), status_callback="/leg", status_callback_event="initiated ringing answered completed"
        )
        document.append(dial)
        app.reply("/voice", str(document))
        wait = "<Response><Pause length='60'/></Response>"
        app.reply("/dialled", wait)
        app.reply("/callee", wait)
        call = await phone.call(NUMBER)
        callee = await bob.incoming()
        callee.answer()
        await call.answered()
        answered = await _told(app, "/leg", CallStatus="in-progress")
        sid, parent = answered.fields["CallSid"], answered.fields["ParentCallSid"]
        (child,) = await asyncio.to_thread(client.calls.list, parent_call_sid=parent)
        assert (child.sid, child.parent_call_sid, child.direction) == (sid, parent, "outbound-dial")
        await asyncio.to_thread(child.update, url=f"{app.url}/callee", method="POST")
        assert (await app.request("/callee")).fields["CallSid"] == sid
        dialled = await app.request("/dialled")
        assert (dialled.fields["CallSid"], dialled.fields["DialCallSid"]) == (parent, sid)
        for each in (sid, parent):
            assert (await asyncio.to_thread(client.calls(each).fetch)).status == "in-progress"
            await asyncio.to_thread(client.calls(each).update, status="completed")
        assert await callee.ended() == await call.ended() == "remote"
        await server.settled()


async def test_a_call_is_recorded_from_its_answer(
    app: WebApp, server: RunningServer, phone: Softphone, client: Client
) -> None:
    app.reply("/answered", "<Response><Pause length='60'/></Response>")
    await phone.register()
    made = await asyncio.to_thread(
        client.calls.create,
        to=f"client:{DEVICE}",
        from_=NUMBER,
        url=f"{app.url}/answered",
        status_callback=f"{app.url}/status",
        record=True,
        recording_channels="dual",
        recording_track="both",
        trim="do-not-trim",
        recording_status_callback=f"{app.url}/recorded",
        recording_status_callback_event=["in-progress", "completed"],
    )
    call = await phone.incoming()
    call.answer()
    begun = await _told(app, "/recorded", RecordingStatus="in-progress")
    assert _valid(begun)
    await call.hears(1.0)
    await asyncio.to_thread(made.update, status="completed")
    complete = await _told(app, "/recorded", RecordingStatus="completed")
    await server.settled()
    (recording,) = await asyncio.to_thread(made.recordings.list)
    assert (recording.sid, recording.source, recording.channels) == (
        complete.fields["RecordingSid"],
        "OutboundAPI",
        2,
    )
    assert (recording.status, recording.track) == ("completed", "both")
    told = await _told(app, "/status", CallStatus="completed")
    assert told.fields["RecordingUrl"] == complete.fields["RecordingUrl"]
    assert told.fields["RecordingSid"] == recording.sid


async def test_a_live_call_is_recorded(
    app: WebApp, server: RunningServer, phone: Softphone, client: Client
) -> None:
    """Begun, paused, continued, ended, listed, fetched, heard and deleted."""
    app.reply("/voice", "<Response><Pause length='0'/><Say>Hello</Say><Pause length='60'/></Response>")
    call = await phone.call(NUMBER)
    await call.hears(0.5)
    sid = (await app.request("/voice")).fields["CallSid"]
    recordings = client.calls(sid).recordings
    made = await asyncio.to_thread(recordings.create, recording_channels="mono")
    assert (made.call_sid, made.status, made.source, made.duration) == (
        sid,
        "in-progress",
        "StartCallRecordingAPI",
        None,
    )
    current = recordings("Twilio.CURRENT")
    assert (
        await asyncio.to_thread(current.update, status="paused", pause_behavior="skip")
    ).status == "paused"
    assert (await asyncio.to_thread(recordings(made.sid).update, status="in-progress")).sid == made.sid
    await call.hears(call.heard().size / 8000 + 1.1)
    ended = await asyncio.to_thread(current.update, status="stopped")
    assert ended.status in ("processing", "completed")
    with pytest.raises(TwilioRestException) as error:
        await asyncio.to_thread(recordings(made.sid).update, status="paused")
    assert (error.value.status, error.value.code) == (400, 21220)
    call.hang_up()
    await server.settled()
    (listed,) = await asyncio.to_thread(client.recordings.list, call_sid=sid)
    assert (listed.sid, listed.status, listed.channels) == (made.sid, "completed", 1)
    assert listed.date_created <= listed.date_updated
    assert float(listed.duration) > 0
    today = datetime.now(UTC)
    later = {"date_created_after": today + timedelta(days=1)}
    assert await asyncio.to_thread(lambda: client.recordings.list(**later)) == []
    audio = await asyncio.to_thread(lambda: urlopen(listed.media_url).read())
    assert audio[:4] == b"RIFF"
    fetched = await asyncio.to_thread(client.recordings(made.sid).fetch)
    assert fetched.uri.endswith(f"/Recordings/{made.sid}.json")
    assert await asyncio.to_thread(client.recordings(made.sid).delete)
    with pytest.raises(TwilioRestException) as error:
        await asyncio.to_thread(client.recordings(made.sid).fetch)
    assert (error.value.status, error.value.code) == (404, 20404)
    with pytest.raises(TwilioRestException) as error:
        await asyncio.to_thread(recordings.create)
    assert (error.value.status, error.value.code) == (400, 21220)


async def _told(app: WebApp, path: str, **fields: str) -> Asked:
    """Wait for a request with these fields."""
    async with asyncio.timeout(PATIENCE):
        while True:
            asked = await app.request(path)
            if all(asked.fields.get(name) == value for name, value in fields.items()):
                return asked
