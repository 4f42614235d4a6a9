"""A past call as its record for accounting shows it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.dialects.http import iso8601
from ringback.dialects.jambonz.payload import direction_name, source_address
from ringback.dialects.jambonz.sids import application_sid, spell
from ringback.routing.directory import Account

DIRECTIONS = {
    "inbound": frozenset({Direction.INBOUND}),
    "outbound": frozenset({Direction.OUTBOUND_API, Direction.OUTBOUND_DIAL}),
}
_GIVEN_UP = frozenset({CallStatus.ABANDONED, CallStatus.NO_ANSWER, CallStatus.CANCELED})


def cdr(
    call: CallRecord, account: Account, *, recorded: bool, parent_call_id: str | None = None
) -> dict[str, Any]:
    """One ended call. `duration` is in seconds; times are ISO 8601 in UTC, null where there is none."""
    provider = account.service_provider_sid
    row: dict[str, Any] = {
        "account_sid": spell(call.account_id),
        "service_provider_sid": spell(provider) if provider else None,
        "application_sid": application_sid(call),
        "call_sid": spell(call.id),
        "sip_callid": call.sip_call_id,
        "sip_call_id": call.sip_call_id,
        "from": call.from_,
        "to": call.to,
        "direction": direction_name(call.direction),
        "answered": call.answered_at is not None,
        "sip_status": call.sip_status,
        "duration": call.duration(),
        "attempted_at": iso8601(call.created_at),
        "answered_at": _time(call.answered_at),
        "terminated_at": _time(call.ended_at),
        "termination_reason": termination_reason(call),
        "host": call.local_address,
        "remote_host": source_address(call),
        "trunk": call.trunk or "",
        "trace_id": call.id.hex,
    }
    if parent_call_id:
        row["sip_parent_callid"] = parent_call_id
    if recorded:
        row["recording_url"] = recording_path(call)
    return row


def termination_reason(call: CallRecord) -> str:
    """Who ended it. The caller of an outbound call is this side."""
    if call.answered_at is None:
        return "caller abandoned" if call.status in _GIVEN_UP else "failed"
    by_remote = call.ended_by is EndedBy.REMOTE
    inbound = call.direction is Direction.INBOUND
    return "caller hungup" if by_remote is inbound else "called party hungup"


def recording_path(call: CallRecord, form: str = "mp3") -> str:
    """Where the recording is, below `/v1`: filed under the day the call began on."""
    account, day = spell(call.account_id), f"{call.created_at:%Y/%m/%d}"
    return f"/Accounts/{account}/RecentCalls/{spell(call.id)}/record/{day}/{form}"


def _time(at: datetime | None) -> str | None:
    return None if at is None else iso8601(at)
