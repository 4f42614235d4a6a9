"""What config sets for two parties, and what of it is not done."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.jambonz.reading import HTTP, error_of, one

from ringback.calls.verbs import (
    Answering,
    Clip,
    Configure,
    ControlRecording,
    Hook,
    MachineDetection,
    RecordingPlan,
    Unbuilt,
    Verb,
)
from ringback.dialects.jambonz.markup import parse


@pytest.mark.parametrize(
    ("properties", "verb"),
    [
        (
            {"onHoldMusic": "https://a.example/m.mp3", "id": "c"},
            Configure(id="c", hold_music=Clip("https://a.example/m.mp3")),
        ),
        ({"onHoldMusic": "/m.mp3"}, Configure(hold_music=Clip("https://app.example/m.mp3"))),
        ({"referHook": "/refer"}, Configure(refer_hook=Hook(url="https://app.example/refer"))),
        (
            {"sipRequestWithinDialogHook": "/request"},
            Configure(request_hook=Hook(url="https://app.example/request")),
        ),
        ({"boostAudioSignal": "6 dB"}, Configure(answering=Answering.ANSWER, gain_db=6.0)),
        ({"boostAudioSignal": 0}, Configure(answering=Answering.ANSWER, gain_db=0.0)),
        (
            {"boostAudioSignal": -3, "earlyMedia": True},
            Configure(answering=Answering.EARLY_MEDIA, gain_db=-3.0),
        ),
        (
            {"amd": {"actionHook": "/amd", "thresholdWordCount": 4}},
            Configure(
                answering=Answering.ANSWER,
                detection=MachineDetection(
                    asynchronous=True,
                    follow=True,
                    report=Hook(url="https://app.example/amd"),
                    words_threshold=4,
                    silence_timeout_ms=5000,
                    timeout_ms=15000,
                    tone_timeout_ms=20000,
                    speech_end_ms=2000,
                ),
            ),
        ),
        (
            {"record": {"action": "startCallRecording", "type": "cloud", "recordingID": "r-1"}},
            ControlRecording(
                answering=Answering.ANSWER,
                what="start",
                recording=RecordingPlan(source="control", channels=2, alone=True, events=(), custom_id="r-1"),
                silence=False,
            ),
        ),
        (
            {"record": {"action": "pauseCallRecording", "silence": True}},
            ControlRecording(
                answering=Answering.ANSWER,
                what="pause",
                recording=RecordingPlan(source="control", channels=2, alone=True, events=()),
                silence=True,
            ),
        ),
    ],
)
def test_config(properties: dict[str, Any], verb: Verb) -> None:
    assert one({"verb": "config", **properties}) == verb


@pytest.mark.parametrize(("action", "what"), [("resume", "resume"), ("stop", "stop")])
def test_a_recording_is_controlled(action: str, what: str) -> None:
    verb = one({"verb": "config", "record": {"action": f"{action}CallRecording"}})
    assert isinstance(verb, ControlRecording)
    assert verb.what == what


def test_a_config_that_says_nothing_new_does_nothing() -> None:
    assert parse([{"verb": "config", "notifyEvents": True}], HTTP).verbs == ()


def test_a_siprec_recording_is_made_here_and_said_to_be() -> None:
    element = {
        "verb": "config",
        "record": {"action": "startCallRecording", "type": "siprec", "siprecServerURL": "sip:rec@192.0.2.7"},
    }
    parsed = parse([element], HTTP)
    assert [type(verb) for verb in parsed.verbs] == [ControlRecording]
    (note,) = parsed.notes
    assert (note.level, note.detail) == ("warning", {"siprecServerURL": "sip:rec@192.0.2.7"})
    assert "recorded here" in note.message


def test_what_is_built_is_done_before_the_error_about_the_rest() -> None:
    parsed = parse([{"verb": "config", "boostAudioSignal": 3, "bargeIn": {"enable": True}}], HTTP)
    assert [type(verb) for verb in parsed.verbs] == [Configure, Unbuilt]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"boostAudioSignal": "x"}, "config: property boostAudioSignal has invalid data type"),
        ({"boostAudioSignal": True}, "config: property boostAudioSignal has invalid data type"),
        ({"record": {}}, "recordOptions: missing value for action"),
        ({"record": {"action": "x"}}, "invalid value x must be one of startCallRecording,"),
        (
            {"record": {"action": "stopCallRecording", "recordingID": "x" * 300}},
            "record: property recordingID has invalid data type",
        ),
        ({"referHook": {"method": "POST"}}, "config: missing value for url"),
        ({"onHoldMusic": 7}, "config: property onHoldMusic has invalid data type"),
    ],
)
def test_a_config_that_breaks_the_rules(properties: dict[str, Any], message: str) -> None:
    assert error_of({"verb": "config", **properties}).startswith(message)
