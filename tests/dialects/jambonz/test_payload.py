"""What an application is told: every field, its form, and when it is there."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.dialects.jambonz.making import ACCOUNT, APPLICATION, CALL, CREATED, INVITE, record

from ringback.calls.events import CallAnswered, CallEnded, CallInitiated, CallReceived, CallRinging
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.record import CallRecord, apply
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import Gather, Pause, Play
from ringback.dialects.jambonz.outcomes import action
from ringback.dialects.jambonz.payload import encode, new_call, query, snake, status_event
from ringback.routing.directory import Speech

SPEECH = Speech(synthesis_language="en-GB")
PUBLIC = "https://voice.example"

UUID_FORM = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SECONDS = timedelta(seconds=1)


def ended(status: CallStatus, sip: int, by: EndedBy, **fields: Any) -> CallRecord:
    outbound = {"direction": Direction.OUTBOUND_API, "source": "", **fields}
    call = record(**outbound)
    event = CallEnded(status=status, cause="", by=by, sip_status=sip, sip_reason="R")
    return apply(call, event, CREATED + 20 * SECONDS)


def new(call: CallRecord, **more: Any) -> dict[str, Any]:
    invite = INVITE if call.direction is Direction.INBOUND else None
    return new_call(
        call, ACCOUNT, invite=invite, env_vars={"GREETING": "hi"}, speech=SPEECH, public_url=PUBLIC, **more
    )


OUTBOUND = record(
    direction=Direction.OUTBOUND_API,
    source="",
    status=CallStatus.IN_PROGRESS,
    sip_status=200,
    sip_reason="OK",
    answered_at=CREATED,
    custom={"testId": 4},
)
ANSWERED = record(status=CallStatus.IN_PROGRESS, sip_status=200, sip_reason="OK", answered_at=CREATED)

PAYLOADS = {
    "inbound": new(record()),
    "outbound": new(OUTBOUND),
    "action": action(ANSWERED, Gather(id="menu"), Outcome(digits="12"), PUBLIC),
    "trying": status_event(record(), PUBLIC),
    "ringing": status_event(record(status=CallStatus.RINGING, sip_status=180), PUBLIC),
    "answered": status_event(OUTBOUND, PUBLIC),
    "completed": status_event(ended(CallStatus.COMPLETED, 200, EndedBy.REMOTE, answered_at=CREATED), PUBLIC),
    "busy": status_event(ended(CallStatus.BUSY, 486, EndedBy.REMOTE), PUBLIC),
    "no-answer": status_event(ended(CallStatus.NO_ANSWER, 487, EndedBy.SERVER), PUBLIC),
    "failed": status_event(ended(CallStatus.FAILED, 503, EndedBy.SERVER), PUBLIC),
    "canceled": status_event(ended(CallStatus.CANCELED, 487, EndedBy.CONTROL), PUBLIC),
}
ALL = set(PAYLOADS)
FINAL = {"completed", "busy", "no-answer", "failed", "canceled"}
INBOUND = {"inbound", "action", "trying", "ringing"}
NEW = {"inbound", "outbound"}

# field, form (regular expression or type), where it is there
FIELDS: list[tuple[str, str | type, set[str]]] = [
    ("call_sid", UUID_FORM, ALL),
    ("call_id", r"abc@192\.0\.2\.7", ALL),
    ("sbc_callid", r"abc@192\.0\.2\.7", ALL),
    ("application_sid", UUID_FORM, ALL),
    ("account_sid", UUID_FORM, ALL),
    ("direction", r"inbound|outbound", ALL),
    ("from", r"\+14155552671", ALL),
    ("to", r"\+14155559876", ALL),
    ("caller_name", str, ALL),
    ("sip_status", int, ALL),
    ("sip_reason", str, ALL),
    ("call_status", r"trying|ringing|early-media|in-progress|completed|failed|busy|no-answer", ALL),
    ("trace_id", r"[0-9a-f]{32}", ALL),
    ("fs_sip_address", r"192\.0\.2\.1:5060", ALL),
    ("api_base_url", r"https://voice\.example/v1", ALL),
    ("originating_sip_ip", r"192\.0\.2\.7", INBOUND),
    ("originating_sip_trunk_name", r"carrier", INBOUND),
    ("local_sip_address", r"192\.0\.2\.1:5060", NEW),
    ("service_provider_sid", UUID_FORM, NEW),
    ("has_recording", bool, NEW),
    ("defaults", dict, NEW),
    ("env_vars", dict, NEW),
    ("sip", dict, {"inbound"}),
    ("customerData", dict, {"outbound", "answered"}),
    ("duration", int, FINAL),
    ("call_termination_by", r"caller|jambonz", FINAL),
    ("verb_id", r"menu", {"action"}),
    ("digits", r"12", {"action"}),
    ("reason", r"dtmfDetected", {"action"}),
]


@pytest.mark.parametrize("where", sorted(ALL))
@pytest.mark.parametrize(("name", "form", "present"), FIELDS, ids=[row[0] for row in FIELDS])
def test_field(name: str, form: str | type, present: set[str], where: str) -> None:
    payload = PAYLOADS[where]
    assert (name in payload) == (where in present)
    if where in present:
        value = payload[name]
        if isinstance(form, str):
            assert re.fullmatch(form, value), value
        else:
            assert type(value) is form


def test_there_is_no_other_field() -> None:
    known = {row[0] for row in FIELDS}
    assert {name for payload in PAYLOADS.values() for name in payload} == known


@pytest.mark.parametrize("where", sorted(ALL))
def test_nothing_is_null(where: str) -> None:
    assert None not in PAYLOADS[where].values()


REQUIRED = {
    "call_sid",
    "call_id",
    "application_sid",
    "account_sid",
    "direction",
    "from",
    "to",
    "caller_name",
    "sip_status",
    "sip_reason",
    "call_status",
}


@pytest.mark.parametrize("where", ["inbound", "outbound"])
def test_a_get_carries_every_required_field_and_no_object(where: str) -> None:
    fields = dict(query(PAYLOADS[where]))
    assert fields.keys() >= REQUIRED
    assert fields.keys().isdisjoint({"sip", "env_vars", "defaults", "customerData"})
    assert fields["sip_status"] == str(PAYLOADS[where]["sip_status"])
    assert fields["has_recording"] == "false"


def test_a_call_without_an_application_names_one_all_the_same() -> None:
    payload = new(record(application_id=None, direction=Direction.OUTBOUND_API))
    assert UUID(payload["application_sid"])
    assert payload["application_sid"] == new(record(application_id=None, id=UUID(int=5)))["application_sid"]


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (CallStatus.QUEUED, "trying"),
        (CallStatus.INITIATED, "trying"),
        (CallStatus.RINGING, "ringing"),
        (CallStatus.EARLY_MEDIA, "early-media"),
        (CallStatus.IN_PROGRESS, "in-progress"),
        (CallStatus.COMPLETED, "completed"),
        (CallStatus.BUSY, "busy"),
        (CallStatus.DECLINED, "busy"),
        (CallStatus.UNAVAILABLE, "failed"),
        (CallStatus.NO_ANSWER, "no-answer"),
        (CallStatus.CANCELED, "no-answer"),
        (CallStatus.ABANDONED, "no-answer"),
        (CallStatus.REJECTED_BUSY, "failed"),
        (CallStatus.REJECTED, "failed"),
        (CallStatus.FAILED, "failed"),
    ],
)
def test_status_names(status: CallStatus, name: str) -> None:
    assert status_event(record(status=status))["call_status"] == name


def test_the_end_tells_who_and_how_long() -> None:
    completed = PAYLOADS["completed"]
    assert (completed["duration"], completed["call_termination_by"]) == (20, "caller")
    failed = PAYLOADS["canceled"]
    assert (failed["duration"], failed["call_termination_by"], failed["sip_status"]) == (0, "jambonz", 487)


def test_the_headers_of_the_bye_come_in_snake_case() -> None:
    call = record(status=CallStatus.COMPLETED, end_headers=(("X-Reason", "bored"),), ended_by=EndedBy.REMOTE)
    assert status_event(call)["headers"] == {"x_reason": "bored"}


def test_events_make_the_statuses() -> None:
    call, seen = record(status=CallStatus.QUEUED, progress=0), []
    for event in (
        CallReceived(
            from_="",
            to="",
            caller_name=None,
            forwarded_from=None,
            sip_call_id="c",
            source="",
            trunk=None,
            client=None,
        ),
        CallRinging(sip_status=183, sip_reason="Session Progress", early_media=True),
        CallAnswered(),
        CallEnded(
            status=CallStatus.COMPLETED, cause="", by=EndedBy.APPLICATION, sip_status=200, sip_reason="OK"
        ),
    ):
        call = apply(call, event, CREATED)
        seen.append((status_event(call)["call_status"], status_event(call)["sip_status"]))
    assert seen == [("trying", 100), ("early-media", 183), ("in-progress", 200), ("completed", 200)]
    initiated = apply(call, CallInitiated(sip_call_id="c", target="t"), CREATED)
    assert status_event(initiated)["call_status"] == "trying"


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (Outcome(digits="1234"), {"digits": "1234", "reason": "dtmfDetected"}),
        (Outcome(digits="", finish_key="#"), {"digits": "", "reason": "dtmfDetected"}),
        (Outcome(end=EndOfVerb.TIMEOUT, digits="12"), {"digits": "12", "reason": "dtmfDetected"}),
        (Outcome(end=EndOfVerb.TIMEOUT), {"reason": "timeout"}),
        (Outcome(end=EndOfVerb.TIMEOUT, digits=""), {"reason": "timeout"}),
        (Outcome(end=EndOfVerb.FAILED, error="no media"), {"reason": "error", "details": "no media"}),
    ],
)
def test_gathered(outcome: Outcome, fields: dict[str, Any]) -> None:
    payload = action(ANSWERED, Gather(), outcome)
    assert {name: payload.get(name) for name in ("digits", "reason", "details") if name in payload} == fields


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (
            Outcome(played_ms=2510, offset_ms=100),
            {
                "reason": "playCompleted",
                "playback_seconds": 2,
                "playback_milliseconds": 2510,
                "playback_last_offset_pos": "800",
            },
        ),
        (Outcome(end=EndOfVerb.FAILED, error="404"), {"reason": "playFailed", "status": "fail"}),
    ],
)
def test_played(outcome: Outcome, fields: dict[str, Any]) -> None:
    payload = action(ANSWERED, Play(clips=()), outcome)
    assert fields.items() <= payload.items()
    assert ("status" in payload) == ("status" in fields)


def test_other_verbs_report_the_call_only() -> None:
    assert "reason" not in action(ANSWERED, Pause(seconds=1), Outcome())


def test_the_invite_is_shown_as_the_stack_of_the_service_shows_it() -> None:
    sip = PAYLOADS["inbound"]["sip"]
    assert sip["headers"]["x-two"] == "1,2"
    assert sip["payload"] == [{"type": "application/sdp", "content": "v=0\r\n"}]
    assert (sip["calledNumber"], sip["callingNumber"]) == ("14155559876", "+14155552671")
    assert (sip["type"], sip["method"], sip["protocol"], sip["source_port"]) == (
        "request",
        "INVITE",
        "udp",
        "5060",
    )


def test_defaults_stand_for_the_server_where_nothing_is_configured() -> None:
    assert PAYLOADS["inbound"]["defaults"] == {
        "synthesizer": {"vendor": "default", "language": "en-GB", "voice": "default"},
        "recognizer": {"vendor": "default", "language": "en-GB"},
    }


def test_the_bytes_are_compact_and_in_order() -> None:
    assert encode({"b": "ü", "a": 1}) == '{"b":"ü","a":1}'.encode()


def test_snake_case() -> None:
    assert [snake(name) for name in ("X-Reason", "callStatus", "P-Asserted-Identity", "to")] == [
        "x_reason",
        "call_status",
        "p_asserted_identity",
        "to",
    ]


def test_the_sids_are_those_of_the_record() -> None:
    payload = PAYLOADS["inbound"]
    assert payload["call_sid"] == str(CALL)
    assert payload["application_sid"] == str(APPLICATION)
    assert payload["account_sid"] == str(ACCOUNT.id)
