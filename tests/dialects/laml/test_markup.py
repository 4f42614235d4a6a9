"""Documents as verbs, in both profiles."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.calls.status import CallStatus
from ringback.calls.verbs import (
    Answering,
    Clip,
    Gather,
    HangUp,
    Hook,
    Pause,
    Play,
    Redirect,
    Reject,
    Say,
    SendDigits,
    Unbuilt,
    Verb,
)
from ringback.dialects.laml.markup import Markup, read_markup
from ringback.dialects.laml.notes import DocumentError
from ringback.dialects.laml.profiles import SIGNALWIRE, TWILIO, Profile

BASE = "http://app.test/dir/voice.xml?x=1"
ANSWER = Answering.ANSWER


def read(inner: str, profile: Profile = TWILIO, base: str = BASE) -> Markup:
    return read_markup(f"<Response>{inner}</Response>".encode(), profile, base=base)


def one(inner: str, profile: Profile = TWILIO, base: str = BASE) -> Any:
    markup = read(inner, profile, base)
    assert markup.notes == ()
    (verb,) = markup.verbs
    return verb


def codes(markup: Markup) -> list[str]:
    return [note.code for note in markup.notes]


@pytest.mark.parametrize("profile", [TWILIO, SIGNALWIRE])
def test_say(profile: Profile) -> None:
    voice = {"twilio": "man", "signalwire": "woman"}[profile.name]
    assert one("<Say> Hello,\n  world &amp; all </Say>", profile) == Say(
        texts=("Hello, world & all",), voice=voice, language="en-US", answering=ANSWER
    )
    assert one("<Say voice='Polly.Joanna' loop='0'>x</Say>", profile) == Say(
        texts=("x",), voice="Polly.Joanna", language="", loop=0, answering=ANSWER
    )
    assert one("<Say voice='alice' language='fr-FR' loop='3'>x</Say>", profile).language == "fr-FR"


def test_say_with_speech_markup() -> None:
    verb = one("<Say>Wait <break time='2s'/> <say-as interpret-as='digits'>12</say-as></Say>")
    assert verb.ssml
    assert verb.texts == ('<speak>Wait <break time="2s"/> <say-as interpret-as="digits">12</say-as></speak>',)
    markup = read("<Say>a <amazon:effect name='whispered'>b</amazon:effect></Say>", SIGNALWIRE)
    assert codes(markup) == ["12200"]
    assert markup.verbs[0].texts == ("<speak>a b</speak>",)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("inner", "profile", "code"),
    [
        ("<Say/>", TWILIO, "13520"),
        ("<Say><break time='1s'/></Say>", TWILIO, "13520"),
        ("<Say voice='nobody'>x</Say>", TWILIO, "13511"),
        ("<Say language='!!'>x</Say>", TWILIO, "13512"),
        (f"<Say>{'x' * 4097}</Say>", SIGNALWIRE, "13521"),
        ("<Play/>", TWILIO, "11100"),
        ("<Play>rtmp://x.test/a</Play>", SIGNALWIRE, "21455"),
        ("<Play digits='12x'/>", TWILIO, "13430"),
    ],
)
def test_prompts_that_are_skipped_with_a_warning(inner: str, profile: Profile, code: str) -> None:
    markup = read(inner + "<Hangup/>", profile)
    assert codes(markup) == [code]
    assert markup.notes[0].level == "warning"
    assert markup.verbs == (HangUp(answering=ANSWER),)


def test_twilio_speaks_texts_of_any_length() -> None:
    assert len(one(f"<Say>{'x' * 5000}</Say>").texts[0]) == 5000


def test_play() -> None:
    assert one("<Play loop='2'> ../a b.wav?x=1&amp;y=2 </Play>") == Play(
        clips=(Clip("http://app.test/a b.wav?x=1&y=2"),), loop=2, answering=ANSWER
    )
    assert one("<Play>https://cdn.test/a.mp3</Play>").clips == (Clip("https://cdn.test/a.mp3"),)
    assert one("<Play digits='1wW#A'/>") == SendDigits(digits="1wW#A", answering=ANSWER)
    both = read("<Play digits='12'>a.wav</Play>")
    assert both.verbs == (SendDigits(digits="12", answering=ANSWER),)
    assert codes(both) == ["12200"]


def test_loops_are_held_to_a_thousand_and_wrong_ones_are_one() -> None:
    assert one("<Play loop='5000'>a.wav</Play>").loop == 1000
    markup = read("<Say loop='-1'>x</Say><Play loop='many'>a.wav</Play><Pause length='x'/>")
    assert codes(markup) == ["13510", "13410", "13910"]
    assert [getattr(verb, "loop", None) for verb in markup.verbs] == [1, 1, None]


def test_what_does_not_answer_the_call() -> None:
    verbs = read("<Pause length='3'/><Redirect>x</Redirect><Reject/>").verbs
    assert [verb.answering for verb in verbs] == [Answering.NONE] * 3
    assert verbs[0] == Pause(seconds=3.0)
    assert one("<Pause/>") == Pause(seconds=1.0)
    assert one("<Hangup/>") == HangUp(answering=ANSWER)


def test_redirect() -> None:
    assert one("<Redirect method='get'>next?a=1&amp;b=2</Redirect>") == Redirect(
        hook=Hook(url="http://app.test/dir/next?a=1&b=2", method="GET")
    )
    markup = read("<Redirect method='PUT'>/x</Redirect>")
    assert codes(markup) == ["13710"]
    for inner, base in (("<Redirect/>", BASE), ("<Redirect>/x</Redirect>", "")):
        (verb,) = read(inner, base=base).verbs
        assert isinstance(verb, Unbuilt)
        assert (verb.note.code, verb.note.level, verb.failure) == ("11100", "error", True)


def test_reject() -> None:
    assert one("<Reject/>") == Reject(sip_status=603, ended_as=CallStatus.REJECTED)
    assert one("<Reject reason='rejected'/>") == Reject(sip_status=603, ended_as=CallStatus.REJECTED)
    assert one("<Reject reason='busy'/>") == Reject(sip_status=486, ended_as=CallStatus.REJECTED_BUSY)
    assert codes(read("<Reject reason='bored'/>")) == ["13810"]


def test_gather_defaults() -> None:
    assert one("<Gather/>") == Gather(
        action=Hook(url=BASE, method="POST"),
        report_empty=False,
        first_digit_timeout=5.0,
        inter_digit_timeout=5.0,
        finish_keys=frozenset("#"),
        max_digits=None,
        barge_in=True,
        answering=ANSWER,
    )


def test_gather_with_everything() -> None:
    verb = one(
        "<Gather action='/done' method='GET' timeout='9' numDigits='2' finishOnKey='*0' "
        "actionOnEmptyResult='true' bargeIn='false' hints='a,b' language='en-GB' speechTimeout='auto' "
        "profanityFilter='false' speechModel='phone_call' enhanced='true' partialResultCallback='/p' "
        "partialResultCallbackMethod='POST' maxSpeechTime='9' debug='true'>"
        "<Say>Press</Say><Pause length='2'/><Play>a.wav</Play></Gather>"
    )
    assert verb.action == Hook(url="http://app.test/done", method="GET")
    assert (verb.first_digit_timeout, verb.inter_digit_timeout, verb.max_digits) == (9.0, 9.0, 2)
    assert verb.finish_keys == frozenset("*0")
    assert verb.report_empty
    assert verb.barge_in  # keys always interrupt; the attribute is about speech
    assert [type(prompt) for prompt in verb.prompts] == [Say, Pause, Play]
    assert one("<Gather finishOnKey=''/>").finish_keys == frozenset()
    assert one("<Gather timeout='auto'/>").first_digit_timeout == 5.0


def test_gather_with_wrong_values_keeps_its_defaults() -> None:
    markup = read(
        "<Gather timeout='x' numDigits='0' finishOnKey='a' actionOnEmptyResult='maybe' bargeIn='maybe' "
        "method='PUT' input='smell'><Dial/><Play digits='1'/><Say voice='nobody'>x</Say></Gather>"
    )
    expected = {"13313", "13314", "13310", "13338", "13332", "13312", "13326", "13320", "13321"}
    assert set(codes(markup)) == expected
    assert len(markup.notes) == 10
    assert markup.verbs == one_gather()


def one_gather() -> tuple[Verb, ...]:
    return read("<Gather/>").verbs


def test_gather_for_speech_says_that_it_is_not_recognised() -> None:
    markup = read("<Gather input='speech dtmf'/>")
    assert codes(markup) == ["13340"]
    verb = markup.verbs[0]
    assert isinstance(verb, Gather)
    assert (verb.accepts_digits, verb.accepts_speech) == (True, True)
    assert not read("<Gather input='speech'/>").verbs[0].accepts_digits  # type: ignore[union-attr]


def test_a_document_without_url_needs_absolute_ones() -> None:
    markup = read("<Gather><Play>a.wav</Play></Gather><Gather action='/x'/>", base="")
    assert sorted(codes(markup)) == ["11100", "15004", "15004"]
    assert [verb.action for verb in markup.verbs if isinstance(verb, Gather)] == [None, None]
    assert one("<Gather action='http://a.test/x'/>", base="").action == Hook(url="http://a.test/x")


def test_credentials_in_the_documents_url_go_along() -> None:
    verb = one("<Gather action='/x'/>", base="http://u:p@app.test/voice")
    assert verb.action.url == "http://u:p@app.test/x"


@pytest.mark.parametrize(
    "name",
    [
        *("Connect", "Denoise", "Echo", "Enqueue", "Leave", "Message", "Pay"),
        *("Prompt", "Queue", "Sms", "Start", "Stop"),
    ],
)
@pytest.mark.parametrize("profile", [TWILIO, SIGNALWIRE])
def test_verbs_that_are_not_built_are_a_clear_error(name: str, profile: Profile) -> None:
    verb = one(f"<{name}/>", profile)
    assert isinstance(verb, Unbuilt)
    assert (verb.name, verb.note.code, verb.note.level) == (name, "13750", "error")
    assert name in verb.note.message
    assert verb.failure == (name not in ("Denoise", "Message", "Sms", "Start", "Stop"))


def test_attributes_of_verbs_that_are_not_built_are_known() -> None:
    one(
        "<Dial timeout='5'><Conference coach='CA1' beep='onEnter' statusCallback='/s'>r</Conference></Dial>",
        SIGNALWIRE,
    )
    one(
        "<Start><Stream url='wss://a.test' track='both_tracks'><Parameter name='a'/></Stream></Start>",
        SIGNALWIRE,
    )


@pytest.mark.parametrize(
    "inner",
    [
        "<Shout>x</Shout>",
        "<say>x</say>",
        "<Say shout='1'>x</Say>",
        "<Dial>+1<Nombre>1</Nombre></Dial>",
        "<Dial zork='1'>+1</Dial>",
        "<Dial><Number zork='1'>1</Number></Dial>",
        "<Dial><Queue zork='1'>1</Queue></Dial>",
        "<Record zork='1'/>",
        "<Start><Stream zork='1'/></Start>",
        "<Play><Say>x</Say>a.wav</Play>",
    ],
)
def test_unknown_names_are_skipped_by_twilio_and_end_a_document_at_signalwire(inner: str) -> None:
    markup = read(inner + "<Hangup/>")
    assert codes(markup) == ["12200"]
    assert isinstance(markup.verbs[-1], HangUp)
    with pytest.raises(DocumentError) as caught:
        read(inner, SIGNALWIRE)
    assert caught.value.note.code == "12100"
    assert caught.value.note.level == "error"


def test_text_comments_and_foreign_attributes_are_ignored() -> None:
    markup = read_markup(
        b"<?xml version='1.0' encoding='UTF-8'?><Response xmlns:xsi='urn:x' xsi:a='b'>text<!-- c -->"
        b"<Hangup/>x</Response>",
        SIGNALWIRE,
        base=BASE,
    )
    assert markup == Markup((HangUp(answering=ANSWER),), ())


@pytest.mark.parametrize(
    ("document", "twilio", "signalwire"),
    [
        (b"", "11770", "11770"),
        (b"<Response>" + b" " * 65536, "11750", "11750"),
        (b"not xml", "12100", "12100"),
        (b"<Response><Say></Response>", "12100", "12100"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><Response>&a;</Response>", "12100", "12100"),
        (b"<html/>", "12102", "12100"),
        (b"<Response>" + b"<Pause/>" * 501 + b"</Response>", "12100", "12100"),
    ],
)
def test_documents_that_cannot_be_run(document: bytes, twilio: str, signalwire: str) -> None:
    for profile, code in ((TWILIO, twilio), (SIGNALWIRE, signalwire)):
        with pytest.raises(DocumentError) as caught:
            read_markup(document, profile, base=BASE)
        assert caught.value.note.code == code
        assert caught.value.url == BASE


_NAMES = st.sampled_from(
    [
        *("Say", "Play", "Pause", "Gather", "Redirect", "Reject", "Hangup", "Dial", "X", "Number", "Sip"),
        *("Client", "Record", "Refer", "Start", "Recording", "Uri", "Headers", "Header"),
    ]
)
_ATTRIBUTES = st.sampled_from(
    [
        *("loop", "action", "method", "timeout", "numDigits", "finishOnKey", "length", "voice", "digits"),
        *("reason", "callerId", "record", "url", "sendDigits", "codecs", "sessionTimeout", "maxLength"),
        *("name", "value", "priority", "weight", "transcribe", "storageUrl", "statusCallbackEvent"),
        "machineDetection",
    ]
)
_VALUES = st.text(alphabet="0-9ax#*:/. \u00e9%[]?&", max_size=8)


@st.composite
def _elements(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(_NAMES)
    given = draw(st.dictionaries(_ATTRIBUTES, _VALUES, max_size=3))
    attributes = "".join(f' {key}="{value.replace("&", "&amp;")}"' for key, value in given.items())
    inner = draw(_VALUES).replace("&", "&amp;")
    if depth < 2:
        inner += "".join(draw(st.lists(_elements(depth=depth + 1), max_size=2)))
    return f"<{name}{attributes}>{inner}</{name}>"


@settings(max_examples=200)
@given(st.lists(_elements(), max_size=4), st.sampled_from([BASE, ""]))
def test_twilio_runs_whatever_is_well_formed(elements: list[str], base: str) -> None:
    markup = read("".join(elements), TWILIO, base)
    assert all(note.level == "warning" for note in markup.notes)


@settings(max_examples=100)
@given(st.binary(max_size=120))
def test_any_bytes_are_verbs_or_a_document_error(data: bytes) -> None:
    for profile in (TWILIO, SIGNALWIRE):
        try:
            read_markup(data, profile, base=BASE)
        except DocumentError:
            pass
