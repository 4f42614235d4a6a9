"""What an INVITE over a trunk that SIPp plays says, proves and survives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.interop import scenes
from tests.interop.carrier import CALLER, Exchange, number, open_exchange, talk
from tests.interop.sipp import needs_sipp

from ringback.calls.status import CallStatus, EndedBy
from ringback.testing.kit import NUMBER

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module"), needs_sipp]


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
