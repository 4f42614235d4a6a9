"""An application on a WebSocket: opening, hooks, commands, drops and the end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.dialects.jambonz.making import CALL, CREATED, ENDED, SAY, record
from tests.dialects.jambonz.phone import QUICK
from tests.dialects.jambonz.webapps import SocketApp, WebApp
from tests.dialects.memory import MemoryCalls

from ringback.calls.events import CallAnswered, Noted, VerbEnded, VerbStarted
from ringback.calls.outcome import Outcome
from ringback.calls.record import apply
from ringback.calls.services import Services
from ringback.calls.timeline import SocketMessage
from ringback.calls.verbs import HangUp, Hook, Note, Reject, Say

# -- opening


async def test_the_session_opens_with_the_call_and_gets_its_verbs(phones: Any, socket_app: SocketApp) -> None:
    phone = phones(f"{socket_app.url}/ivr?x=1", username="u", password="p")
    starting = phone.start()
    socket = await socket_app.connection()
    assert socket.request.path_qs == "/ivr?x=1"
    assert socket.request.headers["Sec-WebSocket-Protocol"] == "ws.jambonz.org"
    assert socket.request.headers["Authorization"].startswith("Basic ")
    assert "Jambonz-Signature" not in socket.request.headers
    message = await socket.next("session:new")
    assert message["call_sid"] == message["data"]["call_sid"] == str(CALL)
    assert "hook" not in message
    assert message["data"]["sip"]["method"] == "INVITE"
    await socket.ack({"msgid": "unknown"}, [{"verb": "hangup"}])  # no message has that id
    await socket.ack(message, [SAY])
    document = await starting
    assert [type(verb) for verb in document.verbs] == [Say]
    assert document.at_end is None


@pytest.mark.parametrize("verbs", [None, [], {}])
async def test_verbs_may_come_later(phones: Any, socket_app: SocketApp, verbs: Any) -> None:
    _, document = await phones(socket_app.url).open(socket_app, verbs)
    assert (document.verbs, document.at_end, document.notes) == ((), None, ())


async def test_a_bad_first_document_refuses_the_call(phones: Any, socket_app: SocketApp) -> None:
    _, document = await phones(socket_app.url).open(socket_app, [{"verb": "shout"}])
    assert isinstance(document.verbs[0], Reject)
    assert document.notes[0].code == "invalid-app-payload"


async def test_no_ack_refuses_the_call(phones: Any, socket_app: SocketApp) -> None:
    starting = phones(socket_app.url, QUICK).start()
    socket = await socket_app.connection()
    document = await starting
    assert isinstance(document.verbs[0], Reject)
    assert await socket.code() == 1001


async def test_no_server_refuses_the_call(phones: Any) -> None:
    document = await phones("ws://127.0.0.1:9/#rc=1", QUICK).start()
    assert isinstance(document.verbs[0], Reject)
    assert document.notes[0].code == "webhook-connection-failure"


async def test_the_first_connection_is_tried_again(phones: Any, socket_app: SocketApp) -> None:
    socket_app.refuse = 2
    _, document = await phones(socket_app.url, QUICK).open(socket_app, [SAY])
    assert len(document.verbs) == 1


async def test_a_fragment_says_how_often(phones: Any, socket_app: SocketApp) -> None:
    socket_app.refuse = 2
    document = await phones(f"{socket_app.url}/#rc=1", QUICK).start()
    assert isinstance(document.verbs[0], Reject)


# -- hooks


async def test_a_verb_hook_is_asked_by_its_name(phones: Any, socket_app: SocketApp) -> None:
    phone = phones(socket_app.url)
    socket, _ = await phone.open(socket_app)
    asking = phone.act("/menu", digits="1")
    message = await socket.next("verb:hook")
    assert message["hook"] == "/menu"
    assert (message["data"]["digits"], message["data"]["verb_id"]) == ("1", "menu")
    await socket.ack(message, [SAY])
    assert len((await asking).verbs) == 1


@pytest.mark.parametrize("data", [None, [], {}])
async def test_an_empty_ack_changes_nothing(phones: Any, socket_app: SocketApp, data: Any) -> None:
    phone = phones(socket_app.url)
    socket, _ = await phone.open(socket_app)
    asking = phone.act("/menu")
    await socket.ack(await socket.next("verb:hook"), data)
    assert await asking is None


async def test_a_hook_without_ack_is_noted(phones: Any, socket_app: SocketApp) -> None:
    phone = phones(socket_app.url, QUICK)
    await phone.open(socket_app)
    document = await phone.act("/menu")
    assert document.goes_on
    assert document.notes[0].message == "no ack to verb:hook within 1 s"


async def test_an_error_in_a_reply_comes_back(phones: Any, socket_app: SocketApp) -> None:
    phone = phones(socket_app.url)
    socket, _ = await phone.open(socket_app)
    asking = phone.act("/menu")
    await socket.ack(await socket.next("verb:hook"), [{"verb": "shout"}])
    document = await asking
    assert document.goes_on
    phone.tell(Noted(note=document.notes[0]))
    assert (await socket.next("jambonz:error"))["data"]["msg"] == "invalid instruction: shout"


async def test_an_absolute_http_hook_is_a_webhook(phones: Any, socket_app: SocketApp, app: WebApp) -> None:
    app.replies["/next"] = [SAY]
    phone = phones(socket_app.url)
    await phone.open(socket_app)
    document = await phone.act(f"{app.url}/next")
    assert len(document.verbs) == 1
    assert document.at_end is None


# -- redirects


async def test_a_redirect_on_the_same_server_stays_on_the_socket(phones: Any, socket_app: SocketApp) -> None:
    phone = phones(socket_app.url)
    socket, _ = await phone.open(socket_app)
    asking = phone.redirect("/other")
    message = await socket.next("session:redirect")
    assert message["hook"] == "/other"
    assert "sip" not in message["data"]
    await socket.ack(message, [SAY])
    assert (await asking).at_end is None


async def test_a_redirect_from_http_opens_a_session(phones: Any, socket_app: SocketApp, app: WebApp) -> None:
    app.replies["/start"] = [SAY]
    phone = phones(f"{app.url}/start")
    await phone.start()
    asking = phone.redirect(f"{socket_app.url}/ivr")
    socket = await socket_app.connection()
    message = await socket.next("session:new")
    assert message["data"]["sip"]["method"] == "INVITE"
    await socket.ack(message, [{"verb": "gather", "actionHook": "next"}])
    document = await asking
    assert document.verbs[0].action == Hook(url="next")
    assert document.at_end is None


async def test_a_redirect_to_http_closes_the_socket(phones: Any, socket_app: SocketApp, app: WebApp) -> None:
    app.replies["/next"] = [SAY]
    phone = phones(socket_app.url)
    socket, _ = await phone.open(socket_app)
    document = await phone.redirect(f"{app.url}/next")
    assert document.at_end == HangUp(sip_status=603)
    assert await socket.code() == 1000


async def test_a_redirect_to_another_socket_server_moves(phones: Any, socket_app: SocketApp) -> None:
    phone = phones(socket_app.url)
    old, _ = await phone.open(socket_app)
    # The same machine by another name is another server.
    elsewhere = socket_app.url.replace("127.0.0.1", "localhost")
    asking = phone.redirect(f"{elsewhere}/b")
    new = await socket_app.connection()
    message = await new.next("session:redirect")
    assert message["call_sid"] == str(CALL)
    await new.ack(message, [SAY])
    assert len((await asking).verbs) == 1
    assert await old.code() == 1000
    acting = phone.act("/menu")
    await new.ack(await new.next("verb:hook"))
    assert await acting is None


# -- telling


async def test_statuses_wait_for_the_opening_and_keep_their_order(phones: Any, socket_app: SocketApp) -> None:
    phone = phones(socket_app.url)
    phone.tell(CallAnswered())  # before anything is open
    starting = phone.start()
    socket = await socket_app.connection()
    opening = await socket.next("session:new")
    status = await socket.next("call:status")
    assert status["data"]["call_status"] == "in-progress"
    await socket.ack(opening)
    await starting
    phone.tell(ENDED)
    await phone.application.close()
    last = await socket.next("call:status")
    assert (last["data"]["call_status"], last["data"]["duration"]) == ("completed", 0)
    assert await socket.code() == 1000


async def test_a_call_that_never_came_to_a_session_is_told_all_the_same(
    phones: Any, socket_app: SocketApp
) -> None:
    phone = phones(socket_app.url)
    phone.tell(ENDED)
    closing = asyncio.create_task(phone.application.close())
    socket = await socket_app.connection()
    assert (await socket.next("call:status"))["data"]["call_status"] == "completed"
    await closing
    assert await socket.code() == 1000


async def test_the_status_hook_may_be_http_under_a_socket(
    phones: Any, socket_app: SocketApp, app: WebApp
) -> None:
    phone = phones(socket_app.url, status_callback=f"{app.url}/status")
    socket, _ = await phone.open(socket_app)
    deliveries = phone.application.deliveries(CallAnswered(), apply(record(), CallAnswered(), CREATED))
    assert [delivery.url for delivery in deliveries] == [f"{app.url}/status"]
    phone.tell(ENDED)
    await phone.application.close()
    assert socket.received.empty()


async def test_the_status_hook_may_be_a_socket_under_http(
    phones: Any, socket_app: SocketApp, app: WebApp
) -> None:
    app.replies["/start"] = [SAY]
    phone = phones(f"{app.url}/start", status_callback=f"{socket_app.url}/status")
    assert (await phone.start()).at_end == HangUp(sip_status=603)
    phone.tell(CallAnswered())
    socket = await socket_app.connection()
    assert (await socket.next("call:status"))["data"]["call_status"] == "in-progress"
    phone.tell(ENDED)
    assert (await socket.next("call:status"))["data"]["call_status"] == "completed"
    await phone.application.close()
    assert await socket.code() == 1000


async def test_verb_events_are_told_where_they_are_asked_for(phones: Any, socket_app: SocketApp) -> None:
    phone = phones(socket_app.url)
    socket, document = await phone.open(
        socket_app, [{"verb": "config", "notifyEvents": True}, {**SAY, "id": "greeting"}]
    )
    phone.tell(VerbStarted(verb=document.verbs[0]))
    phone.tell(VerbEnded(verb="Say", outcome=Outcome()))
    seen = [(await socket.next("verb:status"))["data"] for _ in range(2)]
    assert [(one["event"], one["name"], one["verb"], one["id"]) for one in seen] == [
        ("starting", "say", "say", "greeting"),
        ("finished", "say", "say", "greeting"),
    ]


async def test_verb_events_are_not_told_by_default(phones: Any, socket_app: SocketApp) -> None:
    phone = phones(socket_app.url)
    socket, document = await phone.open(socket_app, [SAY])
    phone.tell(VerbStarted(verb=document.verbs[0]))
    phone.tell(Noted(note=Note(level="error", code="tts-failure", message="no voice")))
    assert (await socket.next())["type"] == "jambonz:error"


# -- the time line


def reported(messages: list[SocketMessage]) -> list[tuple[str, str, str]]:
    return [(message.kind, message.name, message.result) for message in messages]


async def test_every_message_is_reported_with_what_came_of_it(
    phones: Any, socket_app: SocketApp, services: Services, calls: MemoryCalls
) -> None:
    seen: list[SocketMessage] = []
    services.on_message = seen.append
    phone = phones(socket_app.url, QUICK)
    socket, _ = await phone.open(socket_app, [SAY])
    phone.tell(CallAnswered())
    await socket.next("call:status")
    acting = phone.act("/menu")
    await socket.next("verb:hook")
    assert (await acting).goes_on
    await socket.command("redirect", [SAY])
    await calls.next_done()
    await socket.ws.close(code=1011)
    again = await socket_app.connection()
    await again.next("session:reconnect")
    assert reported(seen) == [
        ("webhook", "session:new", "ack"),
        ("callback", "call:status", "sent"),
        ("webhook", "verb:hook /menu", "no ack to verb:hook within 1 s"),
        ("webhook", "command redirect", ""),
        ("webhook", "session:reconnect", "sent"),
    ]
    assert {(message.call_id, message.url) for message in seen} == {(str(CALL), socket_app.url)}
    assert (seen[0].answer, seen[1].data["call_status"]) == ([SAY], "in-progress")
    assert [message.elapsed_ms is not None for message in seen] == [True, False, True, False, False]


async def test_a_status_socket_that_is_not_there_is_reported(
    phones: Any, socket_app: SocketApp, app: WebApp, services: Services
) -> None:
    seen: list[SocketMessage] = []
    services.on_message = seen.append
    phone = phones(f"{app.url}/start", QUICK, status_callback="ws://127.0.0.1:9/#rc=0")
    phone.tell(CallAnswered())
    await phone.application.close()
    [(kind, name, result)] = reported(seen)
    assert (kind, name) == ("callback", "call:status")
    assert "127.0.0.1:9" in result


# -- drops


async def test_after_a_drop_the_session_is_taken_up_again(phones: Any, socket_app: SocketApp) -> None:
    phone = phones(socket_app.url)
    first, _ = await phone.open(socket_app)
    await first.ws.close(code=1011)
    second = await socket_app.connection()
    acting = phone.act("/menu")
    message = await second.next("session:reconnect")
    assert message["data"]["sip"]["method"] == "INVITE"
    assert second.received.empty()  # what else there is waits for the ack
    await second.ack(message)
    await second.ack(await second.next("verb:hook"), [SAY])
    assert len((await acting).verbs) == 1


async def test_verbs_in_the_ack_of_a_reconnect_replace(
    phones: Any, socket_app: SocketApp, calls: MemoryCalls
) -> None:
    first, _ = await phones(socket_app.url).open(socket_app)
    assert first.request.transport is not None
    first.request.transport.abort()
    second = await socket_app.connection()
    await second.ack(await second.next("session:reconnect"), [SAY])
    name, what = await calls.next_done()
    assert (name, len(what["document"].verbs)) == ("redirect", 1)


async def test_a_drop_before_the_first_ack_asks_again(phones: Any, socket_app: SocketApp) -> None:
    starting = phones(socket_app.url).start()
    first = await socket_app.connection()
    await first.next("session:new")
    await first.ws.close(code=1011)
    second = await socket_app.connection()
    await second.ack(await second.next("session:reconnect"), [SAY])
    assert len((await starting).verbs) == 1


async def test_too_many_drops_end_the_call(phones: Any, socket_app: SocketApp, calls: MemoryCalls) -> None:
    phone = phones(socket_app.url)
    socket, _ = await phone.open(socket_app)
    for _ in range(4):
        await socket.ws.close(code=1011)
        socket = await socket_app.connection()
        await socket.ack(await socket.next("session:reconnect"))
    await socket.ws.close(code=1011)
    assert await calls.next_done() == ("hang_up",)
    document = await phone.act("/menu")
    assert document.goes_on
    assert document.at_end == HangUp(sip_status=603)


async def test_a_reconnect_without_ack_is_a_drop(phones: Any, socket_app: SocketApp) -> None:
    socket, _ = await phones(socket_app.url, QUICK).open(socket_app)
    await socket.ws.close(code=1011)
    second = await socket_app.connection()
    await second.next("session:reconnect")
    third = await socket_app.connection()
    await third.ack(await third.next("session:reconnect"))
    assert await second.code() == 1001


async def test_an_application_that_closes_in_peace_lets_the_call_end(
    phones: Any, socket_app: SocketApp, calls: MemoryCalls
) -> None:
    phone = phones(socket_app.url)
    socket, _ = await phone.open(socket_app)
    asking = phone.act("/menu")
    await socket.next("verb:hook")
    await socket.ws.close(code=1000)
    assert (await asking).goes_on
    assert await calls.next_done() == ("append", (HangUp(),))
    assert socket_app.connections.empty()


async def test_a_binary_frame_closes_the_socket(phones: Any, socket_app: SocketApp) -> None:
    socket, _ = await phones(socket_app.url).open(socket_app)
    await socket.ws.send_bytes(b"\0")
    assert await socket.code() == 1003


async def test_a_message_over_24_kib_closes_the_socket(phones: Any, socket_app: SocketApp) -> None:
    socket, _ = await phones(socket_app.url).open(socket_app)
    await socket.command("tag", {"text": "x" * 24 * 1024})
    assert await socket.code() == 1009


async def test_a_call_that_ends_while_asking_leaves_nothing_behind(
    phones: Any, socket_app: SocketApp
) -> None:
    phone = phones(socket_app.url)
    starting = phone.start()
    socket = await socket_app.connection()
    await socket.next("session:new")
    starting.cancel()
    await asyncio.wait({starting})
    await phone.application.close()
    assert await socket.code() == 1000
