"""Dial and its parties, and Record: markup into verbs."""

from __future__ import annotations

import pytest
from tests.dialects.callapi.test_markup import codes, only, read

from ringback.calls.verbs import (
    Answering,
    Callee,
    Clip,
    Dial,
    HangUp,
    Hook,
    Record,
    RecordFrom,
    RecordingPlan,
    Reports,
    Say,
    Target,
    Unbuilt,
)


def dial(inner: str) -> Dial:
    verb = only(inner)
    assert isinstance(verb, Dial)
    return verb


def callee(inner: str) -> Callee:
    (one,) = dial(f"<Dial>{inner}</Dial>").callees
    return one


def ask(url: str, method: str = "POST") -> Hook:
    return Hook(url=url, method=method, username="u", password="p")


def test_the_defaults_of_dial_are_explicit() -> None:
    assert only("<Dial> 18004444444 </Dial>") == Dial(
        answering=Answering.ANSWER,
        callees=(Callee(target=Target(kind="number", address="18004444444"), shown="18004444444"),),
        sequential=False,
        action=None,
        caller_id=None,
        ring_timeout=30.0,
        time_limit=14_400.0,
        answer_on_bridge=False,
        passes_early_media=False,
        ringback="us",
        music=None,
        hang_up_keys=frozenset(),
        recording=None,
        record_from=RecordFrom.ANSWER,
        hang_up_after_limit=True,
    )


def test_every_attribute_of_dial() -> None:
    verb = dial(
        '<Dial action="done" method="GET" timeout="9" timeLimit="60" callerId=" 4155550100 " record="true"'
        ' dialMusic="/music.wav" hangupOnStar="true" sequential="true">1</Dial>'
    )
    assert verb.action == ask("http://app.test/ivr/done", "GET")
    assert (verb.ring_timeout, verb.time_limit, verb.caller_id) == (9.0, 60.0, "4155550100")
    assert verb.recording == RecordingPlan(source="dial-verb", channels=1)
    assert verb.music == Clip("http://app.test/music.wav")
    assert verb.hang_up_keys == frozenset("*")
    assert verb.sequential


@pytest.mark.parametrize(
    ("caller_id", "shown", "host"),
    [
        ("client:alice", "alice", None),
        ("sip:bob@example.com:5070", "bob", "example.com:5070"),
        ("bob@example.com", "bob", "example.com"),
        ("+14155550100", "+14155550100", None),
        ("", None, None),
    ],
)
def test_caller_ids(caller_id: str, shown: str | None, host: str | None) -> None:
    verb = dial(f'<Dial callerId="{caller_id}"><Number>1</Number></Dial>')
    assert verb.caller_id == shown
    assert verb.callees[0].from_host == host


@pytest.mark.parametrize(
    ("text", "target", "shown"),
    [
        ("+1 (415) 555-0100", Target(kind="number", address="+1 (415) 555-0100"), "+1 (415) 555-0100"),
        ("client:bob", Target(kind="client", address="bob"), "bob"),
        ("client:bob?a=1", Target(kind="client", address="bob", headers=(("X-a", "1"),)), "bob"),
        ("bob@host", Target(kind="sip", address="sip:bob@host"), "bob"),
        (
            "sip:bob@host;transport=tcp?a=b%20c&amp;X-d=e",
            Target(
                kind="sip",
                address="sip:bob@host;transport=tcp",
                headers=(("X-a", "b c"), ("X-d", "e")),
            ),
            "bob",
        ),
    ],
)
def test_what_the_text_of_dial_means(text: str, target: Target, shown: str) -> None:
    assert callee(text) == Callee(target=target, shown=shown)


def test_parties_of_all_kinds_at_once() -> None:
    verb = dial(
        "<Dial> 99 <Number>1</Number><Client>bob</Client><Client>client:eve</Client>"
        '<Sip username=" n " password="w">sip:carol@host</Sip><Uri>dan@host:5080</Uri></Dial>'
    )
    assert [(one.target.kind, one.target.address) for one in verb.callees] == [
        ("number", "1"),
        ("client", "bob"),
        ("client", "eve"),
        ("sip", "sip:carol@host"),
        ("sip", "sip:dan@host:5080"),
    ]
    assert (verb.callees[3].target.username, verb.callees[3].target.password) == ("n", "w")
    assert not verb.sequential


@pytest.mark.parametrize("name", ["Number", "Client", "Sip", "Uri"])
def test_every_attribute_of_a_party(name: str) -> None:
    one = callee(
        f'<{name} url="screen" method="GET" timeout="20" sendDigits="ww1#" statusCallback="/told"'
        f' statusCallbackMethod="GET" statusCallbackEvent="completed, ringing  initiated">'
        f"{'bob@host' if name in ('Sip', 'Uri') else '1'}</{name}>"
    )
    assert (one.screening, one.screening_timeout) == (ask("http://app.test/ivr/screen", "GET"), 20.0)
    assert one.send_digits == "ww1#"
    assert one.reports == Reports(
        hook=ask("http://app.test/told", "GET"), events=("initiated", "ringing", "completed")
    )


def test_the_defaults_of_a_party() -> None:
    one = callee('<Number url="s" statusCallback="t">1</Number>')
    assert (one.screening, one.screening_timeout) == (ask("http://app.test/ivr/s"), 60.0)
    assert one.reports == Reports(hook=ask("http://app.test/ivr/t"), events=("completed",))
    plain = callee('<Client statusCallbackEvent="ringing">bob</Client>')
    assert (plain.screening, plain.screening_timeout, plain.reports) == (None, None, None)


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ('<Dial method="PUT">1</Dial>', "13210"),
        ('<Dial timeout="0">1</Dial>', "13212"),
        ('<Dial hangupOnStar="yes">1</Dial>', "13213"),
        ('<Dial callerId="a@">1</Dial>', "13214"),
        ("<Dial>1<Video/></Dial>", "13215"),
        ('<Dial timeLimit="x">1</Dial>', "13216"),
        ('<Dial record="loud">1</Dial>', "13217"),
        ('<Dial sequential="x">1</Dial>', "13218"),
        ('<Dial><Number method="PUT">1</Number></Dial>', "13221"),
        ('<Dial><Sip method="PUT">a@h</Sip></Dial>', "13241"),
        ('<Dial><Number sendDigits="x">1</Number></Dial>', "13222"),
        ('<Dial><Sip sendDigits="x">a@h</Sip></Dial>', "13242"),
        ('<Dial><Number timeout="0">1</Number></Dial>', "13212"),
        ('<Dial><Client statusCallback="t" statusCallbackEvent="exploded">b</Client></Dial>', "12200"),
        ('<Dial><Number username="x">1</Number></Dial>', "12200"),
        ("<Dial/>", "13223"),
        ("<Dial>nobody</Dial>", "13223"),
        ("<Dial><Client/></Dial>", "13223"),
        ("<Dial><Sip>a b@h</Sip></Dial>", "13243"),
        (f"<Dial>a@h?x={'y' * 1100}</Dial>", "13243"),
        (f"<Dial>{'<Number>1</Number>' * 12}</Dial>", "13250"),
    ],
)
def test_a_wrong_value_of_dial_is_replaced_or_left_out(inner: str, code: str) -> None:
    markup = read(inner + "<Say>after</Say>")
    assert [(note.code, note.level) for note in markup.notes] == [(code, "warning")]
    verb, after = markup.verbs
    assert isinstance(verb, Dial)
    assert len(verb.callees) <= 10
    assert isinstance(after, Say)


def test_a_party_that_nobody_could_call_does_not_keep_the_others_away() -> None:
    verb = dial("<Dial><Number>x</Number><Number>2</Number></Dial>")
    assert [one.target.address for one in verb.callees] == ["2"]
    assert dial("<Dial><Number>x</Number></Dial>").callees == ()


@pytest.mark.parametrize("noun", ["Conference", "Queue"])
def test_rooms_and_queues_say_that_they_are_not_built(noun: str) -> None:
    verb = only(f"<Dial><Number>1</Number><{noun}>x</{noun}></Dial>")
    assert isinstance(verb, Unbuilt)
    assert (verb.note.code, verb.note.message) == ("13750", f"Dial with {noun} is not supported.")
    assert verb.failure


@pytest.mark.parametrize(
    "inner",
    [
        '<Dial action="ftp://x">1</Dial>',
        '<Dial dialMusic="http://[">1</Dial>',
        '<Dial><Number url="mailto:x">1</Number></Dial>',
        '<Dial><Client statusCallback="ftp://x">b</Client></Dial>',
        '<Record action="ftp://x"/>',
        '<Record transcribeCallback="ftp://x"/>',
    ],
)
def test_a_url_that_is_none_ends_the_document(inner: str) -> None:
    markup = read(inner + "<Say>never</Say>")
    (end,) = markup.verbs
    assert isinstance(end, HangUp)
    assert markup.notes[-1].code == "11100"
    assert markup.notes[-1].level == "error"


# -- Record


def record(attributes: str) -> Record:
    verb = only(f"<Record {attributes}/>")
    assert isinstance(verb, Record)
    return verb


def test_the_defaults_of_record_are_explicit() -> None:
    assert record("") == Record(
        answering=Answering.ANSWER,
        recording=RecordingPlan(source="record-verb", channels=1),
        action=ask("http://app.test/ivr/start?menu=1"),
        report_empty=False,
        silence_timeout=5.0,
        finish_keys=frozenset("1234567890*#"),
        max_seconds=3600.0,
        beep=True,
    )
    assert not codes("<Record/>")


def test_every_attribute_of_record() -> None:
    verb = record(
        'action="done" method="GET" timeout="3" finishOnKey="12" maxLength="20" playBeep="false"'
        ' transcribe="true" transcribeCallback="/text" media="audio_only"'
    )
    assert verb.action == ask("http://app.test/ivr/done", "GET")
    assert (verb.silence_timeout, verb.max_seconds, verb.beep) == (3.0, 20.0, False)
    assert verb.finish_keys == frozenset("12")
    assert verb.recording.transcription == ask("http://app.test/text")


@pytest.mark.parametrize(
    ("keys", "expected", "noted"),
    [
        ("-1", "", []),
        ("", "#", []),
        ("x", "#", ["13613"]),
        ("*#", "*#", []),
        (" 1 ", "1", []),
    ],
)
def test_finish_keys_of_record(keys: str, expected: str, noted: list[str]) -> None:
    assert record(f'finishOnKey="{keys}"').finish_keys == frozenset(expected)
    assert codes(f'<Record finishOnKey="{keys}"/>') == noted


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ('method="PUT"', "13610"),
        ('timeout="0"', "13611"),
        ('maxLength="x"', "13612"),
        ('playBeep="loud"', "13616"),
        ('transcribe="perhaps"', "13614"),
        ('transcribe="true"', "13618"),
        ('transcribeCallback="/t"', "13618"),
        ('media="video_only"', "13750"),
        ('volume="11"', "12200"),
    ],
)
def test_a_wrong_value_of_record_is_replaced(attributes: str, code: str) -> None:
    assert isinstance(only(f"<Record {attributes}/>"), Record)
    assert codes(f"<Record {attributes}/>") == [code]


def test_both_answer_a_ringing_call_first() -> None:
    assert {verb.answering for verb in read("<Dial>1</Dial><Record/>").verbs} == {Answering.ANSWER}
