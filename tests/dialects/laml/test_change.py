"""Changing, ending and deleting calls over REST and real HTTP, in both profiles."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.dialects.laml.conftest import Api
from tests.dialects.laml.making import (
    AC_SID,
    CA_SID,
    CALL_ID,
    NOBODYS,
    NOON,
    SW,
    TW,
    UUID_SID,
    ended,
    record,
)
from tests.dialects.memory import MemoryCalls

from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import HangUp, Hook
from ringback.dialects.laml.settings import Settings

IN_PROGRESS = record(
    status=CallStatus.IN_PROGRESS,
    answered_at=NOON,
    application_state=msgspec.to_builtins(
        Settings(
            profile="signalwire",
            voice_url="http://app.test/voice",
            status_callback="http://app.test/status",
            events=("answered", "completed"),
        )
    ),
)


async def test_a_live_call_is_sent_elsewhere(api: Api, calls: MemoryCalls) -> None:
    calls.add(IN_PROGRESS)
    data = {"Url": "http://app.test/next", "Method": "GET"}
    status, body = await api("POST", f"{SW}/Calls/{CALL_ID}", UUID_SID, data=data)
    assert (status, body["sid"]) == (200, str(CALL_ID))
    ((what, how),) = calls.done
    assert (what, how["hook"]) == ("redirect", Hook(url="http://app.test/next", method="GET"))
    assert how["application"] is None  # the present one goes on, with its cookies


async def test_a_live_call_gets_a_document(api: Api, calls: MemoryCalls) -> None:
    calls.add(IN_PROGRESS)
    data = {"Twiml": "<Response><Hangup/></Response>", "StatusCallback": "http://app.test/other"}
    status, _ = await api("POST", f"{TW}/Calls/{CA_SID}.json", AC_SID, data=data)
    assert status == 200
    how = calls.done[0][1]
    assert isinstance(how["document"].verbs[0], HangUp)
    settings = how["application"].settings
    assert settings.profile == "signalwire"  # the call keeps its creator's
    assert (settings.status_callback, settings.events) == ("http://app.test/other", ("answered", "completed"))
    assert settings.voice_url == "http://app.test/voice"


async def test_only_the_callbacks_change(api: Api, calls: MemoryCalls) -> None:
    calls.add(IN_PROGRESS)
    data = {"StatusCallback": "http://app.test/other", "FallbackUrl": "http://app.test/f"}
    status, _ = await api("POST", f"{SW}/Calls/{CALL_ID}", UUID_SID, data=data)
    assert status == 200
    ((what, application),) = calls.done
    assert (what, application.settings.fallback_url) == ("set_application", "http://app.test/f")


async def test_a_call_of_another_dialect_can_be_taken_over(api: Api, calls: MemoryCalls) -> None:
    calls.add(msgspec.structs.replace(IN_PROGRESS, dialect="jambonz", application_state={"x": 1}))
    status, _ = await api("POST", f"{TW}/Calls/{CA_SID}", AC_SID, data={"Url": "http://app.test/next"})
    assert status == 200
    settings = calls.done[0][1]["application"].settings
    assert (settings.profile, settings.voice_url) == ("twilio", "http://app.test/next")


async def test_a_live_call_gets_a_limit(api: Api, calls: MemoryCalls) -> None:
    calls.add(IN_PROGRESS)
    for base, sid in ((f"{TW}/Calls/{CA_SID}.json", AC_SID), (f"{SW}/Calls/{CALL_ID}", UUID_SID)):
        assert (await api("POST", base, sid, data={"TimeLimit": "90"}))[0] == 200
    assert calls.done == [("limit_time", 90)] * 2


async def test_either_leg_is_sent_elsewhere(api: Api, calls: MemoryCalls) -> None:
    """A party that was dialled is a call like any other, with its own document and callbacks."""
    state = IN_PROGRESS.application_state
    callee = record(
        id=NOBODYS,
        parent_id=CALL_ID,
        direction=Direction.OUTBOUND_DIAL,
        status=CallStatus.IN_PROGRESS,
        application_state=state,
    )
    calls.add(IN_PROGRESS, callee)
    for id in (NOBODYS, CALL_ID):
        status, body = await api("POST", f"{SW}/Calls/{id}", UUID_SID, data={"Url": "http://app.test/next"})
        assert (status, body["sid"]) == (200, str(id))
    assert [what for what, _ in calls.done] == ["redirect", "redirect"]
    assert calls.changed == [NOBODYS, CALL_ID]


async def test_a_change_of_nothing_changes_nothing(api: Api, calls: MemoryCalls) -> None:
    calls.add(IN_PROGRESS)
    status, body = await api("POST", f"{SW}/Calls/{CALL_ID}", UUID_SID, data={})
    assert (status, body["status"], calls.done) == (200, "in-progress", [])


async def test_calls_are_ended(api: Api, calls: MemoryCalls) -> None:
    calls.add(IN_PROGRESS)
    status, body = await api("POST", f"{SW}/Calls/{CALL_ID}", UUID_SID, data={"Status": "completed"})
    assert (status, body["status"]) == (200, "completed")
    calls.add(record(direction=Direction.OUTBOUND_API))
    status, body = await api("POST", f"{TW}/Calls/{CA_SID}.json", AC_SID, data={"Status": "canceled"})
    assert (status, body["status"]) == (200, "canceled")


@pytest.mark.parametrize(
    ("call", "data", "twilio", "signalwire"),
    [
        (record(), {"Url": "http://a.test"}, 21220, 21220),
        (ended(), {"Url": "http://a.test"}, 21220, 10000),
        (ended(), {"StatusCallback": "http://a.test"}, 21220, 10000),
        (ended(), {"Status": "completed"}, 21220, 10000),
        (ended(), {"Status": "canceled"}, 21220, 10000),
        (IN_PROGRESS, {"Status": "canceled"}, None, 10000),
        (IN_PROGRESS, {"Status": "paused"}, 20422, 10000),
        (IN_PROGRESS, {"Url": "nonsense"}, 21205, 21205),
        (IN_PROGRESS, {"Url": "http://a.test", "Method": "PUT"}, 21209, 21209),
        (IN_PROGRESS, {"Twiml": "<Response>"}, 12100, 20422),
        (IN_PROGRESS, {"TimeLimit": "0"}, 20422, 20422),
        (ended(), {"TimeLimit": "10"}, 21220, 10000),
    ],
)
async def test_changes_that_are_refused(
    api: Api, calls: MemoryCalls, call: Any, data: dict[str, str], twilio: int | None, signalwire: int
) -> None:
    for base, sid, code in (
        (f"{TW}/Calls/{CA_SID}", AC_SID, twilio),
        (f"{SW}/Calls/{CALL_ID}", UUID_SID, signalwire),
    ):
        calls.add(call)
        status, body = await api("POST", base, sid, data=data)
        if code is None:
            assert (status, body["status"]) == (200, "in-progress")
        else:
            assert (status, body["code"], body["status"]) == (400, code, 400)


async def test_ended_calls_are_forgotten(api: Api, calls: MemoryCalls) -> None:
    calls.add(record())
    status, body = await api("DELETE", f"{SW}/Calls/{CALL_ID}", UUID_SID)
    assert (status, body["code"]) == (409, 20009)
    calls.add(ended())
    assert await api("DELETE", f"{TW}/Calls/{CA_SID}.json", AC_SID) == (204, None)
    assert (await api("DELETE", f"{TW}/Calls/{CA_SID}.json", AC_SID))[0] == 404
