"""CallAPI's representations of what is known about calls. Pure.

Sources: CallAPI "Calls", "Listing Calls", "Modifying Live Calls", "Recordings"; RestComm "Calls API",
"Notifications API".
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording
from ringback.calls.status import Direction
from ringback.calls.verbs import Note
from ringback.dialects.callapi.fields import seconds
from ringback.dialects.callapi.represent import Member, Members, Resource
from ringback.dialects.callapi.sids import (
    API_VERSION,
    account_sid,
    call_sid,
    instance_sid,
    notification_sid,
    number_sid,
    recording_sid,
    recording_url,
)
from ringback.dialects.callapi.words import answerer_word, status_word
from ringback.dialects.http import iso8601, rfc2822

_DIRECTIONS = {
    Direction.INBOUND: "inbound",
    Direction.OUTBOUND_API: "outbound-api",
    Direction.OUTBOUND_DIAL: "outbound-api",  # only callbacks tell a dialled leg apart
}


def account_uri(account_id: UUID) -> str:
    """Where everything of an account is; starts at the version, as the service writes it."""
    return f"/{API_VERSION}/Accounts/{account_sid(account_id)}"


def call_uri(call: CallRecord, instance: str) -> str:
    """Without `.json`."""
    return f"{account_uri(call.account_id)}/Calls/{call_sid(instance, call.id)}"


def call_resource(call: CallRecord, instance: str, now: datetime) -> Resource:
    """One call."""
    uri = call_uri(call, instance)
    inbound = call.direction is Direction.INBOUND
    started = call.created_at if inbound else call.answered_at or call.created_at
    parent = call_sid(instance, call.parent_id) if call.parent_id else None
    known = call.answered_at is not None or call.ended_at is not None
    return Resource(
        "Call",
        (
            Member("sid", "Sid", call_sid(instance, call.id)),
            Member("InstanceId", "InstanceId", instance_sid(instance)),
            Member("date_created", "DateCreated", _date(call.created_at)),
            Member("date_updated", "DateUpdated", _date(call.updated_at)),
            Member("parent_call_sid", "ParentCallSid", parent),
            Member("account_sid", "AccountSid", account_sid(call.account_id)),
            Member("to", "To", call.to),
            Member("from", "From", call.from_),
            Member(
                "phone_number_sid", "PhoneNumberSid", number_sid(call.number_id) if call.number_id else None
            ),
            Member("status", "Status", status_word(call)),
            Member("start_time", "StartTime", iso8601(started)),
            Member("end_time", "EndTime", iso8601(call.ended_at) if call.ended_at else None),
            Member("duration", "Duration", call.duration(now) if known else None),
            Member("price", "Price", "0.00"),
            Member("price_unit", "PriceUnit", "USD"),
            Member("direction", "Direction", _DIRECTIONS[call.direction]),
            Member("answered_by", "AnsweredBy", answerer_word(call.answered_by)),
            Member("api_version", "ApiVersion", API_VERSION),
            Member("forwarded_from", "ForwardedFrom", call.forwarded_from),
            Member("caller_name", "CallerName", call.caller_name or ("Unknown" if inbound else None)),
            Member("uri", "Uri", f"{uri}.json"),
            Member("ring_duration", "Ring_duration", _ring_seconds(call)),
            Member("subresource_uris", "SubresourceUris", _subresources(uri)),
        ),
    )


def recording_resource(recording: Recording, instance: str, public_url: str) -> Resource:
    """One recording; `duration` is text, with a point."""
    sid = recording_sid(recording.id)
    return Resource(
        "Recording",
        (
            Member("sid", "Sid", sid),
            Member("date_created", "DateCreated", _date(recording.created_at)),
            Member("date_updated", "DateUpdated", _date(recording.updated_at)),
            Member("account_sid", "AccountSid", account_sid(recording.account_id)),
            Member("call_sid", "CallSid", call_sid(instance, recording.call_id)),
            Member("duration", "Duration", seconds(recording.duration)),
            Member("api_version", "ApiVersion", API_VERSION),
            Member("uri", "Uri", f"{account_uri(recording.account_id)}/Recordings/{sid}.json"),
            Member("file_uri", "FileUri", recording_url(public_url, recording)),
        ),
    )


def notification_resource(
    call: CallRecord, instance: str, note: Note, *, sequence: int, at: datetime
) -> Resource:
    """A note on the call's time line, as a notification: `log` 0 is an error, 1 a warning."""
    sid = notification_sid(call.id, sequence)
    url = note.detail.get("url")
    return Resource(
        "Notification",
        (
            Member("sid", "Sid", sid),
            Member("date_created", "DateCreated", _date(at)),
            Member("date_updated", "DateUpdated", _date(at)),
            Member("account_sid", "AccountSid", account_sid(call.account_id)),
            Member("call_sid", "CallSid", call_sid(instance, call.id)),
            Member("api_version", "ApiVersion", API_VERSION),
            Member("log", "Log", 0 if note.level == "error" else 1),
            Member(
                "error_code",
                "ErrorCode",
                int(note.code) if note.code.isascii() and note.code.isdigit() else 0,
            ),
            Member("message_text", "MessageText", note.message),
            Member("message_date", "MessageDate", iso8601(at)),
            Member("request_url", "RequestUrl", url if isinstance(url, str) else None),
            Member("uri", "Uri", f"{call_uri(call, instance)}/Notifications/{sid}.json"),
        ),
    )


def _subresources(uri: str) -> Members:
    return (
        Member("notifications", "Notifications", f"{uri}/Notifications.json"),
        Member("recordings", "Recordings", f"{uri}/Recordings.json"),
    )


def _ring_seconds(call: CallRecord) -> int | None:
    until = call.answered_at or call.ended_at
    if call.ringing_at is None or until is None:
        return None
    return max(0, round((until - call.ringing_at).total_seconds()))


def _date(at: datetime) -> str:
    """`Thu, 7 Jun 2018 16:56:33 +0000`: RFC 2822 with the day unpadded, as the service writes it."""
    return rfc2822(at).replace(", 0", ", ", 1)
