"""Documents: what is understood, with which defaults, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.calls.status import CallStatus
from ringback.calls.verbs import (
    Answer,
    Answering,
    Clip,
    Gather,
    HangUp,
    Hook,
    Pause,
    Play,
    Redirect,
    Reject,
    Ring,
    Say,
    SendDigits,
    Silence,
    Tag,
    Unbuilt,
    Verb,
)
from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.dialects.jambonz.grammar import VERBS
from ringback.dialects.jambonz.markup import Parsed, parse, parse_json
from ringback.dialects.jambonz.session import Session, session_for
from ringback.routing.directory import Speech

SPEECH = Speech(synthesis_vendor="google", synthesis_language="en-GB", synthesis_voice="Anna")
HTTP = session_for(SPEECH, "https://app.example/voice/start")
SOCKET = session_for(SPEECH, "wss://app.example/voice")


def one(element: dict[str, Any], session: Session = HTTP) -> Verb:
    parsed = parse([element], session)
    assert len(parsed.verbs) == 1
    return parsed.verbs[0]


def error_of(payload: object, session: Session = HTTP) -> str:
    with pytest.raises(InvalidApplication) as caught:
        parse(payload, session)
    return caught.value.message


# -- forms


def test_both_forms_of_an_element_mean_the_same() -> None:
    assert one({"verb": "say", "text": "hi"}) == one({"say": {"text": "hi"}})


def test_id_is_kept() -> None:
    verb = one({"verb": "pause", "length": 1, "id": "wait-1"})
    assert verb.id == "wait-1"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "malformed jambonz payload: must be array"),
        ("say", "malformed jambonz payload: must be array"),
        (None, "malformed jambonz payload: must be array"),
        ([1], "malformed jambonz payload: missing verb property"),
        ([{}], "malformed jambonz payload: missing verb property"),
        ([{"say": {"text": "a"}, "loop": 1}], "malformed jambonz payload: missing verb property"),
        ([{"verb": "shout"}], "invalid instruction: shout"),
        ([{"shout": {}}], "invalid instruction: shout"),
        ([{"verb": 7}], "invalid instruction: 7"),
        ([{"verb": "say", "text": "a", "volume": 3}], "say: unknown property volume"),
        ([{"verb": "say", "text": 7}], "say: property text has invalid data type"),
        ([{"verb": "say", "text": ["a", 7]}], "say: property text has invalid data type"),
        (
            [{"verb": "say", "text": "a", "earlyMedia": "yes"}],
            "say: property earlyMedia has invalid data type",
        ),
        ([{"verb": "say"}], "say: missing value for text"),
        ([{"verb": "pause"}], "pause: missing value for length"),
        ([{"verb": "pause", "length": True}], "pause: property length has invalid data type"),
        ([{"verb": "pause", "length": 1, "id": 3}], "pause: property id has invalid data type"),
        ([{"verb": "play"}], "play: missing value for url"),
        ([{"verb": "lex"}], "lex: missing value for botId,botAlias,region,credentials"),
        ([{"verb": "gather", "say": {"texts": "a"}}], "say: unknown property texts"),
        ([{"verb": "gather", "input": ["voice"]}], "invalid value voice must be one of speech,digits"),
        ([{"verb": "gather", "actionHook": {"method": "POST"}}], "gather: missing value for url"),
        (
            [{"verb": "say", "text": "a", "synthesizer": {"voice": "x"}}],
            "synthesizer: missing value for vendor",
        ),
        (
            [{"verb": "say", "text": "a", "synthesizer": {"vendor": "x", "engine": "loud"}}],
            "invalid value loud must be one of standard,neural,generative,long-form",
        ),
        (
            [{"verb": "dial", "target": [{"type": "fax"}]}],
            "invalid value fax must be one of phone,sip,user,teams",
        ),
        ([{"verb": "dial", "target": "x"}], "dial: property target has invalid data type"),
        ([{"verb": "dtmf", "dtmf": "1x"}], "dtmf: property dtmf has invalid data type"),
        (
            [{"verb": "config", "reset": "everything"}],
            "invalid value everything must be one of synthesizer,recognizer",
        ),
        (
            [{"verb": "sip:decline", "status": 200}],
            "sip:decline: status must be a final sip status, 300 to 699",
        ),
        ([{"verb": "hangup", "headers": {"X\r\nEvil": "1"}}], "invalid header 'X\\r\\nEvil'"),
        ([{"verb": "hangup", "headers": {"X-A": "1\r\nBye: 2"}}], "invalid header 'X-A'"),
    ],
)
def test_what_breaks_the_rules_is_refused(payload: object, message: str) -> None:
    assert error_of(payload) == message


def test_null_properties_and_the_underscore_count_for_nothing() -> None:
    assert one({"verb": "say", "text": "a", "loop": None, "_": {"any": 1}}) == one(
        {"verb": "say", "text": "a"}
    )


def test_too_many_verbs_are_refused() -> None:
    assert "more than 500" in error_of([{"verb": "answer"}] * 501)


# -- say, play


def test_say_takes_the_application_voice() -> None:
    verb = one({"verb": "say", "text": "hi"})
    assert verb == Say(
        answering=Answering.ANSWER, texts=("hi",), voice="Anna", language="en-GB", vendor="google", loop=1
    )


def test_default_in_a_synthesizer_falls_back() -> None:
    synthesizer = {"vendor": "default", "language": "de-DE", "voice": "default"}
    verb = one({"verb": "say", "text": "hi", "synthesizer": synthesizer})
    assert isinstance(verb, Say)
    assert (verb.vendor, verb.language, verb.voice) == ("google", "de-DE", "Anna")


def test_a_voice_object_is_known_by_its_name() -> None:
    verb = one(
        {"verb": "say", "text": "x", "synthesizer": {"vendor": "google", "voice": {"name": "V", "m": 1}}}
    )
    assert isinstance(verb, Say)
    assert verb.voice == "V"


@pytest.mark.parametrize(("loop", "times"), [(3, 3), ("2", 2), ("forever", 0), (0, 0), (None, 1)])
def test_loops(loop: object, times: int) -> None:
    verb = one({"verb": "say", "text": "hi", "loop": loop})
    assert isinstance(verb, Say)
    assert verb.loop == times


def test_nothing_said_for_ever_is_said_once() -> None:
    verb = one({"verb": "say", "text": "", "loop": "forever"})
    assert isinstance(verb, Say)
    assert (verb.texts, verb.loop) == ((), 1)


def test_texts_in_sequence_and_ssml_in_one_form() -> None:
    verb = one({"verb": "say", "text": ["1 < 2", "<speak>two</speak>"]})
    assert isinstance(verb, Say)
    assert verb.ssml
    assert verb.texts == ("<speak>1 &lt; 2</speak>", "<speak>two</speak>")


def test_play_reads_samples_playlists_and_silence() -> None:
    verb = one(
        {
            "verb": "play",
            "url": ["https://a.example/1.wav", "silence_stream://1500", "/local.wav"],
            "seekOffset": 8000,
            "timeoutSecs": "2.5",
            "earlyMedia": True,
            "actionHook": "/played",
        }
    )
    assert verb == Play(
        answering=Answering.EARLY_MEDIA,
        clips=(Clip("https://a.example/1.wav"), Silence(1500), Clip("https://app.example/local.wav")),
        offset_ms=1000,
        limit=2.5,
        action=Hook(url="https://app.example/played"),
    )


# -- gather


def test_gather_defaults() -> None:
    verb = one({"verb": "gather", "actionHook": "/next"})
    assert verb == Gather(
        answering=Answering.ANSWER,
        action=Hook(url="https://app.example/next"),
        report_empty=True,
        first_digit_timeout=15.0,
        inter_digit_timeout=None,
        finish_keys=frozenset(),
        min_digits=1,
        max_digits=None,
    )


def test_gather_with_everything() -> None:
    parsed = parse(
        [
            {
                "verb": "gather",
                "id": "menu",
                "input": ["digits", "speech"],
                "numDigits": 4,
                "timeout": 0,
                "interDigitTimeout": 2,
                "finishOnKey": "*#",
                "dtmfBargein": False,
                "say": {"text": "Please enter"},
                "recognizer": {"vendor": "google", "hints": ["a"]},
                "partialResultHook": "/partial",
            }
        ],
        HTTP,
    )
    verb = parsed.verbs[0]
    assert isinstance(verb, Gather)
    assert (verb.min_digits, verb.max_digits) == (4, 4)
    assert (verb.first_digit_timeout, verb.inter_digit_timeout) == (None, 2.0)
    assert verb.finish_keys == frozenset("*#")
    assert not verb.barge_in
    assert verb.accepts_speech
    assert isinstance(verb.prompts[0], Say)
    assert [(note.level, note.code) for note in parsed.notes] == [
        ("error", "no-stt"),
        ("warning", "not-supported"),
    ]


def test_a_nested_play_reports_nothing_and_may_be_early() -> None:
    verb = one({"verb": "gather", "play": {"url": "http://a/b.wav", "actionHook": "/x", "earlyMedia": True}})
    assert isinstance(verb, Gather)
    assert verb.answering is Answering.EARLY_MEDIA
    nested = verb.prompts[0]
    assert isinstance(nested, Play)
    assert nested.action is None


# -- the others


@pytest.mark.parametrize(
    ("element", "verb"),
    [
        ({"verb": "answer"}, Answer()),
        ({"verb": "pause", "length": 1.5}, Pause(seconds=1.5)),
        ({"verb": "pause", "length": -1}, Pause(seconds=0.0)),
        ({"verb": "hangup"}, HangUp(sip_status=603)),
        (
            {"verb": "hangup", "headers": {"X-Why": "done"}},
            HangUp(headers=(("X-Why", "done"),), sip_status=603),
        ),
        ({"verb": "tag", "data": {"a": {"bC": 1}}}, Tag(data={"a": {"bC": 1}})),
        (
            {"verb": "dtmf", "dtmf": "12w#a", "duration": 200},
            SendDigits(answering=Answering.ANSWER, digits="12w#A", duration_ms=200),
        ),
        ({"verb": "dtmf", "dtmf": "1"}, SendDigits(answering=Answering.ANSWER, digits="1", duration_ms=500)),
        ({"verb": "alert", "message": "ring-2"}, Ring(headers=(("Alert-Info", "ring-2"),))),
        (
            {"verb": "sip:decline", "status": 486, "reason": "Busy", "headers": {"X-A": "b"}},
            Reject(
                sip_status=486,
                reason="Busy",
                headers=(("X-Reason", "SIP Decline Verb"), ("X-A", "b")),
                ended_as=CallStatus.REJECTED,
            ),
        ),
        (
            {"verb": "redirect", "actionHook": "other", "statusHook": {"url": "/s", "method": "get"}},
            Redirect(
                hook=Hook(url="https://app.example/voice/other"),
                status_hook=Hook(url="https://app.example/s", method="GET"),
            ),
        ),
        (
            {"verb": "redirect", "actionHook": {"url": "http://b/", "username": "u", "password": "p"}},
            Redirect(hook=Hook(url="http://b/", username="u", password="p")),
        ),
        (
            {
                "verb": "redirect",
                "actionHook": {"url": "http://b/", "basicAuth": {"username": "u", "password": "p"}},
            },
            Redirect(hook=Hook(url="http://b/", username="u", password="p")),
        ),
    ],
)
def test_verbs(element: dict[str, Any], verb: Verb) -> None:
    assert one(element) == verb


def test_an_alert_is_noted_too() -> None:
    notes = parse([{"verb": "alert", "message": "look"}], HTTP).notes
    assert [(note.code, note.message) for note in notes] == [("alert-from-application", "look")]


def test_over_a_socket_hooks_are_names() -> None:
    verb = one({"verb": "gather", "actionHook": "next"}, SOCKET)
    assert isinstance(verb, Gather)
    assert verb.action == Hook(url="next")


def test_config_sets_the_session_for_what_follows() -> None:
    parsed = parse(
        [
            {"verb": "say", "text": "one"},
            {
                "verb": "config",
                "synthesizer": {"vendor": "aws", "voice": "Joanna", "language": "en-US"},
                "earlyMedia": True,
                "disableTtsCache": True,
                "notifyEvents": True,
            },
            {"verb": "say", "text": "two"},
            {"verb": "config", "reset": ["synthesizer"]},
            {"verb": "say", "text": "three", "earlyMedia": False},
        ],
        HTTP,
    )
    said = [verb for verb in parsed.verbs if isinstance(verb, Say)]
    assert [verb.voice for verb in said] == ["Anna", "Joanna", "Anna"]
    assert [verb.answering.value for verb in said] == ["answer", "early-media", "answer"]
    assert [verb.use_cache for verb in said] == [True, False, False]
    assert parsed.session.notify_events
    assert parsed.session.voice == HTTP.voice


def test_config_names_what_is_not_built() -> None:
    verb = one(
        {
            "verb": "config",
            "bargeIn": {"enable": True},
            "listen": {"enable": False},
            "transcribe": {"enable": True},
        }
    )
    assert isinstance(verb, Unbuilt)
    assert not verb.failure
    assert verb.note.message == "config: not supported: bargeIn, transcribe"


EVERYTHING = {
    "name": "q",
    "target": [{"type": "phone", "number": "+1"}],
    "url": "wss://a/b",
    "vendor": "openai",
    "llmOptions": {},
    "to": "+1",
    "from": "+2",
    "project": "p",
    "credentials": {},
    "lang": "en",
    "botId": "b",
    "botAlias": "a",
    "region": "r",
    "method": "INFO",
    "referTo": "sip:a@b",
    "action": "addTrack",
    "track": "t",
    "mode": "blind",
    "length": 1,
    "dtmf": "1",
    "message": "m",
    "status": 486,
    "data": {},
    "actionHook": "/h",
    "text": "t",
}
BUILT = {
    "answer",
    "alert",
    "config",
    "dial",
    "dtmf",
    "gather",
    "hangup",
    "pause",
    "play",
    "redirect",
    "say",
    "sip:decline",
    "sip:refer",
    "sip:request",
    "tag",
    "transfer",
}


@pytest.mark.parametrize("name", sorted(VERBS))
def test_every_verb_of_the_service_is_built_or_an_error(name: str) -> None:
    needed = {
        key: EVERYTHING[key] for key, known in VERBS[name].items() if known.required and key in EVERYTHING
    }
    if name in ("say",):
        needed["text"] = "t"
    if name.endswith("_s2s"):
        del needed["vendor"]  # the name of the verb says it
    parsed = parse([{"verb": name, **needed}], HTTP)
    if name in BUILT:
        assert not any(isinstance(verb, Unbuilt) for verb in parsed.verbs)
        return
    verb = parsed.verbs[0]
    assert isinstance(verb, Unbuilt)
    assert verb.note.level == "error"
    assert verb.note.message == f"{name}: verb is not supported"


# -- total


NUMBERS = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10**15, -(10**15), 10**400, -(10**400)])
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PROPERTIES = sorted({key for shape in VERBS.values() for key in shape} | {"id", "_"})
ELEMENT = st.tuples(
    st.sampled_from(sorted(VERBS)), st.dictionaries(st.sampled_from(PROPERTIES), JSON, max_size=3)
)


@settings(max_examples=300)
@given(st.lists(ELEMENT, max_size=3))
def test_any_properties_are_read_or_refused(elements: list[tuple[str, dict[str, Any]]]) -> None:
    try:
        parsed = parse([{**data, "verb": name} for name, data in elements], HTTP)
    except InvalidApplication:
        return
    assert isinstance(parsed, Parsed)
    msgspec.json.encode(parsed.verbs)  # what was read can be kept in the log


@settings(max_examples=200)
@given(st.binary(max_size=200) | JSON.map(msgspec.json.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        parse_json(body, HTTP)
    except InvalidApplication:
        pass


@pytest.mark.parametrize(
    ("name", "key"), [("pause", "length"), ("gather", "timeout"), ("play", "seekOffset")]
)
def test_a_number_beyond_all_use_is_refused(name: str, key: str) -> None:
    given = {"play": {"url": "a.wav"}}.get(name, {})
    with pytest.raises(InvalidApplication, match=f"property {key} has invalid data type"):
        parse([{"verb": name, **given, key: 10**400}], HTTP)


def test_depth_does_no_harm() -> None:
    with pytest.raises(InvalidApplication, match="not JSON"):
        parse_json(b"[" * 100_000, HTTP)
