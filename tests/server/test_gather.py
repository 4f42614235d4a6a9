"""Gather on real calls: keys against prompts, timers, and what the application is told."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from tests.server.site import NUMBERS, SPEAKS, Site, hears_sound, loud_seconds

from ringback.testing.softphone import PhoneCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAML = SPEAKS["laml"]
AFTER = '<Pause length="1"/><Hangup/>'


async def pressed(
    site: Site, keys: str, *, after: float = 0.4, loud: bool = False, info: bool = False
) -> PhoneCall:
    """Call, listen for a while (`loud`: to so much sound), press keys, and stay until the call is over."""
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        await (hears_sound(call, after) if loud else call.hears(after))
        for key in keys:
            if info:
                call.session.info("application/dtmf-relay", f"Signal={key}\r\nDuration=100\r\n".encode())
            else:
                await call.press(key)
        await call.ended()
    return call


def quiet_end(call: PhoneCall, seconds: float) -> bool:
    """Whether the last so many seconds were silent."""
    return loud_seconds(call.heard()[-int(seconds * 8000) :]) == 0.0


@pytest.mark.parametrize("info", [False, True], ids=["in the audio", "by INFO"])
async def test_a_key_stops_the_prompt_at_once(site: Site, info: bool) -> None:
    long = site.tone("/long.wav", 20.0)
    site.reply("laml", "voice", LAML.gather("/laml/digits", LAML.play(long), keys=2, timeout=1), AFTER)
    site.app.reply("/laml/digits", "<Response><Hangup/></Response>")
    call = await pressed(site, "7", after=0.3, loud=True, info=info)
    assert (await site.app.request("/laml/digits")).fields["Digits"] == "7"
    assert 0.2 < loud_seconds(call.heard()) < 2.0
    assert quiet_end(call, 0.7), "the second key was waited for in silence"


async def test_a_key_while_the_prompt_is_fetched_leaves_it_unplayed(site: Site) -> None:
    fetched = asyncio.Event()
    prompt = site.tone("/slow.wav", 20.0)
    served = site.app._answers["/slow.wav"][0]

    async def slowly(asked: Any) -> Any:
        fetched.set()
        await asyncio.sleep(0.5)
        return served(asked)  # type: ignore[operator]

    site.app.reply("/slow.wav", slowly)
    site.reply("laml", "voice", LAML.gather("/laml/digits", LAML.play(prompt), keys=2, timeout=1))
    site.app.reply("/laml/digits", "<Response><Hangup/></Response>")
    call = await pressed(site, "7", after=0.1)
    assert fetched.is_set()
    assert (await site.app.request("/laml/digits")).fields["Digits"] == "7"
    assert loud_seconds(call.heard()) == 0.0


@pytest.mark.parametrize(
    ("attributes", "keys", "told"),
    [
        pytest.param('numDigits="4"', "12#", {"Digits": "12", "FinishedOnKey": "#"}, id="finish key"),
        pytest.param('numDigits="4" finishOnKey="*"', "1*", {"Digits": "1"}, id="another finish key"),
        pytest.param('finishOnKey="" timeout="1"', "1#", {"Digits": "1#"}, id="no finish key"),
        pytest.param('timeout="1"', "12", {"Digits": "12"}, id="nothing more comes"),
        pytest.param('numDigits="1" method="GET"', "9", {"Digits": "9"}, id="by GET"),
        pytest.param(
            'timeout="1" actionOnEmptyResult="true"', "", {"Digits": ""}, id="nothing, and it is told"
        ),
    ],
)
async def test_what_is_told(site: Site, attributes: str, keys: str, told: dict[str, str]) -> None:
    site.app.reply("/laml/voice", f'<Response><Gather action="/laml/digits" {attributes}/></Response>')
    site.app.reply("/laml/digits", "<Response><Hangup/></Response>")
    await pressed(site, keys, after=0.1)
    asked = await site.app.request("/laml/digits")
    assert asked.method == ("GET" if "GET" in attributes else "POST")
    expected = {name: value for name, value in told.items() if name == "Digits"}
    assert {name: asked.fields.get(name, "") for name in expected} == expected


async def test_nothing_entered_falls_through_to_the_next_verb(site: Site) -> None:
    tone = site.tone("/sorry.wav", 0.4)
    site.reply("laml", "voice", LAML.gather("/laml/digits", keys=1, timeout=1), LAML.play(tone), "<Hangup/>")
    call = await pressed(site, "")
    assert 0.3 < loud_seconds(call.heard()) < 0.5
    assert not [asked for asked in site.app.asked if asked.path == "/laml/digits"]


async def test_jambonz_is_told_that_nothing_was_entered(site: Site) -> None:
    jambonz = SPEAKS["jambonz"]
    site.reply("jambonz", "voice", jambonz.gather("/jambonz/digits", keys=1, timeout=1))
    site.reply("jambonz", "digits", jambonz.hang_up())
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["jambonz"])
        await call.ended()
    asked = await site.app.request("/jambonz/digits")
    assert asked.fields["reason"] == "timeout"
    assert "digits" not in asked.fields


async def test_keys_are_heard_from_the_tones_where_nothing_better_was_agreed(site: Site) -> None:
    """No telephone-event in the answer: the phone plays the two frequencies of the key."""
    site.reply("laml", "voice", LAML.gather("/laml/digits", keys=2))
    site.app.reply("/laml/digits", "<Response><Hangup/></Response>")
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"], telephone_events=False)
        await call.answered()
        await call.hears(0.1)
        await call.press("42")
        await call.ended()
    assert (await site.app.request("/laml/digits")).fields["Digits"] == "42"


async def test_a_spoken_prompt_is_heard(site: Site) -> None:
    site.reply("laml", "voice", LAML.gather("/laml/digits", LAML.say("Press a key"), keys=1))
    site.app.reply("/laml/digits", "<Response><Hangup/></Response>")
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        await call.silence(0.3)
        await call.press("1")
        await call.ended()
    assert np.abs(call.heard()).max() > 2000
    assert (await site.app.request("/laml/digits")).fields["Digits"] == "1"
