"""Credentials in an application's URLs reach the application only: not the log, the trace, the page."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import msgspec

from ringback.calls.timeline import Line, lines_of
from ringback.store.records import CallFilter
from ringback.testing.kit import NUMBER, RunningServer, WebApp


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
        async with RunningServer(settings) as server, aiohttp.ClientSession() as browser:
            with server.time_line.listening(heard.append):
                async with server.phone("+14155559999", "") as phone:
                    call = await phone.call(NUMBER)
                    await call.ended(10)
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
