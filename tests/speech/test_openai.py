from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import soundfile
from aiohttp import web
from aiohttp.test_utils import TestServer

from ringback.net.guard import AddressPolicy
from ringback.net.http import HttpLimits, HttpPool
from ringback.speech.openai import OpenAiSpeech
from ringback.speech.protocol import SpeechError, SpeechRequest


def wav(rate: int = 24000) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.full((rate // 2, 2), 0.25), rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


class Service:
    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, Any], str | None]] = []
        self.reply: dict[str, Any] = {"body": wav(), "content_type": "audio/wav"}

    async def speech(self, request: web.Request) -> web.Response:
        self.asked.append((await request.json(), request.headers.get("Authorization")))
        if self.asked[-1][0]["input"] == "slow":
            await asyncio.sleep(30)
        return web.Response(**self.reply)


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def base(service: Service) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/audio/speech", service.speech)
    async with TestServer(app) as server:
        yield str(server.make_url("/v1"))


@pytest.fixture
async def http() -> AsyncIterator[HttpPool]:
    pool = HttpPool(AddressPolicy(allow_private=True))
    yield pool
    await pool.close()


async def test_it_asks_and_decodes(http: HttpPool, base: str, service: Service) -> None:
    speech = OpenAiSpeech(
        http, base_url=base + "/", api_key="k", model="m", voice_names={"Polly.Amy": "fable"}
    )
    pcm = await speech.synthesize(
        SpeechRequest("<speak>Hi <break/>you</speak>", ssml=True, voice="polly.amy")
    )
    assert (pcm.rate, pcm.seconds) == (24000, 0.5)
    assert service.asked == [
        (
            {"model": "m", "voice": "fable", "input": "Hi you", "response_format": "wav", "speed": 1.0},
            "Bearer k",
        )
    ]
    await speech.close()


async def test_voices(http: HttpPool, base: str, service: Service) -> None:
    speech = OpenAiSpeech(http, base_url=base)
    for voice, expected in (
        ("man", "onyx"),
        ("woman", "nova"),
        ("Shimmer", "shimmer"),
        ("Polly.Matthew", "onyx"),
    ):
        await speech.synthesize(SpeechRequest("hi", voice=voice))
        assert service.asked[-1][0]["voice"] == expected
    named = OpenAiSpeech(http, base_url=base, voice="af_bella", voice_names={"man": "am_adam"})
    assert "af_bella" in named.identity(SpeechRequest("hi", voice="Polly.Joanna"))
    assert "am_adam" in named.identity(SpeechRequest("hi", voice="man"))
    assert any(voice.name == "alloy" for voice in speech.voices())


async def test_raw_pcm(http: HttpPool, base: str, service: Service) -> None:
    service.reply = {"body": b"\1\0" * 2400 + b"x", "content_type": "audio/pcm"}
    pcm = await OpenAiSpeech(http, base_url=base).synthesize(SpeechRequest("hi"))
    assert (pcm.rate, len(pcm.samples)) == (24000, 4800)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"status": 401, "text": "bad key"}, "401: bad key"),
        ({"body": b""}, "no audio"),
        ({"text": "<html>"}, "cannot be read"),
    ],
)
async def test_failures(
    http: HttpPool, base: str, service: Service, reply: dict[str, Any], words: str
) -> None:
    service.reply = reply
    with pytest.raises(SpeechError, match=words) as failed:
        await OpenAiSpeech(http, base_url=base).synthesize(SpeechRequest("hi"))
    assert failed.value.kind == "provider"


async def test_silence_and_absence(http: HttpPool, base: str) -> None:
    speech = OpenAiSpeech(http, base_url=base, limits=HttpLimits(read_timeout=0.05))
    with pytest.raises(SpeechError) as slow:
        await speech.synthesize(SpeechRequest("slow"))
    with pytest.raises(SpeechError) as empty:
        await speech.synthesize(SpeechRequest("<speak/>", ssml=True))
    with pytest.raises(SpeechError) as gone:
        await OpenAiSpeech(http, base_url="http://127.0.0.1:1/v1").synthesize(SpeechRequest("hi"))
    assert [e.value.kind for e in (slow, empty, gone)] == ["timeout", "empty", "unavailable"]
