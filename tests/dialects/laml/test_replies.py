"""How an application's replies are read, and how failures end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.dialects.laml.conftest import Make, WebApplication
from tests.dialects.laml.making import ACCOUNT, CALL_ID, HANGUP, NOON, ask, codes, record

from ringback.calls.application import Failed, Redirected
from ringback.calls.services import Services
from ringback.calls.status import CallStatus
from ringback.calls.verbs import Answering, Clip, HangUp, Hook, Note, Play, Say, Unbuilt
from ringback.dialects.laml.replies import APOLOGY, AT_END
from ringback.dialects.laml.settings import Settings
from ringback.dialects.laml.webhook import LamlApplication

CALL = record()


@pytest.mark.parametrize(
    "content_type", ["text/xml", "application/xml; charset=utf-8", "text/html", "a/b+xml"]
)
async def test_types_that_are_documents(make: Make, app: WebApplication, content_type: str) -> None:
    app.reply("/voice", "<Response><Say>é</Say></Response>", content_type)
    for profile in ("twilio", "signalwire"):
        verb = (await ask(make(profile))).verbs[0]
        assert isinstance(verb, Say)
        assert verb.texts == ("é",)


async def test_plain_text(make: Make, app: WebApplication) -> None:
    app.reply("/voice", HANGUP, "text/plain")
    for profile in ("twilio", "signalwire"):
        assert (await ask(make(profile))).verbs == (HangUp(answering=Answering.ANSWER),)
    app.reply("/voice", " Hello  there\n", "text/plain")
    document = await ask(make())
    assert document.verbs == (
        Say(texts=("Hello there",), voice="man", language="en-US", answering=Answering.ANSWER),
    )
    assert codes(await ask(make("signalwire"))) == ["12100"]


async def test_audio_is_played_by_twilio(make: Make, app: WebApplication) -> None:
    app.reply("/voice", b"\xff" * 100_000, "audio/mpeg")
    document = await ask(make())
    assert document.verbs == (Play(clips=(Clip(f"{app.url}/voice"),), answering=Answering.ANSWER),)
    assert document.at_end == AT_END
    assert codes(await ask(make("signalwire"))) == ["11750"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "twilio", "signalwire"),
    [
        ("", "text/xml", 200, "11770", "11770"),
        (" \n", "text/xml", 200, "11770", "11770"),
        ("", "", 204, "11770", "11770"),
        ("<Response>", "text/xml", 200, "12100", "12100"),
        ("<html/>", "text/html", 200, "12102", "12100"),
        ("{}", "application/json", 200, "12300", "12300"),
        (HANGUP, "", 200, "12300", "12300"),
        ("<Response>" + " " * 65536, "text/xml", 200, "11750", "11750"),
        (HANGUP, "text/xml", 404, "11200", "11217"),
        (HANGUP, "text/xml", 500, "11200", "11217"),
    ],
)
async def test_failures_have_the_services_codes(
    make: Make, app: WebApplication, body: str, content_type: str, status: int, twilio: str, signalwire: str
) -> None:
    app.reply("/voice", body, content_type or "application/octet-stream", status)
    for profile, code in (("twilio", twilio), ("signalwire", signalwire)):
        document = await ask(make(profile))
        assert codes(document) == [code]
        assert document.notes[0].level == "error"


async def test_places_that_cannot_be_reached(make: Make, free_port: Callable[..., int]) -> None:
    dead = f"http://127.0.0.1:{free_port()}/voice"
    for url, code in (
        (dead, "11205"),
        ("http://nowhere.invalid/voice", "11210"),
        ("ftp://x.test/voice", "11100"),
        ("http://169.254.169.254/voice", "11200"),
        ("", "11100"),
    ):
        assert codes(await ask(make(voice_url=url))) == [code], url


async def test_a_fallback_is_told_what_went_wrong(make: Make, app: WebApplication) -> None:
    app.reply("/voice", "oops", status=503)
    app.reply("/fallback", "<Response><Shout/><Hangup/></Response>")
    application = make(fallback_url=f"{app.url}/fallback", fallback_method="GET")
    document = await ask(application)
    assert codes(document) == ["11200", "12200"]
    assert len(document.verbs) == 1
    asked = app.asked[1]
    assert (asked.method, asked.path) == ("GET", "/fallback")
    assert asked.query["ErrorCode"] == "11200"
    assert asked.query["ErrorUrl"] == f"{app.url}/voice"
    assert asked.query["CallSid"] == f"CA{CALL_ID.hex}"


async def test_a_verb_that_is_not_built_asks_the_fallback_once(make: Make, app: WebApplication) -> None:
    app.reply("/voice", "<Response><Pay/></Response>")
    app.reply("/fallback", "<Response><Enqueue>x</Enqueue></Response>")
    application = make(fallback_url=f"{app.url}/fallback")
    verb = (await ask(application)).verbs[0]
    assert isinstance(verb, Unbuilt)
    failed = Failed(verb=verb, note=verb.note)
    document = await application.ask(failed, CALL)
    assert document is not None
    assert codes(document) == []  # the engine has noted the failure already
    assert app.asked[1].fields["ErrorCode"] == "13750"
    assert app.asked[1].fields["ErrorUrl"] == f"{app.url}/voice"
    # The fallback's own document fails: that is the end, not another round.
    document = await application.ask(failed, CALL)
    assert document is not None
    assert len(app.asked) == 2
    assert isinstance(document.verbs[0], Say)


async def test_a_fallback_that_leads_back_to_failing_places_does_not_go_on_for_ever(
    make: Make, app: WebApplication
) -> None:
    app.reply("/ok", HANGUP)
    app.reply("/fallback", HANGUP)
    application = make(fallback_url=f"{app.url}/fallback")
    for _ in range(15):
        await application.ask(Redirected(hook=Hook(url=f"{app.url}/ok")), CALL)
        await application.ask(Redirected(hook=Hook(url=f"{app.url}/bad")), CALL)
    assert sum(asked.path == "/fallback" for asked in app.asked) == 10


async def test_twilio_apologises_and_an_unanswered_call_has_failed(make: Make, app: WebApplication) -> None:
    document = await ask(make(fallback_url=f"{app.url}/also-missing"))
    assert codes(document) == ["11200", "11200"]
    say, hang_up = document.verbs
    assert isinstance(say, Say)
    assert (say.texts, say.answering) == ((APOLOGY,), Answering.EARLY_MEDIA)
    assert isinstance(hang_up, HangUp)
    assert (hang_up.ended_as, hang_up.sip_status) == (CallStatus.FAILED, 500)
    assert hang_up.answering is Answering.NONE
    assert document.at_end == hang_up


async def test_signalwire_hangs_up(make: Make) -> None:
    (hang_up,) = (await ask(make("signalwire"))).verbs
    assert isinstance(hang_up, HangUp)
    assert hang_up.ended_as is CallStatus.FAILED
    assert hang_up.cause is not None
    assert hang_up.cause.startswith("11217 ")
    answered = record(status=CallStatus.IN_PROGRESS, answered_at=NOON)
    (hang_up,) = (await ask(make("signalwire"), answered)).verbs
    assert isinstance(hang_up, HangUp)
    assert hang_up.ended_as is None


def test_a_document_given_as_text(services: Services) -> None:
    remark = Note(level="warning", code="21626", message="x")
    application = LamlApplication(services, ACCOUNT, Settings(profile="twilio"), (remark,))
    document = application.document_of("<Response><Say>é</Say></Response>")
    assert document.notes == (remark,)
    assert isinstance(document.verbs[0], Say)
    assert application.document_of(HANGUP).notes == ()
