"""SIPp calls: every way in which a caller's signalling may go, against a whole server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, EndedBy
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD
from tests.interop.house import House, open_house
from tests.interop.sipp import Finished, call_with_sipp, needs_sipp

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module"), needs_sipp]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house") / "data") as house:
        yield house


async def _call(house: House, scenario: str, called: str, directory: Path, *arguments: str) -> Finished:
    udp, tcp = (text.partition(":")[2] for text in house.server.sip)
    address = tcp if "t1" in arguments else udp
    return await call_with_sipp(scenario, address, called, directory, *arguments)


async def _recorded(house: House, finished: Finished) -> CallRecord | None:
    first = finished.seen[0]
    return (await house.calls()).get(first.header("Call-ID") or first.header("i"))


COMPLETED = [
    # scenario, whom it calls, further arguments, who hangs up
    ("caller_talks", "stays", (), EndedBy.REMOTE),
    ("caller_talks", "stays", ("-t", "t1"), EndedBy.REMOTE),
    ("caller_acknowledges_late", "stays", (), EndedBy.REMOTE),
    ("caller_is_hung_up_on", "leaves", (), EndedBy.APPLICATION),
    ("caller_behind_nat", "leaves", (), EndedBy.APPLICATION),
    ("caller_holds", "stays", (), EndedBy.REMOTE),
    ("caller_offers_late", "stays", (), EndedBy.REMOTE),
    ("caller_is_brief", "stays", (), EndedBy.REMOTE),
    ("caller_keeps_the_session", "stays", (), EndedBy.REMOTE),
    ("caller_wants_certainty", "dawdles", (), EndedBy.REMOTE),
    ("caller_is_long_winded", "stays", (), EndedBy.REMOTE),
    ("caller_proves_itself", "stays", ("-au", DEVICE, "-ap", DEVICE_PASSWORD), EndedBy.REMOTE),
    ("caller_presses_by_info", "menu", (), EndedBy.APPLICATION),
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
