"""What an application is told: the call as this service's fields. Pure.

Keys are snake_case throughout, except inside (and in the name of) the objects that are passed on as they are.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from ringback.calls.application import SipMessageFacts
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.dialects.jambonz.sids import application_sid, spell
from ringback.routing.directory import Account, Speech

Payload = dict[str, Any]

_STATUS = {
    CallStatus.QUEUED: "trying",
    CallStatus.INITIATED: "trying",
    CallStatus.RINGING: "ringing",
    CallStatus.EARLY_MEDIA: "early-media",
    CallStatus.IN_PROGRESS: "in-progress",
    CallStatus.COMPLETED: "completed",
    CallStatus.BUSY: "busy",
    CallStatus.DECLINED: "busy",
    CallStatus.UNAVAILABLE: "failed",
    CallStatus.NO_ANSWER: "no-answer",
    CallStatus.CANCELED: "no-answer",
    CallStatus.ABANDONED: "no-answer",
    CallStatus.REJECTED_BUSY: "failed",
    CallStatus.REJECTED: "failed",
    CallStatus.FAILED: "failed",
}
STATUSES = frozenset(_STATUS.values()) | {"queued"}
"""Every word that a filter may name; nothing is ever `queued`."""

_USER = re.compile(r"sips?:([^@;?]+)@", re.IGNORECASE)


def status_name(status: CallStatus, direction: Direction) -> str:
    """A neutral status in this service's words. To a dial, 603 is a failure; to a request, a busy party."""
    if status is CallStatus.DECLINED and direction is Direction.OUTBOUND_DIAL:
        return "failed"
    return _STATUS[status]


def statuses_named(name: str) -> frozenset[CallStatus]:
    """The neutral statuses that a word may stand for; which it does depends on the direction."""
    return frozenset(
        status for status in CallStatus for direction in Direction if status_name(status, direction) == name
    )


def direction_name(direction: Direction) -> str:
    """`inbound`, or `outbound` for every call placed here."""
    return "inbound" if direction is Direction.INBOUND else "outbound"


def termination(call: CallRecord) -> str | None:
    """`caller` when the far end hung up, `jambonz` for everything on this side; None while the call is up."""
    if call.ended_by is None:
        return None
    return "caller" if call.ended_by is EndedBy.REMOTE else "jambonz"


def source_address(call: CallRecord) -> str:
    """The IP address an inbound call came from, out of `transport:host:port`; empty for other calls."""
    _, _, place = call.source.partition(":")
    return place.rpartition(":")[0].strip("[]")


def originating_trunk(call: CallRecord) -> str:
    """The trunk that an inbound call came through; empty for other calls."""
    return (call.trunk or "") if call.direction is Direction.INBOUND else ""


def call_info(call: CallRecord, public_url: str = "") -> Payload:
    """What every hook carries."""
    info: Payload = {
        "call_sid": spell(call.id),
        "direction": direction_name(call.direction),
        "from": call.from_,
        "to": call.to,
        "call_id": call.sip_call_id or spell(call.id),
        "sbc_callid": call.sip_call_id or spell(call.id),
        "sip_status": call.sip_status,
        "sip_reason": call.sip_reason,
        "call_status": status_name(call.status, call.direction),
        "account_sid": spell(call.account_id),
        "application_sid": application_sid(call),
        "caller_name": call.caller_name or "",
        "trace_id": call.id.hex,
        "fs_sip_address": call.local_address,
        "parent_call_sid": spell(call.parent_id) if call.parent_id else None,
        "originating_sip_ip": source_address(call),
        "originating_sip_trunk_name": originating_trunk(call),
        "api_base_url": f"{public_url}/v1" if public_url else None,
        "customerData": call.custom,
    }
    return {key: value for key, value in info.items() if key not in _WHEN_KNOWN or value not in (None, "")}


_WHEN_KNOWN = frozenset(
    {
        "fs_sip_address",
        "parent_call_sid",
        "originating_sip_ip",
        "originating_sip_trunk_name",
        "api_base_url",
        "customerData",
    }
)


def new_call(
    call: CallRecord,
    account: Account,
    *,
    invite: SipMessageFacts | None,
    env_vars: dict[str, str],
    speech: Speech,
    public_url: str = "",
) -> Payload:
    """The question for the first document; `invite` is there for an inbound call."""
    payload: Payload = {} if invite is None else {"sip": sip_request(invite, call)}
    payload |= call_info(call, public_url)
    payload["has_recording"] = False
    if call.local_address:
        payload["local_sip_address"] = call.local_address
    if account.service_provider_sid is not None:
        payload["service_provider_sid"] = spell(account.service_provider_sid)
    payload["defaults"] = defaults(speech)
    if env_vars:
        payload["env_vars"] = dict(env_vars)
    return payload


def defaults(speech: Speech) -> Payload:
    """The application's speech settings; `default` stands for the server's own vendor and voice."""
    language = speech.synthesis_language or "en-US"
    return {
        "synthesizer": {
            "vendor": speech.synthesis_vendor or "default",
            "language": language,
            "voice": speech.synthesis_voice or "default",
        },
        "recognizer": {
            "vendor": speech.recognizer_vendor or "default",
            "language": speech.recognizer_language or language,
        },
    }


def sip_request(invite: SipMessageFacts, call: CallRecord) -> Payload:
    """The INVITE, as the service's SIP stack shows a request."""
    headers: dict[str, str] = {}
    for name, value in invite.headers:
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    kind = headers.get("content-type", "").partition(";")[0].strip()
    called = _USER.match(invite.uri)
    return {
        "headers": headers,
        "raw": invite.raw,
        "body": invite.body,
        "method": invite.method,
        "version": "2.0",
        "uri": invite.uri,
        "payload": [{"type": kind or "application/sdp", "content": invite.body}] if invite.body else [],
        "type": "request",
        "source": "network",
        "source_address": invite.source_address,
        "source_port": str(invite.source_port),
        "protocol": invite.transport.lower(),
        "calledNumber": called[1] if called else call.to,
        "callingNumber": call.from_,
    }


def status_event(call: CallRecord, public_url: str = "", now: datetime | None = None) -> Payload:
    """A change of status; at the end with the duration in seconds and who ended the call."""
    payload = call_info(call, public_url)
    if call.status.final:
        payload["duration"] = call.duration(now)
        payload["call_termination_by"] = termination(call)
        if call.end_headers:
            payload["headers"] = {snake(name): value for name, value in call.end_headers}
    return payload


def snake(name: str) -> str:
    """`X-Reason` and `callStatus` in snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def encode(payload: Payload) -> bytes:
    """Compact JSON, UTF-8, in the order of the keys: the bytes that are signed."""
    return msgspec.json.encode(payload)


def query(payload: Payload) -> tuple[tuple[str, str | None], ...]:
    """The flat fields as query arguments of a GET; objects and lists have no place there."""
    return tuple(
        (key, _argument(value)) for key, value in payload.items() if isinstance(value, str | int | float)
    )


def _argument(value: str | float) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
