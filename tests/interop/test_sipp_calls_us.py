"""SIPp calls: every way in which a caller's signalling may go, against a whole server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.interop.house import House, open_house
from tests.interop.sipp import Finished, call_with_sipp, needs_sipp

from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, EndedBy
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module"), needs_sipp]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house") / "data") as house:
        yield house


async def _call(
    house: House, scenario: str, called: str, directory: Path, *arguments: str, transport: str = "udp"
) -> Finished:
    address = next(text for text in house.server.sip if text.startswith(transport)).partition(":")[2]
    return await call_with_sipp(scenario, address, called, directory, *arguments, transport=transport)


async def _recorded(house: House, finished: Finished) -> CallRecord | None:
    first = finished.seen[0]
    return (await house.calls()).get(first.header("Call-ID") or first.header("i"))


COMPLETED = [
    # scenario, whom it calls, further arguments, who hangs up
    ("caller_is_hung_up_on", "leaves", (), EndedBy.APPLICATION),
    ("caller_behind_nat", "leaves", (), EndedBy.APPLICATION),
    ("caller_holds", "stays", (), EndedBy.REMOTE),
    ("caller_is_brief", "stays", (), EndedBy.REMOTE),
    ("caller_keeps_the_session", "stays", (), EndedBy.REMOTE),
    ("caller_wants_certainty", "dawdles", (), EndedBy.REMOTE),
    ("caller_is_long_winded", "stays", (), EndedBy.REMOTE),
    ("caller_proves_itself", "stays", ("-au", DEVICE, "-ap", DEVICE_PASSWORD), EndedBy.REMOTE),
]


@pytest.mark.parametrize(("scenario", "called", "arguments", "by"), COMPLETED)
async def test_calls_that_are_answered(
    house: House, tmp_path: Path, scenario: str, called: str, arguments: tuple[str, ...], by: EndedBy
) -> None:
    finished = await _call(house, scenario, called, tmp_path, *arguments)
    assert not finished.failed
    call = await _recorded(house, finished)
    assert call is not None
    assert (call.status, call.ended_by) == (CallStatus.COMPLETED, by)


REFUSED = [
    # scenario, further arguments, the statuses that SIPp was answered with
    ("caller_requires_the_unknown", (), [420]),
    ("caller_sends_prose", (), [100, 415]),
    ("caller_is_too_impatient", (), [100, 422]),
    ("caller_has_a_wrong_password", ("-au", DEVICE, "-ap", "looking-glass"), [100, 407, 100, 407]),
]


@pytest.mark.parametrize(("scenario", "arguments", "statuses"), REFUSED)
async def test_calls_that_are_refused(
    house: House, tmp_path: Path, scenario: str, arguments: tuple[str, ...], statuses: list[int]
) -> None:
    before = len(house.app.asked)
    finished = await _call(house, scenario, "stays", tmp_path, *arguments)
    assert not finished.failed
    assert finished.statuses == statuses
    assert len(house.app.asked) == before
    assert await _recorded(house, finished) is None


ABANDONED = ["caller_cancels", "caller_arrives_twice", "caller_repeats_itself"]


@pytest.mark.parametrize("scenario", ABANDONED)
async def test_calls_that_are_given_up_are_one_call_each(house: House, tmp_path: Path, scenario: str) -> None:
    before = len(house.app.asked)
    finished = await _call(house, scenario, "rings", tmp_path)
    assert not finished.failed
    call = await _recorded(house, finished)
    assert call is not None
    assert call.status is CallStatus.ABANDONED
    assert [asked.path for asked in house.app.asked[before:]] == ["/rings"]


@pytest.mark.parametrize(
    ("scenario", "transport"),
    [("caller_talks", "udp"), ("caller_talks", "tcp"), ("caller_offers_late", "udp")],
)
async def test_audio_flows_both_ways(house: House, tmp_path: Path, scenario: str, transport: str) -> None:
    finished = await _call(house, scenario, "stays", tmp_path, transport=transport)
    assert not finished.failed
    call = await _recorded(house, finished)
    assert call is not None
    assert call.media is not None
    assert call.media.packets_in >= 40
    assert call.media.packets_out >= 45
    assert call.media.lost_in == 0


async def test_audio_and_signalling_over_ipv6(data: Path, tmp_path: Path) -> None:
    async with open_house(data, host="::1") as house:
        finished = await call_with_sipp(
            "caller_talks", house.server.sip_address, "stays", tmp_path, host="::1"
        )
        assert not finished.failed
        call = await _recorded(house, finished)
    assert call is not None
    assert call.media is not None
    assert call.media.packets_in >= 40
    assert call.media.packets_out >= 45


async def test_the_200_is_repeated_until_the_ack(house: House, tmp_path: Path) -> None:
    """At 500 ms and 1.5 s (RFC 3261 section 13.3.1.4); the ACK comes at 1.7 s."""
    finished = await _call(house, "caller_acknowledges_late", "stays", tmp_path)
    assert not finished.failed
    invited = [seen for seen in finished.received("SIP/2.0 200") if seen.header("CSeq") == "1 INVITE"]
    assert len(invited) == 3


async def test_a_call_that_is_never_acknowledged_is_ended(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 64 times T1: 32 seconds, which are 0.8 here."""
    monkeypatch.setattr("ringback.sip.acceptance.T1", 0.05)
    monkeypatch.setattr("ringback.sip.acceptance.TIMEOUT", 0.8)
    finished = await _call(house, "caller_never_acknowledges", "stays", tmp_path)
    assert not finished.failed
    call = await _recorded(house, finished)
    assert call is not None
    assert (call.status, call.ended_by) == (CallStatus.COMPLETED, EndedBy.SERVER)
    assert "no ACK" in (call.cause or "")


async def test_keys_by_info_reach_the_application(house: House, tmp_path: Path) -> None:
    finished = await _call(house, "caller_presses_by_info", "menu", tmp_path)
    assert not finished.failed
    pressed = [asked.fields["Digits"] for asked in house.app.asked if asked.path == "/pressed"]
    assert pressed[-1] == "42"


async def test_options(house: House, tmp_path: Path) -> None:
    finished = await _call(house, "asker", "stays", tmp_path)
    assert not finished.failed
    assert finished.statuses == [200]


async def test_fifty_calls_ten_a_second(house: House, tmp_path: Path) -> None:
    before = set(await house.calls())
    finished = await _call(house, "caller_talks", "stays", tmp_path, "-m", "50", "-r", "10")
    assert not finished.failed
    calls = await house.calls()
    made = [call for name, call in calls.items() if name not in before]
    assert len(made) == 50
    assert {(call.status, call.sip_status) for call in made} == {(CallStatus.COMPLETED, 200)}
