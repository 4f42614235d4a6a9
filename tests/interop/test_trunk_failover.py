"""A trunk with two gateways: which one a call goes to when one of them is out of service, silent or away."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from tests.interop import scenes
from tests.interop.carrier import CALLED, Exchange, open_exchange, talk, two_ports
from tests.interop.sipp import answering_sipp, needs_sipp

from ringback.calls.status import CallStatus
from ringback.testing.kit import NUMBER

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module"), needs_sipp]


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
    async with open_exchange(tmp_path, answer_seconds=1.0) as exchange, exchange.caller() as phone:
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
