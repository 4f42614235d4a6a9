"""Two accounts, and the calls and the INVITE that most tests of this dialect are about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from ringback.calls.application import SipMessageFacts
from ringback.calls.events import CallEnded
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.routing.directory import Account, Application, Speech

ACCOUNT = Account(
    id=UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6"),
    name="demo",
    token="38700987-c7a4-4685-a5bb-af378f9734de",
    webhook_secret="wh_secret_abc",
    service_provider_sid=UUID("2708b1b3-2736-40ea-b502-c53d8396247f"),
)
OTHER = Account(id=UUID("11111111-2222-4333-8444-555555555555"), name="other", token="hidden")
APPLICATION = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
CALL = UUID("9b2d7f3e-8c4a-4f1a-9d3e-1a2b3c4d5e6f")
CALLEE = UUID("5f0c6a1e-77aa-4b2c-8c3d-0a1b2c3d4e5f")
BASE = f"/v1/Accounts/{ACCOUNT.id}"
CALLS = f"{BASE}/Calls"
ONE = f"{CALLS}/{CALL}"
"""The account, its calls and `CALL` over REST."""
CREATED = datetime(2026, 5, 26, 17, 59, 16, 555000, UTC)

INVITE = SipMessageFacts(
    method="INVITE",
    uri="sip:14155559876@192.0.2.1",
    headers=(
        ("From", "<sip:14155552671@192.0.2.7>;tag=a"),
        ("Content-Type", "application/sdp"),
        ("X-Two", "1"),
        ("X-Two", "2"),
    ),
    body="v=0\r\n",
    raw="INVITE sip:14155559876@192.0.2.1 SIP/2.0\r\n",
    source_address="192.0.2.7",
    source_port=5060,
    transport="UDP",
)

SAY = {"verb": "say", "text": "hello"}
ENDED = CallEnded(status=CallStatus.COMPLETED, cause="", by=EndedBy.REMOTE, sip_status=200, sip_reason="OK")


def configured(url: str, **fields: Any) -> Application:
    """A configured application of this dialect."""
    return Application(
        **{
            "id": APPLICATION,
            "account_id": ACCOUNT.id,
            "name": "ivr",
            "dialect": "jambonz",
            "voice_url": url,
            "speech": Speech(synthesis_vendor="google", synthesis_language="en-GB", synthesis_voice="Anna"),
            **fields,
        }
    )


def record(**fields: Any) -> CallRecord:
    """An inbound call just received; keyword arguments replace fields."""
    call = CallRecord(
        id=CALL,
        account_id=ACCOUNT.id,
        application_id=APPLICATION,
        dialect="jambonz",
        direction=Direction.INBOUND,
        status=CallStatus.INITIATED,
        from_="+14155552671",
        to="+14155559876",
        sip_call_id="abc@192.0.2.7",
        trunk="carrier",
        source="udp:192.0.2.7:5060",
        local_address="192.0.2.1:5060",
        sip_status=100,
        sip_reason="Trying",
        created_at=CREATED,
        initiated_at=CREATED,
        updated_at=CREATED,
        progress=1,
    )
    return msgspec.structs.replace(call, **fields)
