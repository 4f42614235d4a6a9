"""The values that go into the store and come out of it.

Identifiers are UUIDs in lower-case dashed text. Times are seconds since the epoch (float). The store knows
(call, sequence, kind, bytes) and the columns of a call's row; it never reads the meaning of an event.
"""

from __future__ import annotations

from typing import Any

import msgspec


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of one call (or of one dialled leg), as lists and look-ups show it."""

    id: str
    account_id: str
    application_id: str | None = None
    parent_id: str | None = None
    dialect: str = ""  # who created or answers it: "laml", "jambonz", "callapi"
    profile: str = ""  # of the laml dialect: "signalwire", "twilio"
    direction: str = "inbound"  # "inbound", "outbound-api", "outbound-dial"
    from_: str = ""  # the calling user part or number, as given
    to: str = ""  # the called one
    caller_name: str | None = None
    forwarded_from: str | None = None
    sip_call_id: str | None = None
    trunk_name: str | None = None
    client_name: str | None = None  # the registered device that calls or is called
    source_ip: str | None = None
    local_address: str | None = None
    number_id: str | None = None  # the configured number that was called
    status: str = ""  # the neutral status
    cause: str = ""
    sip_status: int | None = None
    sip_reason: str | None = None
    created_at: float = 0.0
    initiated_at: float | None = None
    ringing_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None  # None while the call is open
    updated_at: float = 0.0
    ended_by: str | None = None
    answered_by: str | None = None
    custom: Any = None  # JSON: customer data, tag
    stats: Any = None  # JSON: media statistics
    dialog: Any = None  # JSON: what a BYE after a restart needs
    extra: Any = None  # JSON: whatever else a layer above wants back


class RecordingRow(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of one recording. Where its file is, only a layer above knows to read."""

    id: str
    account_id: str
    call_id: str
    dialect: str = ""
    profile: str = ""
    status: str = ""
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    updated_at: float = 0.0
    settled_at: float | None = None  # None while there is still something to do about it
    duration: float = 0.0  # seconds of audio
    size: int = 0  # octets
    location: str = ""
    error: str | None = None
    plan: Any = None  # JSON: how it is made and who is told
    transcribed: bool = False  # a text was wanted of it, and it has a file


class StoredEvent(msgspec.Struct, frozen=True):
    """One line of a call's durable log."""

    call_id: str
    sequence: int
    kind: str
    at: float
    payload: bytes


class StoredDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A callback that is due: rendered, opaque, kept until it was delivered or given up."""

    id: str
    account_id: str
    payload: bytes
    call_id: str | None = None
    sequence: int = 0  # order within the stream
    stream: str = ""  # deliveries of one stream go out in order
    status: str = "pending"  # "pending", "delivered", "failed"
    attempts: int = 0
    not_before: float = 0.0
    http_status: int | None = None
    error: str | None = None
    created_at: float = 0.0
    updated_at: float = 0.0


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """One event of one call, with what changes in the same transaction."""

    call_id: str
    sequence: int  # unique within the call, ascending
    kind: str
    at: float
    payload: bytes
    row: CallRow | None = None  # the whole current row, written over the stored one
    deliveries: tuple[StoredDelivery, ...] = ()
    recordings: tuple[RecordingRow, ...] = ()  # as they are now, each written over the stored one
    patient: bool = False  # nobody waits for it: it may be committed a little later, with others


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls a list wants. Every field narrows; an empty tuple, "" or None means any."""

    accounts: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    id_prefix: str = ""
    applications: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()  # any of these spellings, exactly
    to: tuple[str, ...] = ()
    from_suffix: str = ""
    to_suffix: str = ""
    party: str = ""  # a part of either
    parent_id: str | None = None
    top_level: bool = False  # only calls without a parent
    sip_call_id: str | None = None
    trunk_name: str | None = None
    client_name: str | None = None
    answered: bool | None = None
    open: bool | None = None  # only calls that have not ended; False: only those that have
    created_from: float | None = None  # inclusive
    created_to: float | None = None  # exclusive, as are the other `_to`
    answered_from: float | None = None
    answered_to: float | None = None
    ended_from: float | None = None
    ended_to: float | None = None
    open_or_ended_from: float | None = None  # leaves out what ended before this
    order: str = "newest"  # "oldest", or a column of ORDERS, with "-" before it for the reverse


class RecordingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which recordings a list wants. Every field narrows; an empty tuple or None means any."""

    accounts: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    created_from: float | None = None  # inclusive
    created_to: float | None = None  # exclusive
    transcribed: bool = False  # only those that are so
    order: str = "newest"  # "oldest", or a column of RECORDING_ORDERS, with "-" before it for the reverse


class Cursor(msgspec.Struct, frozen=True):
    """The last row of a page: the next page holds what is older (keyset paging, newest first)."""

    created_at: float
    id: str


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration object or other small durable thing: an application, a number, a binding …"""

    kind: str
    id: str
    account_id: str | None = None
    name: str = ""
    data: Any = None  # JSON
    created_at: float = 0.0
    updated_at: float = 0.0


class TraceEntry(msgspec.Struct, frozen=True):
    """One line of the bounded, lossy trace: a SIP message, an RTP report, a webhook body."""

    call_id: str
    at: float
    kind: str
    data: bytes
