"""Calls over a trunk that SIPp plays, from INVITE to answer or failure, with a telephone at the other end."""

from __future__ import annotations

import asyncio
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from tests.interop import scenes
from tests.interop.carrier import (
    CALLED,
    CALLER,
    ELSEWHERE,
    TWILIO,
    Exchange,
    client,
    number,
    open_exchange,
    says,
    sip,
    talk,
    two_ports,
)
from tests.interop.listening import voice
from tests.interop.sipp import answering_sipp, needs_sipp

from ringback.calls.status import CallStatus, EndedBy
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, NUMBER
from ringback.testing.phone_audio import PhoneAudio

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module"), needs_sipp]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exchange(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    directory = tmp_path_factory.mktemp("exchange")
    async with open_exchange(directory, caller_id="pai", diversion=True) as exchange:
        yield exchange


async def test_a_trunk_that_wants_digest_of_every_request(exchange: Exchange) -> None:
    demands_it_of_bye = (
        scenes.takes("BYE")
        + scenes.says("401 Unauthorized", "WWW-Authenticate: " + scenes.CHALLENGE, known=True)
        + scenes.is_hung_up_on()
    )
    exchange.dials()
    async with (
        exchange.carrier(
            scenes.takes("INVITE"),
            scenes.says("407 Proxy Authentication Required", "Proxy-Authenticate: " + scenes.CHALLENGE),
            scenes.takes("ACK"),
            scenes.invited(),
            scenes.rings(),
            scenes.answers,
            demands_it_of_bye,
        ) as carrier,
        exchange.caller() as phone,
    ):
        call = await phone.call(NUMBER)
        await call.answered()
        await carrier.sees("ACK", 2)
        await carrier.speaks(invite=2)
        await talk(call.audio, carrier.audio)
        call.hang_up()
        finished = await carrier.finished()
    bare, proven = finished.received("INVITE")
    assert bare.header("Proxy-Authorization") == ""
    assert 'username="ringback", realm="carrier"' in proven.header("Proxy-Authorization")
    assert proven.header("CSeq") == "2 INVITE"
    first, second = finished.received("BYE")
    assert 'uri="sip:' in second.header("Authorization")
    assert (first.header("CSeq"), second.header("CSeq")) == ("3 BYE", "4 BYE")
    caller, callee = await exchange.pair()
    assert (callee.status, callee.ended_by, callee.trunk) == (CallStatus.COMPLETED, EndedBy.SERVER, "carrier")
    assert caller.status is CallStatus.COMPLETED
    assert exchange.statuses() == ["initiated", "ringing", "in-progress", "completed"]


# -- fail-over


async def test_a_gateway_that_is_out_of_service_is_followed_by_the_next(exchange: Exchange) -> None:
    exchange.dials()
    async with (
        exchange.carrier(
            scenes.invited(), scenes.says("503 Service Unavailable"), scenes.takes("ACK")
        ) as first,
        exchange.carrier(scenes.invited(), scenes.answers, scenes.is_hung_up_on(), gateway=1) as second,
        exchange.caller() as phone,
    ):
        call = await phone.call(NUMBER)
        await second.speaks()
        await talk(call.audio, second.audio)
        call.hang_up()
        refused, taken = await first.finished(), await second.finished()
    (there,), (here,) = refused.received("INVITE"), taken.received("INVITE")
    assert there.header("Call-ID") == here.header("Call-ID")
    assert here.start_line == f"INVITE sip:{CALLED}@127.0.0.1:{exchange.gateways[1]} SIP/2.0"
    _, callee = await exchange.pair()
    assert (callee.status, callee.sip_status) == (CallStatus.COMPLETED, 200)
    (rerouted,) = await exchange.events(callee, "call.rerouted")
    assert rerouted["sip_status"] == 503
    assert exchange.statuses() == ["initiated", "in-progress", "completed"]
    (action,) = exchange.told("/done")
    assert action.fields["DialCallStatus"] == "completed"


async def test_all_gateways_are_out_of_service(exchange: Exchange) -> None:
    exchange.dials()
    refuses = (scenes.invited(), scenes.says("500 Server Internal Error"), scenes.takes("ACK"))
    async with (
        exchange.carrier(*refuses) as first,
        exchange.carrier(*refuses, gateway=1) as second,
        exchange.caller() as phone,
    ):
        call = await phone.call(NUMBER)
        assert await call.ended() == "remote"
        await first.finished()
        await second.finished()
    _, callee = await exchange.pair()
    assert (callee.status, callee.sip_status) == (CallStatus.FAILED, 500)
    assert exchange.statuses() == ["initiated", "failed"]
    (action,) = exchange.told("/done")
    assert action.fields["DialCallStatus"] == "failed"


async def test_a_gateway_that_says_nothing_is_passed_over(tmp_path: Path) -> None:
    """It is left alone for a while then: the next call goes past it."""
    answered = (scenes.invited(), scenes.answers, scenes.is_hung_up_on())
    async with open_exchange(tmp_path, answer_seconds=0.3) as exchange, exchange.caller() as phone:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quiet:
            quiet.bind(("127.0.0.1", exchange.gateways[0]))
            quiet.setblocking(False)
            for _ in range(2):
                exchange.dials()
                async with exchange.carrier(*answered, gateway=1) as second:
                    call = await phone.call(NUMBER)
                    await second.sees("ACK")
                    call.hang_up()
                    await second.finished()
                _, callee = await exchange.pair()
                assert callee.status is CallStatus.COMPLETED
                assert exchange.statuses() == ["initiated", "in-progress", "completed"]
            came = []
            with suppress(BlockingIOError):
                while True:
                    came.append(quiet.recv(4096).decode())
    assert len({branch for message in came for branch in re.findall(r"branch=([^;\s]+)", message)}) == 1


async def test_a_gateway_that_cannot_be_connected_to_is_passed_over_at_once(tmp_path: Path) -> None:
    async with (
        open_exchange(tmp_path, transports=("tcp", "udp"), answer_seconds=30.0) as exchange,
        exchange.carrier(scenes.invited(), scenes.answers, scenes.is_hung_up_on(), gateway=1) as second,
        exchange.caller() as phone,
    ):
        exchange.dials()
        call = await phone.call(NUMBER)
        await second.speaks()
        await talk(call.audio, second.audio)
        call.hang_up()
        await second.finished()
        _, callee = await exchange.pair()
        (rerouted,) = await exchange.events(callee, "call.rerouted")
        assert rerouted["cause"] == "transport"


async def test_a_gateway_that_options_found_down_is_not_tried(tmp_path: Path) -> None:
    gateways = two_ports()
    asked = scenes.takes("OPTIONS")
    down = scenes.scene(asked, scenes.says("503 Service Unavailable"))
    up = scenes.scene(asked, scenes.says("200 OK"))
    async with (
        answering_sipp("down", tmp_path, scene=down, port=gateways[0]) as first,
        answering_sipp("up", tmp_path, scene=up, port=gateways[1]) as second,
        open_exchange(tmp_path, gateways, options_seconds=3600) as exchange,
        exchange.caller() as phone,
    ):
        assert not (await first.finished()).failed
        assert not (await second.finished()).failed
        await exchange.probed()
        exchange.dials()
        async with exchange.carrier(
            scenes.invited(), scenes.answers, scenes.is_hung_up_on(), gateway=1
        ) as carrier:
            call = await phone.call(NUMBER)
            await carrier.sees("ACK")
            call.hang_up()
            await carrier.finished()
        _, callee = await exchange.pair()
        assert await exchange.events(callee, "call.rerouted") == []
        (initiated,) = await exchange.events(callee, "call.initiated")
        assert initiated["target"] == f"sip:{CALLED}@127.0.0.1:{gateways[1]}"


# -- early media


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


# -- several answers


async def test_the_second_of_two_answers_is_acknowledged_and_ended(exchange: Exchange) -> None:
    """Two telephones behind the carrier have answered the same INVITE."""
    exchange.dials()
    async with (
        exchange.carrier(
            scenes.invited(),
            scenes.answers,
            scenes.answers(9, tag="other"),
            scenes.is_hung_up_on(),
            scenes.is_hung_up_on(),
        ) as carrier,
        exchange.caller() as phone,
    ):
        call = await phone.call(NUMBER)
        await carrier.speaks()
        await carrier.sees("BYE")
        await talk(call.audio, carrier.audio)
        call.hang_up()
        finished = await carrier.finished()
    stray, last = finished.received("BYE")
    assert stray.header("To").endswith("other")
    assert not last.header("To").endswith("other")
    assert {seen.header("To") for seen in finished.received("ACK")} == {
        stray.header("To"),
        last.header("To"),
    }
    _, callee = await exchange.pair()
    assert callee.status is CallStatus.COMPLETED
    assert exchange.statuses() == ["initiated", "in-progress", "completed"]


async def test_an_answer_crosses_the_cancel_after_another_has_won(exchange: Exchange) -> None:
    crosses = (
        scenes.invited(),
        scenes.rings(),
        scenes.takes("CANCEL"),
        scenes.says("200 OK"),
        scenes.answers,
        scenes.is_hung_up_on(),
    )
    wins = (scenes.invited(), scenes.rings(), scenes.cue())
    async with (
        exchange.carrier(*crosses, gateway=None) as loser,
        exchange.carrier(
            *wins,
            scenes.answers,
            scenes.is_hung_up_on(),
            gateway=None,
        ) as winner,
        exchange.caller() as phone,
    ):
        exchange.dials(sip(loser, "loser"), sip(winner, "winner"))
        call = await phone.call(NUMBER)
        await loser.sees("INVITE")
        await exchange.app.request("/status/loser")
        await winner.speaks()
        await winner.cue()
        lost = await loser.finished()
        await talk(call.audio, winner.audio)
        call.hang_up()
        await winner.finished()
    (cancel,) = lost.received("CANCEL")
    assert cancel.header("Reason") == ELSEWHERE
    assert [seen.start_line.split()[0] for seen in lost.received("")][-2:] == ["ACK", "BYE"]
    await exchange.server.settled()
    assert exchange.statuses("/status/winner") == ["initiated", "ringing", "in-progress", "completed"]
    assert exchange.statuses("/status/loser") == ["initiated", "ringing", "canceled"]


async def test_those_who_are_not_first_are_told_that_another_was(exchange: Exchange) -> None:
    """A number over the trunk and two addresses ring at once."""
    loses = (scenes.invited(), scenes.rings(), scenes.is_cancelled())
    async with (
        exchange.carrier(*loses, gateway=None) as one,
        exchange.carrier(*loses, gateway=None) as two,
        exchange.carrier(
            scenes.invited(),
            scenes.rings(),
            scenes.cue(),
            scenes.answers,
            scenes.is_hung_up_on(),
        ) as carrier,
        exchange.caller() as phone,
    ):
        exchange.dials(number(), sip(one, "one"), sip(two, "two"))
        call = await phone.call(TWILIO)
        await asyncio.gather(*(each.sees("INVITE") for each in (one, two)))
        await carrier.speaks()
        await carrier.cue()
        lost = (await one.finished(), await two.finished())
        await talk(call.audio, carrier.audio)
        call.hang_up()
        await carrier.finished()
    assert [seen.header("Reason") for end in lost for seen in end.received("CANCEL")] == [ELSEWHERE] * 2
    await exchange.server.settled()
    assert exchange.statuses("/status/one")[-1] == exchange.statuses("/status/two")[-1] == "canceled"
    assert exchange.statuses()[-1] == "completed"
    (action,) = exchange.told("/done")
    assert action.fields["DialCallStatus"] == "completed"


async def test_all_telephones_of_a_device_ring_until_one_answers(exchange: Exchange) -> None:
    """Two contacts, registered with a digest; together they are one leg."""
    ports = two_ports()
    for port in ports:
        async with exchange.calling(scenes.registers(DEVICE, DEVICE_PASSWORD), port=port) as registering:
            registered = await registering.finished()
        assert not registered.failed, registered.failed
    exchange.dials(client(DEVICE))
    async with (
        exchange.carrier(
            scenes.invited(), scenes.rings(), scenes.is_cancelled(), gateway=None, port=ports[0]
        ) as silent,
        exchange.carrier(
            scenes.invited(),
            scenes.rings(),
            scenes.cue(),
            scenes.answers,
            scenes.is_hung_up_on(),
            gateway=None,
            port=ports[1],
        ) as answered,
        exchange.caller() as phone,
    ):
        call = await phone.call(NUMBER)
        await silent.sees("INVITE")
        await answered.speaks()
        await answered.cue()
        (cancel,) = (await silent.finished()).received("CANCEL")
        await talk(call.audio, answered.audio)
        call.hang_up()
        await answered.finished()
    assert cancel.header("Reason") == ELSEWHERE
    await exchange.pair()
    assert exchange.statuses()[-2:] == ["in-progress", "completed"]


# -- what an INVITE says


async def test_who_calls_and_who_passed_it_on(exchange: Exchange) -> None:
    exchange.dials()
    busy = (scenes.invited(), scenes.says("486 Busy Here"), scenes.takes("ACK"))
    async with exchange.carrier(*busy) as carrier, exchange.caller() as phone:
        await (await phone.call(NUMBER)).ended()
        (invite,) = (await carrier.finished()).received("INVITE")
    assert invite.header("P-Asserted-Identity") == f"<sip:{CALLER}@127.0.0.1>"
    assert invite.header("From").startswith(f"<sip:{CALLER}@127.0.0.1>")
    assert invite.header("Diversion") == f"<sip:{NUMBER}@127.0.0.1>;reason=unconditional"
    assert invite.header("Privacy") == ""
    await exchange.server.settled()


async def test_who_does_not_want_to_be_known_stays_unknown(exchange: Exchange) -> None:
    exchange.dials()
    busy = (scenes.invited(), scenes.says("486 Busy Here"), scenes.takes("ACK"))
    anonymous = scenes.calls(
        uri=f"sip:{NUMBER}@[remote_ip]:[remote_port]",
        from_='"Anonymous" <sip:anonymous@anonymous.invalid>',
        headers=("Privacy: id", "P-Asserted-Identity: <sip:+14155550142@127.0.0.1>", "Max-Forwards: 5"),
    )
    async with (
        exchange.carrier(*busy) as carrier,
        exchange.calling(anonymous, scenes.is_answered(), scenes.is_hung_up_on()) as caller,
    ):
        (invite,) = (await carrier.finished()).received("INVITE")
        assert not (await caller.finished()).failed
    assert invite.header("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>')
    assert invite.header("Privacy") == "id"
    assert "4155550142" not in invite.text
    assert invite.header("Max-Forwards") == "4"
    await exchange.server.settled()
    (asked,) = exchange.told("/voice")
    assert (asked.fields["From"], asked.fields["To"]) == ("anonymous", NUMBER)


@pytest.mark.parametrize(
    "uri",
    [
        f"tel:{NUMBER}",
        "tel:+1-415-555-0100",
        f"sip:{NUMBER}@[remote_ip]:[remote_port];user=phone",
        f"sip:{NUMBER};npdi@[remote_ip]:[remote_port];user=phone",
    ],
)
async def test_every_spelling_of_a_number_is_that_number(exchange: Exchange, uri: str) -> None:
    exchange.app.forget()
    exchange.app.reply("/voice", "<Response><Hangup/></Response>")
    invite = scenes.calls(uri=uri, from_="<tel:+1-415-555-0142>", to=f"<tel:{NUMBER}>")
    async with exchange.calling(invite, scenes.is_answered(), scenes.is_hung_up_on()) as caller:
        finished = await caller.finished()
    assert not finished.failed, finished.failed
    await exchange.server.settled()
    (asked,) = exchange.told("/voice")
    assert (asked.fields["From"], asked.fields["To"]) == ("+14155550142", NUMBER)


# -- loops


async def test_a_call_that_may_go_no_further(exchange: Exchange) -> None:
    exchange.dials()
    invite = scenes.calls(
        uri=f"sip:{NUMBER}@[remote_ip]:[remote_port]",
        from_="<sip:sipp@127.0.0.1>",
        headers=("Max-Forwards: 0",),
    )
    async with exchange.calling(invite, scenes.is_refused(483)) as caller:
        finished = await caller.finished()
    assert not finished.failed
    await exchange.server.settled()
    assert exchange.app.asked == []


@pytest.mark.parametrize("attributes", ["", "answerOnBridge='true'"])
async def test_a_number_that_calls_itself(tmp_path: Path, attributes: str) -> None:
    """Every turn is one hop; the last is refused with 483, and all that led there ends."""
    turns = 5
    async with open_exchange(tmp_path, loops=True) as exchange:
        exchange.dials(number(NUMBER), attributes=attributes)
        invite = scenes.calls(
            uri=f"sip:{NUMBER}@[remote_ip]:[remote_port]",
            from_="<sip:sipp@127.0.0.1>",
            headers=(f"Max-Forwards: {turns}",),
        )
        async with exchange.calling(invite, scenes.is_answered(), scenes.is_hung_up_on()) as caller:
            finished = await caller.finished()
        assert not finished.failed, finished.failed
        calls = await exchange.calls()
        legs = [call for call in calls if call.parent_id is not None]
        assert (len(calls), len(legs)) == (2 * turns, turns)
        assert len(exchange.told("/voice")) == len(exchange.told("/done")) == turns
        assert [leg.sip_status for leg in legs].count(483) == 1
        assert exchange.server.plane.stats().legs == 0
        told = Counter((asked.fields["CallSid"], asked.fields["CallStatus"]) for asked in exchange.told())
        assert set(told.values()) == {1}
        assert {sid for sid, _ in told} == {str(leg.id) for leg in legs}
