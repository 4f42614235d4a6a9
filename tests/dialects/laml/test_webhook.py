"""An application on a call, over real HTTP: what it is asked, how its replies are read, how failures end."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.dialects.laml.conftest import Asked, WebApplication
from tests.dialects.laml.making import ACCOUNT, CALL_ID, NOBODYS, NOON, OTHER, ended, record
from twilio.request_validator import RequestValidator

from ringback.calls.application import (
    Action,
    Document,
    Failed,
    NewCall,
    Redirected,
    Referred,
    Screening,
)
from ringback.calls.events import CallAnswered, CallEnded, CallInitiated, CallReceived, CallRinging
from ringback.calls.outcome import Outcome
from ringback.calls.record import CallRecord, apply
from ringback.calls.services import Services
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import (
    Answering,
    Callee,
    Clip,
    Dial,
    Gather,
    HangUp,
    Hook,
    Note,
    Play,
    Redirect,
    Say,
    Target,
    Unbuilt,
)
from ringback.dialects.laml import Laml
from ringback.dialects.laml.replies import APOLOGY, AT_END
from ringback.dialects.laml.settings import Settings
from ringback.dialects.laml.webhook import LamlApplication
from ringback.routing.directory import Application
from ringback.webhooks.delivery import Delivery

HANGUP = "<Response><Hangup/></Response>"
CALL = record()
Make = Callable[..., LamlApplication]


@pytest.fixture
def make(services: Services, app: WebApplication) -> Make:
    def build(profile: str = "twilio", **settings: Any) -> LamlApplication:
        settings.setdefault("voice_url", f"{app.url}/voice")
        return LamlApplication(services, ACCOUNT, Settings(profile=profile, **settings))

    return build


async def ask(application: LamlApplication, call: CallRecord = CALL) -> Document:
    document = await application.ask(NewCall(), call)
    assert document is not None
    assert document.application is application
    return document


def codes(document: Document) -> list[str]:
    return [note.code for note in document.notes]


def is_signed(asked: Asked, header: str = "X-Twilio-Signature", key: str = "secret") -> bool:
    validator = RequestValidator(key)
    return bool(validator.validate(asked.url, asked.fields, asked.headers[header]))


async def test_twilio_posts_a_signed_form(make: Make, app: WebApplication) -> None:
    app.reply("/voice", HANGUP)
    document = await ask(make(voice_url=f"{app.url}/voice?a=1&b=%2B"))
    assert document.verbs == (HangUp(answering=Answering.ANSWER),)
    assert document.at_end == AT_END
    (asked,) = app.asked
    assert (asked.method, asked.query) == ("POST", {"a": "1", "b": "+"})
    assert asked.fields["CallSid"] == f"CA{CALL_ID.hex}"
    assert asked.fields["CallStatus"] == "ringing"
    assert asked.headers["User-Agent"] == "TwilioProxy/1.1"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    assert len(asked.headers["I-Twilio-Idempotency-Token"]) == 36
    assert "X-SignalWire-Signature" not in asked.headers
    assert is_signed(asked)


async def test_signalwire_signs_with_the_signing_key(services: Services, app: WebApplication) -> None:
    app.reply("/voice", HANGUP)
    settings = Settings(profile="signalwire", voice_url=f"{app.url}/voice")
    await ask(LamlApplication(services, OTHER, settings))
    (asked,) = app.asked
    assert asked.fields["CallSid"] == str(CALL_ID)
    assert "I-Twilio-Idempotency-Token" not in asked.headers
    assert "X-Twilio-Signature" not in asked.headers
    assert is_signed(asked, "X-SignalWire-Signature", "PSK_other")


async def test_get_puts_the_parameters_into_the_query(make: Make, app: WebApplication) -> None:
    app.reply("/voice", "<Response><Gather/></Response>")
    application = make(voice_url=f"{app.url}/voice?a=1#rc=2", voice_method="GET")
    document = await ask(application)
    (asked,) = app.asked
    assert (asked.method, asked.form) == ("GET", [])
    assert asked.query["a"] == "1"
    assert asked.query["From"] == "+14155550111"
    assert "#" not in asked.url
    assert is_signed(asked)
    # The document's own URL is the one that was configured, not the one with the parameters.
    gather = document.verbs[0]
    assert isinstance(gather, Gather)
    assert gather.action == Hook(url=f"{app.url}/voice?a=1#rc=2", method="POST")


async def test_an_action_carries_the_keys(make: Make, app: WebApplication) -> None:
    app.reply("/keys", HANGUP)
    hook = Hook(url=f"{app.url}/keys")
    action = Action(verb=Gather(), hook=hook, outcome=Outcome(digits="42", finish_key="#"))
    document = await make().ask(action, CALL)
    assert document is not None
    assert app.asked[0].fields["Digits"] == "42"
    assert app.asked[0].fields["FinishedOnKey"] == "#"


async def test_a_redirect_asks_the_other_place(make: Make, app: WebApplication) -> None:
    app.reply("/next", "<Response><Redirect>deeper/x</Redirect></Response>")
    document = await make().ask(Redirected(hook=Hook(url=f"{app.url}/next", method="GET")), CALL)
    assert document is not None
    verb = document.verbs[0]
    assert isinstance(verb, Redirect)
    assert verb.hook.url == f"{app.url}/deeper/x"


async def test_a_redirect_may_move_the_callbacks(make: Make, app: WebApplication) -> None:
    app.reply("/next", HANGUP)
    application = make(status_callback="http://app.test/old")
    hook = Hook(url=f"{app.url}/next")
    await application.ask(
        Redirected(hook=hook, status_hook=Hook(url="http://app.test/new", method="GET")), CALL
    )
    (delivery,) = application.deliveries(ENDED, ended())
    assert (delivery.url, delivery.method) == ("http://app.test/new", "GET")
    await application.ask(Redirected(hook=hook), CALL)
    assert application.settings.status_callback == "http://app.test/new"


async def test_http_redirects_move_the_base_and_lose_the_form(make: Make, app: WebApplication) -> None:
    app.reply("/voice", "", status=302, headers={"Location": "/sub/doc"})
    app.reply("/sub/doc", "<Response><Play>a.wav</Play></Response>")
    document = await ask(make())
    assert [(asked.method, asked.path, asked.form == []) for asked in app.asked] == [
        ("POST", "/voice", False),
        ("GET", "/sub/doc", True),
    ]
    verb = document.verbs[0]
    assert isinstance(verb, Play)
    assert verb.clips == (Clip(f"{app.url}/sub/a.wav"),)


async def test_a_redirect_that_keeps_the_method_keeps_form_and_signature(
    make: Make, app: WebApplication
) -> None:
    app.reply("/voice", "", status=307, headers={"Location": "/other"})
    app.reply("/other", HANGUP)
    await ask(make())
    assert app.asked[1].method == "POST"
    assert is_signed(app.asked[1])


@pytest.mark.parametrize(("profile", "allowed"), [("twilio", 10), ("signalwire", 3)])
async def test_redirects_end_somewhere(make: Make, app: WebApplication, profile: str, allowed: int) -> None:
    app.reply("/voice", "", status=302, headers={"Location": "/voice"})
    document = await ask(make(profile))
    assert codes(document) == ["11215"]
    assert len(app.asked) == allowed + 1


async def test_cookies_are_kept_for_the_call(make: Make, app: WebApplication) -> None:
    app.reply("/voice", HANGUP, headers={"Set-Cookie": "session=abc"})
    application = make()
    await ask(application)
    await ask(application)
    await ask(make())
    assert [asked.headers.get("Cookie") for asked in app.asked] == [None, "session=abc", None]


async def test_basic_credentials_stay_with_their_origin(make: Make, app: WebApplication) -> None:
    app.reply("/voice", HANGUP)
    application = make(username="u", password="p")
    await ask(application)
    other = app.url.replace("127.0.0.1", "localhost")
    await application.ask(Redirected(hook=Hook(url=f"{other}/voice")), CALL)
    own = app.url.replace("http://", "http://x:y@")
    await application.ask(Redirected(hook=Hook(url=f"{own}/voice")), CALL)
    await application.ask(Redirected(hook=Hook(url=f"{other}/voice", username="a", password="b")), CALL)
    assert [asked.headers.get("Authorization") for asked in app.asked] == [
        "Basic dTpw",
        None,
        "Basic eDp5",
        "Basic YTpi",
    ]


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


# -- dialled legs and transfers


async def test_a_screening_is_asked_about_the_leg_and_cannot_dial(make: Make, app: WebApplication) -> None:
    app.reply("/whisper", "<Response><Say>Press 1</Say><Gather action='/more'/><Dial>+1</Dial></Response>")
    app.reply("/more", "<Response><Dial>+1</Dial></Response>")
    callee = Callee(target=Target(kind="client", address="bob"), shown="client:bob")
    leg = record(
        id=NOBODYS, parent_id=CALL_ID, direction=Direction.OUTBOUND_DIAL, status=CallStatus.IN_PROGRESS
    )
    application = make().for_callee(callee, CALL)
    whisper = Hook(url=f"{app.url}/whisper")
    document = await application.ask(Screening(hook=whisper, headers=(("X-Desk", "7"),)), leg)
    assert document is not None
    assert [type(verb) for verb in document.verbs] == [Say, Gather]
    assert [(note.level, note.code) for note in document.notes] == [("error", "13201")]
    fields = app.asked[0].fields
    assert (fields["CallSid"], fields["ParentCallSid"]) == (f"CA{NOBODYS.hex}", f"CA{CALL_ID.hex}")
    assert (fields["Direction"], fields["SipHeader_X-Desk"]) == ("outbound-dial", "7")
    more = Hook(url=f"{app.url}/more")
    document = await application.ask(Action(verb=Gather(), hook=more, outcome=Outcome(digits="1")), leg)
    assert document is not None
    assert document.verbs == ()
    # Sent elsewhere over REST, the leg is a call like any other.
    document = await application.ask(Redirected(hook=more, by_control=True), leg)
    assert document is not None
    assert [type(verb) for verb in document.verbs] == [Dial]


async def test_a_transfer_is_asked_for(make: Make, app: WebApplication) -> None:
    app.reply("/refer", "<Response><Say>Please wait</Say></Response>")
    ask = Referred(hook=Hook(url=f"{app.url}/refer"), refer_to="sip:carol@c.test", refer_to_user="carol")
    document = await make().ask(ask, CALL)
    assert document is not None
    assert [type(verb) for verb in document.verbs] == [Say]
    assert app.asked[0].fields["ReferTransferTarget"] == "sip:carol@c.test"
    app.reply("/refer", "no", status=403)
    assert await make(fallback_url=f"{app.url}/fallback").ask(ask, CALL) is None
    assert [asked.path for asked in app.asked] == ["/refer", "/refer"]


# -- documents given as text


def test_a_document_given_as_text(services: Services) -> None:
    remark = Note(level="warning", code="21626", message="x")
    application = LamlApplication(services, ACCOUNT, Settings(profile="twilio"), (remark,))
    document = application.document_of("<Response><Say>é</Say></Response>")
    assert document.notes == (remark,)
    assert isinstance(document.verbs[0], Say)
    assert application.document_of(HANGUP).notes == ()


# -- callbacks


def play_out(*events: Any, direction: Direction = Direction.OUTBOUND_API) -> list[tuple[Any, CallRecord]]:
    call = record(
        direction=direction,
        status=CallStatus.QUEUED,
        initiated_at=None,
        ringing_at=None,
        progress=0,
    )
    steps = []
    for number, event in enumerate(events):
        call = apply(call, event, NOON + timedelta(seconds=number))
        steps.append((event, call))
    return steps


INITIATED = CallInitiated(sip_call_id="a", target="sip:b@c")
RINGING = CallRinging(sip_status=180, sip_reason="Ringing", early_media=False)
EARLY = CallRinging(sip_status=183, sip_reason="Session Progress", early_media=True)
ANSWERED = CallAnswered()
ENDED = CallEnded(status=CallStatus.COMPLETED, cause="", by=EndedBy.REMOTE, sip_status=200, sip_reason="OK")
BUSY = CallEnded(status=CallStatus.BUSY, cause="", by=EndedBy.REMOTE, sip_status=486, sip_reason="Busy Here")


def delivered(application: LamlApplication, steps: list[tuple[Any, CallRecord]]) -> list[Delivery]:
    return [each for event, call in steps for each in application.deliveries(event, call)]


def told(deliveries: list[Delivery]) -> list[tuple[str | None, str | None]]:
    return [(dict(each.fields)["CallStatus"], dict(each.fields)["SequenceNumber"]) for each in deliveries]


@pytest.mark.parametrize(
    ("events", "happened", "expected"),
    [
        (("completed",), (INITIATED, RINGING, ANSWERED, ENDED), [("completed", "3")]),
        (
            ("initiated", "ringing", "answered", "completed"),
            (INITIATED, RINGING, EARLY, ANSWERED, ENDED),
            [("initiated", "0"), ("ringing", "1"), ("in-progress", "2"), ("completed", "3")],
        ),
        (("initiated", "ringing", "completed"), (INITIATED, BUSY), [("initiated", "0"), ("busy", "1")]),
        (("ringing",), (INITIATED, EARLY, RINGING, ENDED), [("ringing", "1")]),
        (("answered",), (INITIATED, BUSY), []),
    ],
)
def test_outbound_calls_tell_what_was_subscribed_to(
    make: Make, events: tuple[str, ...], happened: tuple[Any, ...], expected: list[tuple[str, str]]
) -> None:
    application = make(status_callback="http://app.test/status", events=events)
    assert told(delivered(application, play_out(*happened))) == expected
    assert delivered(make(), play_out(*happened)) == []


def test_inbound_calls_tell_their_end_only(make: Make) -> None:
    received = CallReceived(
        from_="+1",
        to="+2",
        caller_name=None,
        forwarded_from=None,
        sip_call_id="a",
        source="udp:1:2",
        trunk=None,
        client=None,
    )
    application = make(
        status_callback="http://app.test/status", events=("initiated", "ringing", "answered", "completed")
    )
    steps = play_out(received, RINGING, ANSWERED, ENDED, direction=Direction.INBOUND)
    assert told(delivered(application, steps)) == [("completed", "3")]


def test_a_callback_is_rendered_signed_later_and_the_same_each_time(make: Make) -> None:
    application = make(
        status_callback="http://app.test/status?x=1",
        status_callback_method="GET",
        voice_url="http://app.test/",
        username="u",
        password="p",
    )
    (one,) = application.deliveries(ENDED, ended())
    (again,) = application.deliveries(ENDED, ended())
    assert one == again
    assert one.id == one.token
    assert one.token_header == "I-Twilio-Idempotency-Token"
    assert (one.url, one.method, one.scheme) == ("http://app.test/status?x=1", "GET", "twilio")
    assert (one.account_id, one.key_ref, one.call_id) == (str(ACCOUNT.id), str(ACCOUNT.id), str(CALL_ID))
    assert one.sequence == 3
    assert one.auth == ("u", "p")
    assert one.headers == (("User-Agent", "TwilioProxy/1.1"),)
    (other,) = make("signalwire", status_callback="http://app.test/status").deliveries(ENDED, ended())
    assert (other.scheme, other.token_header, other.policy.retries.attempts) == ("signalwire", "", 3)
    assert other.auth is None


# -- the dialect


def test_state_survives_a_restart(services: Services) -> None:
    dialect = Laml(services)
    assert dialect.name == "laml"
    settings = Settings(
        profile="twilio",
        voice_url="http://a.test",
        status_callback="http://a.test/s",
        status_callback_method="GET",
        events=("initiated", "completed"),
        username="u",
    )
    application = LamlApplication(services, ACCOUNT, settings)
    state = json.loads(json.dumps(dict(application.state())))
    restored = dialect.restore(ACCOUNT, state)
    assert restored.settings == settings
    assert restored.deliveries(ENDED, ended()) == application.deliveries(ENDED, ended())
    assert dialect.restore(ACCOUNT, {"something": "else"}).profile == "signalwire"


async def test_a_configured_application(services: Services) -> None:
    configured = Application(
        id=ACCOUNT.id,
        account_id=ACCOUNT.id,
        name="x",
        dialect="laml",
        voice_url="http://a.test/voice",
        status_callback="http://a.test/s",
    )
    application = Laml(services).application(ACCOUNT, configured)
    assert (application.dialect, application.profile, application.rings_at_once) == (
        "laml",
        "signalwire",
        True,
    )
    twilio = Laml(services).application(ACCOUNT, msgspec.structs.replace(configured, profile="twilio"))
    assert twilio.profile == "twilio"
    twilio.notify(ENDED, ended())
    await twilio.close()
