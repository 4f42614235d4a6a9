"""Every field of every webhook: name, format, presence."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from ringback.calls.events import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallInitiated,
    CallReceived,
    CallRinging,
    DigitReceived,
)
from ringback.calls.outcome import Outcome
from ringback.calls.record import CallRecord, apply
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import Gather, Hook
from ringback.dialects.callapi.dialect import CallApi
from ringback.dialects.callapi.fields import action_fields, user_part, voice_fields
from ringback.dialects.callapi.webhook import CallApiApplication, Settings
from ringback.routing.directory import Account, Application
from ringback.store.ids import derived_id

INSTANCE = "0123456789abcdef0123456789abcdef"
Make = Callable[..., CallRecord]

VOICE = {
    "CallSid": r"ID[0-9a-f]{32}-CA[0-9a-f]{32}",
    "InstanceId": r"ID[0-9a-f]{32}",
    "AccountSid": r"AC[0-9a-f]{32}",
    "From": r"\d{10,11}",
    "To": r"\d{10,11}",
    "CallStatus": r"queued|initiated|ringing|in-progress|completed|busy|failed|no-answer|canceled",
    "ApiVersion": r"2012-04-24",
    "Direction": r"inbound|outbound-api",
    "CallerName": r".+",
    "ForwardedFrom": r"null|\d+",
    "CallTimestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "PostStatus": r"new|callback",
}
PROGRESS = {
    "Timestamp": r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000",
    "CallbackSource": r"call-progress-events",
    "SequenceNumber": r"\d",
}
ENDED = {"CallDuration": r"\d+", **PROGRESS}


def check(fields: Any, table: dict[str, str]) -> dict[str, str]:
    """Exactly these fields, in this order and form."""
    assert [name for name, _ in fields] == list(table)
    for name, value in fields:
        assert re.fullmatch(table[name], value), (name, value)
    return dict(fields)


def test_a_new_inbound_call(record: Make) -> None:
    fields = check(voice_fields(record(), INSTANCE, "new"), VOICE)
    assert fields == {
        "CallSid": f"ID{INSTANCE}-CA9d3572be9f7a41ea97f45ffeb3239325",
        "InstanceId": f"ID{INSTANCE}",
        "AccountSid": "AC3fa85f6457174562b3fc2c963f66afa6",
        "From": "13035550000",
        "To": "18044731212",
        "CallStatus": "ringing",
        "ApiVersion": "2012-04-24",
        "Direction": "inbound",
        "CallerName": "13035550000",
        "ForwardedFrom": "null",
        "CallTimestamp": "2020-05-26T17:59:16.555Z",
        "PostStatus": "new",
    }


def test_names_forwarding_and_headers(record: Make) -> None:
    call = record(
        caller_name="Alice",
        forwarded_from="8005550100",
        invite_headers=(
            ("Via", "SIP/2.0/UDP x"),
            ("X-Customer", "7"),
            ("x-lower", "8"),
            ("Diversion", "<sip:1@x>"),
        ),
    )
    fields = voice_fields(call, INSTANCE, "new")
    assert dict(fields)["CallerName"] == "Alice"
    assert dict(fields)["ForwardedFrom"] == "8005550100"
    assert fields[len(VOICE) :] == (
        ("SipHeader_X-Customer", "7"),
        ("SipHeader_x-lower", "8"),
        ("SipHeader_Diversion", "<sip:1@x>"),
    )


def test_what_is_unknown_is_a_bare_name(record: Make) -> None:
    fields = dict(voice_fields(record(from_="", to=""), INSTANCE, "new"))
    assert fields["From"] is None
    assert fields["To"] is None
    assert fields["CallerName"] is None


@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("+14155550100", "14155550100"),
        ("4155550100", "4155550100"),
        ("alice", "alice"),
        ("sip:alice@h:5060", "alice"),
        ("sips:+1@h", "1"),
        ("client:bob", "bob"),
        ("", ""),
    ],
)
def test_user_parts(address: str, user: str) -> None:
    assert user_part(address) == user


def test_an_inbound_call_is_never_initiated(record: Make) -> None:
    call = record(status=CallStatus.INITIATED)
    assert dict(voice_fields(call, INSTANCE, "new"))["CallStatus"] == "ringing"


def test_the_action_of_gather() -> None:
    hook = Hook(url="http://x/")
    assert action_fields(Gather(action=hook), Outcome(digits="12", finish_key="#")) == (("Digits", "12"),)
    assert action_fields(Gather(action=hook), Outcome()) == (("Digits", ""),)


# -- status callbacks

INVITED = CallInitiated(sip_call_id="x", target="sip:1@h")
RINGING = CallRinging(sip_status=180, sip_reason="Ringing", early_media=False)
ANSWERED = CallAnswered()


def ended(status: CallStatus, sip_status: int = 200) -> CallEnded:
    return CallEnded(status=status, cause="x", by=EndedBy.REMOTE, sip_status=sip_status, sip_reason="x")


ALL = ("initiated", "ringing", "answered", "completed")


def follow(
    application: CallApiApplication,
    call: CallRecord,
    events: list[CallEvent],
    later: Callable[[float], datetime],
) -> list[dict[str, str]]:
    """The callbacks of these events, ten seconds apart."""
    told = []
    for number, event in enumerate(events):
        call = apply(call, event, later(10.0 * (number + 1)))
        for delivery in application.deliveries(event, call):
            table = {**VOICE, **(ENDED if isinstance(event, CallEnded) else PROGRESS)}
            fields = check(delivery.fields, table)
            assert fields["PostStatus"] == "callback"
            assert delivery.url == "http://app.test/status"
            assert delivery.query_to_body
            told.append({**fields, "id": delivery.id})
    assert len({fields.pop("id") for fields in told}) == len(told)
    return told


@pytest.fixture
def outbound(record: Make) -> CallRecord:
    return record(
        direction=Direction.OUTBOUND_API,
        status=CallStatus.QUEUED,
        from_="8044735555",
        to="3035551212",
        ringing_at=None,
        progress=0,
    )


@pytest.fixture
def watched(dialect: CallApi, services: Any, account: Account) -> Callable[..., CallApiApplication]:
    def make(*events: str) -> CallApiApplication:
        settings = Settings(status=Hook(url="http://app.test/status"), events=events or ALL)
        # Through the stored state and back, as after a restart.
        return dialect.restore(account, CallApiApplication(services, account, settings).state())

    return make


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (
            [INVITED, RINGING, RINGING, ANSWERED, ended(CallStatus.COMPLETED)],
            [
                ("initiated", "0", None),
                ("ringing", "1", None),
                ("in-progress", "2", None),
                ("completed", "3", "10"),
            ],
        ),
        ([INVITED, ended(CallStatus.BUSY, 486)], [("initiated", "0", None), ("busy", "1", "0")]),
        (
            [INVITED, RINGING, ended(CallStatus.DECLINED, 603)],
            [("initiated", "0", None), ("ringing", "1", None), ("busy", "2", "0")],
        ),
        (
            [INVITED, RINGING, ended(CallStatus.NO_ANSWER, 487)],
            [("initiated", "0", None), ("ringing", "1", None), ("no-answer", "2", "0")],
        ),
        (
            [INVITED, RINGING, ended(CallStatus.CANCELED, 487)],
            [("initiated", "0", None), ("ringing", "1", None), ("canceled", "2", "0")],
        ),
        ([INVITED, ended(CallStatus.UNAVAILABLE, 480)], [("initiated", "0", None), ("failed", "1", "0")]),
        ([INVITED, ended(CallStatus.FAILED, 503)], [("initiated", "0", None), ("failed", "1", "0")]),
    ],
)
def test_outbound_callbacks(
    watched: Callable[..., CallApiApplication],
    outbound: CallRecord,
    later: Callable[[float], datetime],
    events: list[CallEvent],
    told: list[tuple[str, str, str | None]],
) -> None:
    got = follow(watched(), outbound, events, later)
    assert [(one["CallStatus"], one["SequenceNumber"], one.get("CallDuration")) for one in got] == told
    assert {one["Direction"] for one in got} == {"outbound-api"}


def test_sequence_numbers_count_what_is_not_subscribed_too(
    watched: Callable[..., CallApiApplication], outbound: CallRecord, later: Callable[[float], datetime]
) -> None:
    events: list[CallEvent] = [
        INVITED,
        RINGING,
        DigitReceived(key="1", method="info"),
        ended(CallStatus.BUSY),
    ]
    (last,) = follow(watched("completed"), outbound, events, later)
    assert (last["CallStatus"], last["SequenceNumber"]) == ("busy", "2")
    assert last["Timestamp"] == "Tue, 26 May 2020 17:59:56 +0000"


def test_a_numbers_callback_is_told_each_state_once(
    dialect: CallApi, account: Account, record: Make, later: Callable[[float], datetime]
) -> None:
    configured = Application(
        id=derived_id(account.id, "application", "ivr"),
        account_id=account.id,
        name="ivr",
        dialect="callapi",
        voice_url="http://app.test/voice",
        status_callback="http://app.test/status",
        username="u",
        password="p",
    )
    application = dialect.application(account, configured)
    received = CallReceived(
        from_="3035550000",
        to="8044731212",
        caller_name=None,
        forwarded_from=None,
        sip_call_id="x",
        source="udp:127.0.0.1:5060",
        trunk=None,
        client=None,
    )
    call = record(
        from_="3035550000", to="8044731212", status=CallStatus.INITIATED, ringing_at=None, progress=0
    )
    events: list[CallEvent] = [received, RINGING, ANSWERED, ended(CallStatus.COMPLETED)]
    told = follow(application, call, events, later)
    assert [(one["CallStatus"], one["SequenceNumber"]) for one in told] == [
        ("ringing", "1"),
        ("in-progress", "2"),
        ("completed", "3"),
    ]
    event = ended(CallStatus.ABANDONED)
    (delivery,) = application.deliveries(event, apply(call, event, later(1)))
    assert delivery.auth == ("u", "p")
    assert dict(delivery.fields)["CallStatus"] == "canceled"


@pytest.mark.parametrize(
    ("status", "word"),
    [(CallStatus.REJECTED, "busy"), (CallStatus.REJECTED_BUSY, "busy"), (CallStatus.FAILED, "failed")],
)
def test_how_inbound_calls_end(record: Make, status: CallStatus, word: str) -> None:
    assert dict(voice_fields(record(status=status), INSTANCE, "callback"))["CallStatus"] == word


def test_nobody_is_told_without_a_callback(services: Any, account: Account, record: Make) -> None:
    application = CallApiApplication(services, account, Settings())
    event = ended(CallStatus.COMPLETED)
    assert not application.deliveries(event, record())


def test_a_foreign_or_broken_state_calls_nobody(dialect: CallApi, account: Account) -> None:
    assert dialect.restore(account, {}).settings == Settings()
    assert dialect.restore(account, {"dialect": "laml", "status": {"url": "x"}}).settings == Settings()
    assert dialect.restore(account, {"dialect": "callapi", "status": 7}).settings == Settings()
