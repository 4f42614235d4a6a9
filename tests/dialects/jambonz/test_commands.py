"""Commands on an application's WebSocket, and messages that are none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.dialects.jambonz.making import ACCOUNT, APPLICATION, SAY, configured, record
from tests.dialects.jambonz.webapps import SocketApp
from tests.dialects.memory import MemoryCalls
from tests.patience import PATIENCE

from ringback.calls.services import Services
from ringback.calls.verbs import (
    Answering,
    Configure,
    HangUp,
    Hook,
    Pause,
    RecordingPlan,
    Refer,
    Say,
    Transfer,
)


async def test_commands_reach_the_call(phones: Any, socket_app: SocketApp, calls: MemoryCalls) -> None:
    socket, _ = await phones(socket_app.url).open(socket_app)
    await socket.command("redirect", [{"verb": "pause", "length": 1}])
    name, what = await calls.next_done()
    assert name == "redirect"
    assert what["document"].verbs == (Pause(seconds=1.0),)
    assert what["document"].at_end is None
    expected: list[tuple[str, Any, tuple[Any, ...]]] = [
        ("call:status", {"call_status": "completed"}, ("hang_up",)),
        ("call:status", {"call_status": "no-answer"}, ("cancel", True)),
        ("dtmf", {"dtmf": {"digit": "1", "duration": 300}}, ("send_digits", "1", 300)),
        ("dtmf", {"digit": "2"}, ("send_digits", "2", 250)),
        ("dtmf", {"dtmf": "3"}, ("send_digits", "3", 250)),
        ("tag", {"a": 1}, ("tag", {"a": 1})),
        ("mute:status", "mute", ("mute", True)),
        ("mute", {"mute_status": "unmute"}, ("mute", False)),
    ]
    for command, data, done in expected:
        calls.add(record())  # the command before may have ended it
        await socket.command(command, data)
        assert await calls.next_done() == done


WHISPER = [Say(answering=Answering.ANSWER, texts=("hello",), voice="Anna", language="en-GB", vendor="google")]
PLAN = RecordingPlan(source="control", channels=2, alone=True, events=())
REQUEST = {"method": "INFO", "content_type": "a/b", "content": "x"}
TRANSFER = {"mode": "blind", "target": [{"type": "phone", "number": "+14155550177"}], "actionHook": "/t"}
TRANSFERRED = (
    "transfer",
    Transfer(
        answering=Answering.ANSWER,
        by=Refer(refer_to="+14155550177", timeout=30.0),
        action=Hook(url="/t"),
    ),
)
SENT = ("send_request", "INFO", {"content_type": "a/b", "body": "x", "headers": ()})


@pytest.mark.parametrize(
    ("command", "data", "what"),
    [
        ("whisper", {"whisper": SAY}, ("play_over", WHISPER)),
        ("whisper", [SAY], ("play_over", WHISPER)),
        ("record", {"action": "startCallRecording", "type": "cloud"}, ("start_recording", PLAN)),
        (
            "record",
            {"action": "pauseCallRecording", "silence": True},
            ("change_recording", "pause", {"name": None, "silence": True}),
        ),
        ("sip:request", {"sip_request": REQUEST}, SENT),
        ("sip:request", REQUEST, SENT),
        ("boostAudioSignal", {"boostAudioSignal": "6 dB"}, ("amplify", 6.0)),
        ("boostAudioSignal", -6, ("amplify", -6.0)),
        ("redirect", {"child_call_hook": "/child"}, ("redirect_callee", {"hook": Hook(url="/child")})),
        ("transfer", {"transfer": TRANSFER}, TRANSFERRED),
        ("transfer", TRANSFER, TRANSFERRED),
        (
            "config",
            {"boostAudioSignal": 2},
            ("configure", Configure(answering=Answering.ANSWER, gain_db=2.0)),
        ),
        ("config", {"referHook": "/r"}, ("configure", Configure(refer_hook=Hook(url="/r")))),
        (
            "config",
            {"record": {"action": "startCallRecording", "type": "cloud"}},
            ("start_recording", PLAN),
        ),
        (
            "config",
            {"record": {"action": "stopCallRecording", "recordingID": "r-1"}},
            ("change_recording", "stop", {"name": "r-1", "silence": False}),
        ),
    ],
)
async def test_what_rest_can_do_commands_can(
    phones: Any, socket_app: SocketApp, calls: MemoryCalls, command: str, data: Any, what: tuple[Any, ...]
) -> None:
    calls.found["send_request"] = (200, "OK")
    socket, _ = await phones(socket_app.url).open(socket_app)
    await socket.command(command, data)
    assert await calls.next_done() == what


async def test_a_command_may_place_another_call(
    phones: Any, socket_app: SocketApp, calls: MemoryCalls, services: Services
) -> None:
    services.directory.put(configured("https://app.example/voice"))
    socket, _ = await phones(socket_app.url).open(socket_app)
    body = {
        "from": "+1",
        "to": {"type": "phone", "number": "+14155550123"},
        "application_sid": str(APPLICATION),
    }
    await socket.command("dial", body)
    await socket.command("tag", {})
    assert await calls.next_done() == ("tag", {})
    (request,) = calls.requests
    assert request.to.address == "+14155550123"
    assert request.application.state()["call_hook"]["url"] == "https://app.example/voice"


async def test_both_hooks_in_one_command(phones: Any, socket_app: SocketApp, calls: MemoryCalls) -> None:
    socket, _ = await phones(socket_app.url).open(socket_app)
    await socket.command("redirect", {"call_hook": "/parent", "child_call_hook": "/child"})
    both = {"to": Hook(url="/parent"), "callee_to": Hook(url="/child")}
    assert await calls.next_done() == ("redirect_both", both)


async def test_a_redirect_may_wait_its_turn(phones: Any, socket_app: SocketApp, calls: MemoryCalls) -> None:
    socket, _ = await phones(socket_app.url).open(socket_app)
    await socket.command("redirect", [{"verb": "hangup"}], queueCommand=True)
    assert await calls.next_done() == ("append", (HangUp(sip_status=603),))


async def test_a_redirect_may_name_a_hook(phones: Any, socket_app: SocketApp, calls: MemoryCalls) -> None:
    socket, _ = await phones(socket_app.url).open(socket_app)
    await socket.command("redirect", {"call_hook": "/other"})
    assert await calls.next_done() == ("redirect", {"hook": Hook(url="/other"), "while_ringing": True})


async def test_config_changes_the_session(phones: Any, socket_app: SocketApp, calls: MemoryCalls) -> None:
    phone = phones(socket_app.url)
    socket, _ = await phone.open(socket_app)
    await socket.command("config", {"synthesizer": {"vendor": "aws", "voice": "Joanna"}})
    await socket.command("redirect", [SAY])
    _, what = await calls.next_done()
    assert what["document"].verbs[0].voice == "Joanna"


@pytest.mark.parametrize(
    ("command", "data", "why"),
    [
        ("dub", {"action": "addTrack"}, "command dub is not supported"),
        ("nonsense", {}, "command nonsense is not supported"),
        ("redirect", [{"verb": "shout"}], "invalid instruction: shout"),
        ("redirect", {}, "redirect needs an array of verbs or a call_hook"),
        ("redirect", "now", "redirect needs an array of verbs or a call_hook"),
        ("redirect", {"parent_call": 7}, "redirect: property parent_call has invalid data type"),
        ("redirect", {"child_call_hook": 7}, "redirect: property child_call_hook has invalid data type"),
        ("redirect", {"child_call": [SAY]}, "there is no callee that is connected"),
        ("whisper", {"whisper": []}, "whisper: missing value for verb"),
        ("whisper", {"verb": "pause", "length": 1}, "whisper: pause is not allowed, only say and play"),
        ("whisper", "https://a.example/x", "malformed jambonz payload: missing verb property"),
        ("record", {"action": "x"}, "record requires action property"),
        (
            "record",
            {"action": "startCallRecording"},
            "record requires siprecServerURL property when starting recording",
        ),
        (
            "sip:request",
            {"method": "INFO"},
            "sip_request requires method, content_type and content properties",
        ),
        (
            "sip:request",
            {"method": "BYE", "content_type": "text/plain", "content": "x"},
            "sip:request: method BYE is not supported",
        ),
        ("boostAudioSignal", "loud", "invalid boostAudioSignal"),
        ("media:path", {"media_path": "short"}, "invalid media_path"),
        ("listen:status", {"listen_status": "stop"}, "invalid listen_status"),
        (
            "listen:status",
            {"listen_status": "pause"},
            "nothing runs on the call that listen_status could change",
        ),
        ("conf:mute-status", "loud", "invalid conf_mute_status"),
        ("dial", {"to": {}}, "missing from parameter"),
        ("redirect", {"call_hook": 7}, "redirect: property call_hook has invalid data type"),
        ("call:status", "ringing", "invalid call_status"),
        ("dtmf", {"digit": "x"}, "invalid dtmf"),
        ("dtmf", {"digit": None}, "invalid dtmf"),
        ("mute:status", "quiet", "invalid mute_status"),
        ("tag", "x", "invalid tag data"),
        ("config", [], "config: must be an object"),
        ("config", {"bargeIn": {"enable": True}}, "config: not supported: bargeIn"),
        ("config", {"zz": 1}, "config: unknown property zz"),
    ],
)
async def test_a_command_that_is_not_done_is_an_error(
    phones: Any, socket_app: SocketApp, command: str, data: Any, why: str
) -> None:
    socket, _ = await phones(socket_app.url).open(socket_app)
    await socket.command(command, data)
    error = (await socket.next("jambonz:error"))["data"]
    assert (error["msg"], error["command"]) == (why, command)


async def test_another_call_may_be_named(phones: Any, socket_app: SocketApp, calls: MemoryCalls) -> None:
    other = record(id=ACCOUNT.id)
    calls.add(other)
    socket, _ = await phones(socket_app.url).open(socket_app)
    await socket.command("tag", {"a": 1}, callSid=str(other.id))
    assert await calls.next_done() == ("tag", {"a": 1})
    for sid, name, why in [
        (str(other.id), "redirect", "command redirect is not supported for another call"),
        (str(other.id), "config", "command config is not supported for another call"),
        ("nonsense", "tag", "callSid is not a call sid"),
        ("00000000-0000-4000-8000-000000000000", "tag", "no such call"),
    ]:
        await socket.command(name, {}, callSid=sid)
        assert (await socket.next("jambonz:error"))["data"]["msg"] == why


@pytest.mark.parametrize(
    ("text", "details"),
    [
        ("{", "not JSON"),
        ("[]", "message must be an object"),
        ("{}", "missing type"),
        ('{"type":"ack"}', "ack without msgid"),
        ('{"type":"command"}', "missing command"),
        ('{"type":"command","command":"tag"}', "missing data for command tag"),
        ('{"type":"shout"}', "unknown type shout"),
    ],
)
async def test_a_broken_message_is_answered_and_the_connection_stays(
    phones: Any, socket_app: SocketApp, text: str, details: str
) -> None:
    phone = phones(socket_app.url)
    socket, _ = await phone.open(socket_app)
    await socket.ws.send_str(text)
    error = (await socket.next("jambonz:error"))["data"]
    assert (error["msg"], error["content"]) == ("InvalidMessage", text)
    assert error["details"].startswith(details)
    acting = phone.act("/menu")
    await socket.ack(await socket.next("verb:hook"))
    assert await acting is None


async def test_more_commands_than_can_wait_are_refused(
    phones: Any, socket_app: SocketApp, calls: MemoryCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(*_: Any) -> None:
        started.set()
        await go_on.wait()

    monkeypatch.setattr(calls, "tag", slow)
    socket, _ = await phones(socket_app.url).open(socket_app)
    await socket.command("tag", {})
    async with asyncio.timeout(PATIENCE):
        await started.wait()
    for _ in range(201):
        await socket.command("tag", {})
    assert (await socket.next("jambonz:error"))["data"]["msg"] == "too many commands are waiting"
    go_on.set()
