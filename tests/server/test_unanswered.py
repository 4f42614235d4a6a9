"""Calls that are never answered: refused by us, rejected by the application, given up by the caller."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.patience import PATIENCE
from tests.server.site import NUMBERS, SPEAKS, Site

from ringback.calls.timeline import REFUSED, lines_of
from ringback.sip import events as sip
from ringback.sip.endpoint import SipEndpoint
from ringback.sip.uri import NameAddr, Uri
from ringback.testing.softphone import CallFailed

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAML = SPEAKS["laml"]


async def refused(site: Site, number: str, *, user: str = "+14155559999", password: str = "") -> int:
    """The status that refuses a call."""
    async with site.server.phone(user, password) as phone:
        call = await phone.call(number)
        with pytest.raises(CallFailed) as failed:
            await call.answered()
    return failed.value.status


@pytest.mark.parametrize(
    ("number", "user", "password", "status"),
    [
        pytest.param("+19005550000", "+14155559999", "", 404, id="nobody answers that number"),
        pytest.param("nobody", "alice", "wonderland", 404, id="nor that name, for a device"),
        pytest.param(NUMBERS["laml"], "alice", "looking-glass", 407, id="wrong password"),
        pytest.param(NUMBERS["laml"], "alice", "", 407, id="no password"),
    ],
)
async def test_who_is_refused(site: Site, number: str, user: str, password: str, status: int) -> None:
    assert await refused(site, number, user=user, password=password) == status
    assert site.app.asked == []


async def test_the_reason_of_a_refusal_is_where_people_look(site: Site) -> None:
    await refused(site, "+19005550001")
    lines = await lines_of(site.server.store, REFUSED)
    assert "+19005550001" in lines[-1].text


@pytest.mark.parametrize(
    ("dialect", "verb", "status"),
    [
        ("laml", "<Reject/>", 603),
        ("laml", '<Reject reason="busy"/>', 486),
        ("twilio", "<Reject/>", 603),
        ("callapi", '<Reject reason="busy"/>', 486),
        ("jambonz", {"verb": "sip:decline", "status": 480, "reason": "Gone Fishing"}, 480),
        ("jambonz", {"verb": "sip:decline", "status": 404}, 404),
    ],
)
async def test_how_applications_reject(site: Site, dialect: str, verb: Any, status: int) -> None:
    site.reply(dialect, "voice", verb)
    assert await refused(site, NUMBERS[dialect]) == status


async def test_a_caller_gives_up_while_the_webhook_thinks(site: Site) -> None:
    asked = asyncio.Event()

    async def think(_: object) -> str:
        asked.set()
        await asyncio.sleep(30)
        return "<Response/>"

    site.app.reply("/laml/voice", think)
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await asked.wait()
        call.hang_up()
        assert await site.statuses("laml") == ["no-answer"]


async def test_a_webhook_that_never_answers_is_not_waited_for_for_ever(site: Site) -> None:
    async def think(_: object) -> str:
        await asyncio.sleep(30)
        return "<Response/>"

    site.app.reply("/laml/slow", think)
    site.reply("laml", "voice", LAML.redirect(f"{site.app.url}/laml/slow#rt=300"))
    assert 400 <= await refused(site, NUMBERS["laml"]) < 700
    assert (await site.statuses("laml"))[-1] in ("failed", "no-answer", "busy")


AUDIO = "m=audio 4000 RTP/AVP 0"
OFFERS = {
    "no codec of ours": ("IP4 127.0.0.1", "m=audio 4000 RTP/AVP 18\r\na=rtpmap:18 G729/8000"),
    "no audio": ("IP4 127.0.0.1", "m=video 4000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000"),
    "encrypted only": ("IP4 127.0.0.1", "m=audio 4000 UDP/TLS/RTP/SAVPF 0"),
    "no description at all": ("", "nonsense"),
    "a media address that is a name": ("IP4 media.example.com", AUDIO),
    "a media address of the other family": ("IP6 2001:db8::1", AUDIO),
}


@pytest.mark.parametrize(("address", "media"), OFFERS.values(), ids=OFFERS)
async def test_an_offer_that_holds_nothing_for_us_is_488(site: Site, address: str, media: str) -> None:
    site.reply("laml", "voice", LAML.say("hello"))
    lines = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", f"c=IN {address}", "t=0 0", media, "")
    assert await _status_of(site, "\r\n".join(lines).encode()) == 488


async def _status_of(site: Site, offer: bytes) -> int:
    """The final status that an INVITE with this body gets."""
    final: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def heard(event: sip.SessionEvent) -> None:
        if isinstance(event, sip.Answered | sip.Failed) and not final.done():
            final.set_result(event.status)

    endpoint = SipEndpoint()
    await endpoint.start(["udp:127.0.0.1:0"])
    try:
        target = Uri.parse(f"sip:{NUMBERS['laml']}@{site.server.sip_address}")
        caller = NameAddr(Uri(user="+14155559999", host="127.0.0.1"))
        call = endpoint.invite(target, from_=caller, to=NameAddr(target), offer=offer, on_event=heard)
        status = await asyncio.wait_for(final, PATIENCE)
        call.bye()
    finally:
        await endpoint.stop(grace=1.0)
    return status
