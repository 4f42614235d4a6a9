"""A call that several telephones ring for or answer: one wins, and the others are told."""

from __future__ import annotations

import asyncio

import pytest
from tests.interop import scenes
from tests.interop.carrier import ELSEWHERE, TWILIO, Exchange, client, number, sip, talk, two_ports
from tests.interop.sipp import needs_sipp

from ringback.calls.status import CallStatus
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, NUMBER

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module"), needs_sipp]


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
