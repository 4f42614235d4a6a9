"""What came of a transfer, out of how its Dial or Refer ended, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.calls.making import CALLEE, HOOK

from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.status import CallStatus
from ringback.calls.transferred import Handover, handover, what_follows
from ringback.calls.verbs import Dial, Fallbacks, HangUp, Redirect, Refer, Transfer

DIAL = Dial(callees=(CALLEE,))
REFER = Refer(refer_to="sip:carol@192.0.2.9")
HANG_UP = HangUp()
FALLBACKS = Fallbacks(no_answer=(HANG_UP,), busy=(Redirect(hook=HOOK),), declined=(DIAL,), failed=())
FAILED, HUNG_UP, TIMEOUT = EndOfVerb.FAILED, EndOfVerb.HUNG_UP, EndOfVerb.TIMEOUT


def of_dial(status: CallStatus | None = None, **more: Any) -> Outcome:
    return Outcome(**{"end": FAILED, "callee_status": status, **more})


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (of_dial(CallStatus.COMPLETED, end=EndOfVerb.DONE, bridged=True), Handover.COMPLETED),
        (of_dial(CallStatus.COMPLETED, end=HUNG_UP, bridged=True), Handover.COMPLETED),
        (of_dial(CallStatus.CANCELED, end=HUNG_UP), Handover.ABANDONED),
        (of_dial(CallStatus.COMPLETED), Handover.DECLINED),
        (of_dial(CallStatus.DECLINED), Handover.DECLINED),
        (of_dial(CallStatus.BUSY), Handover.BUSY),
        (of_dial(CallStatus.NO_ANSWER), Handover.NO_ANSWER),
        (of_dial(CallStatus.UNAVAILABLE), Handover.NO_ANSWER),
        (of_dial(CallStatus.FAILED), Handover.FAILED),
        (of_dial(), Handover.FAILED),
    ],
)
def test_a_dial(outcome: Outcome, expected: Handover) -> None:
    assert handover(Transfer(by=DIAL), outcome) is expected


@pytest.mark.parametrize(
    ("end", "status", "notified", "expected"),
    [
        (EndOfVerb.DONE, 202, 200, Handover.COMPLETED),
        (EndOfVerb.DONE, 202, 486, Handover.BUSY),
        (EndOfVerb.DONE, 202, 603, Handover.DECLINED),
        (EndOfVerb.DONE, 202, 480, Handover.NO_ANSWER),
        (EndOfVerb.DONE, 202, 487, Handover.NO_ANSWER),
        (EndOfVerb.DONE, 202, 503, Handover.FAILED),
        (EndOfVerb.DONE, 202, 180, Handover.FAILED),
        (TIMEOUT, 202, 180, Handover.NO_ANSWER),
        (TIMEOUT, 202, None, Handover.NO_ANSWER),
        (HUNG_UP, 202, None, Handover.COMPLETED),
        (HUNG_UP, 202, 180, Handover.COMPLETED),
        (HUNG_UP, 202, 486, Handover.BUSY),
        (HUNG_UP, None, None, Handover.ABANDONED),
        (FAILED, 603, None, Handover.FAILED),
        (FAILED, None, None, Handover.FAILED),
    ],
)
def test_a_refer(end: EndOfVerb, status: int | None, notified: int | None, expected: Handover) -> None:
    outcome = Outcome(end=end, sip_status=status, notified_status=notified)
    assert handover(Transfer(by=REFER), outcome) is expected


def test_what_follows() -> None:
    transfer = Transfer(by=DIAL, fallbacks=FALLBACKS)
    assert what_follows(transfer, of_dial(CallStatus.NO_ANSWER)) == (HANG_UP,)
    assert what_follows(transfer, of_dial(CallStatus.BUSY)) == (Redirect(hook=HOOK),)
    assert what_follows(transfer, of_dial(CallStatus.DECLINED)) == (DIAL,)
    assert what_follows(transfer, of_dial(CallStatus.FAILED)) == ()
    assert what_follows(transfer, of_dial(bridged=True)) == ()
    assert what_follows(transfer, of_dial(end=HUNG_UP)) == ()


def test_a_far_end_that_was_transferred_is_hung_up() -> None:
    done = Outcome(sip_status=202, notified_status=200)
    assert [type(verb) for verb in what_follows(Transfer(by=REFER), done)] == [HangUp]
