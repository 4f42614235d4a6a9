"""The fields of CallAPI's webhooks, in the order in which they are sent. A value of None is a bare name."""

from __future__ import annotations

from typing import Literal

from ringback.calls.events import CallEnded, CallEvent
from ringback.calls.outcome import Outcome
from ringback.calls.record import CallRecord
from ringback.calls.status import Direction
from ringback.calls.verbs import Gather, Verb
from ringback.dialects.callapi.sids import API_VERSION, account_sid, call_sid, instance_sid
from ringback.dialects.callapi.words import status_word
from ringback.dialects.http import iso8601, rfc2822

Fields = tuple[tuple[str, str | None], ...]
PostStatus = Literal["new", "callback"]

_MOST_HEADERS = 50


def user_part(address: str) -> str:
    """The user of a SIP address, or the number, without a leading +."""
    bare = address.strip()
    for scheme in ("sip:", "sips:", "client:"):
        bare = bare.removeprefix(scheme)
    return bare.partition("@")[0].removeprefix("+")


def voice_fields(call: CallRecord, instance: str, post_status: PostStatus) -> Fields:
    """The voice request (CallAPI "Incoming Calls"): `new` is the first of a call, `callback` every later one.

    `ForwardedFrom` is the word `null` when unknown; the X- and Diversion headers of the INVITE come last.
    """
    caller = user_part(call.from_) or None
    return (
        ("CallSid", call_sid(instance, call.id)),
        ("InstanceId", instance_sid(instance)),
        ("AccountSid", account_sid(call.account_id)),
        ("From", caller),
        ("To", user_part(call.to) or None),
        ("CallStatus", status_word(call)),
        ("ApiVersion", API_VERSION),
        ("Direction", call.direction.value),
        ("CallerName", call.caller_name or caller),
        ("ForwardedFrom", call.forwarded_from or "null"),
        ("CallTimestamp", iso8601(call.created_at)),
        ("PostStatus", post_status),
        *_sip_headers(call),
    )


def action_fields(verb: Verb, outcome: Outcome) -> Fields:
    """What a verb's own request adds."""
    if isinstance(verb, Gather):
        return (("Digits", outcome.digits or ""),)
    return ()


def progress_fields(event: CallEvent, call: CallRecord) -> Fields:
    """What a status callback adds (CallAPI "Making Calls"); `CallDuration` at the end only."""
    duration: Fields = (("CallDuration", str(call.duration())),) if isinstance(event, CallEnded) else ()
    return (
        *duration,
        ("Timestamp", rfc2822(call.updated_at)),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", str(call.sequence_number)),
    )


def _sip_headers(call: CallRecord) -> Fields:
    if call.direction is not Direction.INBOUND:
        return ()
    wanted = [
        (f"SipHeader_{name}", value)
        for name, value in call.invite_headers
        if name.lower().startswith(("x-", "diversion"))
    ]
    return tuple(wanted[:_MOST_HEADERS])
