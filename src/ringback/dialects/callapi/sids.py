"""How CallAPI spells identifiers. Reading is `ringback.dialects.spelling.read_sid`."""

from __future__ import annotations

from uuid import UUID, uuid5

from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording
from ringback.dialects.spelling import prefixed

API_VERSION = "2012-04-24"


def account_sid(id: UUID) -> str:
    """`AC` and 32 hex digits."""
    return prefixed("AC", id)


def instance_sid(instance: str) -> str:
    """`ID` and the 32 hex digits of this server."""
    return f"ID{instance}"


def call_sid(instance: str, id: UUID) -> str:
    """`ID…-CA…`: the server that has the call, and the call."""
    return f"{instance_sid(instance)}-{prefixed('CA', id)}"


def own_headers(instance: str, call: CallRecord) -> tuple[tuple[str, str], ...]:
    """What the INVITE of every call carries."""
    return (
        ("X-RestComm-ApiVersion", API_VERSION),
        ("X-RestComm-AccountSid", account_sid(call.account_id)),
        ("X-RestComm-CallSid", call_sid(instance, call.id)),
    )


def number_sid(id: UUID) -> str:
    """`PN` and 32 hex digits."""
    return prefixed("PN", id)


def notification_sid(call_id: UUID, sequence: int) -> str:
    """`NO` and 32 hex digits, the same whenever that line of the call's log is read."""
    return prefixed("NO", uuid5(call_id, f"notification:{sequence}"))


def recording_sid(id: UUID) -> str:
    """`RE` and 32 hex digits."""
    return prefixed("RE", id)


def recording_url(public_url: str, recording: Recording, form: str = "wav") -> str:
    """Where its audio is, for everybody who knows this address."""
    account = account_sid(recording.account_id)
    sid = recording_sid(recording.id)
    return f"{public_url}/call/{API_VERSION}/Accounts/{account}/Recordings/{sid}.{form}"
