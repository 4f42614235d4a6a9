"""Credentials in an application's URLs, and those of SIP targets, reach only whom they are for: not the log,
the trace, the page."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.patience import rest_client

from ringback.calls.timeline import Line, lines_of
from ringback.store.records import CallFilter
from ringback.testing.kit import NUMBER, RunningServer, WebApp
from ringback.testing.softphone import Softphone


async def test_credentials_in_urls_stay_between_us_and_the_application(data: Path) -> None:
    async with WebApp() as app:
        own = app.url.replace("http://", "http://bob:s3cret@")
        settings = app.settings("laml", data, voice_url=f"{own}/voice", status_callback=f"{own}/status")
        app.reply(
            "/voice",
            f'<Response><Gather action="{own}/keys" actionOnEmptyResult="true" timeout="0">'
            f"<Play>{own}/none.wav</Play></Gather></Response>",
        )
        app.reply("/keys", f"<Response><Redirect>{own}/bye</Redirect></Response>")
        app.reply("/bye", "<Response><Hangup/></Response>")
        heard: list[Line] = []
        async with RunningServer(settings) as server, rest_client() as browser:
            with server.time_line.listening(heard.append):
                async with server.phone("+14155559999", "") as phone:
                    call = await phone.call(NUMBER)
                    await call.ended()
                await server.settled()
            [row] = await server.store.calls(CallFilter(), limit=2)
            lines = await lines_of(server.store, row.id)
            async with browser.get(server.http_url) as page:
                shown = await page.text()
    assert {asked.path for asked in app.asked} >= {"/voice", "/keys", "/bye", "/status", "/none.wav"}
    assert {asked.basic for asked in app.asked} == {("bob", "s3cret")}
    assert "/keys" in msgspec.json.encode(lines).decode()
    for seen in (shown, msgspec.json.encode(lines).decode(), msgspec.json.encode(heard).decode()):
        assert "s3cret" not in seen
        assert "bob" not in seen


def files_with(data: Path, text: bytes) -> list[str]:
    """The files of a data directory that hold this."""
    files = [path for path in data.rglob("*") if path.is_file()]
    return [path.name for path in files if text in path.read_bytes()]


@pytest.mark.parametrize(
    ("dialect", "document"),
    [
        ("laml", "<Response><Dial><Sip username='bob' password='s3cret'>{}</Sip></Dial></Response>"),
        ("callapi", "<Response><Dial><Sip username='bob' password='s3cret'>{}</Sip></Dial></Response>"),
        (
            "jambonz",
            '[{{"verb": "dial", "target": [{{"type": "sip", "sipUri": "{}",'
            ' "auth": {{"username": "bob", "password": "s3cret"}}}}]}}]',
        ),
    ],
)
async def test_passwords_of_sip_targets_are_kept_nowhere(data: Path, dialect: str, document: str) -> None:
    """Neither what stands beside the URI nor what stands in it."""
    async with WebApp() as app, Softphone("bob", server="127.0.0.1:9") as bob:
        uri = f"sip:bob:s3cret@{bob.listening.partition(':')[2]}"
        text = document.format(uri)
        app.reply("/voice", msgspec.json.decode(text) if dialect == "jambonz" else text)
        async with RunningServer(app.settings(dialect, data)) as server:
            async with server.phone("+14155559999", "") as phone:
                call = await phone.call(NUMBER)
                invited = await bob.incoming()
                assert "s3cret" not in str(invited.session.request.uri)
                invited.reject(486)
                await call.ended()
            await server.settled()
            told = [asked.body for asked in app.asked]
    assert not any(b"s3cret" in body for body in told)
    assert await asyncio.to_thread(files_with, data, NUMBER.encode())
    assert not await asyncio.to_thread(files_with, data, b"s3cret")
