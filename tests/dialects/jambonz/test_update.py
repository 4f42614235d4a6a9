"""Calls over REST: changed and ended."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.dialects.jambonz.conftest import Ask
from tests.dialects.jambonz.making import CALL, ONE, record
from tests.dialects.memory import MemoryCalls

from ringback.calls.control import WrongState
from ringback.calls.recordings.control import NoSuchRecording
from ringback.calls.status import CallStatus
from ringback.calls.verbs import Answering, Clip, Hook, Play, RecordingPlan, Say
from ringback.dialects.jambonz.webhook import JambonzApplication
from ringback.net.clock import utcnow

pytestmark = pytest.mark.usefixtures("a_call")

INCOMPATIBLE = f"current call state is incompatible with requested action for call_sid {CALL}"


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


async def test_delete_hangs_up(rest: Ask, calls: MemoryCalls) -> None:
    reply = await rest("DELETE", ONE)
    assert (reply.status, reply.text) == (204, "")
    assert calls.done.pop(0) == ("hang_up",)


async def test_delete_of_an_ended_call_leaves_it(rest: Ask, calls: MemoryCalls) -> None:
    calls.add(record(status=CallStatus.COMPLETED))
    assert (await rest("DELETE", ONE)).status == 204
    assert CALL in calls.records
