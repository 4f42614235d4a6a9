"""What has a hook of its own: keys, detections, transfers, holding, requests inside the dialog."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import web
from tests.dialects.jambonz.making import ACCOUNT, CALL, CALLEE, CREATED, SAY, configured, record
from tests.dialects.jambonz.phone import Phone
from tests.dialects.jambonz.webapps import SocketApp, WebApp
from tests.dialects.memory import MemoryCalls

from ringback.calls.application import Holding, InDialogRequest, NewCall, Referred
from ringback.calls.events import AnswererDetected, KeysMatched, ReferProgress
from ringback.calls.verbs import Configure, HangUp, Hook, Say
from ringback.dialects.jambonz.setup import setup_of
from ringback.dialects.jambonz.webhook import JambonzApplication


async def test_keys_and_notifies_are_delivered_to_their_hooks(phones: Any) -> None:
    caller: Phone = phones("https://app.example/start", username="u", password="p")
    leg = caller.callee()
    (due,) = leg.tell(KeysMatched(keys="*2", hook=Hook(url="https://app.example/keys")))
    assert (due.url, due.method, due.scheme, due.auth) == (
        "https://app.example/keys",
        "POST",
        "jambonz",
        ("u", "p"),
    )
    payload = msgspec.json.decode(due.json)
    assert (payload["dtmf"], payload["call_sid"]) == ("*2", str(CALLEE))
    hook = Hook(url="https://app.example/going", method="GET")
    (due,) = caller.tell(ReferProgress(sip_status=180, sip_reason="Ringing", hook=hook))
    assert due.method == "GET"
    assert due.fields == (("event", "transfer-status"), ("call_status", "180"))
    assert not caller.tell(ReferProgress(sip_status=180, sip_reason="Ringing"))


async def test_keys_and_notifies_go_over_the_socket(phones: Any, socket_app: SocketApp) -> None:
    caller: Phone = phones(socket_app.url)
    socket, _ = await caller.open(socket_app)
    assert not caller.callee().tell(KeysMatched(keys="*2", hook=Hook(url="/keys")))
    message = await socket.next("verb:hook")
    assert (message["hook"], message["data"]["dtmf"]) == ("/keys", "*2")
    await socket.ack(message, [SAY])  # changes nothing
    caller.tell(ReferProgress(sip_status=200, sip_reason="OK", hook=Hook(url="/going")))
    message = await socket.next("verb:hook")
    assert message["data"] == {"event": "transfer-status", "call_status": 200}
    (due,) = caller.tell(KeysMatched(keys="1", hook=Hook(url="https://app.example/keys")))
    assert due.url == "https://app.example/keys"


DETECTED = AnswererDetected(what="machine-start", milliseconds=900, hook=Hook(url="/amd"))


async def test_verbs_in_the_reply_to_a_detection_replace_the_application(
    phones: Any, app: WebApp, calls: MemoryCalls
) -> None:
    app.replies["/amd"] = [SAY]
    phone: Phone = phones(f"{app.url}/start")
    hook = Hook(url=f"{app.url}/amd")
    assert not phone.tell(AnswererDetected(what="machine-start", milliseconds=900, hook=hook))
    name, what = await calls.next_done()
    assert name == "redirect"
    assert [type(verb) for verb in what["document"].verbs] == [Say]
    assert what["document"].application is phone.application
    (payload,) = app.bodies("/amd")
    assert (payload["type"], payload["reason"]) == ("amd_machine_detected", "long greeting")


async def test_detections_are_told_in_order(phones: Any, app: WebApp, calls: MemoryCalls) -> None:
    phone: Phone = phones(f"{app.url}/start")
    hook = Hook(url=f"{app.url}/amd")
    for what in ("machine-start", "tone", "machine-end-silence"):
        phone.tell(AnswererDetected(what=what, milliseconds=900, frequency=440.0, hook=hook))
    await phone.application.close()
    assert [payload["type"] for payload in app.bodies("/amd")] == [
        "amd_machine_detected",
        "amd_tone_detected",
        "amd_machine_stopped_speaking",
    ]
    assert not calls.done


@pytest.mark.parametrize("reply", [web.Response(status=500), [{"verb": "shout"}], [], {}])
async def test_a_useless_reply_to_a_detection_changes_nothing(
    phones: Any, app: WebApp, calls: MemoryCalls, reply: Any
) -> None:
    app.replies["/amd"] = reply
    phone: Phone = phones(f"{app.url}/start")
    phone.tell(AnswererDetected(what="human", milliseconds=900, hook=Hook(url=f"{app.url}/amd")))
    await phone.application.close()
    assert len(app.bodies("/amd")) == 1
    assert not calls.done


async def test_a_detection_on_the_callee_is_the_callers_business(
    phones: Any, socket_app: SocketApp, calls: MemoryCalls
) -> None:
    caller: Phone = phones(socket_app.url)
    socket, _ = await caller.open(socket_app)
    caller.callee().tell(DETECTED)
    message = await socket.next("verb:hook")
    assert (message["hook"], message["data"]["call_sid"]) == ("/amd", str(CALL))
    await socket.ack(message, [SAY])
    name, what = await calls.next_done()
    assert (name, what["document"].application) == ("redirect", caller.application)


async def test_a_call_that_is_over_is_not_changed_any_more(
    phones: Any, app: WebApp, calls: MemoryCalls
) -> None:
    app.replies["/amd"] = [SAY]
    phone: Phone = phones(f"{app.url}/start")
    calls.records.clear()
    phone.tell(AnswererDetected(what="human", milliseconds=900, hook=Hook(url=f"{app.url}/amd")))
    await phone.application.close()
    assert len(app.bodies("/amd")) == 1
    assert not calls.done


REFER: dict[str, Any] = {"refer_to": "sip:carol@192.0.2.9", "refer_to_user": "carol"}


@pytest.mark.parametrize(
    ("reply", "declined", "verbs"),
    [
        ([SAY], None, 1),
        ([], None, 0),
        (web.Response(status=204), None, 0),
        (web.Response(status=404), 404, 0),
        (web.Response(status=486), 486, 0),
        (web.Response(status=302), 501, 0),
        ([{"verb": "shout"}], 501, 0),
    ],
)
async def test_the_reply_to_a_refer_hook_decides(
    phones: Any, app: WebApp, reply: Any, declined: int | None, verbs: int
) -> None:
    app.replies["/refer"] = reply
    phone: Phone = phones(f"{app.url}/start")
    document = await phone.ask(Referred(hook=Hook(url=f"{app.url}/refer"), **REFER))
    assert document is not None
    assert (document.declined, len(document.verbs)) == (declined, verbs)
    assert app.bodies("/refer")[0]["refer_details"]["refer_to_user"] == "carol"


async def test_a_callee_that_remains_goes_on_alone(phones: Any, socket_app: SocketApp) -> None:
    caller: Phone = phones(socket_app.url)
    socket, _ = await caller.open(socket_app)
    leg = caller.callee()
    asking = leg.ask(Referred(hook=Hook(url="/refer"), **REFER))
    await socket.ack(await socket.next("verb:hook"), [SAY])
    assert await asking is not None
    own = await socket_app.connection()
    await own.ack(await own.next("session:adulting"))
    await leg.application.close()


@pytest.mark.parametrize(
    ("reply", "verbs", "notes"),
    [
        ([SAY, {"verb": "pause", "length": 2}], ["Say", "Pause"], []),
        (
            [{"verb": "gather"}, SAY],
            ["Say"],
            ["gather is not allowed in the reply to a onHoldHook"],
        ),
    ],
)
async def test_hold_music(phones: Any, app: WebApp, reply: Any, verbs: list[str], notes: list[str]) -> None:
    app.replies["/hold"] = reply
    phone: Phone = phones(f"{app.url}/start")
    document = await phone.ask(Holding(hook=Hook(url=f"{app.url}/hold"), from_="<sip:a@x>", to="<sip:b@y>"))
    assert document is not None
    assert [type(verb).__name__ for verb in document.verbs] == verbs
    assert [note.message for note in document.notes] == notes
    assert document.at_end is None
    assert app.bodies("/hold")[0]["hold_detail"] == {"from": "<sip:a@x>", "to": "<sip:b@y>"}


async def test_a_request_inside_the_dialog_may_replace_the_application(phones: Any, app: WebApp) -> None:
    app.replies["/request"] = [SAY]
    phone: Phone = phones(f"{app.url}/start")
    hook = Hook(url=f"{app.url}/request")
    document = await phone.ask(InDialogRequest(hook=hook, method="INFO", body="x"))
    assert document is not None
    assert document.at_end == HangUp(sip_status=603)
    assert app.bodies("/request")[0]["sip_method"] == "INFO"
    app.replies["/request"] = []
    assert await phone.ask(InDialogRequest(hook=hook, method="INVITE", held=True)) is None


async def test_hooks_given_with_the_call_are_set_before_its_first_verb(services: Any, app: WebApp) -> None:
    app.replies["/start"] = [SAY]
    setup = msgspec.structs.replace(
        setup_of(configured(f"{app.url}/start")),
        refer_hook=Hook(url=f"{app.url}/refer"),
        request_hook=Hook(url=f"{app.url}/request"),
    )
    application = JambonzApplication(services, ACCOUNT, setup)
    document = await application.ask(NewCall(), record(answered_at=CREATED))
    assert document is not None
    assert document.verbs[0] == Configure(refer_hook=setup.refer_hook, request_hook=setup.request_hook)
    assert len(document.verbs) == 2
    callee = Phone(application, record()).callee()
    assert "refer" not in str(callee.application.state()["refer_hook"])
    await application.close()
