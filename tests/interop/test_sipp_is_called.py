"""SIPp is called, by REST: every way in which a callee's signalling may go, against a whole server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from tests.interop.house import House, open_house
from tests.interop.sipp import Finished, Sipp, answering_sipp, needs_sipp

from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, EndedBy

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module"), needs_sipp]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house") / "data") as house:
        yield house


async def _call(house: House, callee: Sipp, **parameters: str) -> tuple[Finished, CallRecord]:
    """Call it, and wait for both ends of the call."""
    await house.place(callee.uri, **parameters)
    finished = await callee.finished()
    (invite, *_) = finished.received("INVITE")
    return finished, (await house.calls())[invite.header("Call-ID")]


ANSWERED = [
    # scenario, transport, document, who hangs up
    ("callee_answers", "udp", "ends", EndedBy.APPLICATION),
    ("callee_answers", "tcp", "ends", EndedBy.APPLICATION),
    ("callee_holds", "udp", "lingers", EndedBy.REMOTE),
]


@pytest.mark.parametrize(("scenario", "transport", "document", "by"), ANSWERED)
async def test_calls_that_are_answered(
    house: House, tmp_path: Path, scenario: str, transport: str, document: str, by: EndedBy
) -> None:
    async with answering_sipp(scenario, tmp_path, transport=transport) as callee:
        finished, call = await _call(house, callee, Url=f"{house.app.url}/{document}")
    assert not finished.failed
    assert (call.status, call.ended_by, call.sip_status) == (CallStatus.COMPLETED, by, 200)


REFUSED = [
    ("486 Busy Here", CallStatus.BUSY),
    ("600 Busy Everywhere", CallStatus.BUSY),
    ("603 Decline", CallStatus.DECLINED),
    ("404 Not Found", CallStatus.FAILED),
    ("480 Temporarily Unavailable", CallStatus.UNAVAILABLE),
    ("503 Service Unavailable", CallStatus.FAILED),
]


@pytest.mark.parametrize(("line", "status"), REFUSED)
async def test_calls_that_are_refused(house: House, tmp_path: Path, line: str, status: CallStatus) -> None:
    async with answering_sipp("callee_refuses", tmp_path, ("486 Busy Here", line)) as callee:
        finished, call = await _call(house, callee)
    assert not finished.failed
    assert (call.status, f"{call.sip_status} {call.sip_reason}") == (status, line)


async def test_nobody_answers_in_time(house: House, tmp_path: Path) -> None:
    async with answering_sipp("callee_rings_on", tmp_path) as callee:
        finished, call = await _call(house, callee, Timeout="1")
    assert not finished.failed
    assert (call.status, call.ended_by, call.answered_at) == (CallStatus.NO_ANSWER, EndedBy.SERVER, None)


async def test_the_answer_crosses_the_cancel(house: House, tmp_path: Path) -> None:
    """Nobody is left up: the answer is acknowledged and ended at once."""
    async with answering_sipp("callee_answers_across_cancel", tmp_path) as callee:
        finished, call = await _call(house, callee, Timeout="1")
    assert not finished.failed
    assert call.status is CallStatus.NO_ANSWER
    assert [seen.start_line.split()[0] for seen in finished.received("")][-2:] == ["ACK", "BYE"]


async def test_early_media_is_noticed(house: House, tmp_path: Path) -> None:
    async with answering_sipp("callee_speaks_early", tmp_path) as callee:
        finished, call = await _call(house, callee)
    assert not finished.failed
    stored = await house.server.store.events(str(call.id))
    ringing = [msgspec.json.decode(event.payload) for event in stored if event.kind == "call.ringing"]
    assert [event["early_media"] for event in ringing] == [True]


async def test_a_repeated_answer_is_acknowledged_again(house: House, tmp_path: Path) -> None:
    async with answering_sipp("callee_repeats_itself", tmp_path) as callee:
        finished, _ = await _call(house, callee, Url=f"{house.app.url}/leaves")
    assert not finished.failed
    acknowledged = finished.received("ACK")
    assert len(acknowledged) >= 2
    assert len({seen.header("Via") for seen in acknowledged}) == 1


async def test_a_redirection_is_followed(house: House, tmp_path: Path) -> None:
    async with answering_sipp("callee_is_next_door", tmp_path) as callee:
        finished, call = await _call(house, callee)
    assert not finished.failed
    assert finished.received("INVITE")[-1].start_line == f"INVITE sip:moved@127.0.0.1:{callee.port} SIP/2.0"
    assert call.status is CallStatus.COMPLETED


async def test_a_redirection_to_another_place_ends_the_call(house: House, tmp_path: Path) -> None:
    """Whoever is called does not decide who else is."""
    async with answering_sipp("callee_has_moved", tmp_path) as callee:
        finished, call = await _call(house, callee)
    assert not finished.failed
    assert (call.status, call.sip_status) == (CallStatus.FAILED, 302)


async def test_a_trunk_that_wants_digest(data: Path, tmp_path: Path) -> None:
    async with (
        answering_sipp("callee_challenges", tmp_path) as carrier,
        open_house(data, trunk=f"127.0.0.1:{carrier.port}") as house,
    ):
        await house.place("+13105550123")
        finished = await carrier.finished()
        first, second = finished.received("INVITE")
        call = (await house.calls())[first.header("Call-ID")]
    assert not finished.failed
    assert first.start_line == f"INVITE sip:+13105550123@127.0.0.1:{carrier.port} SIP/2.0"
    assert second.header("CSeq") == "2 INVITE"
    assert call.status is CallStatus.COMPLETED
