"""Record, Refer, and recordings that documents begin and end, in both profiles."""

from __future__ import annotations

import pytest
from tests.dialects.laml.test_markup import BASE, codes, one, read

from ringback.calls.verbs import Answering, ControlRecording, Hook, Record, RecordingPlan, Refer, Unbuilt
from ringback.dialects.laml.profiles import SIGNALWIRE, TWILIO, Profile

BOTH = pytest.mark.parametrize("profile", [TWILIO, SIGNALWIRE], ids=["twilio", "signalwire"])
ANSWER = Answering.ANSWER
PLAN = RecordingPlan(
    source="record-verb", track="inbound", trim=True, events=("completed", "failed", "absent")
)


@BOTH
def test_record_with_every_default(profile: Profile) -> None:
    assert one("<Record/>", profile) == Record(
        recording=PLAN,
        action=Hook(url=BASE),
        report_empty=profile is SIGNALWIRE,
        silence_timeout=5.0,
        finish_keys=frozenset("1234567890*#"),
        max_seconds=3600.0,
        beep=True,
        answering=ANSWER,
    )


@BOTH
def test_record_with_everything(profile: Profile) -> None:
    assert one(
        "<Record action='/done' method='GET' timeout='0' finishOnKey='#' maxLength='20' playBeep='false' "
        "trim='do-not-trim' recordingStatusCallback='/r' recordingStatusCallbackMethod='GET' "
        "recordingStatusCallbackEvent='absent' recordingConfigurationId='x' storageUrl='http://store.test/f' "
        "storageUrlMethod='put'/>",
        profile,
    ) == Record(
        recording=RecordingPlan(
            source="record-verb",
            track="inbound",
            trim=False,
            report=Hook(url="http://app.test/r", method="GET"),
            events=("absent",),
            upload=Hook(url="http://store.test/f", method="PUT"),
        ),
        action=Hook(url="http://app.test/done", method="GET"),
        report_empty=profile is SIGNALWIRE,
        silence_timeout=None,
        finish_keys=frozenset("#"),
        max_seconds=20.0,
        beep=False,
        answering=ANSWER,
    )


def test_no_finish_keys_and_a_length_that_says_nothing() -> None:
    assert one("<Record finishOnKey=''/>").finish_keys == frozenset()
    assert one("<Record maxLength='0'/>", SIGNALWIRE).max_seconds == 3600.0
    assert codes(read("<Record maxLength='0'/>", TWILIO)) == ["13612"]
    assert one("<Record maxLength='99999999'/>").max_seconds == 86_400.0


def test_a_transcription_is_asked_for_and_said_not_to_come() -> None:
    for inner in (
        "<Record transcribe='true' transcribeCallback='/t'/>",
        "<Record transcribeCallback='/t'/>",
    ):
        markup = read(inner)
        assert codes(markup) == ["13619"]
        verb = markup.verbs[0]
        assert isinstance(verb, Record)
        assert verb.recording.transcription == Hook(url="http://app.test/t")
        assert verb.max_seconds == 120.0
    markup = read("<Record transcribe='true' transcribeCallback='/t' maxLength='300'/>")
    assert codes(markup) == ["13619", "13615"]
    assert one("<Record transcribe='false' transcribeCallback='/t'/>").recording.transcription is None
    [record] = read("<Record transcribe='true'/>").verbs
    assert isinstance(record, Record)
    assert record.recording == PLAN


@BOTH
def test_wrong_attributes_of_record(profile: Profile) -> None:
    markup = read(
        "<Record method='PUT' timeout='x' finishOnKey='a' maxLength='-1' playBeep='maybe' trim='x' "
        "transcribe='maybe' recordingStatusCallback='ftp://x' recordingStatusCallbackEvent='done' "
        "storageUrl='ftp://x'/>",
        profile,
    )
    assert set(codes(markup)) == {
        *("13610", "13611", "13613", "13612", "13616", "13699", "13614", "13256", "13621", "11100")
    }
    assert markup.verbs == read("<Record/>", profile).verbs


def test_a_document_without_url_has_nowhere_to_go_back_to() -> None:
    markup = read("<Record/>", base="")
    assert codes(markup) == ["15004"]
    [record] = markup.verbs
    assert isinstance(record, Record)
    assert record.action is None


# -- Refer


@pytest.mark.parametrize("noun", ["Sip", "ReferSip"])
@BOTH
def test_refer(profile: Profile, noun: str) -> None:
    uri = "sip:carol@example.test:5070;transport=tcp?X-Order=7"
    assert one(f"<Refer action='/r' method='GET'><{noun}>{uri}</{noun}></Refer>", profile) == Refer(
        refer_to=uri,
        action=Hook(url="http://app.test/r", method="GET"),
        timeout=60.0,
        answering=ANSWER,
    )
    assert one(f"<Refer><{noun}>sip:carol@x.test</{noun}></Refer>", profile).action is None


@pytest.mark.parametrize(
    ("inner", "wrong"),
    [
        ("", ["13215"]),
        ("<Sip/>", ["32110"]),
        ("<Sip>+14155550123</Sip>", ["32110"]),
        ("<Sip>sip:</Sip>", ["32110"]),
        ("<Sip>sip:a@b</Sip><Sip>sip:c@d</Sip>", ["13215"]),
        ("<Number>+14155550123</Number>", ["13215", "13215"]),
    ],
)
def test_a_refer_to_nobody_is_skipped(inner: str, wrong: list[str]) -> None:
    markup = read(f"<Refer>{inner}</Refer>")
    assert (codes(markup), markup.verbs) == (wrong, ())


# -- Start and Stop


def test_twilios_documents_begin_and_end_a_recording() -> None:
    assert one("<Start><Recording/></Start>") == ControlRecording(
        what="start",
        recording=RecordingPlan(
            source="control", channels=2, trim=True, events=("completed", "failed", "absent")
        ),
        answering=ANSWER,
    )
    assert one(
        "<Start><Recording name='a' channels='mono' track='outbound' trim='do-not-trim' "
        "recordingStatusCallback='/r' recordingStatusCallbackEvent='in-progress'/></Start>"
    ).recording == RecordingPlan(
        source="control",
        track="outbound",
        report=Hook(url="http://app.test/r"),
        events=("in-progress",),
        custom_id="a",
    )
    assert one("<Stop><Recording/></Stop>") == ControlRecording(what="stop")
    assert one("<Stop><Recording name='a'/></Stop>") == ControlRecording(
        what="stop", recording=RecordingPlan(custom_id="a")
    )


@pytest.mark.parametrize("verb", ["Start", "Stop"])
def test_signalwires_do_not(verb: str) -> None:
    found = one(f"<{verb}><Recording/></{verb}>", SIGNALWIRE)
    assert isinstance(found, Unbuilt)
    assert not found.failure
