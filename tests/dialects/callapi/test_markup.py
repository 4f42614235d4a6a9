"""RCML documents into verbs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.calls.status import CallStatus
from ringback.calls.verbs import (
    Answering,
    Callee,
    Clip,
    Dial,
    Gather,
    HangUp,
    Hook,
    OnError,
    Pause,
    Play,
    Redirect,
    Reject,
    Say,
    Target,
    Unbuilt,
    Verb,
)
from ringback.dialects.callapi.markup import Markup, parse
from ringback.dialects.callapi.place import Place, arrived
from ringback.dialects.xml import MarkupError

HERE = Place(Hook(url="http://app.test/ivr/start?menu=1", username="u", password="p"))


def read(inner: str) -> Markup:
    return parse(f"<Response>{inner}</Response>".encode(), HERE)


def only(inner: str) -> Verb:
    (verb,) = read(inner).verbs
    return verb


def codes(inner: str) -> list[str]:
    return [note.code for note in read(inner).notes]


def test_the_sample_of_incoming_calls() -> None:
    markup = parse(
        b"""<?xml version="1.0" encoding="UTF-8"?>
<Response>
    <Say voice="woman">Please hold while your call is connceted</Say>
    <Dial>18004444444</Dial>
</Response>""",
        HERE,
    )
    say, dial = markup.verbs
    assert isinstance(say, Say)
    assert (say.texts, say.voice, say.language) == (
        ("Please hold while your call is connceted",),
        "woman",
        "en",
    )
    assert isinstance(dial, Dial)
    (callee,) = dial.callees
    assert callee == Callee(target=Target(kind="number", address="18004444444"), shown="18004444444")
    assert not markup.notes


def test_defaults_are_explicit() -> None:
    assert only("<Say>  hello\n there </Say>") == Say(
        answering=Answering.ANSWER,
        texts=("hello there",),
        voice="man",
        language="en",
        on_error=OnError.HANG_UP,
    )
    assert only("<Play>hello.wav</Play>") == Play(
        answering=Answering.ANSWER, clips=(Clip("http://app.test/ivr/hello.wav"),), on_error=OnError.HANG_UP
    )
    assert only("<Pause/>") == Pause(seconds=1.0)
    assert only("<Hangup/>") == HangUp(answering=Answering.ANSWER)
    assert only("<Reject/>") == Reject(sip_status=603, ended_as=CallStatus.REJECTED)
    assert only("<Redirect>/next</Redirect>") == Redirect(
        answering=Answering.ANSWER,
        hook=Hook(url="http://app.test/next", method="POST", username="u", password="p"),
    )
    assert only("<Gather/>") == Gather(
        answering=Answering.ANSWER,
        action=Hook(url="http://app.test/ivr/start?menu=1", method="POST", username="u", password="p"),
        first_digit_timeout=5.0,
        inter_digit_timeout=5.0,
        finish_keys=frozenset("#"),
        start_keys=frozenset("0123456789*#"),
        max_digits=None,
    )


@pytest.mark.parametrize(
    ("reason", "sip"),
    [
        ("rejected", 603),
        ("busy", 486),
        ("forbidden", 403),
        ("anonymity_disallowed", 433),
        ("address_incomplete", 484),
        ("no_route", 404),
        ("service_unavailable", 503),
        ("unwanted", 607),
    ],
)
def test_reject_reasons(reason: str, sip: int) -> None:
    verb = only(f'<Reject reason=" {reason} "/>')
    assert isinstance(verb, Reject)
    assert verb.sip_status == sip
    assert verb.ended_as is (CallStatus.REJECTED_BUSY if reason == "busy" else CallStatus.REJECTED)
    assert verb.answering is Answering.NONE


def test_only_pause_and_reject_leave_the_call_ringing() -> None:
    markup = read("<Pause/><Reject/><Say>a</Say><Play>b</Play><Gather/><Redirect>c</Redirect><Hangup/>")
    assert [verb.answering for verb in markup.verbs] == [Answering.NONE] * 2 + [Answering.ANSWER] * 5


def test_every_gather_attribute() -> None:
    verb = only(
        '<Gather action="got" method="GET" timeout="7" finishOnKey="*#" numDigits="4" input="dtmf"'
        ' language="en-GB" startInputKey="12"><Pause/><Say loop="2">a</Say><Pause length="2"/>'
        "<Play>b.wav</Play><Hangup/></Gather>"
    )
    assert isinstance(verb, Gather)
    assert verb.action == Hook(url="http://app.test/ivr/got", method="GET", username="u", password="p")
    assert (verb.first_digit_timeout, verb.inter_digit_timeout, verb.max_digits) == (7.0, 7.0, 4)
    assert verb.finish_keys == frozenset("*#")
    assert verb.start_keys == frozenset("12*#")
    # The pause before the first prompt is left out, and what is no prompt too.
    assert [type(prompt).__name__ for prompt in verb.prompts] == ["Say", "Pause", "Play"]
    assert verb.barge_in
    assert not verb.report_empty


def test_gather_timers_apart_and_empty_results() -> None:
    verb = only('<Gather preTimeout="3" postTimeout="2" actionOnEmptyResult="true" finishOnKey=""/>')
    assert isinstance(verb, Gather)
    assert (verb.first_digit_timeout, verb.inter_digit_timeout) == (3.0, 2.0)
    assert verb.report_empty
    assert verb.finish_keys == frozenset()


def test_speech_is_named_as_missing() -> None:
    verb = only('<Gather input="dtmf speech" hints="a,b"/>')
    assert isinstance(verb, Gather)
    assert verb.accepts_digits
    assert verb.accepts_speech
    assert codes('<Gather input="dtmf speech"/>') == ["13326"]
    markup = read('<Say>a</Say><Gather input="speech" hints="' + "x," * 60 + '"/><Say>b</Say>')
    assert [type(verb).__name__ for verb in markup.verbs] == ["Say", "HangUp"]


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ('<Say loop="x">a</Say>', "13510"),
        ('<Say loop="-1">a</Say>', "13510"),
        ('<Say voice="robot">a</Say>', "13511"),
        ('<Say language="xx">a</Say>', "13512"),
        ('<Play loop="x">a</Play>', "13410"),
        ("<Play/>", "11100"),
        ('<Gather timeout="0"/>', "13313"),
        ('<Gather numDigits="0"/>', "13314"),
        ('<Gather finishOnKey="A"/>', "13310"),
        ('<Gather startInputKey="A"/>', "13315"),
        ('<Gather method="PUT"/>', "13312"),
        ('<Gather input="smell"/>', "13326"),
        ('<Gather language="xx"/>', "13331"),
        ('<Gather actionOnEmptyResult="perhaps"/>', "13338"),
        ('<Gather partialResultCallbackMethod="PUT"/>', "13329"),
        ('<Gather><Say voice="robot">a</Say></Gather>', "13321"),
        ('<Gather><Say loop="x">a</Say></Gather>', "13322"),
        ('<Pause length="0"/>', "13910"),
        ('<Redirect method="PUT">a</Redirect>', "13710"),
        ('<Reject reason="dislike"/>', "13810"),
        ('<Say colour="red">a</Say>', "12200"),
        ('<Record volume="11"/>', "12200"),
    ],
)
def test_a_wrong_value_becomes_the_default_with_a_warning(inner: str, code: str) -> None:
    markup = read(inner + "<Say>after</Say>")
    assert [(note.code, note.level) for note in markup.notes] == [(code, "warning")]
    assert isinstance(markup.verbs[-1], Say)
    assert markup.verbs[-1].texts == ("after",)


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("<Play>ftp://x/y</Play>", "11100"),
        ("<Redirect>mailto:x</Redirect>", "11100"),
        ('<Gather action="http://["/>', "11100"),
        ("<Gather><Play>ftp://x/y</Play></Gather>", "13325"),
    ],
)
def test_what_is_no_url_ends_the_document(inner: str, code: str) -> None:
    markup = read("<Say>a</Say>" + inner + "<Say>never</Say>")
    say, end = markup.verbs
    assert isinstance(say, Say)
    assert isinstance(end, HangUp)
    assert (end.sip_status, end.ended_as) == (500, CallStatus.FAILED)
    assert [note.code for note in markup.notes] == [code]
    assert markup.notes[0].level == "error"


@pytest.mark.parametrize(
    "name",
    [
        "Enqueue",
        "Leave",
        "Sms",
        "Email",
        "Fax",
        "Language",
        "UssdCollect",
        "UssdMessage",
        "Geolocation",
    ],
)
def test_verbs_that_are_not_built_say_so(name: str) -> None:
    verb = only(f"<{name}><Number>1</Number></{name}>")
    assert isinstance(verb, Unbuilt)
    assert verb.name == name
    assert verb.note.message == f"{name} is not supported."
    assert verb.note.detail["line"] == 1


def test_the_known_attributes_of_verbs_that_are_not_built_are_no_surprise() -> None:
    assert not codes('<Fax to="1" from="2" action="a" method="POST" statusCallback="s"/>')
    assert not codes('<Enqueue waitUrl="a" joinUrl="b" rejoin="c"/>')


def test_the_walk_is_restcomms() -> None:
    assert [
        type(verb).__name__ for verb in parse(b"<Any><b><Say>x</Say></b><say/><Pause/></Any>", HERE).verbs
    ] == [
        "Say",
        "Pause",
    ]
    assert len(parse(b"<Say>x</Say>", HERE).verbs) == 1
    assert len(parse(b'<Response xmlns="urn:x"><y:Say xmlns:y="urn:y">x</y:Say></Response>', HERE).verbs) == 1
    assert not read("<Say/><Redirect/><!-- <Say>x</Say> --><?php ?>").verbs


def test_bare_ampersands_are_taken() -> None:
    assert only("<Play>a.wav?x=1&y=2</Play>") == Play(
        answering=Answering.ANSWER,
        clips=(Clip("http://app.test/ivr/a.wav?x=1&y=2"),),
        on_error=OnError.HANG_UP,
    )
    say = only("<Say>salt & pepper &amp; oil</Say>")
    assert isinstance(say, Say)
    assert say.texts == ("salt & pepper & oil",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<Response>",
        b"not xml",
        b'<!DOCTYPE r [<!ENTITY x "y">]><Response><Say>&x;</Say></Response>',
        b"<Response>" + b"<a>" * 40 + b"</a>" * 40 + b"</Response>",
        b"<Response>" + b"<Pause/>" * 3000 + b"</Response>",
        b"<Response><Say>" + b"x" * 70_000 + b"</Say></Response>",
    ],
)
def test_documents_that_cannot_be_used(data: bytes) -> None:
    with pytest.raises(MarkupError):
        parse(data, HERE)


TAGS = st.sampled_from(
    [
        "Response",
        "Say",
        "Play",
        "Gather",
        "Pause",
        "Redirect",
        "Reject",
        "Dial",
        "Hangup",
        "x",
        "Record",
        "Number",
        "Client",
        "Sip",
        "Conference",
    ]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        [
            "loop",
            "timeout",
            "action",
            "voice",
            "reason",
            "input",
            "hints",
            "finishOnKey",
            "length",
            "url",
            "callerId",
            "statusCallback",
            "statusCallbackEvent",
            "sendDigits",
            "transcribeCallback",
        ]
    ),
    st.text("0aä#*-:/?[@ ", max_size=6),
    max_size=3,
)


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> str:
    tag = draw(TAGS)
    given_ = "".join(f' {name}="{value}"' for name, value in draw(ATTRIBUTES).items())
    inner = (
        "".join(draw(st.lists(trees(depth - 1), max_size=3)))
        if depth
        else draw(st.text("ab:/&[@?=1 ", max_size=8) | st.just("http://["))
    )
    return f"<{tag}{given_}>{inner}</{tag}>"


@given(st.one_of(st.binary(max_size=200), trees().map(str.encode)))
def test_any_bytes_are_a_document_or_a_markup_error(data: bytes) -> None:
    try:
        markup = parse(data, HERE)
    except MarkupError:
        return
    for verb in markup.verbs:
        if isinstance(verb, Play):
            assert all(isinstance(clip, Clip) and clip.url.startswith("http") for clip in verb.clips)


def test_where_a_document_came_from() -> None:
    hook = Hook(url="http://u:p@app.test/a?x=1", username="n", password="w")
    assert arrived(hook, "http://app.test/a").hook == hook
    moved = arrived(hook, "http://app.test/b").hook
    assert (moved.url, moved.username) == ("http://app.test/b", "n")
    foreign = arrived(hook, "http://else.test/b").hook
    assert (foreign.url, foreign.username) == ("http://else.test/b", None)
    assert Place(hook).ask("http://else.test/", "POST").username is None
    assert Place(hook).ask("/b", "GET").url == "http://u:p@app.test/b"


def test_a_document_without_a_verb_is_noted() -> None:
    markup = parse(b"<html><body>Not found</body></html>", HERE)
    assert not markup.verbs
    assert [(note.level, note.code) for note in markup.notes] == [("warning", "12100")]
    assert "<html>" in markup.notes[0].message
