"""Asking a real web application on loopback: requests as they arrive, replies as they are understood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from ringback.calls.application import Action, Document, Failed, NewCall, Redirected
from ringback.calls.events import CallEnded
from ringback.calls.outcome import Outcome
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.verbs import Clip, Gather, HangUp, Hook, Note, Pause, Play, Reject, Say, Unbuilt
from ringback.dialects.callapi.settings import Settings
from ringback.dialects.callapi.webhook import CallApiApplication
from ringback.routing.directory import Account
from ringback.webhooks.deliver import Deliverer

Make = Callable[..., CallRecord]
HELLO = "<Response><Say>hello</Say></Response>"


@pytest.fixture
def speaking(services: Any, account: Account, application: Any) -> Callable[..., CallApiApplication]:
    """The dialect's side of the application, its voice URL at /voice unless told otherwise."""

    def make(**settings: Any) -> CallApiApplication:
        given = {"voice": Hook(url=f"{application.url}/voice"), **settings}
        return CallApiApplication(services, account, Settings(**given))

    return make


async def ask(speaker: CallApiApplication, call: CallRecord, what: Any = None) -> Document:
    document = await speaker.ask(what or NewCall(), call)
    assert document is not None
    assert document.application is speaker
    return document


def said(document: Document) -> list[str]:
    return [text for verb in document.verbs if isinstance(verb, Say) for text in verb.texts]


def how_it_ends(document: Document) -> tuple[int, CallStatus | None, dict[str, str]]:
    (verb,) = document.verbs
    assert isinstance(verb, HangUp)
    return verb.sip_status, verb.ended_as, dict(verb.headers)


async def test_the_first_request_by_post(speaking: Any, application: Any, record: Make) -> None:
    application.replies["/voice"] = HELLO
    speaker = speaking(voice=Hook(url=f"{application.url}/voice?menu=a%20b&x=", username="u", password="p"))
    document = await ask(speaker, record())
    (asked,) = application.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/voice", "")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    assert asked.headers["authorization"] == "Basic dTpw"
    assert asked.names == [
        "menu",
        "x",
        "CallSid",
        "InstanceId",
        "AccountSid",
        "From",
        "To",
        "CallStatus",
        "ApiVersion",
        "Direction",
        "CallerName",
        "ForwardedFrom",
        "CallTimestamp",
        "PostStatus",
    ]
    assert asked.body.startswith("menu=a+b&x=&CallSid=ID")
    assert asked.body.endswith("&PostStatus=new")
    assert said(document) == ["hello"]
    assert document.at_end == HangUp()
    assert not document.notes


async def test_the_first_request_by_get(speaking: Any, application: Any, record: Make) -> None:
    application.replies["/voice"] = HELLO
    speaker = speaking(voice=Hook(url=f"{application.url}/voice?menu=1", method="GET"))
    await ask(speaker, record(from_=""))
    (asked,) = application.asked
    assert (asked.method, asked.body) == ("GET", "")
    assert asked.query.startswith("menu=1&CallSid=ID")
    assert "&From&To=18044731212&" in asked.query  # what is unknown is a bare name


async def test_later_requests_are_callbacks_with_what_the_verb_adds(
    speaking: Any, application: Any, record: Make
) -> None:
    application.replies.update({"/voice": HELLO, "/got": HELLO, "/next": HELLO})
    speaker = speaking()
    await ask(speaker, record())
    hook = Hook(url=f"{application.url}/got")
    await ask(speaker, record(), Action(verb=Gather(action=hook), hook=hook, outcome=Outcome(digits="12")))
    await ask(speaker, record(), Redirected(hook=Hook(url=f"{application.url}/next")))
    assert [asked.path for asked in application.asked] == ["/voice", "/got", "/next"]
    assert application.asked[1].body.endswith("&PostStatus=callback&Digits=12")
    assert application.asked[2].body.endswith("&PostStatus=callback")


async def test_relative_urls_start_from_the_document_after_redirects(
    speaking: Any, application: Any, record: Make
) -> None:
    application.replies["/voice"] = web.Response(status=302, headers={"Location": "/deep/er"})
    application.replies["/deep/er"] = "<Response><Gather/><Play>a.wav</Play></Response>"
    document = await ask(speaking(), record())
    assert [asked.method for asked in application.asked] == ["POST", "POST"]
    assert application.asked[1].body == application.asked[0].body
    gather, play = document.verbs
    assert isinstance(gather, Gather)
    assert gather.action == Hook(url=f"{application.url}/deep/er")
    assert isinstance(play, Play)
    assert play.clips == (Clip(f"{application.url}/deep/a.wav"),)


async def test_a_gather_without_action_asks_the_same_url_again(
    speaking: Any, application: Any, record: Make
) -> None:
    application.replies["/voice"] = "<Response><Gather/></Response>"
    url = f"{application.url}/voice?menu=1"
    document = await ask(speaking(voice=Hook(url=url)), record())
    (gather,) = document.verbs
    assert isinstance(gather, Gather)
    assert gather.action == Hook(url=url)


@pytest.mark.parametrize("kind", ["text/xml", "application/xml", "text/html"])
async def test_types_that_are_rcml(speaking: Any, application: Any, record: Make, kind: str) -> None:
    application.replies["/voice"] = (200, kind, HELLO)
    assert said(await ask(speaking(), record())) == ["hello"]


@pytest.mark.parametrize("kind", ["audio/wav", "audio/wave", "audio/x-wav"])
async def test_audio_is_played(speaking: Any, application: Any, record: Make, kind: str) -> None:
    application.replies["/voice"] = (200, kind, "RIFF")
    (play,) = (await ask(speaking(), record())).verbs
    assert isinstance(play, Play)
    assert play.clips == (Clip(f"{application.url}/voice"),)


async def test_text_is_said(speaking: Any, application: Any, record: Make) -> None:
    application.replies["/voice"] = (200, "text/plain", " just\nthis ")
    assert said(await ask(speaking(), record())) == ["just this"]
    application.replies["/voice"] = (200, "text/plain", " ")
    assert not said(await ask(speaking(), record()))


@pytest.mark.parametrize(
    ("reply", "sip", "reason", "code"),
    [
        ((404, "text/plain", "x"), 404, "URL_Not_Found", "21402"),
        ((500, "text/plain", "x"), 500, "Application_answered_with_status_500", "11206"),
        ((403, "text/xml", HELLO), 500, "Application_answered_with_status_403", "11206"),
        ((200, "text/xml", "<Response>"), 500, "Problem_to_parse_downloaded_RCML", "12100"),
        ((200, "text/xml", ""), 500, "Problem_to_parse_downloaded_RCML", "12100"),
        ((200, "application/json", "[]"), 500, "Invalid_content_type", "12300"),
    ],
)
async def test_failures_of_the_first_request(
    speaking: Any, application: Any, record: Make, reply: Any, sip: int, reason: str, code: str
) -> None:
    application.replies["/voice"] = reply
    document = await ask(speaking(), record())
    assert how_it_ends(document) == (sip, CallStatus.FAILED, {"Reason": reason})
    assert [note.code for note in document.notes] == [code]

    # With a fallback URL the same fields go there, and its document runs.
    application.replies["/fallback"] = HELLO
    application.asked.clear()
    document = await ask(speaking(fallback=Hook(url=f"{application.url}/fallback")), record())
    assert said(document) == ["hello"]
    assert [note.code for note in document.notes] == [code]
    first, second = application.asked
    assert second.body == first.body.replace("PostStatus=new", "PostStatus=callback")


async def test_a_reply_without_a_content_type(speaking: Any, record: Make) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"PostStatus=new")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + HELLO.encode())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        document = await ask(speaking(voice=Hook(url=url)), record())
    assert how_it_ends(document)[2] == {"Reason": "Invalid_content_type"}
    assert document.notes[0].message == "Invalid content type (none)."


async def test_nobody_there(speaking: Any, record: Make, free_port: Callable[[], int]) -> None:
    document = await ask(speaking(voice=Hook(url=f"http://127.0.0.1:{free_port()}/")), record())
    assert how_it_ends(document)[2] == {"Reason": "Application_could_not_be_reached"}
    assert document.notes[0].code == "11200"


async def test_a_fallback_that_fails_too(speaking: Any, application: Any, record: Make) -> None:
    document = await ask(speaking(fallback=Hook(url=f"{application.url}/fallback")), record())
    assert how_it_ends(document)[0] == 404
    assert [note.code for note in document.notes] == ["21402", "21402"]


async def test_later_failures_do_not_fall_back(speaking: Any, application: Any, record: Make) -> None:
    application.replies["/fallback"] = HELLO
    speaker = speaking(fallback=Hook(url=f"{application.url}/fallback"))
    document = await ask(speaker, record(), Redirected(hook=Hook(url=f"{application.url}/gone")))
    assert how_it_ends(document)[:2] == (404, CallStatus.FAILED)
    # A script that REST starts is a new beginning.
    document = await ask(
        speaker, record(), Redirected(hook=Hook(url=f"{application.url}/gone"), by_control=True)
    )
    assert said(document) == ["hello"]


async def test_a_verb_that_is_not_built_falls_back_once(
    speaking: Any, application: Any, record: Make
) -> None:
    note = Note(level="error", code="13750", message="Fax is not supported.")
    failed = Failed(verb=Unbuilt(name="Fax", note=note), note=note)
    application.replies["/fallback"] = "<Response><Fax>1</Fax></Response>"
    speaker = speaking(fallback=Hook(url=f"{application.url}/fallback"))
    (fax,) = (await ask(speaker, record(), failed)).verbs
    assert isinstance(fax, Unbuilt)
    assert how_it_ends(await ask(speaker, record(), failed)) == (
        500,
        CallStatus.FAILED,
        {"Reason": "Fax_is_not_supported."},
    )


async def test_a_number_without_a_voice_url(speaking: Any, record: Make) -> None:
    assert how_it_ends(await ask(speaking(voice=None), record()))[0] == 404


@pytest.mark.parametrize(
    ("answered_by", "word"),
    [
        ("human", "person_found"),
        ("unknown", "person_found"),
        ("machine-start", "voicemail"),
        ("machine-end-beep", "voicemail"),
        ("fax", "voicemail"),
        (None, None),
    ],
)
async def test_who_answered_is_told_where_it_was_asked_for(
    speaking: Any, application: Any, record: Make, answered_by: str | None, word: str | None
) -> None:
    application.replies["/voice"] = HELLO
    call = record(direction=Direction.OUTBOUND_API, answered_by=answered_by)
    await ask(speaking(detect_voicemail=True), call)
    await ask(speaking(), call)
    wanted, unwanted = [dict(parse_qsl(asked.body)) for asked in application.asked]
    assert wanted.get("VoicemailDetector") == word
    assert "VoicemailDetector" not in unwanted


async def test_cookies_last_for_the_call(speaking: Any, application: Any, record: Make) -> None:
    hello = web.Response(body=HELLO.encode(), content_type="text/xml")
    hello.set_cookie("session", "7")
    application.replies.update({"/voice": hello, "/next": HELLO})
    speaker = speaking()
    await ask(speaker, record())
    await ask(speaker, record(), Redirected(hook=Hook(url=f"{application.url}/next")))
    assert "cookie" not in application.asked[0].headers
    assert application.asked[1].headers["cookie"] == "session=7"
    await speaker.close()


@pytest.mark.parametrize("inner", ["", "<Pause/>"])
async def test_a_document_that_answers_nothing(
    speaking: Any, application: Any, record: Make, later: Callable[[float], datetime], inner: str
) -> None:
    application.replies["/voice"] = f"<Response>{inner}</Response>"
    cause = "the document ended before the call was answered"
    refused = Reject(sip_status=500, ended_as=CallStatus.FAILED, cause=cause)
    assert (await ask(speaking(), record())).verbs[-1:] == (refused,)
    assert refused not in (await ask(speaking(), record(answered_at=later(1)))).verbs
    application.replies["/voice"] = f"<Response>{inner}<Say>hello</Say></Response>"
    assert refused not in (await ask(speaking(), record())).verbs


async def test_warnings_come_with_the_document(speaking: Any, application: Any, record: Make) -> None:
    application.replies["/voice"] = '<Response><Pause length="x"/></Response>'
    document = await ask(speaking(), record())
    assert document.verbs[0] == Pause(seconds=1.0)
    assert [note.code for note in document.notes] == ["13910"]


async def test_the_documents_own_encoding_counts(speaking: Any, application: Any, record: Make) -> None:
    document = '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>Grüße</Say></Response>'
    application.replies["/voice"] = web.Response(body=document.encode("latin-1"), content_type="text/xml")
    assert said(await ask(speaking(), record())) == ["Grüße"]


@pytest.fixture
async def deliverer(services: Any) -> AsyncIterator[Deliverer]:
    class Nowhere:
        async def pending(self) -> list[Any]:
            return []

        async def mark_delivered(self, id: str, **_: Any) -> None: ...

        async def mark_failed(self, id: str, why: str, **_: Any) -> None: ...

        async def reschedule(self, id: str, not_before: float, attempts: int, why: str) -> None: ...

    deliverer = Deliverer(services.http, Nowhere(), keys=lambda delivery: "")
    yield deliverer
    await deliverer.stop()


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_status_callback_on_the_wire(
    speaking: Any, application: Any, record: Make, deliverer: Deliverer, method: str
) -> None:
    application.replies["/status"] = (200, "text/plain", "ignored")
    speaker = speaking(status=Hook(url=f"{application.url}/status?a=1", method=method))
    event = CallEnded(
        status=CallStatus.COMPLETED, cause="x", by=EndedBy.REMOTE, sip_status=200, sip_reason="OK"
    )
    deliverer.offer(speaker.deliveries(event, record(status=CallStatus.COMPLETED)))
    assert await deliverer.drain(5.0) == 0
    (asked,) = application.asked
    assert asked.method == method
    sent = asked.body if method == "POST" else asked.query
    assert sent.startswith("a=1&CallSid=ID")
    assert "&CallStatus=completed&" in sent
    assert "&PostStatus=callback&CallDuration=0&Timestamp=" in sent
    assert sent.endswith("&CallbackSource=call-progress-events&SequenceNumber=1")
