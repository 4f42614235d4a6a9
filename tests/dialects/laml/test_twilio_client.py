"""Twilio's own client library against this server: nothing changed but the host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from tests.dialects.laml.making import AC_SID, APP, NOON, NUMBER, UUID_SID, record
from tests.dialects.memory import MemoryCalls
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

pytestmark = pytest.mark.interop
Result = TypeVar("Result")


class OtherHost(TwilioHttpClient):  # type: ignore[misc]
    """Sends to this server what is meant for Twilio's."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self.base_url), *args, **kwargs)


@pytest.fixture(params=[AC_SID, UUID_SID], ids=["twilio", "signalwire"])
def client(base_url: str, request: pytest.FixtureRequest) -> Client:
    return Client(request.param, "secret", http_client=OtherHost(base_url))


async def run(work: Callable[[], Result]) -> Result:
    """The library blocks: in a thread, so that the server can answer."""
    return await asyncio.to_thread(work)


async def test_the_life_of_a_call(client: Client, calls: MemoryCalls) -> None:
    call = await run(
        lambda: client.calls.create(
            to="+14155550123",
            from_="+14155550100",
            url="http://app.test/voice",
            status_callback="http://app.test/status",
            status_callback_event=["initiated", "answered"],
            timeout=20,
        )
    )
    assert (call.status, call.to) == ("queued", "+14155550123")
    assert calls.requests[0].ring_timeout == 20.0
    assert list(calls.requests[0].application.state()["events"]) == ["initiated", "answered"]
    assert (await run(lambda: client.calls(call.sid).fetch())).sid == call.sid
    ended = await run(lambda: client.calls(call.sid).update(status="completed"))
    assert ended.status == "canceled"  # it was not answered
    assert await run(lambda: client.calls(call.sid).delete())
    with pytest.raises(TwilioRestException) as caught:
        await run(lambda: client.calls(call.sid).fetch())
    assert (caught.value.status, caught.value.code) == (404, 20404)


async def test_lists_and_streams(client: Client, calls: MemoryCalls) -> None:
    made = [record(id=uuid4(), created_at=NOON + timedelta(seconds=n)) for n in range(7)]
    calls.add(*made)
    streamed = await run(lambda: list(client.calls.stream(page_size=3)))
    assert len({call.sid for call in streamed}) == 7
    assert streamed[0].date_created == made[-1].created_at
    assert len(await run(lambda: client.calls.list(limit=4, status="ringing"))) == 4
    page = await run(lambda: client.calls.page(page_size=5))
    following = await run(lambda: page.next_page())
    assert len(list(following)) == 2
    await run(lambda: client.calls.list(start_time_after=date(2026, 3, 1), to="+14155550100"))
    assert calls.filters[-1].started_from == NOON.replace(hour=0)


async def test_errors_are_the_librarys_own(client: Client) -> None:
    with pytest.raises(TwilioRestException) as caught:
        await run(lambda: client.calls("CA" + "0" * 32).update(twiml="<Response/>"))
    assert caught.value.status == 404


async def test_the_rest_of_the_account(client: Client) -> None:
    account = await run(lambda: client.api.accounts(client.username).fetch())
    assert (account.friendly_name, account.status) == ("demo", "active")
    applications = await run(lambda: client.applications.list())
    assert [each.voice_url for each in applications] == [APP.voice_url]
    numbers = await run(lambda: client.incoming_phone_numbers.list(phone_number=NUMBER.number))
    assert [each.phone_number for each in numbers] == [NUMBER.number]
    assert numbers[0].capabilities["voice"]
    assert await run(lambda: client.recordings.list()) == []
