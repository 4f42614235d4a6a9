"""What hooks are told about a second party: how a dial or a REFER ended, and what happened on the way."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.dialects.jambonz.making import CALL, CALLEE, CREATED, record

from ringback.calls.application import Holding, InDialogRequest, Referred
from ringback.calls.events import AnswererDetected, KeysMatched, ReferProgress
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Dial, Hook, Refer, SendRequest, Verb
from ringback.dialects.jambonz.incidents import (
    answerer,
    holding,
    in_dialog_request,
    keys_matched,
    refer_progress,
    referred,
)
from ringback.dialects.jambonz.outcomes import action
from ringback.dialects.jambonz.payload import call_info, status_event

ANSWERED = record(status=CallStatus.IN_PROGRESS, sip_status=200, sip_reason="OK", answered_at=CREATED)
DIAL = Dial(id="d", callees=())
HOOK = Hook(url="https://app.example/x")
LEG = {"dial_call_sid": str(CALLEE), "dial_sbc_callid": "leg@192.0.2.1"}


def told(verb: Verb, outcome: Outcome) -> dict[str, Any]:
    """What the action hook gets beyond the call."""
    info = call_info(ANSWERED)
    payload = action(ANSWERED, verb, outcome)
    assert info.items() <= payload.items()
    return {key: value for key, value in payload.items() if key not in info}


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (
            {"bridged": True, "callee_status": CallStatus.COMPLETED, "sip_status": 200, "talk_seconds": 7},
            {"dial_call_status": "completed", "dial_sip_status": 200, **LEG},
        ),
        (
            {"callee_status": CallStatus.BUSY, "sip_status": 486},
            {"dial_call_status": "busy", "dial_sip_status": 486, **LEG},
        ),
        (
            {"callee_status": CallStatus.BUSY, "sip_status": 600},
            {"dial_call_status": "busy", "dial_sip_status": 600, **LEG},
        ),
        (
            {"callee_status": CallStatus.DECLINED, "sip_status": 603},
            {"dial_call_status": "failed", "dial_sip_status": 603, **LEG},
        ),
        (
            {"callee_status": CallStatus.UNAVAILABLE, "sip_status": 480},
            {"dial_call_status": "failed", "dial_sip_status": 480, **LEG},
        ),
        (
            {"callee_status": CallStatus.FAILED, "sip_status": 404, "end": EndOfVerb.FAILED},
            {"dial_call_status": "failed", "dial_sip_status": 404, **LEG},
        ),
        (
            {"callee_status": CallStatus.NO_ANSWER, "sip_status": 487},
            {"dial_call_status": "no-answer", "dial_sip_status": 487, **LEG},
        ),
        (
            {"callee_status": CallStatus.CANCELED},
            {"dial_call_status": "no-answer", "dial_sip_status": 487, **LEG},
        ),
        (
            {"callee": None, "sip_call_id": None, "end": EndOfVerb.FAILED, "error": "no trunk"},
            {"dial_call_status": "failed", "dial_sip_status": 480},
        ),
        (
            {"callee": None, "sip_call_id": None, "end": EndOfVerb.TIMEOUT},
            {"dial_call_status": "no-answer", "dial_sip_status": 487},
        ),
        (
            {"sip_call_id": None, "callee_status": CallStatus.FAILED, "sip_status": 503},
            {
                "dial_call_status": "failed",
                "dial_sip_status": 503,
                "dial_call_sid": str(CALLEE),
                "dial_sbc_callid": str(CALLEE),
            },
        ),
    ],
)
def test_a_dial_ends(outcome: dict[str, Any], fields: dict[str, Any]) -> None:
    given = {"callee": CALLEE, "sip_call_id": "leg@192.0.2.1", **outcome}
    assert told(DIAL, Outcome(**given)) == {"verb_id": "d", **fields}


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (
            {"sip_status": 202, "notified_status": 200},
            {"refer_status": 202, "final_referred_call_status": 200},
        ),
        (
            {"sip_status": 202, "notified_status": 486},
            {"refer_status": 202, "final_referred_call_status": 486},
        ),
        ({"sip_status": 202, "notified_status": 180, "end": EndOfVerb.TIMEOUT}, {"refer_status": 202}),
        ({"sip_status": 403, "notified_status": 200, "end": EndOfVerb.FAILED}, {"refer_status": 403}),
        ({"end": EndOfVerb.FAILED, "error": "not answered"}, {"refer_status": 500}),
    ],
)
def test_a_refer_ends(outcome: dict[str, Any], fields: dict[str, Any]) -> None:
    assert told(Refer(refer_to="bob"), Outcome(**outcome)) == fields


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        ({"sip_status": 200}, {"result": "success", "sip_status": 200}),
        ({"sip_status": 415, "end": EndOfVerb.FAILED}, {"result": "success", "sip_status": 415}),
        ({"end": EndOfVerb.FAILED, "error": "not answered"}, {"result": "failed", "err": "not answered"}),
        ({"end": EndOfVerb.TIMEOUT}, {"result": "failed", "err": "no response"}),
    ],
)
def test_a_request_ends(outcome: dict[str, Any], fields: dict[str, Any]) -> None:
    # The status of the response stands where that of the call would.
    verb = SendRequest(method="INFO")
    assert action(ANSWERED, verb, Outcome(**outcome)) == call_info(ANSWERED) | fields


def test_a_party_asks_to_be_transferred() -> None:
    ask = Referred(
        hook=HOOK,
        refer_to="sip:carol@192.0.2.9",
        refer_to_user="carol",
        referred_by='"Bob" <sip:bob@192.0.2.7>',
        headers=(("User-Agent", "phone/1"), ("X-Override-Number", "77"), ("Subject", "x")),
        referring_call=CALLEE,
        referred_call=CALL,
    )
    assert referred(ask, ANSWERED)["refer_details"] == {
        "sip_refer_to": "sip:carol@192.0.2.9",
        "refer_to_user": "carol",
        "sip_referred_by": '"Bob" <sip:bob@192.0.2.7>',
        "referred_by_user": "bob",
        "sip_user_agent": "phone/1",
        "referring_call_sid": str(CALLEE),
        "referred_call_sid": str(CALL),
        "x_override_number": "77",
    }
    bare = Referred(hook=HOOK, refer_to="sip:c@192.0.2.9", refer_to_user="c", referred_by="<")
    assert referred(bare, ANSWERED)["refer_details"] == {
        "sip_refer_to": "sip:c@192.0.2.9",
        "refer_to_user": "c",
        "sip_referred_by": "<",
    }


def test_a_party_holds() -> None:
    payload = holding(Holding(hook=HOOK, from_="<sip:a@x>", to="<sip:b@y>"), ANSWERED)
    assert payload == call_info(ANSWERED) | {"hold_detail": {"from": "<sip:a@x>", "to": "<sip:b@y>"}}


@pytest.mark.parametrize(
    ("held", "more"),
    [
        (None, {}),
        (True, {"event": "hold", "on_hold": True}),
        (False, {"event": "unhold", "on_hold": False}),
    ],
)
def test_a_request_inside_the_dialog(held: bool | None, more: dict[str, Any]) -> None:
    ask = InDialogRequest(
        hook=HOOK, method="INFO", body="x=1", headers=(("Content-Type", "a/b"), ("X-A", "1")), held=held
    )
    assert in_dialog_request(ask, ANSWERED) == call_info(ANSWERED) | {
        "sip_method": "INFO",
        "sip_body": "x=1",
        "sip_headers": {"content_type": "a/b", "x_a": "1"},
        **more,
    }


def test_keys_and_notifies() -> None:
    assert keys_matched(KeysMatched(keys="*2", hook=HOOK), ANSWERED) == call_info(ANSWERED) | {"dtmf": "*2"}
    assert refer_progress(ReferProgress(sip_status=180, sip_reason="Ringing")) == {
        "event": "transfer-status",
        "call_status": 180,
    }


HEARD = {"greeting": "", "language": "en-GB"}


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("human", {"type": "amd_human_detected", "reason": "short greeting", **HEARD}),
        ("machine-start", {"type": "amd_machine_detected", "reason": "long greeting", **HEARD}),
        ("fax", {"type": "amd_machine_detected", "reason": "fax", **HEARD}),
        ("machine-end-silence", {"type": "amd_machine_stopped_speaking"}),
        ("tone", {"type": "amd_tone_detected", "frequency": 1000.0, "variance": 0}),
        ("unknown", {"type": "amd_decision_timeout"}),
        ("tone-timeout", {"type": "amd_tone_timeout"}),
        ("stopped", {"type": "amd_stopped"}),
        ("error", {"type": "amd_error", "error": "lost"}),
    ],
)
def test_who_answered(what: str, fields: dict[str, Any]) -> None:
    event = AnswererDetected(what=what, milliseconds=900, frequency=1000.0, reason="lost", hook=HOOK)
    assert answerer(event, ANSWERED, "en-GB") == call_info(ANSWERED) | fields


def test_nobody_said_anything() -> None:
    event = AnswererDetected(what="unknown", milliseconds=5000, reason="no-speech", hook=HOOK)
    assert answerer(event, ANSWERED, "en-GB")["type"] == "amd_no_speech_detected"


@pytest.mark.parametrize(
    ("status", "direction", "word"),
    [
        (CallStatus.DECLINED, Direction.OUTBOUND_DIAL, "failed"),
        (CallStatus.DECLINED, Direction.OUTBOUND_API, "busy"),
        (CallStatus.BUSY, Direction.OUTBOUND_DIAL, "busy"),
        (CallStatus.CANCELED, Direction.OUTBOUND_DIAL, "no-answer"),
        (CallStatus.UNAVAILABLE, Direction.OUTBOUND_DIAL, "failed"),
    ],
)
def test_how_a_leg_ended_in_its_own_words(status: CallStatus, direction: Direction, word: str) -> None:
    leg = record(id=CALLEE, status=status, direction=direction, parent_id=UUID(int=7), ended_at=CREATED)
    payload = status_event(leg)
    assert (payload["call_status"], payload["direction"]) == (word, "outbound")
    assert payload["parent_call_sid"] == str(UUID(int=7))
