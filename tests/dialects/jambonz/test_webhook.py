"""An application over HTTP: how it is asked, what its replies and failures do, what it is told."""

from __future__ import annotations

import base64
import hmac
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from aiohttp import web
from tests.dialects.jambonz.making import ACCOUNT, CREATED, INVITE, configured, record
from tests.dialects.jambonz.webapps import WebApp

from ringback.calls.application import Action, Document, Failed, NewCall, Redirected
from ringback.calls.events import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallInitiated,
    CallRinging,
    CallTagged,
    Noted,
)
from ringback.calls.outcome import Outcome
from ringback.calls.record import CallRecord, apply
from ringback.calls.services import Services
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import Gather, HangUp, Hook, Note, Pause, Reject, Say, Unbuilt
from ringback.dialects.jambonz import Jambonz
from ringback.dialects.jambonz.webhook import JambonzApplication
from ringback.webhooks.delivery import Delivery

NO_ARRAY = "malformed jambonz payload: must be array"
NO_JSON = "malformed jambonz payload: not JSON (Input data was truncated)"
SAY = {"verb": "say", "text": "hello"}


def made(services: Services, url: str, **fields: Any) -> JambonzApplication:
    return Jambonz(services).application(ACCOUNT, configured(url, **fields))


async def first(application: JambonzApplication, call: CallRecord | None = None) -> Document:
    document = await application.ask(NewCall(invite=lambda: INVITE), call or record())
    assert document is not None
    return document


def action(url: str, **outcome: Any) -> Action:
    return Action(verb=Gather(id="menu"), hook=Hook(url=url), outcome=Outcome(**outcome))


# -- the first document


async def test_the_call_is_posted_signed_and_answered_with_verbs(services: Services, app: WebApp) -> None:
    app.replies["/start"] = [SAY]
    application = made(services, f"{app.url}/start#rc=2", username="u", password="p", env_vars={"A": "b"})
    document = await first(application)
    assert [type(verb) for verb in document.verbs] == [Say]
    assert document.application is application
    assert document.at_end == HangUp(sip_status=603)
    request, body = app.requests[0]
    assert (request.method, request.content_type, request.query_string) == ("POST", "application/json", "")
    assert request.headers["User-Agent"] == "jambonz"
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
    moment, _, signature = request.headers["Jambonz-Signature"].removeprefix("t=").partition(",v1=")
    expected = hmac.digest(ACCOUNT.webhook_secret.encode(), f"{moment}.".encode() + body, "sha256").hex()
    assert signature == expected
    payload = msgspec.json.decode(body)
    assert payload["env_vars"] == {"A": "b"}
    assert payload["sip"]["method"] == "INVITE"


async def test_a_get_has_the_fields_in_its_query(services: Services, app: WebApp) -> None:
    app.replies["/start"] = [SAY]
    await first(made(services, f"{app.url}/start?own=1", voice_method="GET"))
    request, body = app.requests[0]
    assert (request.method, body) == ("GET", b"")
    fields = {
        name: values[0] for name, values in parse_qs(request.query_string, keep_blank_values=True).items()
    }
    assert fields["own"] == "1"
    assert fields["call_status"] == "trying"
    assert fields["caller_name"] == ""
    assert "Jambonz-Signature" in request.headers


@pytest.mark.parametrize(
    ("reply", "code", "reason"),
    [
        (web.Response(status=500), "webhook-failure", "the application answered with status 500"),
        (
            web.Response(status=302, headers={"Location": "/"}),
            "webhook-failure",
            "the application answered with status 302",
        ),
        (web.Response(status=201, text="[]"), "webhook-failure", "the application answered with status 201"),
        (web.Response(status=204), "invalid-app-payload", NO_ARRAY),
        (web.Response(text="[]"), "invalid-app-payload", NO_ARRAY),
        (web.json_response([]), "invalid-app-payload", "no application provided"),
        (web.json_response({"verb": "say"}), "invalid-app-payload", NO_ARRAY),
        (web.Response(text="[", content_type="application/json"), "invalid-app-payload", NO_JSON),
        (web.json_response([{"verb": "shout"}]), "invalid-app-payload", "invalid instruction: shout"),
    ],
)
async def test_a_useless_first_reply_refuses_the_call(
    services: Services, app: WebApp, reply: web.Response, code: str, reason: str
) -> None:
    app.replies["/start"] = reply
    document = await first(made(services, f"{app.url}/start"))
    headers = (("X-Reason", reason),)
    assert document.verbs == (
        Reject(
            sip_status=480,
            headers=headers,
            ended_as=CallStatus.FAILED,
            hang_up_if_answered=True,
            cause=reason,
        ),
    )
    assert [(note.level, note.code) for note in document.notes] == [("error", code)]


async def test_an_application_that_is_not_there_refuses_the_call(services: Services) -> None:
    document = await first(made(services, "http://127.0.0.1:9/"))
    assert document.notes[0].code == "webhook-connection-failure"
    assert isinstance(document.verbs[0], Reject)


async def test_app_json_is_run_without_asking(services: Services, app: WebApp) -> None:
    document = await first(made(services, f"{app.url}/start", app_json='[{"verb":"answer"}]'))
    assert len(document.verbs) == 1
    assert not app.requests


# -- what follows


async def test_an_action_reply_with_verbs_takes_over(services: Services, app: WebApp) -> None:
    app.replies["/next"] = [{"verb": "pause", "length": 1}]
    application = made(services, f"{app.url}/start", username="u", password="p")
    document = await application.ask(action(f"{app.url}/next", digits="4"), record())
    assert document is not None
    assert document.verbs == (Pause(seconds=1.0),)
    request, body = app.requests[0]
    assert request.headers["Authorization"].startswith("Basic ")
    payload = msgspec.json.decode(body)
    assert (payload["digits"], payload["reason"], payload["verb_id"]) == ("4", "dtmfDetected", "menu")


async def test_a_hook_with_credentials_uses_its_own(services: Services, app: WebApp) -> None:
    application = made(services, f"{app.url}/start", username="u", password="p")
    hook = Hook(url=f"{app.url}/next", username="own", password="x")
    await application.ask(Action(verb=Gather(), hook=hook, outcome=Outcome()), record())
    assert app.requests[0][0].headers["Authorization"] == "Basic " + base64.b64encode(b"own:x").decode()


@pytest.mark.parametrize("reply", [[], {}, {"any": 1}, web.Response(status=204), web.Response(text="ok")])
async def test_an_action_reply_without_verbs_changes_nothing(
    services: Services, app: WebApp, reply: Any
) -> None:
    app.replies["/next"] = reply
    application = made(services, f"{app.url}/start")
    assert await application.ask(action(f"{app.url}/next"), record()) is None


@pytest.mark.parametrize(
    ("reply", "code"),
    [(web.Response(status=503), "webhook-failure"), ([{"verb": "shout"}], "invalid-app-payload")],
)
async def test_a_failing_action_is_noted_and_the_document_goes_on(
    services: Services, app: WebApp, reply: Any, code: str
) -> None:
    app.replies["/next"] = reply
    document = await made(services, f"{app.url}/start").ask(action(f"{app.url}/next"), record())
    assert document is not None
    assert document.goes_on
    assert document.verbs == ()
    assert [note.code for note in document.notes] == [code]


async def test_a_redirect_to_another_server_moves_the_base(services: Services, app: WebApp) -> None:
    app.replies["/there/app"] = [{"verb": "gather", "actionHook": "/digits"}]
    application = made(services, "http://127.0.0.1:9/start")
    document = await application.ask(Redirected(hook=Hook(url=f"{app.url}/there/app")), record())
    assert document is not None
    gather = document.verbs[0]
    assert isinstance(gather, Gather)
    assert gather.action == Hook(url=f"{app.url}/digits")
    assert "sip" not in msgspec.json.decode(app.requests[0][1])


async def test_a_failed_redirect_leaves_the_base(services: Services, app: WebApp) -> None:
    application = made(services, f"{app.url}/start")
    document = await application.ask(Redirected(hook=Hook(url="http://127.0.0.1:9/x")), record())
    assert document is not None
    assert document.goes_on
    assert application.session.base_url == f"{app.url}/start"


async def test_there_is_no_fallback_for_a_verb_that_failed(services: Services, app: WebApp) -> None:
    note = Note(level="error", code="x", message="y")
    failed = Failed(verb=Unbuilt(name="dial", note=note), note=note)
    assert await made(services, app.url).ask(failed, record()) is None


async def test_cookies_belong_to_the_call(services: Services, app: WebApp) -> None:
    reply = web.json_response([SAY])
    reply.set_cookie("sid", "1")
    app.replies["/start"] = reply
    application = made(services, f"{app.url}/start")
    await first(application)
    await application.ask(action(f"{app.url}/next"), record())
    assert app.requests[1][0].headers["Cookie"] == "sid=1"


# -- status callbacks


def told(application: JambonzApplication, call: CallRecord, *events: CallEvent) -> list[Delivery]:
    found: list[Delivery] = []
    for event in events:
        call = apply(call, event, CREATED)
        found += application.deliveries(event, call)
        application.notify(event, call)
    return found


def ended(status: CallStatus, sip_status: int = 200) -> CallEnded:
    return CallEnded(status=status, cause="", by=EndedBy.REMOTE, sip_status=sip_status, sip_reason="x")


RINGING = CallRinging(sip_status=180, sip_reason="Ringing", early_media=False)
EARLY = CallRinging(sip_status=183, sip_reason="Session Progress", early_media=True)
INITIATED = CallInitiated(sip_call_id="c", target="t")


@pytest.mark.parametrize(
    ("events", "statuses"),
    [
        (
            [
                INITIATED,
                RINGING,
                RINGING,
                EARLY,
                CallAnswered(),
                CallTagged(data={}),
                ended(CallStatus.COMPLETED),
            ],
            ["trying", "ringing", "early-media", "in-progress", "completed"],
        ),
        ([INITIATED, ended(CallStatus.BUSY, 486)], ["trying", "busy"]),
        ([INITIATED, RINGING, ended(CallStatus.NO_ANSWER, 487)], ["trying", "ringing", "no-answer"]),
        ([ended(CallStatus.FAILED, 503)], ["failed"]),
    ],
)
async def test_statuses_are_told_in_order(
    services: Services, app: WebApp, events: list[CallEvent], statuses: list[str]
) -> None:
    application = made(services, f"{app.url}/start", status_callback=f"{app.url}/status", username="u")
    outbound = record(direction=Direction.OUTBOUND_API, status=CallStatus.QUEUED, progress=0)
    deliveries = told(application, outbound, *events)
    assert [msgspec.json.decode(delivery.json)["call_status"] for delivery in deliveries] == statuses
    assert all(delivery.encoding == "json" and delivery.scheme == "jambonz" for delivery in deliveries)
    assert deliveries[0].auth == ("u", "")
    assert len({delivery.id for delivery in deliveries}) == len(deliveries)


async def test_a_status_by_get_has_its_fields_in_the_query(services: Services, app: WebApp) -> None:
    application = made(services, app.url, status_callback=f"{app.url}/s", status_callback_method="GET")
    delivery = told(application, record(), ended(CallStatus.COMPLETED))[0]
    assert (delivery.method, delivery.encoding) == ("GET", "form")
    assert dict(delivery.fields)["call_status"] == "completed"


async def test_without_a_status_hook_nothing_is_told(services: Services, app: WebApp) -> None:
    assert told(made(services, app.url), record(), CallAnswered(), ended(CallStatus.COMPLETED)) == []


async def test_a_verb_that_is_not_built_is_reported(services: Services, app: WebApp) -> None:
    app.replies["/start"] = [{"verb": "conference", "name": "room"}]
    application = made(services, f"{app.url}/start", status_callback=f"{app.url}/status")
    document = await first(application)
    verb = document.verbs[0]
    assert isinstance(verb, Unbuilt)
    delivery = told(application, record(), Noted(note=verb.note))[0]
    payload = msgspec.json.decode(delivery.json)
    assert (payload["error"], payload["reason"]) == ("not-supported", "conference: verb is not supported")


async def test_a_redirect_may_move_the_status_hook(services: Services, app: WebApp) -> None:
    app.replies["/next"] = [SAY]
    application = made(services, f"{app.url}/start", status_callback=f"{app.url}/old")
    moved = Redirected(hook=Hook(url=f"{app.url}/next"), status_hook=Hook(url=f"{app.url}/new"))
    await application.ask(moved, record())
    assert told(application, record(), CallAnswered())[0].url == f"{app.url}/new"
    restored = Jambonz(services).restore(ACCOUNT, application.state())
    assert told(restored, record(), CallAnswered())[0].url == f"{app.url}/new"


async def test_what_is_kept_tells_the_same_after_a_restart(services: Services, app: WebApp) -> None:
    application = made(
        services, f"{app.url}/start", status_callback=f"{app.url}/status", username="u", password="p"
    )
    state = msgspec.json.decode(msgspec.json.encode(dict(application.state())))
    restored = Jambonz(services).restore(ACCOUNT, state)
    end = ended(CallStatus.FAILED)
    assert told(restored, record(), end) == told(application, record(), end)


async def test_the_properties_that_the_engine_reads(services: Services) -> None:
    application = made(services, "http://127.0.0.1:9/")
    assert (application.dialect, application.profile, application.rings_at_once) == ("jambonz", "", False)
    await application.close()
