"""What a caller hears: files once and again, early, after a pause; and when a file is not there."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from aiohttp import web
from tests.server.site import NUMBERS, SPEAKS, Site, loud_seconds

from ringback.testing.phone_audio import RATE, Samples
from ringback.testing.softphone import CallFailed, PhoneCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAML, JAMBONZ = SPEAKS["laml"], SPEAKS["jambonz"]


async def listen(site: Site, dialect: str = "laml") -> PhoneCall:
    """Call and stay to the end."""
    async with site.caller() as phone:
        call = await phone.call(NUMBERS[dialect])
        await call.ended()
    return call


@pytest.mark.parametrize("loop", [1, 3])
async def test_a_file_plays_as_often_as_told(site: Site, loop: int) -> None:
    tone = site.tone("/tone.wav", 0.3)
    site.reply("laml", "voice", LAML.play(tone, loop=loop), LAML.hang_up())
    call = await listen(site)
    assert abs(loud_seconds(call.heard()) - 0.3 * loop) < 0.1


async def test_an_endless_loop_ends_with_the_call(site: Site) -> None:
    tone = site.tone("/tone.wav", 0.2)
    site.reply("laml", "voice", LAML.play(tone, loop=0), LAML.hang_up())
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        await call.hears(1.0)
        call.hang_up()
        assert await site.statuses("laml") == ["completed"]
    assert loud_seconds(call.heard()) > 0.8


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(web.Response(status=404), id="404"),
        pytest.param(web.Response(body=b"this is no sound", content_type="audio/wav"), id="no sound"),
    ],
)
async def test_audio_that_is_not_there_is_noted_and_the_call_goes_on(
    site: Site, answer: web.Response
) -> None:
    tone = site.tone("/there.wav", 0.3)
    site.app.reply("/missing.wav", lambda _: web.Response(status=answer.status, body=answer.body))
    site.reply("laml", "voice", LAML.play(f"{site.app.url}/missing.wav"), LAML.play(tone), LAML.hang_up())
    call = await listen(site)
    assert 0.2 < loud_seconds(call.heard()) < 0.4
    assert await site.statuses("laml") == ["completed"]


async def test_a_pause_first_delays_the_answer(site: Site) -> None:
    site.reply("laml", "voice", LAML.pause(1), LAML.hang_up())
    async with site.caller() as phone:
        began = time.monotonic()
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        assert time.monotonic() - began > 0.95
        assert call.events[0] == "180 Ringing"


async def test_early_media_is_heard_before_the_answer(site: Site) -> None:
    tone = site.tone("/early.wav", 0.5)
    site.reply("jambonz", "voice", {**JAMBONZ.play(tone), "earlyMedia": True}, JAMBONZ.reject_busy())
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["jambonz"])
        with pytest.raises(CallFailed) as refused:
            await call.answered()
    assert refused.value.status == 486
    assert "183 Session Progress" in call.events
    assert 0.3 < loud_seconds(call.heard()) < 0.6
    assert "early-media" in await site.statuses("jambonz")


def note(samples: Samples) -> float:
    """The frequency of most of what was heard, to 100 Hz."""
    spectrum = np.abs(np.fft.rfft(samples))
    return round(float(np.argmax(spectrum)) * RATE / len(samples) / 100) * 100.0


async def test_many_calls_hear_their_own_prompts(site: Site) -> None:
    """Different lengths and notes at the same time: nobody hears somebody else's."""
    own = {300.0: 0.3, 400.0: 0.6, 500.0: 0.9, 600.0: 1.2}
    for hertz, seconds in own.items():
        tone = site.tone(f"/tone-{hertz:.0f}.wav", seconds, hertz)
        site.app.reply(f"/own/{hertz:.0f}", LAML.document(LAML.play(tone), LAML.hang_up()))
    queue = [LAML.document(LAML.redirect(f"{site.app.url}/own/{hertz:.0f}")) for hertz in own]
    site.app.reply("/laml/voice", *queue)
    calls = await asyncio.gather(*(listen(site) for _ in own))
    heard = {note(call.heard()): loud_seconds(call.heard()) for call in calls}
    assert heard == {hertz: pytest.approx(seconds, abs=0.15) for hertz, seconds in own.items()}
