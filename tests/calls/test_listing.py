"""Which calls to list, as the store is asked for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.calls.making import ACCOUNT, CALL, NOON

from ringback.calls.control import CallFilter
from ringback.calls.listing import stored_filter
from ringback.calls.status import FINAL, CallStatus, Direction
from ringback.store import records

EVERYTHING = records.CallFilter(accounts=(str(ACCOUNT),))
LATER = NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ({}, {}),
        (
            {"statuses": frozenset({CallStatus.BUSY, CallStatus.FAILED})},
            {"statuses": ("busy", "failed"), "open": False},
        ),
        ({"statuses": FINAL}, {"open": False}),
        ({"statuses": frozenset({CallStatus.RINGING})}, {"statuses": ("ringing",), "open": True}),
        (
            {"statuses": frozenset({CallStatus.RINGING, CallStatus.BUSY})},
            {"statuses": ("busy", "ringing")},
        ),
        ({"directions": frozenset({Direction.INBOUND})}, {"directions": ("inbound",)}),
        ({"from_": "+14155550100"}, {"from_": ("14155550100", "+14155550100")}),
        ({"from_": "14155550100"}, {"from_": ("14155550100", "+14155550100")}),
        ({"to": "sip:bob@example.com"}, {"to": ("sip:bob@example.com",)}),
        ({"to": ""}, {}),
        ({"from_": "0100", "match_suffix": True}, {"from_suffix": "0100"}),
        ({"to": "+0100", "match_suffix": True}, {"to_suffix": "+0100"}),
        ({"parent_id": CALL}, {"parent_id": str(CALL)}),
        ({"trunk": "carrier", "answered": False}, {"trunk_name": "carrier", "answered": False}),
        ({"call_ids": frozenset({CALL})}, {"ids": (str(CALL),)}),
        ({"party": "0100"}, {"party": "0100"}),
        (
            {"started_from": NOON, "started_before": LATER},
            {"created_from": NOON.timestamp(), "created_to": LATER.timestamp()},
        ),
        (
            {"ended_from": NOON, "ended_before": LATER},
            {"ended_from": NOON.timestamp(), "ended_to": LATER.timestamp()},
        ),
        ({"live_or_ended_after": NOON}, {"open_or_ended_from": NOON.timestamp()}),
        ({"order": "-duration"}, {"order": "-duration"}),
    ],
)
def test_a_filter(asked: dict[str, Any], stored: dict[str, Any]) -> None:
    assert stored_filter(CallFilter(account_id=ACCOUNT, **asked)) == msgspec.structs.replace(
        EVERYTHING, **stored
    )


@pytest.mark.parametrize("none", ["statuses", "directions", "call_ids"])
def test_none_of_them_is_not_any_of_them(none: str) -> None:
    nothing: dict[str, Any] = {none: frozenset()}
    assert stored_filter(CallFilter(account_id=ACCOUNT, **nothing)) is None
