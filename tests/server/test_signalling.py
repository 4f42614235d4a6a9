"""What SIP does while a call is up: hold, new offers, late offers, keys in INFO, requests we do not know."""

from __future__ import annotations

import asyncio

import pytest
from tests.server.site import NUMBERS, SPEAKS, Site, hears_sound, loud_seconds

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAML = SPEAKS["laml"]
WAIT = LAML.gather("/laml/digits", keys=1, timeout=30)


async def test_a_caller_without_an_offer_gets_ours(site: Site) -> None:
    tone = site.tone("/tone.wav", 0.4)
    site.reply("laml", "voice", LAML.pause(0), LAML.play(tone), WAIT)
    site.app.reply("/laml/digits", "<Response><Hangup/></Response>")
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"], delayed_offer=True)
        await call.answered()
        await call.silence(0.2)
        await call.press("5")
        await call.ended()
    assert (await site.app.request("/laml/digits")).fields["Digits"] == "5"
    assert loud_seconds(call.heard()) > 0.2


async def test_hold_and_back(site: Site) -> None:
    tone = site.tone("/tone.wav", 0.2)
    site.reply("laml", "voice", LAML.play(tone, loop=0))
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        await call.hears(0.3)
        assert (await call.offer("sendonly")).status == 200
        held = call.audio.packets_heard
        await asyncio.sleep(0.3)
        assert call.audio.packets_heard - held <= 3, "nothing is sent to a phone that holds"
        assert (await call.offer("sendrecv")).status == 200
        await hears_sound(call, 0.2)
        call.hang_up()


async def test_a_new_offer_that_holds_nothing_for_us_changes_nothing(site: Site) -> None:
    tone = site.tone("/tone.wav", 0.2)
    site.reply("laml", "voice", LAML.play(tone, loop=0))
    offer = (
        b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 18\r\n"
    )
    unreachable = offer.replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 media.example.com").replace(b"18", b"0")
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        await call.hears(0.2)
        for description in (offer, unreachable):
            assert (await call.session.reinvite(description)).status == 488
        await hears_sound(call, 0.2)
        call.hang_up()


async def test_an_empty_new_offer_gets_ours(site: Site) -> None:
    site.reply("laml", "voice", WAIT)
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        assert (await call.session.reinvite(None)).status == 200
        call.hang_up()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n"),
        ("application/dtmf", b"5"),
    ],
)
async def test_keys_by_info(site: Site, content_type: str, body: bytes) -> None:
    site.reply("laml", "voice", WAIT)
    site.app.reply("/laml/digits", "<Response><Hangup/></Response>")
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        assert (await call.session.info(content_type, body)).status == 200
        await call.ended()
    assert (await site.app.request("/laml/digits")).fields["Digits"] == "5"


async def test_a_request_that_is_not_known_is_refused_and_the_call_goes_on(site: Site) -> None:
    site.reply("laml", "voice", WAIT)
    site.app.reply("/laml/digits", "<Response><Hangup/></Response>")
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        headers = [("Refer-To", "<sip:bob@example.com>")]
        assert (await call.session.send_request("REFER", headers)).status == 403
        assert (await call.session.info("text/plain", b"hello")).status == 200
        await call.press("1")
        await call.ended()
    assert (await site.app.request("/laml/digits")).fields["Digits"] == "1"


async def test_calls_over_tcp(site: Site) -> None:
    site.reply("laml", "voice", WAIT)
    site.app.reply("/laml/digits", "<Response><Hangup/></Response>")
    address = next(place for place in site.server.sip if place.startswith("tcp:")).partition(":")[2]
    from ringback.testing.softphone import Softphone

    async with Softphone("+14155559999", server=address, transport="tcp") as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        await call.press("9")
        await call.ended()
    assert (await site.app.request("/laml/digits")).fields["Digits"] == "9"
