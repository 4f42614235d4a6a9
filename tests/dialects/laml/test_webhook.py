"""An application on a call, over real HTTP: what it is asked, and how."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.dialects.laml.conftest import Asked, Make, WebApplication
from tests.dialects.laml.making import (
    ACCOUNT,
    CALL_ID,
    ENDED,
    HANGUP,
    NOBODYS,
    OTHER,
    ask,
    codes,
    ended,
    record,
)
from twilio.request_validator import RequestValidator

from ringback.calls.application import Action, Redirected, Referred, Screening
from ringback.calls.outcome import Outcome
from ringback.calls.services import Services
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import (
    Answering,
    Callee,
    Clip,
    Dial,
    Gather,
    HangUp,
    Hook,
    Play,
    Redirect,
    Say,
    Target,
)
from ringback.dialects.laml import Laml
from ringback.dialects.laml.replies import AT_END
from ringback.dialects.laml.settings import Settings
from ringback.dialects.laml.webhook import LamlApplication
from ringback.routing.directory import Application

CALL = record()


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
