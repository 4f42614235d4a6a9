"""What is said over a trunk before the answer: announcements, PRACK, and telephones that speak early."""

from __future__ import annotations

import pytest
from tests.interop import scenes
from tests.interop.carrier import Exchange, says, talk
from tests.interop.listening import voice
from tests.interop.sipp import needs_sipp

from ringback.testing.kit import NUMBER
from ringback.testing.phone_audio import PhoneAudio

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module"), needs_sipp]


@pytest.mark.parametrize("attributes", ["", "answerOnBridge='true'"])
async def test_what_is_said_before_the_answer_is_heard(exchange: Exchange, attributes: str) -> None:
    """An announcement, then the answer, then both speak."""
    exchange.dials(attributes=attributes)
    async with (
        exchange.carrier(
            scenes.invited(),
            scenes.speaks_early,
            scenes.cue(),
            scenes.answers,
            scenes.is_hung_up_on(),
        ) as carrier,
        exchange.caller() as phone,
    ):
        call = await phone.call(NUMBER)
        await carrier.speaks()
        await says(carrier.audio, voice(0.3, 4), call.audio)
        answered = any(event.startswith("200") for event in call.events)
        assert answered is (not attributes)
        assert call.status == (183 if attributes else 200)
        await carrier.cue()
        await carrier.sees("ACK")
        await call.answered()
        await talk(call.audio, carrier.audio)
        call.hang_up()
        await carrier.finished()
    _, callee = await exchange.pair()
    ringing = await exchange.events(callee, "call.ringing")
    assert [event["early_media"] for event in ringing] == [True]
    assert exchange.statuses() == ["initiated", "ringing", "in-progress", "completed"]


async def test_early_media_that_is_acknowledged(exchange: Exchange) -> None:
    """183 that wants PRACK (RFC 3262)."""
    exchange.dials()
    async with (
        exchange.carrier(
            scenes.invited(),
            lambda port: scenes.speaks_early(port, "Require: 100rel", "RSeq: 7"),
            scenes.takes("PRACK") + scenes.says("200 OK", known=True),
            scenes.cue(),
            scenes.answers_later("call", "200 OK", tag=scenes.TAG, again=True) + scenes.takes("ACK"),
            scenes.is_hung_up_on(),
        ) as carrier,
        exchange.caller() as phone,
    ):
        call = await phone.call(NUMBER)
        await carrier.speaks()
        await says(carrier.audio, voice(0.3, 4), call.audio)
        prack = await carrier.sees("PRACK")
        assert prack.header("RAck") == "7 1 INVITE"
        await carrier.cue()
        await carrier.sees("ACK")
        await talk(call.audio, carrier.audio)
        call.hang_up()
        await carrier.finished()
    await exchange.server.settled()
    assert exchange.statuses() == ["initiated", "ringing", "in-progress", "completed"]


async def test_two_telephones_speak_early_and_the_second_answers(exchange: Exchange) -> None:
    """The INVITE was forked: each has its own description, and the answer's holds."""
    second = PhoneAudio()
    await second.open("127.0.0.1")
    exchange.dials()
    try:
        async with (
            exchange.carrier(
                scenes.invited(),
                scenes.speaks_early,
                scenes.cue(),
                scenes.speaks_early(second.port, tag="second"),
                scenes.answers(second.port, tag="second"),
                scenes.is_hung_up_on(),
            ) as carrier,
            exchange.caller() as phone,
        ):
            call = await phone.call(NUMBER)
            await carrier.speaks()
            await says(carrier.audio, voice(0.3, 4), call.audio)
            carrier.audio.stop()
            await carrier.cue()
            await carrier.speaks(audio=second)
            await talk(call.audio, second)
            call.hang_up()
            finished = await carrier.finished()
    finally:
        await second.close()
    for method in ("ACK", "BYE"):
        assert [seen.header("To")[-6:] for seen in finished.received(method)] == ["second"]
    await exchange.server.settled()
    assert exchange.statuses()[-2:] == ["in-progress", "completed"]
