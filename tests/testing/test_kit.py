"""The test kit itself: what it records, what it answers, and that waiting in it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ringback.testing.kit import NUMBER, RunningServer, WebApp
from ringback.testing.phone_audio import dtmf_tone, loudness
from ringback.testing.softphone import CallFailed, Softphone


@pytest.fixture
async def app() -> AsyncIterator[WebApp]:
    async with WebApp() as app:
        yield app


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({"data": {"a": "1", "b": ""}}, {"a": "1", "b": ""}),
        ({"json": {"a": [1]}}, {"a": [1]}),
        ({"json": [1]}, {"": [1]}),
        ({}, {"q": "2"}),
    ],
)
async def test_what_was_asked(
    app: WebApp, client: aiohttp.ClientSession, sent: dict[str, Any], fields: dict[str, Any]
) -> None:
    async with client.post(f"{app.url}/voice?q=2", **sent) as reply:
        assert reply.status == 404, "nothing was said about this path"
    asked = await app.request("/voice")
    assert (asked.method, asked.path, asked.query, asked.fields) == ("POST", "/voice", {"q": "2"}, fields)
    assert asked.url == f"{app.url}/voice?q=2"


@pytest.mark.parametrize(
    ("answer", "content_type", "body"),
    [
        ("<Response/>", "application/xml", b"<Response/>"),
        ([{"verb": "hangup"}], "application/json", b'[{"verb": "hangup"}]'),
        (b"\0\1", "application/octet-stream", b"\0\1"),
        (lambda asked: f"<{asked.method}/>", "application/xml", b"<GET/>"),
    ],
)
async def test_what_is_answered(
    app: WebApp, client: aiohttp.ClientSession, answer: Any, content_type: str, body: bytes
) -> None:
    app.reply("/voice", answer)
    async with client.get(f"{app.url}/voice") as reply:
        assert reply.content_type == content_type
        assert await reply.read() == body


async def test_answers_come_in_turn_and_the_last_one_stays(
    app: WebApp, client: aiohttp.ClientSession
) -> None:
    app.reply("/voice", "<a/>", lambda _: web.Response(status=500), "<c/>")
    seen = []
    for _ in range(4):
        async with client.get(f"{app.url}/voice") as reply:
            seen.append(reply.status if reply.status != 200 else await reply.text())
    assert seen == ["<a/>", 500, "<c/>", "<c/>"]
    app.forget()
    assert app.asked == []
    async with client.get(f"{app.url}/voice") as reply:
        assert reply.status == 404


async def test_waiting_for_a_request_ends(app: WebApp) -> None:
    with pytest.raises(TimeoutError):
        await app.request("/voice", timeout=0.01)


async def test_a_whole_call(app: WebApp, data: Path) -> None:
    """As in the kit's own description."""
    app.reply("/voice", "<Response><Say>Hello</Say></Response>")
    async with RunningServer(app.settings("laml", data)) as server:
        async with server.phone() as phone:
            call = await phone.call(NUMBER)
            await call.answered()
            await call.ended()
        asked = await app.request("/voice")
        assert asked.fields["CallStatus"] == "ringing"
        await server.settled()
        assert (await app.request("/status")).fields["CallStatus"] == "completed"


async def test_settled_says_when_it_is_not(app: WebApp, data: Path) -> None:
    app.reply("/voice", '<Response><Pause length="60"/></Response>')
    async with RunningServer(app.settings("laml", data)) as server, server.phone() as phone:
        await phone.call(NUMBER)
        await app.request("/voice")
        with pytest.raises(TimeoutError):
            await server.settled(0.05)


async def test_phones_call_each_other_without_a_server() -> None:
    """Keys by events and as tones, sound both ways, and silence after the end."""
    async with Softphone("a", server="127.0.0.1:9") as one, Softphone("b", server="127.0.0.1:9") as other:
        place = f"sip:b@{other.listening.partition(':')[2]}"
        calling, called = await asyncio.gather(one.call(place), other.incoming())
        called.ring()
        called.answer()
        await calling.answered()
        calling.audio.say(dtmf_tone("5", 300))
        await called.hears(0.4)
        assert loudness(called.heard()) > 1000
        await calling.press("1")
        await called.hears(0.6)
        assert called.audio.events_heard == ["1"]
        called.hang_up()
        assert await calling.ended() == "remote"
        await calling.press("2")
        assert called.audio.events_heard == ["1"], "nothing is pressed on a call that is over"


@pytest.mark.parametrize("status", [486, 603])
async def test_a_phone_that_refuses(status: int) -> None:
    async with Softphone("a", server="127.0.0.1:9") as one, Softphone("b", server="127.0.0.1:9") as other:
        place = f"sip:b@{other.listening.partition(':')[2]}"
        calling, called = await asyncio.gather(one.call(place), other.incoming())
        called.reject(status)
        with pytest.raises(CallFailed) as refused:
            await calling.answered()
        assert refused.value.status == status


async def test_a_phone_that_gives_up() -> None:
    async with Softphone("a", server="127.0.0.1:9") as one, Softphone("b", server="127.0.0.1:9") as other:
        place = f"sip:b@{other.listening.partition(':')[2]}"
        calling, called = await asyncio.gather(one.call(place), other.incoming())
        called.ring()
        calling.hang_up()
        assert await called.ended() == "remote"
