"""The dial verb, sip:refer and sip:request: read, with their defaults, and refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.jambonz.reading import HTTP, SOCKET, error_of, one

from ringback.calls.verbs import (
    Answering,
    Callee,
    Clip,
    Dial,
    Hook,
    KeyPatterns,
    MachineDetection,
    Refer,
    SendRequest,
    Target,
    Unbuilt,
)
from ringback.dialects.jambonz.markup import parse
from ringback.dialects.jambonz.session import Session

PHONE = {"type": "phone", "number": "+14155550123"}
BOB = Callee(target=Target(kind="number", address="+14155550123"), shown="+14155550123")


def dialled(session: Session = HTTP, **properties: Any) -> Dial:
    verb = one({"verb": "dial", "target": [PHONE], **properties}, session)
    assert isinstance(verb, Dial)
    return verb


def called(**target: Any) -> Callee:
    (callee,) = dialled(target=[target]).callees
    return callee


# -- dial


def test_a_dial_has_its_defaults_spelled_out() -> None:
    assert dialled() == Dial(
        answering=Answering.ANSWER, callees=(BOB,), ring_timeout=60.0, ringback="us", answer_on_bridge=False
    )


@pytest.mark.parametrize(
    ("properties", "field", "value"),
    [
        ({"id": "d"}, "id", "d"),
        ({"actionHook": "/done"}, "action", Hook(url="https://app.example/done")),
        ({"callerId": "+14155550199"}, "caller_id", "+14155550199"),
        ({"callerName": "Acme"}, "caller_name", "Acme"),
        ({"timeout": 20}, "ring_timeout", 20.0),
        ({"timeout": 0}, "ring_timeout", 60.0),
        ({"timeLimit": 3600}, "time_limit", 3600.0),
        ({"timeLimit": 10**9}, "time_limit", 86400.0),
        ({"dialMusic": "https://a.example/m.mp3"}, "music", Clip("https://a.example/m.mp3")),
        ({"dialMusic": "/m.mp3"}, "music", Clip("https://app.example/m.mp3")),
        ({"dialMusic": ""}, "music", None),
        ({"referHook": "/refer"}, "refer_hook", Hook(url="https://app.example/refer")),
        (
            {"onHoldHook": {"url": "/hold", "method": "GET"}},
            "hold_hook",
            Hook(url="https://app.example/hold", method="GET"),
        ),
        ({"headers": {"X-A": "b", "X-N": 7}}, "headers", (("X-A", "b"), ("X-N", "7"))),
        ({"boostAudioSignal": "6 dB"}, "gain_db", 6.0),
        ({"boostAudioSignal": -3.5}, "gain_db", -3.5),
        ({"boostAudioSignal": "-10dB"}, "gain_db", -10.0),
        (
            {"dtmfCapture": ["*1", "*2"], "dtmfHook": "/keys"},
            "keys",
            KeyPatterns(hook=Hook(url="https://app.example/keys"), caller=("*1", "*2"), callee=("*1", "*2")),
        ),
        (
            {"dtmfCapture": {"childCall": ["a#"], "parentCall": ["*"]}, "dtmfHook": "/keys"},
            "keys",
            KeyPatterns(hook=Hook(url="https://app.example/keys"), caller=("*",), callee=("A#",)),
        ),
        (
            {"amd": {"actionHook": "/amd"}},
            "detection",
            MachineDetection(
                asynchronous=True,
                follow=True,
                report=Hook(url="https://app.example/amd"),
                words_threshold=9,
                silence_timeout_ms=5000,
                timeout_ms=15000,
                tone_timeout_ms=20000,
                speech_end_ms=2000,
            ),
        ),
        (
            {
                "amd": {
                    "actionHook": "/amd",
                    "thresholdWordCount": 6,
                    "digitCount": 0,
                    "recognizer": {"vendor": "google"},
                    "timers": {
                        "noSpeechTimeoutMs": 3000,
                        "decisionTimeoutMs": 10000,
                        "toneTimeoutMs": 10**9,
                        "greetingCompletionTimeoutMs": 0,
                    },
                }
            },
            "detection",
            MachineDetection(
                asynchronous=True,
                follow=True,
                report=Hook(url="https://app.example/amd"),
                words_threshold=6,
                silence_timeout_ms=3000,
                timeout_ms=10000,
                tone_timeout_ms=300_000,
                speech_end_ms=2000,
            ),
        ),
        # accepted, and nothing follows from them
        ({"anchorMedia": True, "exitMediaPath": True, "forwardPAI": False}, "time_limit", None),
    ],
)
def test_properties_of_a_dial(properties: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(dialled(**properties), field) == value


def test_a_caller_may_be_answered_only_with_the_callee() -> None:
    verb = dialled(answerOnBridge=True)
    assert (verb.answer_on_bridge, verb.answering) == (True, Answering.NONE)


def test_over_a_socket_the_hooks_of_a_dial_are_names() -> None:
    verb = dialled(SOCKET, actionHook="/done", confirmHook="/ok")
    assert verb.action == Hook(url="/done")
    assert verb.callees[0].screening == Hook(url="/ok")


@pytest.mark.parametrize(
    ("target", "callee"),
    [
        (
            {**PHONE, "trunk": "carrier", "headers": {"X-A": "b"}},
            {
                "target": Target(
                    kind="number", address="+14155550123", trunk="carrier", headers=(("X-A", "b"),)
                ),
                "shown": "+14155550123",
            },
        ),
        (
            {"type": "user", "name": "bob@acme.example"},
            {"target": Target(kind="client", address="bob"), "shown": "bob@acme.example"},
        ),
        (
            {
                "type": "sip",
                "sipUri": "sip:bob@192.0.2.7:5070;transport=tcp",
                "auth": {"username": "u", "password": "p"},
                "proxy": "192.0.2.8:5060",
                "from": {"user": "77", "host": "acme.example"},
            },
            {
                "target": Target(
                    kind="sip",
                    address="sip:bob@192.0.2.7:5070;transport=tcp",
                    username="u",
                    password="p",
                    proxy="sip:192.0.2.8:5060",
                ),
                "shown": "sip:bob@192.0.2.7:5070;transport=tcp",
                "caller_id": "77",
                "from_host": "acme.example",
            },
        ),
        (
            {**PHONE, "overrideTo": "+14155550124"},
            {"target": Target(kind="number", address="+14155550124"), "shown": "+14155550123"},
        ),
        (
            {"type": "sip", "sipUri": "sip:bob@192.0.2.7", "overrideTo": "77"},
            {
                "target": Target(kind="sip", address="sip:77@192.0.2.7"),
                "shown": "sip:bob@192.0.2.7",
            },
        ),
        (
            {"type": "sip", "sipUri": "sip:bob@192.0.2.7", "overrideTo": "sip:b@acme.example"},
            {
                "target": Target(kind="sip", address="sip:b@acme.example", proxy="sip:192.0.2.7"),
                "shown": "sip:bob@192.0.2.7",
            },
        ),
        (
            {**PHONE, "confirmHook": "/ok", "method": "GET"},
            {
                "target": BOB.target,
                "shown": BOB.shown,
                "screening": Hook(url="https://app.example/ok", method="GET"),
            },
        ),
        (
            {**PHONE, "confirmHook": {"url": "/ok", "username": "u", "password": "p"}},
            {
                "target": BOB.target,
                "shown": BOB.shown,
                "screening": Hook(url="https://app.example/ok", username="u", password="p"),
            },
        ),
    ],
)
def test_targets(target: dict[str, Any], callee: dict[str, Any]) -> None:
    assert called(**target) == Callee(**callee)


def test_what_a_dial_says_for_all_its_targets() -> None:
    verb = dialled(
        target=[PHONE, {"type": "user", "name": "bob", "confirmHook": "/own", "proxy": "sip:192.0.2.9"}],
        confirmHook="/all",
        proxy="sip:192.0.2.8",
        tag={"a": {"bC": 1}},
    )
    first, second = verb.callees
    assert (first.screening, second.screening) == (
        Hook(url="https://app.example/all"),
        Hook(url="https://app.example/own"),
    )
    assert (first.target.proxy, second.target.proxy) == ("sip:192.0.2.8", "sip:192.0.2.9")
    assert first.custom == second.custom == {"a": {"bC": 1}}


def test_ten_targets_are_called_at_most() -> None:
    targets = [{**PHONE, "number": f"+1415555010{n}"} for n in range(10)] + [PHONE]
    parsed = parse([{"verb": "dial", "target": targets}], HTTP)
    verb = parsed.verbs[0]
    assert isinstance(verb, Dial)
    assert len(verb.callees) == 10
    assert [note.message for note in parsed.notes] == ["dial: only the first 10 of 11 targets are called"]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"listen": {"url": "wss://a.example/"}}, "dial: not supported: listen"),
        (
            {"stream": {"url": "wss://a.example/"}, "dub": [{"action": "addTrack", "track": "a"}]},
            "dial: not supported: stream, dub",
        ),
        ({"transcribe": {"transcriptionHook": "/t"}}, "dial: not supported: transcribe"),
        ({"srtpEncryption": "sdes"}, "dial: not supported: srtpEncryption"),
        (
            {"target": [PHONE, {"type": "teams", "number": "+1", "tenant": "t"}]},
            "dial: target type teams is not supported",
        ),
        ({"target": [{**PHONE, "vmail": True}]}, "dial: target property vmail is not supported"),
        (
            {"target": [{"type": "user", "name": "bob", "overrideTo": "7"}]},
            "dial: target property overrideTo is not supported for type user",
        ),
    ],
)
def test_a_dial_with_a_part_that_is_not_built_is_an_error(properties: Any, message: str) -> None:
    verb = one({"verb": "dial", "id": "d", "target": [PHONE], **properties})
    assert isinstance(verb, Unbuilt)
    assert (verb.id, verb.name, verb.failure) == ("d", "dial", False)
    assert (verb.note.level, verb.note.message, verb.note.detail["verb"]) == ("error", message, "dial")


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"target": []}, "dial: missing value for target"),
        ({"target": [{"type": "phone"}]}, "target: missing value for number"),
        ({"target": [{"type": "phone", "number": " "}]}, "target: missing value for number"),
        ({"target": [{"type": "phone", "number": "1\r\nX: y"}]}, "target: missing value for number"),
        ({"target": [{"type": "user"}]}, "target: missing value for name"),
        ({"target": [{"type": "sip", "sipUri": "bob"}]}, "target: sipUri is not a sip uri"),
        ({"target": [{**PHONE, "auth": {"username": "u"}}]}, "auth: missing value for password"),
        ({"target": [{**PHONE, "headers": {"X-A": "1\r\nBye: 2"}}]}, "invalid header 'X-A'"),
        ({"target": [{**PHONE, "from": {"host": "a b"}}]}, "invalid host"),
        ({"target": [{**PHONE, "from": {"user": "a\nb"}}]}, "invalid user"),
        ({"target": [{**PHONE, "proxy": "sip:"}]}, "invalid proxy"),
        ({"target": [{**PHONE, "method": "PUT"}]}, "invalid value PUT must be one of GET,POST"),
        ({"target": [{**PHONE, "colour": "red"}]}, "target: unknown property colour"),
        ({"proxy": "sip:<"}, "invalid proxy"),
        ({"headers": {"Via": "x"}}, "invalid header 'Via'"),
        ({"callerId": "1\r\nX: y"}, "dial: property callerId has invalid data type"),
        ({"callerName": 7}, "dial: property callerName has invalid data type"),
        ({"boostAudioSignal": "loud"}, "dial: property boostAudioSignal has invalid data type"),
        ({"boostAudioSignal": 99}, "dial: property boostAudioSignal has invalid data type"),
        ({"dtmfCapture": ["*1"]}, "dial: missing value for dtmfHook"),
        ({"dtmfCapture": "x", "dtmfHook": "/k"}, "dial: property dtmfCapture has invalid data type"),
        ({"dtmfCapture": ["x"], "dtmfHook": "/k"}, "dial: property dtmfCapture has invalid data type"),
        ({"dtmfCapture": [""], "dtmfHook": "/k"}, "dial: property dtmfCapture has invalid data type"),
        (
            {"dtmfCapture": {"childCall": [1]}, "dtmfHook": "/k"},
            "dial: property dtmfCapture has invalid data type",
        ),
        ({"amd": {}}, "amd: missing value for actionHook"),
        ({"amd": {"actionHook": "/a", "timers": {"x": 1}}}, "amdTimers: unknown property x"),
        ({"srtpEncryption": "zrtp"}, "invalid value zrtp must be one of sdes,dtls"),
        ({"tag": "x"}, "dial: property tag has invalid data type"),
        ({"timeout": "30"}, "dial: property timeout has invalid data type"),
    ],
)
def test_a_dial_that_breaks_the_rules(properties: dict[str, Any], message: str) -> None:
    assert error_of({"verb": "dial", "target": [PHONE], **properties}) == message


# -- sip:refer and sip:request


@pytest.mark.parametrize(
    ("properties", "verb"),
    [
        ({"referTo": "sip:bob@192.0.2.7"}, Refer(refer_to="sip:bob@192.0.2.7")),
        ({"referTo": "+14155550123"}, Refer(refer_to="+14155550123")),
        ({"referTo": "tel:+14155550123;phone-context=x"}, Refer(refer_to="+14155550123")),
        ({"referTo": "bob@192.0.2.7"}, Refer(refer_to="sip:bob@192.0.2.7")),
        (
            {
                "referTo": "sips:bob@192.0.2.7",
                "referredBy": "alice",
                "referredByDisplayName": "Alice",
                "headers": {"X-A": "b"},
                "actionHook": "/done",
                "eventHook": "/going",
                "id": "r",
            },
            Refer(
                id="r",
                refer_to="sips:bob@192.0.2.7",
                referred_by="alice",
                referred_by_name="Alice",
                headers=(("X-A", "b"),),
                action=Hook(url="https://app.example/done"),
                progress=Hook(url="https://app.example/going"),
                timeout=15.0,
            ),
        ),
    ],
)
def test_refer(properties: dict[str, Any], verb: Refer) -> None:
    assert one({"verb": "sip:refer", **properties}) == verb


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({}, "sip:refer: missing value for referTo"),
        ({"referTo": "sip:"}, "sip:refer: property referTo is not a sip uri"),
        ({"referTo": "<sip:b@192.0.2.7>"}, "sip:refer: property referTo is not a sip uri"),
        ({"referTo": "sip:b@192.0.2.7\r\nX: y"}, "sip:refer: property referTo is not a sip uri"),
        ({"referTo": "b", "referredBy": "a b"}, "sip:refer: property referredBy is not a sip uri"),
        (
            {"referTo": "b", "referredByDisplayName": "a\nb"},
            "sip:refer: property referredByDisplayName has invalid data type",
        ),
        ({"referTo": "b", "headers": {"From": "x"}}, "invalid header 'From'"),
    ],
)
def test_a_refer_that_breaks_the_rules(properties: dict[str, Any], message: str) -> None:
    assert error_of({"verb": "sip:refer", **properties}) == message


@pytest.mark.parametrize(
    ("properties", "verb"),
    [
        ({"method": "info"}, SendRequest(method="INFO")),
        ({"method": "INFO", "body": "x"}, SendRequest(method="INFO", content_type="text/plain", body="x")),
        (
            {
                "method": "MESSAGE",
                "body": '{"a":1}',
                "headers": {"content-type": "application/json", "X-A": "b"},
                "actionHook": "/done",
                "id": "r",
            },
            SendRequest(
                id="r",
                method="MESSAGE",
                content_type="application/json",
                body='{"a":1}',
                headers=(("X-A", "b"),),
                action=Hook(url="https://app.example/done"),
            ),
        ),
    ],
)
def test_request(properties: dict[str, Any], verb: SendRequest) -> None:
    assert one({"verb": "sip:request", **properties}) == verb


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({}, "sip:request: missing value for method"),
        ({"method": "IN FO"}, "sip:request: property method has invalid data type"),
        ({"method": "bye"}, "sip:request: method BYE is not supported"),
        ({"method": "INVITE"}, "sip:request: method INVITE is not supported"),
        ({"method": "INFO", "body": "x" * 20_000}, "sip:request: a body has 16384 characters at most"),
        ({"method": "INFO", "body": {}}, "sip:request: property body has invalid data type"),
        ({"method": "INFO", "headers": []}, "sip:request: property headers has invalid data type"),
        (
            {"method": "INFO", "headers": {"Content-Type": "a\r\nX: y"}},
            "sip:request: content type has invalid data type",
        ),
        ({"method": "INFO", "headers": {"X-A": "1\r\nBye: 2"}}, "invalid header 'X-A'"),
    ],
)
def test_a_request_that_breaks_the_rules(properties: dict[str, Any], message: str) -> None:
    assert error_of({"verb": "sip:request", **properties}) == message
