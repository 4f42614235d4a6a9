"""REST below /v1: calls listed, changed, ended; and who may ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.dialects.jambonz.conftest import Ask
from tests.dialects.jambonz.making import ACCOUNT, APPLICATION, CALL, OTHER, configured, record
from tests.dialects.memory import MemoryCalls

from ringback.calls.control import NoSuchRecording, WrongState
from ringback.calls.services import Services
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Answering, Clip, Hook, Play, RecordingPlan, Say
from ringback.dialects.jambonz.setup import setup_of
from ringback.dialects.jambonz.webhook import JambonzApplication
from ringback.net.clock import utcnow

BASE = f"/v1/Accounts/{ACCOUNT.id}"
CALLS = f"{BASE}/Calls"
ONE = f"{CALLS}/{CALL}"
INCOMPATIBLE = f"current call state is incompatible with requested action for call_sid {CALL}"


@pytest.fixture(autouse=True)
def known(services: Services, calls: MemoryCalls) -> None:
    services.directory.put(
        configured("https://app.example/voice", status_callback="https://app.example/status")
    )
    now = utcnow()
    calls.add(
        record(
            status=CallStatus.IN_PROGRESS,
            created_at=now - timedelta(seconds=10),
            answered_at=now - timedelta(seconds=5),
            sip_status=200,
            sip_reason="OK",
            application_state=setup_of(configured("https://app.example/voice")).state(),
        )
    )


# -- who may ask


@pytest.mark.parametrize("path", [CALLS, ONE, "/v1/Accounts", "/v1/nothing", "/v1"])
@pytest.mark.parametrize("token", [None, "wrong", ""])
async def test_without_the_token_nothing(rest: Ask, path: str, token: str | None) -> None:
    reply = await rest("GET", path, token=token)
    assert (reply.status, reply.text) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", f"/v1/Accounts/{OTHER.id}/Calls", 403, '{"msg":"insufficient permissions"}'),
        ("GET", "/v1/Accounts/nonsense/Calls", 400, '{"msg":"Bad request"}'),
        ("GET", f"{CALLS}/nonsense", 400, '{"msg":"Bad request"}'),
        ("GET", f"{CALLS}/{APPLICATION}", 404, "Not Found"),
        ("DELETE", f"{CALLS}/{APPLICATION}", 404, "Not Found"),
        ("GET", "/v1/nothing/here", 404, "Not Found"),
        ("GET", "/v1", 404, "Not Found"),
        ("DELETE", CALLS, 405, "Method Not Allowed"),
        ("PATCH", ONE, 405, "Method Not Allowed"),
    ],
)
async def test_wrong_places(rest: Ask, method: str, path: str, status: int, text: str) -> None:
    reply = await rest(method, path)
    assert (reply.status, reply.text) == (status, text)
    assert status != 405 or "GET" in reply.headers["allow"]


async def test_another_accounts_call_is_unknown(rest: Ask, calls: MemoryCalls) -> None:
    calls.add(record(account_id=OTHER.id))
    for method, body in (("GET", None), ("PUT", {"tag": {"a": 1}}), ("DELETE", None)):
        reply = await rest(method, ONE, json=body)
        assert (reply.status, reply.text) == (404, "Not Found")


@pytest.mark.parametrize(
    "sid", [str(ACCOUNT.id), ACCOUNT.id.hex, f"AC{ACCOUNT.id.hex}", str(ACCOUNT.id).upper()]
)
async def test_every_spelling_of_the_account(rest: Ask, sid: str) -> None:
    assert (await rest("GET", f"/v1/Accounts/{sid}/Calls/")).status == 200


async def test_a_fault_of_ours_is_a_500(rest: Ask, calls: MemoryCalls) -> None:
    calls.fail = RuntimeError("broken")
    reply = await rest("DELETE", ONE)
    assert (reply.status, reply.text) == (500, "Internal Server Error")


# -- list, retrieve, count

SAMPLE = {
    "account_sid": str,
    "call_id": str,
    "call_sid": str,
    "call_status": str,
    "direction": str,
    "from": str,
    "service_url": str,
    "sip_status": int,
    "to": str,
    "application_sid": str,
    "caller_name": str,
    "duration": int,
    "originating_sip_trunk_name": str,
}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"parent_id": UUID(int=7), "direction": Direction.OUTBOUND_DIAL},
        {
            "application_id": None,
            "direction": Direction.OUTBOUND_API,
            "trunk": None,
            "source": "",
            "sip_call_id": "",
        },
    ],
)
async def test_a_call_has_every_key_of_the_sample(
    rest: Ask, calls: MemoryCalls, fields: dict[str, Any]
) -> None:
    calls.add(record(**fields))
    call = (await rest("GET", ONE)).json
    assert {key: type(call.get(key)) for key in SAMPLE} == SAMPLE
    assert ("parent_call_sid" in call) == ("parent_id" in fields)
    assert None not in call.values()
    assert call["service_url"] == f"https://voice.example/v1/calls/{CALL}"
    assert call in (await rest("GET", CALLS)).json


async def test_the_duration_runs_while_the_call_is_up(rest: Ask) -> None:
    call = (await rest("GET", ONE)).json
    assert call["duration"] in (5, 6)
    assert call["call_status"] == "in-progress"


@pytest.fixture
def several(calls: MemoryCalls) -> None:
    now = utcnow()
    calls.add(
        record(
            id=UUID(int=1),
            direction=Direction.OUTBOUND_API,
            from_="+100",
            to="+200",
            status=CallStatus.RINGING,
        ),
        record(id=UUID(int=2), from_="+100", status=CallStatus.CANCELED, ended_at=now),
        record(id=UUID(int=3), status=CallStatus.COMPLETED, ended_at=now - timedelta(hours=2)),
        record(id=UUID(int=4), account_id=OTHER.id),
    )


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {CALL, UUID(int=1), UUID(int=2)}),
        ("?direction=inbound", {CALL, UUID(int=2)}),
        ("?direction=outbound", {UUID(int=1)}),
        ("?from=%2B100", {UUID(int=1), UUID(int=2)}),
        ("?from=+100&to=+200", {UUID(int=1)}),
        ("?callStatus=no-answer", {UUID(int=2)}),
        ("?callStatus=in-progress", {CALL}),
        ("?callStatus=queued", set()),
    ],
)
async def test_filters(rest: Ask, query: str, found: set[UUID]) -> None:
    reply = await rest("GET", CALLS + query)
    assert {UUID(call["call_sid"]) for call in reply.json} == found


@pytest.mark.parametrize(
    ("query", "message"), [("direction=up", "invalid direction"), ("callStatus=x", "invalid callStatus")]
)
async def test_bad_filters(rest: Ask, query: str, message: str) -> None:
    reply = await rest("GET", f"{CALLS}?{query}")
    assert (reply.status, reply.json) == (400, {"msg": message})


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("path", [f"{BASE}/CallCount", f"{CALLS}/count"])
async def test_counts(rest: Ask, path: str) -> None:
    assert (await rest("GET", path)).json == {"inbound": 1, "outbound": 1}


# -- update


def whispered(text: str) -> Say:
    return Say(answering=Answering.ANSWER, texts=(text,), voice="Anna", language="en-GB", vendor="google")


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(
    ("body", "done"),
    [
        ({"call_status": "completed"}, ("hang_up",)),
        ({"mute_status": "mute"}, ("mute", True)),
        ({"mute_status": "unmute"}, ("mute", False)),
        ({"tag": {}}, ("tag", {})),
        ({"tag": {"a": {"bC": 1}}, "dtmf": None, "record": False}, ("tag", {"a": {"bC": 1}})),
        ({"dtmf": {"digit": "5"}}, ("send_digits", "5", 250)),
        ({"dtmf": {"digit": 5, "duration": 400}}, ("send_digits", "5", 400)),
        ({"boostAudioSignal": "6 dB"}, ("amplify", 6.0)),
        ({"boostAudioSignal": -3}, ("amplify", -3.0)),
        (
            {"whisper": {"verb": "say", "text": "psst", "loop": 5}},
            ("play_over", [whispered("psst")]),
        ),
        (
            {"whisper": [{"say": {"text": "a"}}, {"verb": "play", "url": "/b.wav", "actionHook": "/x"}]},
            (
                "play_over",
                [
                    whispered("a"),
                    Play(answering=Answering.ANSWER, clips=(Clip("https://app.example/b.wav"),)),
                ],
            ),
        ),
        (
            {"record": {"action": "startCallRecording", "type": "cloud", "recordingID": "r-1"}},
            (
                "start_recording",
                RecordingPlan(source="control", channels=2, alone=True, events=(), custom_id="r-1"),
            ),
        ),
        (
            {"record": {"action": "startCallRecording", "siprecServerURL": "sip:rec@192.0.2.9"}},
            ("start_recording", RecordingPlan(source="control", channels=2, alone=True, events=())),
        ),
        (
            {"record": {"action": "pauseCallRecording", "silence": True}},
            ("change_recording", "pause", {"name": None, "silence": True}),
        ),
        (
            {"record": {"action": "resumeCallRecording", "recordingID": "r-1"}},
            ("change_recording", "resume", {"name": "r-1", "silence": False}),
        ),
        (
            {"record": {"action": "stopCallRecording"}},
            ("change_recording", "stop", {"name": None, "silence": False}),
        ),
        ({"child_call_hook": "/child"}, ("redirect_callee", {"hook": Hook(url="https://app.example/child")})),
        (
            {"call_hook": "/other"},
            (
                "redirect",
                {
                    "hook": Hook(url="https://app.example/other"),
                    "application": None,
                    "status_hook": None,
                    "while_ringing": True,
                },
            ),
        ),
        (
            {
                "call_hook": {"url": "https://b.example/", "method": "get"},
                "call_status_hook": "https://b.example/s",
            },
            (
                "redirect",
                {
                    "hook": Hook(url="https://b.example/", method="GET"),
                    "application": None,
                    "status_hook": Hook(url="https://b.example/s"),
                    "while_ringing": True,
                },
            ),
        ),
    ],
)
async def test_updates(rest: Ask, calls: MemoryCalls, method: str, body: Any, done: tuple[Any, ...]) -> None:
    reply = await rest(method, ONE, json=body)
    assert (reply.status, reply.text) == (202, "Accepted")
    assert calls.done.pop(0) == done


async def test_a_whisper_may_come_with_anything(rest: Ask, calls: MemoryCalls) -> None:
    body = {"mute_status": "mute", "whisper": {"verb": "say", "text": "psst"}}
    assert (await rest("PUT", ONE, json=body)).status == 202
    assert [calls.done.pop(0)[0] for _ in range(2)] == ["mute", "play_over"]


async def test_both_legs_get_new_hooks(rest: Ask, calls: MemoryCalls) -> None:
    body = {"call_hook": "/parent", "child_call_hook": {"url": "/child", "method": "GET"}}
    assert (await rest("PUT", ONE, json=body)).status == 202
    name, what = calls.done.pop(0)
    assert name == "redirect_both"
    assert what == {
        "to": Hook(url="https://app.example/parent"),
        "callee_to": Hook(url="https://app.example/child", method="GET"),
        "status_hook": None,
        "application": None,
    }


async def test_a_wrong_hook_leaves_both_legs_as_they_are(rest: Ask, calls: MemoryCalls) -> None:
    body = {"call_hook": "ftp://a/", "child_call_hook": "/child"}
    reply = await rest("PUT", ONE, json=body)
    assert (reply.status, reply.json) == (400, {"msg": "call_hook url be an absolute url"})
    assert not calls.done


async def test_a_request_inside_the_dialog_brings_its_response(rest: Ask, calls: MemoryCalls) -> None:
    calls.found["send_request"] = (415, "Unsupported Media Type")
    request = {"method": "info", "content_type": "a/b", "content": {"x": 1}, "headers": {"X-A": "b"}}
    reply = await rest("PUT", ONE, json={"sip_request": request})
    assert (reply.status, reply.json) == (200, {"status": 415, "reason": "Unsupported Media Type"})
    assert calls.done.pop(0) == (
        "send_request",
        "INFO",
        {"content_type": "a/b", "body": '{"x":1}', "headers": (("X-A", "b"),)},
    )


async def test_audio_goes_through_here_whatever_path_is_asked_for(rest: Ask, calls: MemoryCalls) -> None:
    assert (await rest("PUT", ONE, json={"media_path": "no-media"})).status == 202
    assert not calls.done
    calls.add(record(status=CallStatus.RINGING))
    reply = await rest("PUT", ONE, json={"media_path": "no-media"})
    assert (reply.status, reply.json) == (422, {"msg": INCOMPATIBLE})


@pytest.mark.parametrize(
    "body",
    [
        {"listen_status": "pause"},
        {"stream_status": "resume"},
        {"transcribe_status": "anything"},
        {"conf_mute_status": "mute"},
        {"conf_hold_status": "hold", "waitHook": "/wait"},
        {"conferenceParticipantAction": {"action": "coach", "tag": "a"}},
        {"agent_update": {"type": "generate_reply"}},
        {"llm_status": "stop"},
        {"room_say": {"text": "x"}},
        {"room_play": {"url": "x"}},
    ],
)
async def test_what_needs_a_verb_that_does_not_run(rest: Ask, calls: MemoryCalls, body: Any) -> None:
    reply = await rest("PUT", ONE, json=body)
    assert (reply.status, reply.json) == (422, {"msg": INCOMPATIBLE})
    calls.add(record(status=CallStatus.COMPLETED))
    reply = await rest("PUT", ONE, json=body)
    assert reply.json == {"msg": f"call session is gone for call_sid {CALL}"}


async def test_a_recording_that_is_not_there(rest: Ask, calls: MemoryCalls) -> None:
    calls.found["change_recording"] = NoSuchRecording("no recording runs")
    reply = await rest("PUT", ONE, json={"record": {"action": "stopCallRecording"}})
    assert (reply.status, reply.json) == (422, {"msg": INCOMPATIBLE})


async def test_a_603_is_a_failure_to_a_dial_and_busy_to_a_request(rest: Ask, calls: MemoryCalls) -> None:
    now = utcnow()
    calls.add(
        record(
            id=UUID(int=1),
            direction=Direction.OUTBOUND_DIAL,
            status=CallStatus.DECLINED,
            ended_at=now,
            parent_id=CALL,
        ),
        record(id=UUID(int=2), direction=Direction.OUTBOUND_API, status=CallStatus.DECLINED, ended_at=now),
    )
    for status, found in (("failed", UUID(int=1)), ("busy", UUID(int=2))):
        listed = (await rest("GET", f"{CALLS}?callStatus={status}")).json
        assert [(UUID(call["call_sid"]), call["call_status"]) for call in listed] == [(found, status)]


async def test_an_unanswered_call_is_cancelled(rest: Ask, calls: MemoryCalls) -> None:
    calls.add(record(status=CallStatus.RINGING))
    assert (await rest("PUT", ONE, json={"call_status": "no-answer"})).status == 202
    assert calls.done.pop(0) == ("cancel", True)


async def test_a_call_of_another_dialect_comes_over(rest: Ask, calls: MemoryCalls) -> None:
    calls.add(record(dialect="laml", status=CallStatus.IN_PROGRESS))
    assert (await rest("PUT", ONE, json={"call_hook": "wss://app.example/ws"})).status == 202
    _, what = calls.done.pop(0)
    assert isinstance(what["application"], JambonzApplication)
    assert what["hook"] == Hook(url="wss://app.example/ws")
    reply = await rest("PUT", ONE, json={"call_hook": "/relative"})
    assert reply.json == {"msg": "call_hook url be an absolute url"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "no valid options supplied to updateCall"),
        ([], "no valid options supplied to updateCall"),
        (None, "no valid options supplied to updateCall"),
        ({"other": 1}, "no valid options supplied to updateCall"),
        ({"call_status": "completed", "tag": {}}, "multiple options are not allowed in updateCall"),
        ({"call_status": "ringing"}, "invalid call_status"),
        ({"listen_status": "stop"}, "invalid listen_status"),
        ({"mute_status": "x"}, "invalid mute_status"),
        ({"conf_hold_status": "x"}, "invalid conf_hold_status"),
        ({"conf_mute_status": "x"}, "invalid conf_mute_status"),
        ({"dtmf": {}}, "invalid dtmf"),
        ({"dtmf": {"digit": "x"}}, "invalid dtmf"),
        ({"tag": "x"}, "invalid tag data"),
        ({"media_path": "x"}, "invalid media_path"),
        (
            {"sip_request": {"method": "INFO"}},
            "sip_request requires method, content_type and content properties",
        ),
        ({"record": {"action": "x"}}, "record requires action property"),
        (
            {"record": {"action": "startCallRecording"}},
            "record requires siprecServerURL property when starting recording",
        ),
        (
            {"record": {"action": "pauseCallRecording", "recordingID": 7}},
            "record: property recordingID has invalid data type",
        ),
        (
            {"conferenceParticipantAction": {"action": "x"}},
            "conferenceParticipantAction invalid action property x",
        ),
        (
            {"conferenceParticipantAction": {"action": "coach"}},
            "conferenceParticipantAction requires tag property when action is 'coach'",
        ),
        ({"child_call_hook": "ftp://b/"}, "child_call_hook url be an absolute url"),
        ({"child_call_hook": "https://b/", "tag": {}}, "multiple options are not allowed in updateCall"),
        ({"whisper": {"verb": "gather"}}, "whisper: gather is not allowed, only say and play"),
        ({"whisper": {"verb": "say"}}, "say: missing value for text"),
        ({"whisper": "https://a.example/"}, "malformed jambonz payload: missing verb property"),
        ({"call_status": "completed", "whisper": {}}, "malformed jambonz payload: missing verb property"),
        ({"boostAudioSignal": "loud"}, "invalid boostAudioSignal"),
        ({"dub": {"action": "addTrack", "track": "a"}}, "dub is not supported"),
        ({"transfer": "carol"}, "invalid transfer"),
        ({"transfer": {"mode": "blind"}}, "transfer: missing value for target"),
        (
            {"transfer": {"mode": "blind", "target": [{"type": "teams", "number": "+1"}]}},
            "transfer: type teams is not supported",
        ),
        (
            {"sip_request": {"method": "BYE", "content_type": "a/b", "content": "c"}},
            "sip:request: method BYE is not supported",
        ),
        (
            {"call_status_hook": "https://a/"},
            f"call_status_hook can be updated only when call_hook is also being updated for call_sid {CALL}",
        ),
    ],
)
async def test_updates_refused(rest: Ask, calls: MemoryCalls, body: Any, message: str) -> None:
    reply = await rest("PUT", ONE, data=msgspec.json.encode(body) if body is not None else b"")
    assert (reply.status, reply.json) == (400, {"msg": message})
    assert not calls.done


@pytest.mark.parametrize(
    ("fields", "body", "message"),
    [
        ({"status": CallStatus.COMPLETED}, {"tag": {}}, f"call session is gone for call_sid {CALL}"),
        (
            {"status": CallStatus.COMPLETED},
            {"call_status": "completed"},
            f"call session is gone for call_sid {CALL}",
        ),
        ({"status": CallStatus.RINGING}, {"call_status": "completed"}, INCOMPATIBLE),
        (
            {"answered_at": utcnow(), "status": CallStatus.IN_PROGRESS},
            {"call_status": "no-answer"},
            INCOMPATIBLE,
        ),
    ],
)
async def test_updates_in_the_wrong_state(
    rest: Ask, calls: MemoryCalls, fields: dict[str, Any], body: Any, message: str
) -> None:
    calls.add(record(**fields))
    reply = await rest("PUT", ONE, json=body)
    assert (reply.status, reply.json) == (422, {"msg": message})


async def test_an_update_that_the_call_refuses(rest: Ask, calls: MemoryCalls) -> None:
    calls.fail = WrongState("no media")
    reply = await rest("PUT", ONE, json={"dtmf": {"digit": "1"}})
    assert (reply.status, reply.json) == (422, {"msg": INCOMPATIBLE})


# -- delete


async def test_delete_hangs_up(rest: Ask, calls: MemoryCalls) -> None:
    reply = await rest("DELETE", ONE)
    assert (reply.status, reply.text) == (204, "")
    assert calls.done.pop(0) == ("hang_up",)


async def test_delete_of_an_ended_call_leaves_it(rest: Ask, calls: MemoryCalls) -> None:
    calls.add(record(status=CallStatus.COMPLETED))
    assert (await rest("DELETE", ONE)).status == 204
    assert CALL in calls.records
