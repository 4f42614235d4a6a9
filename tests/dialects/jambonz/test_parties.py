"""The legs that a dial calls: how the application is asked and told about them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import web
from tests.dialects.jambonz.making import CALL, CALLEE, ENDED, SAY
from tests.dialects.jambonz.phone import QUICK, Phone
from tests.dialects.jambonz.webapps import SocketApp, WebApp
from tests.dialects.memory import MemoryCalls

from ringback.calls.application import Action, Redirected, Screening
from ringback.calls.events import (
    Bridged,
    CallAnswered,
    CallInitiated,
    CallRinging,
    Noted,
    Unbridged,
    VerbStarted,
)
from ringback.calls.outcome import Outcome
from ringback.calls.verbs import Dial, Gather, HangUp, Hook, Note, Pause, Say

INITIATED = CallInitiated(sip_call_id="leg@192.0.2.1", target="sip:bob@192.0.2.7")
RINGING = CallRinging(sip_status=180, sip_reason="Ringing", early_media=False)


async def test_the_status_of_a_dialled_leg_goes_where_the_callers_goes(phones: Any) -> None:
    caller: Phone = phones("https://app.example/start", status_callback="https://app.example/status")
    leg = caller.callee()
    told = [leg.tell(event) for event in (INITIATED, RINGING, CallAnswered(), ENDED)]
    payloads = [msgspec.json.decode(due[0].json) for due in told]
    assert [payload["call_status"] for payload in payloads] == [
        "trying",
        "ringing",
        "in-progress",
        "completed",
    ]
    for payload in payloads:
        assert payload["direction"] == "outbound"
        assert (payload["call_sid"], payload["parent_call_sid"]) == (str(CALLEE), str(CALL))
        assert "originating_sip_ip" not in payload
    assert {due[0].url for due in told} == {"https://app.example/status"}


async def test_a_callee_is_screened_by_its_own_call_info(phones: Any, app: WebApp) -> None:
    app.replies["/confirm"] = [
        {"verb": "config", "synthesizer": {"vendor": "aws", "voice": "Joanna"}},
        {"verb": "gather", "numDigits": 1, "actionHook": "/pressed", "say": {"text": "Press 1"}},
        {"verb": "tag", "data": {"a": 1}},
    ]
    leg = phones(f"{app.url}/start").callee()
    document = await leg.ask(Screening(hook=Hook(url=f"{app.url}/confirm")))
    assert document is not None
    assert [type(verb).__name__ for verb in document.verbs] == ["Gather", "Tag"]
    assert (document.at_end, document.notes) == (None, ())
    assert document.verbs[0].prompts[0].voice == "Joanna"
    (payload,) = app.bodies("/confirm")
    assert (payload["call_sid"], payload["direction"]) == (str(CALLEE), "outbound")


@pytest.mark.parametrize("reply", [[], {}, web.Response(status=204)])
async def test_a_screening_without_verbs_lets_the_callee_through(
    phones: Any, app: WebApp, reply: Any
) -> None:
    app.replies["/confirm"] = reply
    leg = phones(f"{app.url}/start").callee()
    assert await leg.ask(Screening(hook=Hook(url=f"{app.url}/confirm"))) is None


@pytest.mark.parametrize("reply", [web.Response(status=500), [{"verb": "shout"}]])
async def test_a_screening_that_fails_hangs_up(phones: Any, app: WebApp, reply: Any) -> None:
    app.replies["/confirm"] = reply
    leg = phones(f"{app.url}/start").callee()
    document = await leg.ask(Screening(hook=Hook(url=f"{app.url}/confirm")))
    assert document is not None
    assert [type(verb) for verb in document.verbs] == [HangUp]
    assert not document.goes_on
    assert document.notes[0].level == "error"


async def test_other_verbs_do_not_run_on_a_callee_that_is_screened(phones: Any, app: WebApp) -> None:
    app.replies["/confirm"] = [SAY, {"verb": "dial", "target": [{"type": "phone", "number": "+1"}]}]
    app.replies["/pressed"] = [{"verb": "redirect", "actionHook": "/x"}, {"verb": "hangup"}]
    leg = phones(f"{app.url}/start").callee()
    document = await leg.ask(Screening(hook=Hook(url=f"{app.url}/confirm")))
    assert document is not None
    assert [type(verb) for verb in document.verbs] == [Say]
    assert [note.message for note in document.notes] == ["dial is not allowed in the reply to a confirmHook"]
    # nor do they where one of its verbs asks
    document = await leg.ask(Action(verb=Gather(), hook=Hook(url=f"{app.url}/pressed"), outcome=Outcome()))
    assert document is not None
    assert [type(verb) for verb in document.verbs] == [HangUp]
    assert document.at_end is None


async def test_a_callee_redirected_goes_on_alone(phones: Any, app: WebApp) -> None:
    app.replies["/child"] = [{"verb": "redirect", "actionHook": "next"}]
    caller: Phone = phones(f"{app.url}/start")
    leg = caller.callee()
    await leg.ask(Screening(hook=Hook(url=f"{app.url}/none")))
    assert caller.application.callee() is None
    leg.tell(Bridged(other=CALL))
    assert caller.application.callee() == (leg.application, CALLEE)
    document = await leg.ask(Redirected(hook=Hook(url=f"{app.url}/child"), by_control=True))
    assert document is not None
    assert document.verbs[0].hook.url == f"{app.url}/next"
    assert document.at_end == HangUp(sip_status=603)
    assert caller.application.callee() is None
    assert app.bodies("/child")[0]["parent_call_sid"] == str(CALL)


async def test_which_leg_is_connected(phones: Any) -> None:
    caller: Phone = phones("https://app.example/start")
    leg = caller.callee()
    assert caller.application.callee(CALLEE) is None  # nothing of it is known yet
    leg.tell(INITIATED)
    assert caller.application.callee(CALLEE) == (leg.application, CALLEE)
    leg.tell(Bridged(other=CALL))
    assert caller.application.callee() is not None
    leg.tell(Unbridged(other=CALL))
    assert caller.application.callee() is None
    await leg.application.close()
    assert caller.application.callee(CALLEE) is None


async def test_a_dialled_leg_uses_the_callers_socket(phones: Any, socket_app: SocketApp) -> None:
    caller: Phone = phones(socket_app.url)
    socket, _ = await caller.open(socket_app)
    leg = caller.callee()
    leg.tell(INITIATED)
    message = await socket.next("call:status")
    assert message["call_sid"] == str(CALL)  # the socket is the caller's
    assert (message["data"]["call_sid"], message["data"]["call_status"]) == (str(CALLEE), "trying")
    leg.tell(CallAnswered())
    assert (await socket.next("call:status"))["data"]["call_status"] == "in-progress"

    confirming = leg.ask(Screening(hook=Hook(url="/confirm")))
    message = await socket.next("dial:confirm")
    assert (message["hook"], message["data"]["call_sid"]) == ("/confirm", str(CALLEE))
    await socket.ack(message, [{"verb": "gather", "actionHook": "/pressed"}])
    assert len((await confirming).verbs) == 1

    acting = leg.act("/pressed", digits="1")
    message = await socket.next("verb:hook")
    assert (message["hook"], message["data"]["digits"]) == ("/pressed", "1")
    await socket.ack(message, [])
    assert await acting is None

    leg.tell(Noted(note=Note(level="error", code="x", message="broken")))
    assert (await socket.next("jambonz:error"))["data"]["msg"] == "broken"
    leg.tell(ENDED)
    assert (await socket.next("call:status"))["data"]["call_status"] == "completed"
    await leg.application.close()
    acting = caller.act("/menu")  # the socket is still there for the caller
    await socket.ack(await socket.next("verb:hook"))
    assert await acting is None


async def test_verbs_of_a_dialled_leg_are_told_where_the_caller_wants_them(
    phones: Any, socket_app: SocketApp
) -> None:
    caller: Phone = phones(socket_app.url)
    socket, _ = await caller.open(socket_app, [{"verb": "config", "notifyEvents": True}])
    caller.callee().tell(VerbStarted(verb=Say(texts=("x",), id="s")))
    assert (await socket.next("verb:status"))["data"]["id"] == "s"


async def test_a_callee_on_its_own_gets_a_socket_of_its_own(
    phones: Any, socket_app: SocketApp, calls: MemoryCalls
) -> None:
    caller: Phone = phones(f"{socket_app.url}/ivr", username="u", password="p")
    socket, _ = await caller.open(socket_app)
    leg = caller.callee()
    calls.add(leg.record)
    leg.tell(CallAnswered())
    await socket.next("call:status")
    redirecting = leg.ask(Redirected(hook=Hook(url="/child")))
    message = await socket.next("session:redirect")
    assert (message["hook"], message["data"]["call_sid"]) == ("/child", str(CALLEE))
    await socket.ack(message, [SAY])
    document = await redirecting
    assert document is not None
    assert (len(document.verbs), document.at_end) == (1, None)

    own = await socket_app.connection()
    assert (own.request.path, own.request.headers["Authorization"][:6]) == ("/ivr", "Basic ")
    message = await own.next("session:adulting")
    assert message["call_sid"] == message["data"]["call_sid"] == str(CALLEE)
    assert message["data"]["parent_call_info"]["call_sid"] == str(CALL)
    assert "hook" not in message
    acting = leg.act("/next")  # waits for the new socket
    await own.ack(message)
    await own.ack(await own.next("verb:hook"), [SAY])
    assert len((await acting).verbs) == 1
    await own.command("tag", {"a": 1})
    assert await calls.next_done() == ("tag", {"a": 1})
    leg.tell(ENDED)
    assert (await own.next("call:status"))["data"]["call_status"] == "completed"
    await leg.application.close()
    assert await own.code() == 1000


async def test_a_callee_that_gets_no_socket_of_its_own_ends(
    phones: Any, socket_app: SocketApp, calls: MemoryCalls
) -> None:
    caller: Phone = phones(f"{socket_app.url}/#rc=0", QUICK)
    socket, _ = await caller.open(socket_app)
    leg = caller.callee()
    calls.add(leg.record)
    redirecting = leg.ask(Redirected(hook=Hook(url="/child")))
    socket_app.refuse = 10
    await socket.ack(await socket.next("session:redirect"), [SAY])
    assert await redirecting is not None
    assert await calls.next_done() == ("hang_up",)


async def test_a_callee_whose_caller_is_gone_asks_on_a_new_socket(phones: Any, socket_app: SocketApp) -> None:
    caller: Phone = phones(f"{socket_app.url}/ivr")
    await caller.open(socket_app)
    leg = caller.callee()
    await caller.application.close()
    redirecting = leg.ask(Redirected(hook=Hook(url="/child")))
    own = await socket_app.connection()
    message = await own.next("session:redirect")
    assert (message["hook"], message["call_sid"]) == ("/child", str(CALLEE))
    await own.ack(message, [SAY])
    document = await redirecting
    assert document is not None
    assert (len(document.verbs), document.at_end) == (1, None)
    await leg.application.close()


async def test_commands_reach_the_dialled_leg(phones: Any, socket_app: SocketApp, calls: MemoryCalls) -> None:
    caller: Phone = phones(socket_app.url)
    socket, _ = await caller.open(socket_app)
    leg = caller.callee()
    calls.add(leg.record)
    leg.tell(INITIATED)
    leg.tell(Bridged(other=CALL))
    await socket.command("redirect", [SAY], callSid=str(CALLEE))
    name, what = await calls.next_done()
    assert (name, what["document"].application) == ("redirect", leg.application)
    await socket.command("redirect", {"child_call": [{"verb": "pause", "length": 1}]})
    name, what = await calls.next_done()
    assert (name, what["document"].application) == ("redirect", leg.application)
    assert what["document"].verbs == (Pause(seconds=1.0),)
    await socket.command("redirect", {"child_call": [SAY], "parent_call": [SAY]})
    name, what = await calls.next_done()
    assert name == "redirect_both"
    assert what["callee_to"].application is leg.application
    assert what["to"].application is caller.application
    await socket.command("mute:status", "mute", callSid=str(CALLEE))
    assert await calls.next_done() == ("mute", True)


async def test_the_end_of_a_dial_is_asked_about(phones: Any, socket_app: SocketApp) -> None:
    caller: Phone = phones(socket_app.url)
    socket, _ = await caller.open(socket_app)
    outcome = Outcome(bridged=True, callee=CALLEE, sip_call_id="leg@192.0.2.1", sip_status=200)
    asking = caller.ask(Action(verb=Dial(id="d", callees=()), hook=Hook(url="/done"), outcome=outcome))
    message = await socket.next("verb:hook")
    assert message["hook"] == "/done"
    assert {key: message["data"][key] for key in message["data"] if key.startswith("dial_")} == {
        "dial_call_status": "completed",
        "dial_sip_status": 200,
        "dial_call_sid": str(CALLEE),
        "dial_sbc_callid": "leg@192.0.2.1",
    }
    await socket.ack(message, [SAY])
    assert len((await asking).verbs) == 1
