"""The sample application, asked over HTTP and WebSocket as each service asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.patience import PATIENCE

from ringback.calls.verbs import Gather, HangUp, Hook, Say
from ringback.dialects.callapi.markup import parse as parse_rcml
from ringback.dialects.callapi.place import Place
from ringback.dialects.jambonz.markup import parse_json
from ringback.dialects.jambonz.session import session_for
from ringback.dialects.laml.markup import read_markup
from ringback.dialects.laml.profiles import SIGNALWIRE, TWILIO
from ringback.routing.directory import Speech
from ringback.testing.sample_app import GREETING, STATUSES, serving


class Sample:
    """The running application and a client for it."""

    def __init__(self, app: Any, url: str, http: aiohttp.ClientSession) -> None:
        self.app = app
        self.url = url
        self.http = http

    async def ask(self, path: str, **body: Any) -> bytes:
        async with self.http.post(self.url + path, **body) as reply:
            assert reply.status in (200, 204)
            return await reply.read()


@pytest.fixture
async def sample() -> AsyncIterator[Sample]:
    async with serving() as (app, url), aiohttp.ClientSession() as http:
        yield Sample(app, url, http)


def check(verbs: Any, *, action: str) -> None:
    """A question that keys interrupt, wherever it came from."""
    gather = verbs[0]
    assert isinstance(gather, Gather)
    assert gather.action == Hook(url=action)
    assert (gather.max_digits, gather.first_digit_timeout, gather.barge_in) == (2, 5.0, True)
    (say,) = gather.prompts
    assert isinstance(say, Say)
    assert say.texts == (GREETING,)


def check_answer(verbs: Any, words: str) -> None:
    say, end = verbs
    assert isinstance(say, Say)
    assert say.texts == (words,)
    assert isinstance(end, HangUp)


@pytest.mark.parametrize("path", ["/laml/voice", "/laml"])
@pytest.mark.parametrize("profile", [SIGNALWIRE, TWILIO])
async def test_laml(sample: Sample, path: str, profile: Any) -> None:
    markup = read_markup(await sample.ask(path), profile, base=sample.url + path)
    assert not markup.notes
    check(markup.verbs, action=f"{sample.url}/laml/digits")
    answer = await sample.ask("/laml/digits", data={"Digits": "42"})
    markup = read_markup(answer, profile, base=sample.url)
    assert not markup.notes
    check_answer(markup.verbs, "You entered 4, 2. Goodbye.")


@pytest.mark.parametrize("path", ["/callapi/voice", "/callapi"])
async def test_callapi(sample: Sample, path: str) -> None:
    place = Place(Hook(url=sample.url + path))
    markup = parse_rcml(await sample.ask(path), place)
    assert not markup.notes
    check(markup.verbs, action=f"{sample.url}/callapi/digits")
    markup = parse_rcml(await sample.ask("/callapi/digits", data={"Digits": "42"}), place)
    assert not markup.notes
    check_answer(markup.verbs, "You entered 4, 2. Goodbye.")


@pytest.mark.parametrize("path", ["/jambonz/hook", "/jambonz"])
async def test_jambonz(sample: Sample, path: str) -> None:
    session = session_for(Speech(), sample.url + path)
    parsed = parse_json(await sample.ask(path, json={"direction": "inbound"}), session)
    check(parsed.verbs, action=f"{sample.url}/jambonz/digits")
    answer = await sample.ask("/jambonz/digits", json={"digits": "42", "reason": "dtmfDetected"})
    check_answer(parse_json(answer, session).verbs, "You entered 4, 2. Goodbye.")
    answer = await sample.ask("/jambonz/digits", json={"reason": "timeout"})
    check_answer(parse_json(answer, session).verbs, "I did not hear any digits. Goodbye.")


async def test_jambonz_over_a_socket(sample: Sample) -> None:
    async with sample.http.ws_connect(f"{sample.url}/jambonz/ws", protocols=("ws.jambonz.org",)) as socket:
        assert socket.protocol == "ws.jambonz.org"

        async def ask(kind: str, msgid: str, data: dict[str, Any]) -> Any:
            await socket.send_json({"type": kind, "msgid": msgid, "data": data})
            reply = await socket.receive_json(timeout=PATIENCE)
            assert (reply["type"], reply["msgid"]) == ("ack", msgid)
            return reply["data"]

        (gather,) = await ask("session:new", "a", {"direction": "inbound"})
        assert gather["actionHook"] == "/jambonz/digits"
        await socket.send_json({"type": "verb:status", "msgid": "x", "data": {}})
        await socket.send_json({"type": "call:status", "msgid": "b", "data": {"call_status": "in-progress"}})
        say, end = await ask("verb:hook", "c", {"digits": "42"})
        assert say["text"] == "You entered 4, 2. Goodbye."
        assert end == {"verb": "hangup"}
    assert sample.app[STATUSES] == [("jambonz", {"call_status": "in-progress"})]


async def test_status_callbacks_are_kept(sample: Sample) -> None:
    await sample.ask("/status/laml", data={"CallStatus": "completed"})
    await sample.ask("/status/jambonz", json={"call_status": "completed"})
    async with sample.http.get(f"{sample.url}/status/callapi?CallStatus=busy") as reply:
        assert reply.status == 204
    async with sample.http.post(f"{sample.url}/status/other") as reply:
        assert reply.status == 404
    assert sample.app[STATUSES] == [
        ("laml", {"CallStatus": "completed"}),
        ("jambonz", {"call_status": "completed"}),
        ("callapi", {"CallStatus": "busy"}),
    ]
