"""Speech of another provider, as the settings name it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from tests.server.site import loud_seconds, wav

from ringback.config.tables import SpeechSection
from ringback.testing.kit import NUMBER, RunningServer, WebApp


@pytest.mark.parametrize(
    ("model", "voice", "asked_for"),
    [("", "", ("tts-1", "nova")), ("kokoro", "af_sky", ("kokoro", "af_sky"))],
)
async def test_the_openai_provider_gets_a_model_and_a_voice(
    data: Path, model: str, voice: str, asked_for: tuple[str, str]
) -> None:
    async with WebApp() as app:
        app.reply("/v1/audio/speech", lambda _: web.Response(body=wav(0.5), content_type="audio/wav"))
        app.reply("/voice", "<Response><Say>Hello</Say></Response>")
        speech = SpeechSection(
            provider="openai", base_url=f"{app.url}/v1", api_key="k", model=model, voice=voice
        )
        settings = msgspec.structs.replace(app.settings("laml", data), speech=speech)
        async with RunningServer(settings) as server, server.phone("+14155559999", "") as phone:
            call = await phone.call(NUMBER)
            await call.ended()
            assert loud_seconds(call.heard()) > 0.2
            await server.settled()
        asked = await app.request("/v1/audio/speech")
    body = json.loads(asked.body)
    assert (body["model"], body["voice"]) == asked_for
    assert body["input"] == "Hello"
    assert asked.headers["authorization"] == "Bearer k"
