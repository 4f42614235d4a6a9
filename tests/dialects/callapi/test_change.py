"""Changing calls over REST, through ASGI: a new script, an end, mute, and what is refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.dialects.callapi.conftest import SID, Make

from ringback.calls.control import WrongState
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus
from ringback.calls.verbs import Hook
from ringback.dialects.callapi.settings import Settings
from ringback.routing.directory import Account


async def test_a_new_script(rest: Any, calls: Any, services: Any, record: Make, account: Account) -> None:
    before = Settings(status=Hook(url="http://app.test/status"), events=("completed",))
    state = {"dialect": "callapi", "status": {"url": "http://app.test/status"}, "events": ["completed"]}
    calls.add(record(status=CallStatus.IN_PROGRESS, application_state=state))
    form = {
        "Url": "http://app.test/new",
        "Method": "GET",
        "FallbackUrl": "http://app.test/fallback",
    }
    reply = await rest("POST", f"Calls/{SID}.json", form)
    assert (reply.status, reply.json["status"]) == (200, "in-progress")
    ((what, to),) = calls.done
    assert (what, to["hook"]) == ("redirect", Hook(url="http://app.test/new", method="GET"))
    application = to["application"]
    assert application.settings.status == before.status
    assert application.settings.events == before.events
    assert application.settings.fallback == Hook(url="http://app.test/fallback")


@pytest.mark.parametrize("connected", [True, False])
async def test_a_new_script_for_both_parties(rest: Any, calls: Any, record: Make, connected: bool) -> None:
    calls.add(record(status=CallStatus.IN_PROGRESS))
    if not connected:
        calls.found["redirect_both"] = WrongState("nobody is connected")
    form = {
        "Url": "http://app.test/new",
        "FallbackUrl": "http://app.test/fallback",
        "MoveConnectedCallLeg": "true",
    }
    assert (await rest("POST", f"Calls/{SID}.json", form)).status == 200
    hook = Hook(url="http://app.test/new")
    (what, to), *alone = calls.done
    assert (what, to["to"], to["callee_to"]) == ("redirect_both", hook, hook)
    assert to["application"].settings.fallback == Hook(url="http://app.test/fallback")
    assert [(what, to["hook"]) for what, to in alone] == ([] if connected else [("redirect", hook)])


async def test_a_script_for_a_call_of_another_dialect(rest: Any, calls: Any, record: Make) -> None:
    calls.add(record(dialect="laml", status=CallStatus.IN_PROGRESS, application_state={"status": 1}))
    form = {"Url": "http://app.test/new", "StatusCallback": "http://app.test/s"}
    assert (await rest("POST", f"Calls.json/{SID}", form)).status == 200
    ((_, to),) = calls.done
    assert to["application"].settings.status == Hook(url="http://app.test/s")


@pytest.mark.parametrize(
    ("status", "form", "done"),
    [
        (CallStatus.RINGING, {"Status": "canceled"}, [("cancel", False)]),
        (CallStatus.IN_PROGRESS, {"Status": "canceled"}, [("cancel", False)]),
        (CallStatus.IN_PROGRESS, {"Status": "completed"}, [("hang_up",)]),
        (CallStatus.RINGING, {"Status": "completed", "Url": "http://x/"}, [("hang_up",)]),
        (CallStatus.IN_PROGRESS, {"Mute": "true"}, [("mute", True)]),
        (CallStatus.IN_PROGRESS, {"Mute": "false"}, [("mute", False)]),
        (CallStatus.RINGING, {"Mute": "true"}, [("mute", True)]),
    ],
)
async def test_changes(
    rest: Any, calls: Any, record: Make, status: CallStatus, form: dict[str, str], done: list[Any]
) -> None:
    calls.add(record(status=status))
    assert (await rest("POST", f"Calls/{SID}.json", form)).status == 200
    assert calls.done == done


async def test_only_another_callback(rest: Any, calls: Any, record: Make) -> None:
    calls.add(record(status=CallStatus.IN_PROGRESS))
    form = {"StatusCallback": "http://app.test/s", "StatusCallbackMethod": "GET"}
    assert (await rest("POST", f"Calls/{SID}.json", form)).status == 200
    ((what, application),) = calls.done
    assert what == "set_application"
    assert application.settings.status == Hook(url="http://app.test/s", method="GET")


@pytest.mark.parametrize(
    ("state", "sid", "form", "status", "text"),
    [
        (CallStatus.IN_PROGRESS, "nonsense", {"Status": "completed"}, 400, "nonsense is not a call SID."),
        (CallStatus.IN_PROGRESS, "CA" + "f" * 32, {"Status": "completed"}, 406, ""),
        (CallStatus.COMPLETED, SID, {"Status": "completed"}, 410, "Call is already completed."),
        (CallStatus.BUSY, SID, {"Url": "http://x/"}, 410, "Call is already completed."),
        (CallStatus.IN_PROGRESS, SID, {}, 409, "Nothing to change"),
        (CallStatus.IN_PROGRESS, SID, {"MoveConnectedCallLeg": "true"}, 409, "Nothing to change"),
        (CallStatus.IN_PROGRESS, SID, {"Status": "paused"}, 400, "Status must be canceled or completed."),
        (CallStatus.IN_PROGRESS, SID, {"Mute": "loud"}, 400, "Mute must be true or false."),
        (CallStatus.IN_PROGRESS, SID, {"Url": "x"}, 400, "Url is not a valid URL"),
        (CallStatus.IN_PROGRESS, SID, {"Url": "http://x/", "Method": "PUT"}, 400, "Method must be"),
        (CallStatus.RINGING, SID, {"Url": "http://x/"}, 409, "the call is ringing"),
    ],
)
async def test_changes_that_are_refused(
    rest: Any,
    calls: Any,
    record: Make,
    state: CallStatus,
    sid: str,
    form: dict[str, str],
    status: int,
    text: str,
) -> None:
    calls.add(record(status=state))
    reply = await rest("POST", f"Calls/{sid}.json", form)
    assert reply.status == status
    assert reply.text.startswith(text)
    if not text:
        assert reply.text == ""


async def test_a_call_that_ends_meanwhile(rest: Any, calls: Any, record: Make) -> None:
    live, over = record(status=CallStatus.IN_PROGRESS), record(status=CallStatus.COMPLETED)
    calls.add(over)
    answers = [live, over]

    async def get(account_id: UUID, call_id: UUID) -> CallRecord:
        return answers.pop(0)

    calls.get = get
    reply = await rest("POST", f"Calls/{SID}.json", {"Status": "completed"})
    assert (reply.status, reply.text) == (410, "Call is already completed.")
