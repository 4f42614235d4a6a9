"""A connected call over a trunk that SIPp plays, changed under way: hold, new media, refresh, glare, REFER,
keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.interop import scenes
from tests.interop.carrier import CALLED, Carrier, Exchange, sip, talk
from tests.interop.house import place
from tests.interop.listening import find
from tests.interop.sipp import needs_sipp
from tests.patience import PATIENCE
from tests.server.neutral import has_tone, live_call

from ringback.calls.status import EndedBy
from ringback.testing.kit import NUMBER
from ringback.testing.phone_audio import PhoneAudio, dtmf_tone
from ringback.testing.softphone import PhoneCall

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module"), needs_sipp]

HOLD_MUSIC = 392.0
"""Hz: the first note of our own tune."""


@asynccontextmanager
async def connected(
    exchange: Exchange, *steps: scenes.Step, attributes: str = "", telephone_events: bool = True
) -> AsyncIterator[tuple[PhoneCall, Carrier]]:
    """A telephone and the carrier, who talk; then the carrier does these steps."""
    exchange.dials(attributes=attributes)
    async with (
        exchange.carrier(scenes.invited(), scenes.answers, *steps) as carrier,
        exchange.caller() as phone,
    ):
        call = await phone.call(NUMBER, telephone_events=telephone_events)
        await carrier.speaks()
        await talk(call.audio, carrier.audio)
        yield call, carrier


async def hears_music(ear: PhoneAudio) -> None:
    async with asyncio.timeout(PATIENCE):
        while not has_tone(ear.heard, HOLD_MUSIC):
            await ear.arrival()


# -- hold


@pytest.mark.parametrize(
    ("hold", "answered"),
    [
        ({"direction": "sendonly"}, "recvonly"),
        ({"direction": "inactive"}, "inactive"),
        ({"host": "0.0.0.0"}, "recvonly"),
    ],
    ids=["sendonly", "inactive", "by its address"],
)
async def test_the_carrier_holds_and_takes_back(
    exchange: Exchange, hold: dict[str, str], answered: str
) -> None:
    async with connected(
        exchange,
        scenes.cue(),
        lambda port: scenes.offers(1, scenes.sdp(port, version=2, **hold)),
        scenes.cue(),
        lambda port: scenes.offers(2, scenes.sdp(port, version=3)),
        scenes.cue(),
        scenes.hangs_up(3),
    ) as (call, carrier):
        await carrier.cue()
        await hears_music(call.audio)
        await carrier.cue()
        await talk(call.audio, carrier.audio)
        await carrier.cue()
        finished = await carrier.finished()
        assert await call.ended() == "remote"
    held, back = [seen for seen in finished.received("SIP/2.0 200") if "INVITE" in seen.header("CSeq")]
    assert f"a={answered}" in held.text
    assert "a=sendrecv" in back.text
    _, callee = await exchange.pair()
    assert callee.ended_by is EndedBy.REMOTE
    assert [event["held"] for event in await exchange.events(callee, "call.held")] == [True, False]


async def test_the_caller_holds_and_takes_back(exchange: Exchange) -> None:
    """The carrier hears music; its signalling is left alone."""
    async with connected(exchange, scenes.is_hung_up_on()) as (call, carrier):
        assert (await call.offer("sendonly")).status == 200
        await hears_music(carrier.audio)
        assert (await call.offer("sendrecv")).status == 200
        await talk(call.audio, carrier.audio)
        call.hang_up()
        finished = await carrier.finished()
    assert len(finished.received("INVITE")) == 1
    await exchange.server.settled()


# -- new media


async def test_the_carrier_moves_to_another_address_and_codec(exchange: Exchange) -> None:
    elsewhere = PhoneAudio()
    await elsewhere.open("127.0.0.1")
    moved = scenes.sdp(elsewhere.port, codec="8 PCMA", version=2)
    try:
        async with connected(exchange, scenes.cue(), scenes.offers(1, moved), scenes.is_hung_up_on()) as (
            call,
            carrier,
        ):
            await carrier.cue()
            await carrier.sees("SIP/2.0 200")
            carrier.audio.stop()
            await carrier.speaks("PCMA", audio=elsewhere)
            await talk(call.audio, elsewhere)
            gone = carrier.audio.packets_heard
            await talk(call.audio, elsewhere)
            assert carrier.audio.packets_heard == gone
            call.hang_up()
            finished = await carrier.finished()
        (agreed,) = [seen for seen in finished.received("SIP/2.0 200") if "INVITE" in seen.header("CSeq")]
        assert "a=rtpmap:8 PCMA/8000" in agreed.text
    finally:
        await elsewhere.close()
    await exchange.server.settled()


async def test_the_carrier_asks_for_an_offer(exchange: Exchange) -> None:
    """A re-INVITE without one: ours comes in the 200, and what is answered in the ACK holds."""
    elsewhere = PhoneAudio()
    await elsewhere.open("127.0.0.1")
    asked = (
        scenes.sends("INVITE", 1)
        + scenes.gets(100, optional=True)
        + scenes.gets(200)
        + scenes.sends("ACK", 1, body=scenes.sdp(elsewhere.port, codec="8 PCMA", version=2))
    )
    try:
        async with connected(exchange, scenes.cue(), asked, scenes.is_hung_up_on()) as (call, carrier):
            await carrier.cue()
            await carrier.sees("SIP/2.0 200")
            carrier.audio.stop()
            await carrier.speaks("PCMA", audio=elsewhere)
            await talk(call.audio, elsewhere)
            call.hang_up()
            await carrier.finished()
    finally:
        await elsewhere.close()
    await exchange.server.settled()


async def test_an_offer_that_holds_nothing_for_us_changes_nothing(exchange: Exchange) -> None:
    refused = scenes.is_refused_offer(1, 488, scenes.sdp(9, codec="18 G729", version=2))
    async with connected(exchange, scenes.cue(), refused, scenes.is_hung_up_on()) as (call, carrier):
        await carrier.cue()
        await carrier.sees("SIP/2.0 488")
        await talk(call.audio, carrier.audio)
        call.hang_up()
        await carrier.finished()
    await exchange.server.settled()


async def test_the_carrier_shows_that_it_is_alive(exchange: Exchange) -> None:
    """UPDATE without an offer, and one that holds."""
    refresh = "Session-Expires: 600;refresher=uac"
    async with connected(
        exchange,
        scenes.cue(),
        scenes.sends("UPDATE", 1, "Supported: timer", refresh) + scenes.gets(200),
        lambda port: scenes.sends(
            "UPDATE", 2, refresh, body=scenes.sdp(port, direction="sendonly", version=2)
        ),
        scenes.gets(200),
        scenes.is_hung_up_on(),
    ) as (call, carrier):
        await carrier.cue()
        await hears_music(call.audio)
        call.hang_up()
        finished = await carrier.finished()
    plain, held = [seen for seen in finished.received("SIP/2.0 200") if "UPDATE" in seen.header("CSeq")]
    assert plain.header("Session-Expires") == "600;refresher=uac"
    assert plain.header("Content-Length") == "0"
    assert "a=recvonly" in held.text
    await exchange.server.settled()


async def test_two_offers_that_cross(exchange: Exchange) -> None:
    """Each side refuses the other's; both try again, and both succeed (RFC 3261 section 14.1)."""

    def offer(port: int) -> str:
        return scenes.sdp(port, version=2)

    async with connected(
        exchange,
        scenes.keeps("INVITE", "first"),
        lambda port: scenes.is_refused_offer(1, 491, offer(port)),
        scenes.answers_later("first", "491 Request Pending", again=True) + scenes.takes("ACK"),
        lambda port: scenes.offers(2, offer(port)),
        scenes.keeps("INVITE", "second"),
        lambda port: scenes.answers_later("second", "200 OK", body=offer(port), again=True),
        scenes.takes("ACK"),
        scenes.is_hung_up_on(),
    ) as (call, carrier):
        session = live_call(exchange.server, CALLED).leg.session
        assert session is not None
        response = await session.reinvite(session.offers.local_sdp)
        assert response.status == 200
        await talk(call.audio, carrier.audio)
        call.hang_up()
        finished = await carrier.finished()
    assert len(finished.received("INVITE")) == 3
    await exchange.server.settled()


# -- transfer


async def test_a_carrier_cannot_transfer_by_itself(exchange: Exchange) -> None:
    refused = scenes.sends("REFER", 1, "Refer-To: <sip:carol@127.0.0.1>") + scenes.gets(403)
    async with connected(exchange, scenes.cue(), refused, scenes.is_hung_up_on()) as (call, carrier):
        await carrier.cue()
        await carrier.sees("SIP/2.0 403")
        await talk(call.audio, carrier.audio)
        call.hang_up()
        await carrier.finished()
    _, callee = await exchange.pair()
    (received,) = await exchange.events(callee, "refer.received")
    assert received["sip_status"] == 403


async def test_the_application_lets_the_carrier_transfer(exchange: Exchange) -> None:
    """The caller is connected with a third party; the carrier is told, and released."""
    wanted = "Refer-To: <sip:carol@carrier.example>"
    async with (
        exchange.carrier(scenes.invited(), scenes.answers, scenes.is_hung_up_on(), gateway=None) as carol,
        connected(
            exchange,
            scenes.cue(),
            scenes.sends("REFER", 1, wanted, "Referred-By: <sip:carrier@127.0.0.1>") + scenes.gets(202),
            # They come so fast that there is no time for answers between them.
            scenes.keeps("NOTIFY", "first") + scenes.keeps("NOTIFY", "last") + scenes.is_hung_up_on(),
            scenes.answers_later("first", "200 OK") + scenes.answers_later("last", "200 OK"),
            attributes="referUrl='/transfer'",
        ) as (call, carrier),
    ):
        exchange.app.reply("/transfer", f"<Response><Dial>{sip(carol, 'carol')}</Dial></Response>")
        await carrier.cue()
        finished = await carrier.finished()
        await carol.speaks()
        await talk(call.audio, carol.audio)
        call.hang_up()
        await carol.finished()
    (asked,) = exchange.told("/transfer")
    assert asked.fields["ReferTransferTarget"] == "sip:carol@carrier.example"
    first, last = finished.received("NOTIFY")
    assert first.text.rstrip().endswith("SIP/2.0 100 Trying")
    assert last.text.rstrip().endswith("SIP/2.0 200 OK")
    assert last.header("Subscription-State").startswith("terminated")
    assert {seen.header("Event") for seen in (first, last)} == {"refer"}
    await exchange.server.settled()
    assert exchange.statuses() == ["initiated", "in-progress", "completed"]
    assert exchange.statuses("/status/carol") == ["initiated", "in-progress", "completed"]


async def test_the_carrier_is_asked_to_transfer(exchange: Exchange) -> None:
    """LaML's Refer to a call over the trunk; what the carrier tells of it is answered."""
    exchange.app.forget()
    target = "sip:carol@carrier.example"
    exchange.app.reply(
        "/voice", f"<Response><Refer action='/referred'><Sip>{target}</Sip></Refer></Response>"
    )
    exchange.app.reply("/referred", "<Response><Hangup/></Response>")
    async with exchange.carrier(
        scenes.invited(),
        scenes.answers,
        scenes.takes("REFER"),
        scenes.says("202 Accepted", known=True),
        scenes.notifies(1, "100 Trying"),
        scenes.notifies(2, "180 Ringing"),
        scenes.notifies(3, "200 OK", last=True),
        scenes.is_hung_up_on(),
    ) as carrier:
        await place(exchange.server, CALLED, f"{exchange.app.url}/voice")
        finished = await carrier.finished()
    (refer,) = finished.received("REFER")
    assert refer.header("Refer-To") == f"<{target}>"
    assert NUMBER in refer.header("Referred-By")
    await exchange.server.settled()
    (action,) = exchange.told("/referred")
    assert action.fields["ReferCallStatus"] == "in-progress"
    assert action.fields["ReferSipResponseCode"] == "202"
    assert action.fields["NotifySipResponseCode"] == "200"


# -- keys


async def test_keys_pass_in_both_directions_and_forms(exchange: Exchange) -> None:
    """As telephone events and by INFO; they arrive as telephone events."""
    async with connected(
        exchange,
        scenes.cue(),
        scenes.sends("INFO", 1, "Content-Type: application/dtmf-relay", body="Signal=4\nDuration=120\n"),
        scenes.gets(200),
        scenes.is_hung_up_on(),
    ) as (call, carrier):
        await call.press("5")
        await keys(carrier.audio, "5")
        await call.session.info("application/dtmf", b"6")
        await keys(carrier.audio, "56")
        await carrier.audio.press("7")
        await keys(call.audio, "7")
        await carrier.cue()
        await keys(call.audio, "74")
        call.hang_up()
        await carrier.finished()
    caller, callee = await exchange.pair()
    for record, expected in ((caller, "56"), (callee, "74")):
        pressed = await exchange.events(record, "digit.received")
        assert "".join(event["key"] for event in pressed) == expected


async def test_who_takes_no_telephone_events_hears_tones(exchange: Exchange) -> None:
    info = scenes.sends("INFO", 1, "Content-Type: application/dtmf", body="4\n") + scenes.gets(200)
    async with connected(exchange, scenes.cue(), info, scenes.is_hung_up_on(), telephone_events=False) as (
        call,
        carrier,
    ):
        await carrier.audio.press("7")
        await hears_key(call.audio, "7")
        await carrier.cue()
        await hears_key(call.audio, "4")
        call.hang_up()
        await carrier.finished()
    await exchange.server.settled()


async def hears_key(ear: PhoneAudio, key: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while find(ear.heard, dtmf_tone(key, 60)).likeness < 0.9:
            await ear.arrival()


async def keys(ear: PhoneAudio, wanted: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while "".join(ear.events_heard) != wanted:
            await ear.arrival()
