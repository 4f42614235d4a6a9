"""Final statuses: which SIP code becomes which, and how a call that we end ourselves is called."""

from __future__ import annotations

from typing import Any

import pytest
from tests.calls.making import answered_record, record

from ringback.calls.ending import Ending, ending_of
from ringback.calls.status import FINAL, LIVE, CallStatus, Direction, EndedBy, status_of_failure


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (486, CallStatus.BUSY),
        (600, CallStatus.BUSY),
        (603, CallStatus.DECLINED),
        (480, CallStatus.UNAVAILABLE),
        (408, CallStatus.UNAVAILABLE),
        (404, CallStatus.FAILED),
        (484, CallStatus.FAILED),
        (500, CallStatus.FAILED),
        (503, CallStatus.FAILED),
        (604, CallStatus.FAILED),
    ],
)
def test_the_status_of_a_final_response(code: int, status: CallStatus) -> None:
    assert status_of_failure(code) is status
    ending = Ending.failed(code, "So It Is", "rejected")
    assert ending.status is status
    assert ending.by is EndedBy.REMOTE
    assert ending.cause == f"the far end answered {code} So It Is"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("timeout", "no response came"),
        ("transport", "no address of the target could be reached"),
        ("unresolved", "the target's name has no address"),
        ("refused", "the target's address is refused: it is not public"),
    ],
)
def test_what_the_network_did_is_a_failure_whatever_its_code(cause: str, words: str) -> None:
    ending = Ending.failed(408, "Request Timeout", cause)
    assert (ending.status, ending.by, ending.cause) == (CallStatus.FAILED, EndedBy.SERVER, words)


def test_a_status_is_live_or_final() -> None:
    assert set(CallStatus) == LIVE | FINAL
    assert not LIVE & FINAL
    assert all(status.final == (status in FINAL) for status in CallStatus)


OUTBOUND = {"direction": Direction.OUTBOUND_API}


@pytest.mark.parametrize(
    ("call", "given", "status", "sip"),
    [
        pytest.param(answered_record(), {}, CallStatus.COMPLETED, (200, "OK"), id="answered"),
        pytest.param(answered_record(**OUTBOUND), {}, CallStatus.COMPLETED, (200, "OK"), id="answered, ours"),
        pytest.param(record(), {}, CallStatus.REJECTED, (487, "Request Terminated"), id="inbound"),
        pytest.param(
            record(), {"sip_status": 603}, CallStatus.REJECTED, (603, "Decline"), id="inbound with a code"
        ),
        pytest.param(record(**OUTBOUND), {}, CallStatus.CANCELED, (487, "Request Terminated"), id="outbound"),
        pytest.param(
            record(), {"status": CallStatus.FAILED, "sip_status": 500}, CallStatus.FAILED,
            (500, "Server Internal Error"), id="as told",
        ),
    ],
)  # fmt: skip
def test_an_end_of_our_own(
    call: Any, given: dict[str, Any], status: CallStatus, sip: tuple[int, str]
) -> None:
    event = ending_of(call, EndedBy.SERVER, **given).event(None)
    assert event.status is status
    assert (event.sip_status, event.sip_reason) == sip
    assert event.by is EndedBy.SERVER
    assert event.cause
