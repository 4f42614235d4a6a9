"""A call's record as the store keeps it, and back."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, cast
from uuid import UUID

import msgspec

from ringback.calls.events import MediaStatistics
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.net.clock import epoch, maybe_moment, moment
from ringback.store.ids import spelled
from ringback.store.records import CallRow

_EXTRA = (
    "from_uri",
    "to_uri",
    "client",
    "source",
    "invite_headers",
    "end_headers",
    "application_state",
    "progress",
    "detection_ms",
    "recording",
)
_extra_of = attrgetter(*_EXTRA)


def storable(text: str) -> str:
    """Without NUL, which a SIP user part (RFC 4475 section 3.1.1.5) or an application's words may hold, but
    no PostgreSQL text."""
    return text.replace("\0", "\ufffd")


def to_row(call: CallRecord, former: CallRow | None = None) -> CallRow:
    """The call's row. What never changes of a call is taken from a former one, where there is one."""
    extra = dict(zip(_EXTRA, _extra_of(call), strict=True))
    extra["initiated_at"] = epoch(call.initiated_at)
    return msgspec.structs.replace(
        former or _beginning(call),
        dialect=call.dialect,
        profile=call.profile,
        trunk_name=call.trunk,
        status=call.status,
        cause=storable(call.cause or ""),
        sip_status=call.sip_status,
        sip_reason=storable(call.sip_reason),
        ringing_at=epoch(call.ringing_at),
        answered_at=epoch(call.answered_at),
        ended_at=epoch(call.ended_at),
        updated_at=call.updated_at.timestamp(),
        ended_by=call.ended_by,
        answered_by=call.answered_by,
        custom=call.custom,
        stats=call.media,
        dialog=call.dialog,
        extra=extra,
    )


def _beginning(call: CallRecord) -> CallRow:
    """What a call is stored with, once."""
    return CallRow(
        id=spelled(call.id),
        account_id=spelled(call.account_id),
        application_id=_text(call.application_id),
        parent_id=_text(call.parent_id),
        number_id=_text(call.number_id),
        direction=call.direction,
        from_=storable(call.from_),
        to=storable(call.to),
        caller_name=storable(call.caller_name) if call.caller_name else call.caller_name,
        forwarded_from=storable(call.forwarded_from) if call.forwarded_from else call.forwarded_from,
        sip_call_id=call.sip_call_id,
        source_ip=host_of(call.source),
        local_address=call.local_address,
        created_at=call.created_at.timestamp(),
    )


def from_row(row: CallRow) -> CallRecord:
    """The record of a stored call."""
    extra = cast("dict[str, Any]", row.extra or {})
    return CallRecord(
        id=UUID(row.id),
        account_id=UUID(row.account_id),
        application_id=_uuid(row.application_id),
        parent_id=_uuid(row.parent_id),
        number_id=_uuid(row.number_id),
        dialect=row.dialect,
        profile=row.profile,
        direction=Direction(row.direction),
        status=CallStatus(row.status),
        from_=row.from_,
        to=row.to,
        from_uri=extra.get("from_uri", ""),
        to_uri=extra.get("to_uri", ""),
        caller_name=row.caller_name,
        forwarded_from=row.forwarded_from,
        sip_call_id=row.sip_call_id or "",
        trunk=row.trunk_name,
        client=extra.get("client"),
        source=extra.get("source", ""),
        local_address=row.local_address or "",
        sip_status=row.sip_status or 0,
        sip_reason=row.sip_reason or "",
        created_at=moment(row.created_at),
        initiated_at=maybe_moment(extra.get("initiated_at")),
        ringing_at=maybe_moment(row.ringing_at),
        answered_at=maybe_moment(row.answered_at),
        ended_at=maybe_moment(row.ended_at),
        updated_at=moment(row.updated_at),
        ended_by=EndedBy(row.ended_by) if row.ended_by else None,
        cause=row.cause or None,
        answered_by=row.answered_by,
        detection_ms=extra.get("detection_ms"),
        recording=msgspec.convert(extra["recording"], Recording) if extra.get("recording") else None,
        custom=row.custom,
        progress=extra.get("progress", 0),
        media=msgspec.convert(row.stats, MediaStatistics) if row.stats else None,
        invite_headers=_pairs(extra.get("invite_headers")),
        end_headers=_pairs(extra.get("end_headers")),
        dialog=row.dialog,
        application_state=extra.get("application_state", {}),
    )


def host_of(source: str) -> str | None:
    """The host in `transport:host:port`."""
    _, _, address = source.partition(":")
    host, _, _ = address.rpartition(":")
    return host.strip("[]") or None


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name, text) for name, text in value or ())


def _text(value: UUID | None) -> str | None:
    return None if value is None else spelled(value)


def _uuid(value: str | None) -> UUID | None:
    return UUID(value) if value else None
