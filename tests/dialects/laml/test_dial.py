"""Dial and whom it calls, in both profiles: every attribute, its default, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.laml.test_markup import BASE, codes, one, read

from ringback.calls.verbs import (
    Answering,
    Callee,
    Dial,
    Hook,
    MachineDetection,
    RecordFrom,
    RecordingPlan,
    Reports,
    Target,
    Unbuilt,
)
from ringback.dialects.laml.profiles import SIGNALWIRE, TWILIO, Profile

BOTH = pytest.mark.parametrize("profile", [TWILIO, SIGNALWIRE], ids=["twilio", "signalwire"])
SHOP = Callee(target=Target(kind="number", address="+14155550123"), shown="+14155550123")


def callees(inner: str, profile: Profile = TWILIO) -> tuple[Callee, ...]:
    found: tuple[Callee, ...] = one(f"<Dial>{inner}</Dial>", profile).callees
    return found


def callee(inner: str, profile: Profile = TWILIO) -> Callee:
    (found,) = callees(inner, profile)
    return found


def warned(inner: str, profile: Profile = TWILIO, attributes: str = "") -> tuple[list[str], Dial]:
    """The codes of the warnings, and the Dial that there is all the same."""
    markup = read(f"<Dial {attributes}>{inner}</Dial>", profile)
    assert {note.level for note in markup.notes} <= {"warning"}
    (verb,) = markup.verbs
    assert isinstance(verb, Dial)
    return codes(markup), verb


@BOTH
def test_a_bare_number_with_every_default(profile: Profile) -> None:
    assert one("<Dial>+1 (415) 555-0123</Dial>", profile) == Dial(
        callees=(SHOP,),
        sequential=False,
        action=None,
        ring_timeout=30.0,
        time_limit=14400.0,
        answer_on_bridge=False,
        passes_early_media=True,
        hang_up_keys=frozenset(),
        recording=None,
        record_from=RecordFrom.ANSWER,
        answering=Answering.ANSWER,
    )


@BOTH
def test_every_attribute(profile: Profile) -> None:
    verb = one(
        "<Dial action='/done' method='GET' timeout='20' hangupOnStar='true' timeLimit='60' "
        "callerId='sip:shop@example.test:5070' callerName='The Shop' answerOnBridge='TRUE' ringTone='us-old' "
        "record='record-from-ringing-dual' trim='trim-silence' recordingTrack='inbound' "
        "recordingStatusCallback='/r' recordingStatusCallbackMethod='GET' "
        "recordingStatusCallbackEvent='in-progress completed absent' "
        "recordingStorageUrl='http://store.test/' recordingStorageUrlMethod='PUT' "
        "recordingConfigurationId='x' callReason='sale' sequential='true' "
        "referUrl='/refer' referMethod='GET' events='call-progress-event' passports='p'>+14155550123</Dial>",
        profile,
    )
    assert verb == Dial(
        callees=(Callee(target=SHOP.target, shown=SHOP.shown, from_host="example.test:5070"),),
        sequential=True,
        action=Hook(url="http://app.test/done", method="GET"),
        caller_id="shop",
        caller_name="The Shop",
        ring_timeout=20.0,
        time_limit=60.0,
        answer_on_bridge=True,
        passes_early_media=False,
        ringback="us-old",
        hang_up_keys=frozenset("*"),
        recording=RecordingPlan(
            source="dial-verb",
            channels=2,
            track="inbound",
            trim=True,
            report=Hook(url="http://app.test/r", method="GET"),
            events=("in-progress", "completed", "absent", "failed"),
            upload=Hook(url="http://store.test/", method="PUT"),
        ),
        record_from=RecordFrom.RINGING,
        refer_hook=Hook(url="http://app.test/refer", method="GET"),
        answering=Answering.NONE,
    )


@pytest.mark.parametrize(
    ("word", "channels", "record_from"),
    [
        ("record-from-answer", 1, RecordFrom.ANSWER),
        ("true", 1, RecordFrom.ANSWER),
        ("record-from-answer-dual", 2, RecordFrom.ANSWER),
        ("record-from-ringing", 1, RecordFrom.RINGING),
        ("record-from-ringing-dual", 2, RecordFrom.RINGING),
    ],
)
def test_recordings(word: str, channels: int, record_from: RecordFrom) -> None:
    verb = one(f"<Dial record='{word}'>+14155550123</Dial>")
    plan = RecordingPlan(source="dial-verb", channels=channels, events=("completed", "failed", "absent"))
    assert (verb.recording, verb.record_from) == (plan, record_from)
    for off in ("do-not-record", "false"):
        assert one(f"<Dial record='{off}'>+14155550123</Dial>").recording is None


@pytest.mark.parametrize(
    ("given", "user", "host"),
    [
        ("+14155550100", "+14155550100", None),
        ("client:shop", "shop", None),
        ("Shop_1.a,b", "Shop_1.a,b", None),
        ("sip:shop@b.test", "shop", "b.test"),
    ],
)
def test_caller_ids(given: str, user: str, host: str | None) -> None:
    verb = one(f"<Dial callerId='{given}'>+14155550123</Dial>")
    assert (verb.caller_id, verb.callees[0].from_host) == (user, host)


@pytest.mark.parametrize(("given", "rings"), [("1", 5.0), ("5", 5.0), ("600", 600.0), ("9999", 600.0)])
def test_ring_times_are_held_to_their_bounds(given: str, rings: float) -> None:
    assert one(f"<Dial timeout='{given}'>+14155550123</Dial>").ring_timeout == rings


def test_a_name_is_cut_to_seventy_characters() -> None:
    assert len(one(f"<Dial callerName='{'x' * 80}'>+14155550123</Dial>").caller_name) == 70


@BOTH
def test_wrong_attributes_keep_their_defaults(profile: Profile) -> None:
    wrong, verb = warned(
        "+14155550123",
        profile,
        "method='PUT' timeout='soon' hangupOnStar='maybe' timeLimit='0' callerId='a b' "
        "answerOnBridge='maybe' ringTone='xx' record='always' trim='hair' recordingStatusCallback='ftp://x' "
        "recordingStatusCallbackMethod='PUT' recordingStatusCallbackEvent='done' sequential='maybe' "
        "recordingTrack='third' referUrl='ftp://x' recordingStorageUrlMethod='GET'",
    )
    assert set(wrong) == {
        *("13210", "13212", "13213", "13216", "13214", "13219", "13220", "13217", "13699", "13256"),
        *("13610", "13621", "13218", "12200", "11100"),
    }
    assert verb == one("<Dial>+14155550123</Dial>", profile)


@pytest.mark.parametrize("inner", ["", "call me", "alice", "<Number/>", "<Number>alice</Number>"])
@BOTH
def test_nobody_to_call_leaves_a_dial_that_fails(profile: Profile, inner: str) -> None:
    wrong, verb = warned(inner, profile, "action='/done'")
    assert (wrong, verb.callees) == (["13223"], ())
    assert verb.action == Hook(url="http://app.test/done")


def test_an_action_that_is_no_url_is_none() -> None:
    markup = read("<Dial action='/done'>+14155550123</Dial>", base="")
    assert codes(markup) == ["15004"]
    [dial] = markup.verbs
    assert isinstance(dial, Dial)
    assert dial.action is None


# -- Number


DETECTION = MachineDetection(
    asynchronous=True,
    report=Hook(url="http://app.test/amd", method="GET"),
    wait_for_end=True,
    timeout_ms=10_000,
    speech_threshold_ms=2000,
    speech_end_ms=900,
    silence_timeout_ms=4000,
    tone_timeout_ms=10_000,
)
DETECTS = (
    "machineDetection='DetectMessageEnd' machineDetectionTimeout='10' machineDetectionSpeechThreshold='2000' "
    "machineDetectionSpeechEndThreshold='900' machineDetectionSilenceTimeout='4000' "
    "amdStatusCallback='/amd' amdStatusCallbackMethod='GET'"
)
LEG: dict[str, Any] = {
    "screening": Hook(url="http://app.test/w", method="GET"),
    "reports": Reports(
        hook=Hook(url="http://app.test/s", method="GET"), events=("initiated", "ringing", "answered")
    ),
}
LEG_ATTRIBUTES = (
    "url='/w' method='GET' statusCallback='/s' statusCallbackMethod='GET' "
    "statusCallbackEvent='initiated ringing answered ringing'"
)


def test_number_with_everything() -> None:
    found = callee(f"<Number {LEG_ATTRIBUTES} {DETECTS} byoc='BY1'>+14155550123</Number>")
    assert found == Callee(target=SHOP.target, shown=SHOP.shown, detection=DETECTION, **LEG)
    assert callee("<Number>4155550123</Number>").target.address == "4155550123"


def test_keys_are_sent_and_nobody_listens_for_machines_then() -> None:
    found = callee("<Number sendDigits='wW12#A' machineDetection='Enable'>+14155550123</Number>")
    assert (found.send_digits, found.detection) == ("wW12#A", None)


def test_callbacks_tell_the_end_unless_they_say_otherwise() -> None:
    assert callee("<Number statusCallback='/s'>+14155550123</Number>").reports == Reports(
        hook=Hook(url="http://app.test/s"), events=("completed",)
    )
    assert callee("<Number statusCallbackEvent='ringing'>+14155550123</Number>").reports is None


@BOTH
def test_wrong_attributes_of_a_number(profile: Profile) -> None:
    wrong, verb = warned(
        "<Number url='ftp://x' method='PUT' statusCallback='ftp://x' statusCallbackEvent='hangup' "
        "sendDigits='x' machineDetection='Guess'>+14155550123</Number>",
        profile,
    )
    assert set(wrong) == {"11100", "13221", "21609", "21626", "13222", "21234"}
    assert verb.callees == (SHOP,)


def test_wrong_settings_of_detection() -> None:
    wrong, verb = warned(
        "<Number machineDetection='Enable' machineDetectionTimeout='2' machineDetectionSpeechThreshold='1'>"
        "+14155550123</Number>"
    )
    assert wrong == ["21262", "21263", "21263"]
    found = verb.callees[0].detection
    assert found is not None
    assert (found.timeout_ms, found.speech_threshold_ms, found.report) == (30_000, 2400, None)


def test_signalwires_further_events() -> None:
    inner = "<Number statusCallback='/s' statusCallbackEvent='ringing_queued completed'>+14155550123</Number>"
    reports = callee(inner, SIGNALWIRE).reports
    assert reports is not None
    assert reports.events == ("ringing_queued", "completed")
    assert warned(inner, TWILIO)[0] == ["21626"]


# -- Client


@BOTH
def test_client(profile: Profile) -> None:
    target = Target(kind="client", address="alice")
    assert callee("<Client>alice</Client>", profile) == Callee(target=target, shown="client:alice")
    found = callee(f"<Client {LEG_ATTRIBUTES} clientNotificationUrl='/n'>alice</Client>", profile)
    assert found == Callee(target=target, shown="client:alice", **LEG)


def test_a_client_with_parameters() -> None:
    found = callee(
        "<Client><Identity>alice</Identity><Parameter name='Order' value='7 of 9'/>"
        "<Parameter name='Kind' value='é'/></Client>"
    )
    assert (found.shown, found.target.headers) == ("client:alice", (("X-Order", "7 of 9"), ("X-Kind", "é")))


@pytest.mark.parametrize("inner", ["<Client/>", "<Client>a b</Client>", f"<Client>{'x' * 257}</Client>"])
def test_names_that_no_client_has(inner: str) -> None:
    assert warned(inner)[0] == ["13215"]


def test_parameters_that_cannot_be_sent() -> None:
    inner = "<Client>alice<Parameter name='a b' value='c'/><Parameter name='a' value='&#10;'/></Client>"
    wrong, verb = warned(inner)
    assert wrong == ["13252", "13252"]
    assert verb.callees[0].target.headers == ()


# -- Sip


def test_sip() -> None:
    uri = "sip:bob@example.test:5070;transport=tcp"
    found = callee(f"<Sip>{uri}?X-Order=7%209&amp;User-to-User=u&amp;Via=no</Sip>")
    assert found == Callee(
        target=Target(kind="sip", address=uri, headers=(("X-Order", "7 9"), ("User-to-User", "u"))), shown=uri
    )
    offered = callee(f"<Sip>{uri}</Sip>", SIGNALWIRE)
    assert (offered.codecs, offered.session_expires) == (("PCMU", "PCMA"), 600)


def test_sip_with_everything() -> None:
    found = callee(
        f"<Sip username='u' password='p' codecs='g722, PCMA' sessionTimeout='1800' {LEG_ATTRIBUTES} "
        f"{DETECTS}>sips:bob@example.test"
        "<Headers><Header name='X-A' value='1'/><Header name='Via' value='no'/></Headers></Sip>"
    )
    target = Target(
        kind="sip", address="sips:bob@example.test", headers=(("X-A", "1"),), username="u", password="p"
    )
    assert found == Callee(
        target=target,
        shown="sips:bob@example.test",
        codecs=("G722", "PCMA"),
        session_expires=1800,
        detection=DETECTION,
        **LEG,
    )


def test_alternatives_are_tried_one_after_the_other() -> None:
    verb = one(
        "<Dial><Sip username='u' password='p'>"
        "<Uri priority='2'>sip:c@x.test</Uri><Uri priority='1' weight='1'>sip:b@x.test</Uri>"
        "<Uri priority='1' weight='9' username='a' password='s'>sip:a@x.test?X-A=1</Uri>"
        "<Headers><Header name='X-All' value='1'/></Headers></Sip></Dial>"
    )
    assert verb.sequential
    assert [each.shown for each in verb.callees] == ["sip:a@x.test", "sip:b@x.test", "sip:c@x.test"]
    assert [each.target.username for each in verb.callees] == ["a", "u", "u"]
    assert verb.callees[0].target.headers == (("X-A", "1"), ("X-All", "1"))


def test_beside_others_a_sip_is_called_at_its_first_address() -> None:
    wrong, verb = warned("<Sip><Uri>sip:a@x.test</Uri><Uri>sip:b@x.test</Uri></Sip><Client>bob</Client>")
    assert wrong == ["13250"]
    assert [each.shown for each in verb.callees] == ["sip:a@x.test", "client:bob"]
    assert not verb.sequential


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("<Sip/>", "13243"),
        ("<Sip>+14155550123</Sip>", "13243"),
        ("<Sip>sip:</Sip>", "13243"),
        ("<Sip><Uri>tel:+1</Uri></Sip>", "13243"),
        (f"<Sip>sip:a@b.test?X-A={'1' * 1024}</Sip>", "13253"),
        ("<Sip>sip:a@b.test?X%20A=1</Sip>", "13252"),
        ("<Sip>sip:a@b.test?X-A=%0d%0a</Sip>", "13252"),
    ],
)
def test_addresses_that_cannot_be_called(inner: str, code: str) -> None:
    wrong, verb = warned(inner)
    assert (wrong, verb.callees) == ([code], ())


def test_wrong_attributes_of_a_sip() -> None:
    wrong, verb = warned(
        f"<Sip username='{'u' * 256}' method='PUT' codecs='G729,OPUS' sessionTimeout='x'>sip:a@b.test"
        "<Headers><Header name='X A' value='1'/><Uri/></Headers><Number/></Sip>"
    )
    assert sorted(set(wrong)) == ["12200", "13215", "13241", "13249", "13252", "53404"]
    assert verb.callees == (callee("<Sip>sip:a@b.test</Sip>"),)


# -- several


@BOTH
def test_several_at_once(profile: Profile) -> None:
    found = callees("<Number>+14155550123</Number><Client>bob</Client>", profile)
    assert [each.shown for each in found] == ["+14155550123", "client:bob"]


def test_at_most_ten_are_called() -> None:
    wrong, verb = warned("".join(f"<Number>+1415555{n:04}</Number>" for n in range(12)))
    assert wrong == ["13215"]
    assert [each.shown for each in verb.callees] == [f"+1415555{n:04}" for n in range(10)]


def test_at_signalwire_nobody_stands_beside_a_sip() -> None:
    inner = "<Number>+14155550123</Number><Sip>sip:a@b.test</Sip><Sip>sip:c@d.test</Sip>"
    wrong, verb = warned(inner, SIGNALWIRE)
    assert wrong == ["13215"]
    assert [each.shown for each in verb.callees] == ["sip:a@b.test", "sip:c@d.test"]
    assert len(callees(inner, TWILIO)) == 3


def test_text_beside_nouns_and_verbs_in_their_place_are_left_out() -> None:
    wrong, verb = warned("+14155550100<Number>+14155550123</Number><Say>x</Say>", SIGNALWIRE)
    assert wrong == ["13215", "13215"]
    assert verb.callees == (SHOP,)


@pytest.mark.parametrize("noun", ["Conference", "Queue", "Application", "Sim", "WhatsApp", "Verto"])
@BOTH
def test_nouns_that_are_not_built_are_a_clear_error(profile: Profile, noun: str) -> None:
    verb = one(f"<Dial><{noun}>x</{noun}></Dial>", profile)
    assert isinstance(verb, Unbuilt)
    assert (verb.note.code, verb.note.level, verb.failure) == ("13750", "error", True)
    assert verb.note.message == f"Dial with {noun} is not supported by this version"


def test_a_conference_stands_alone() -> None:
    markup = read("<Dial><Number>+14155550123</Number><Conference>x</Conference></Dial>")
    assert codes(markup) == ["13000"]
    assert isinstance(markup.verbs[0], Unbuilt)


def test_urls_resolve_against_the_document() -> None:
    assert BASE.startswith("http://app.test/dir/")
    found = callee("<Client url='w'>alice</Client>")
    assert found.screening == Hook(url="http://app.test/dir/w")
