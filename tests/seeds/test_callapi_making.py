"""CallAPI, "Making Calls": every parameter with its default, the events, and what each callback carries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from tests.world import HANG_UP, WAIT, World, uri_of

from ringback.testing.kit import Asked
from ringback.testing.softphone import PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = ("initiated", "ringing", "answered", "completed")
WORDS = {"initiated": "initiated", "ringing": "ringing", "answered": "in-progress", "completed": "completed"}


class Made:
    """A call that was placed, and what the application was asked and told about it."""

    def __init__(self, sid: str, asked: list[Asked]) -> None:
        self.sid = sid
        self._asked = asked

    def at(self, path: str) -> list[Asked]:
        """The requests to a path, in order."""
        return [asked for asked in self._asked if asked.path == path and asked.fields["CallSid"] == self.sid]


async def make(world: World, far_end: Any = None, **parameters: str) -> Made:
    """Place a call; the far end answers it unless told otherwise; wait until all is over."""
    rest = world.rest("callapi")
    world.app.reply("/url", HANG_UP["callapi"])
    world.app.reply("/fallback", HANG_UP["callapi"])
    async with Softphone("callee", server=world.server.sip_address) as phone:
        form = {"From": "8044735555", "To": uri_of(phone), "Url": f"{world.app.url}/url", **parameters}
        reply = await rest.request("POST", rest.calls, data=form)
        assert reply.status == 200, reply
        call = await phone.incoming()
        call.ring()
        (far_end or PhoneCall.answer)(call)
        await call.ended()
        await world.server.settled()
    return Made(reply.json["sid"], world.app.asked)


# -- operations


async def test_post_makes_a_call_and_returns_it_and_get_lists_it(world: World) -> None:
    rest = world.rest("callapi")
    async with Softphone("callee", server=world.server.sip_address) as phone:
        form = {"From": "8044735555", "To": uri_of(phone), "Url": f"{world.app.url}/url"}
        created = await rest.request("POST", rest.calls, data=form)
        assert created.status == 200
        assert created.headers["content-type"] == "application/json"
        shown = created.json
        assert (shown["status"], shown["direction"]) == ("queued", "outbound-api")
        assert (shown["from"], shown["to"]) == ("8044735555", "callee")
        (await phone.incoming()).reject()
        await world.server.settled()
    listed = await rest.get(rest.calls)
    (found,) = [call for call in listed["calls"] if call["sid"] == shown["sid"]]
    assert found.keys() >= shown.keys()
    assert found["status"] == "busy"


# -- parameters


@pytest.mark.parametrize("name", ["From", "To", "Url"])
@pytest.mark.parametrize("given", [None, "", "  "])
async def test_required_parameters(world: World, name: str, given: str | None) -> None:
    rest = world.rest("callapi")
    form = {"From": "8044735555", "To": "sip:callee@127.0.0.1:9", "Url": f"{world.app.url}/url"}
    del form[name]
    if given is not None:
        form[name] = given
    reply = await rest.request("POST", rest.calls, data=form)
    assert (reply.status, reply.text) == (400, f"{name} can not be null.")


@pytest.mark.parametrize(("given", "method"), [({}, "POST"), ({"Method": "GET"}, "GET")], ids=str)
async def test_url_and_method(world: World, given: dict[str, str], method: str) -> None:
    made = await make(world, **given)
    assert [asked.method for asked in made.at("/url")] == [method]


@pytest.mark.parametrize(("given", "method"), [({}, "POST"), ({"FallbackMethod": "GET"}, "GET")], ids=str)
async def test_fallback_url_and_method(world: World, given: dict[str, str], method: str) -> None:
    """Asked when Url fails, whose path nobody answers here."""
    base = world.app.url
    made = await make(world, Url=f"{base}/nobody", FallbackUrl=f"{base}/fallback", **given)
    assert [asked.method for asked in made.at("/nobody")] == ["POST"]
    assert [asked.method for asked in made.at("/fallback")] == [method]
    assert (await world.record(made.sid)).status == "completed"


@pytest.mark.parametrize(
    ("given", "method"), [({}, "POST"), ({"StatusCallbackMethod": "GET"}, "GET")], ids=str
)
async def test_status_callback_and_method(world: World, given: dict[str, str], method: str) -> None:
    made = await make(world, StatusCallback=f"{world.app.url}/status", **given)
    assert [asked.method for asked in made.at("/status")] == [method]


async def test_no_status_callback_by_default(world: World) -> None:
    made = await make(world, StatusCallbackEvent=",".join(EVENTS))
    assert made.at("/status") == []


async def test_timeout(world: World) -> None:
    made = await make(world, lambda call: None, Timeout="1", StatusCallback=f"{world.app.url}/status")
    (told,) = made.at("/status")
    assert told.fields["CallStatus"] == "no-answer"


async def test_sixty_seconds_by_default(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    create = world.server.switchboard.create

    async def watched(request: Any) -> Any:
        asked.append(request.ring_timeout)
        return await create(request)

    monkeypatch.setattr(world.server.switchboard, "create", watched)
    await make(world)
    assert asked == [60.0]


@pytest.mark.parametrize(
    "bad",
    [
        {"Method": "PUT"},
        {"FallbackMethod": "FETCH"},
        {"StatusCallbackMethod": "x"},
        {"StatusCallbackEvent": "initiated,finished"},
        {"Timeout": "soon"},
        {"Timeout": "0"},
        {"Url": "/relative"},
        {"StatusCallback": "ftp://example.com/"},
        {"FallbackUrl": "not a url"},
    ],
    ids=str,
)
async def test_wrong_values(world: World, bad: dict[str, str]) -> None:
    rest = world.rest("callapi")
    form = {"From": "8044735555", "To": "sip:callee@127.0.0.1:9", "Url": f"{world.app.url}/url", **bad}
    reply = await rest.request("POST", rest.calls, data=form)
    assert reply.status == 400
    assert next(iter(bad)) in reply.text or next(iter(bad.values())).split(",")[-1] in reply.text


# -- StatusCallbackEvent


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (None, ["completed"]),
        ("", ["completed"]),
        ("initiated", ["initiated"]),
        ("ringing", ["ringing"]),
        ("answered", ["answered"]),
        ("completed", ["completed"]),
        ("initiated,ringing,answered,completed", list(EVENTS)),
        ("completed,answered,ringing,initiated", list(EVENTS)),
        ("initiated, completed", ["initiated", "completed"]),
        ("initiated completed", ["initiated", "completed"]),
        ("ringing,ringing", ["ringing"]),
    ],
)
async def test_subscriptions(world: World, events: str | None, told: list[str]) -> None:
    """Comma separated; `completed` when none is named. Numbers count what happened, told or not."""
    given = {} if events is None else {"StatusCallbackEvent": events}
    made = await make(world, StatusCallback=f"{world.app.url}/status", **given)
    callbacks = made.at("/status")
    assert [asked.fields["CallStatus"] for asked in callbacks] == [WORDS[event] for event in told]
    assert [asked.fields["SequenceNumber"] for asked in callbacks] == [str(EVENTS.index(e)) for e in told]
    for asked in callbacks:
        assert asked.fields["CallbackSource"] == "call-progress-events"
        assert ("CallDuration" in asked.fields) is (asked.fields["CallStatus"] == "completed")
        check_timestamp(asked)


def check_timestamp(asked: Asked) -> None:
    """RFC 2822, UTC, now."""
    text = asked.fields["Timestamp"]
    assert text.endswith("+0000")
    assert abs(datetime.now(UTC) - parsedate_to_datetime(text)) < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("sip_status", "status"),
    [(486, "busy"), (600, "busy"), (404, "failed"), (503, "failed"), (480, "failed")],
)
async def test_completed_is_fired_however_the_call_ends(world: World, sip_status: int, status: str) -> None:
    """A busy call counts 0, 1, 2, and its end has a duration too."""
    made = await make(
        world,
        lambda call: call.reject(sip_status),
        StatusCallback=f"{world.app.url}/status",
        StatusCallbackEvent="initiated,ringing,answered,completed",
    )
    callbacks = made.at("/status")
    assert [asked.fields["CallStatus"] for asked in callbacks] == ["initiated", "ringing", status]
    assert [asked.fields["SequenceNumber"] for asked in callbacks] == ["0", "1", "2"]
    assert [asked.fields.get("CallDuration") for asked in callbacks] == [None, None, "0"]


async def test_callbacks_carry_all_parameters_of_a_voice_request(world: World) -> None:
    made = await make(world, StatusCallback=f"{world.app.url}/status")
    (voice,), (told,) = made.at("/url"), made.at("/status")
    assert voice.fields.keys() <= told.fields.keys()
    assert told.fields["PostStatus"] == "callback"


# -- a live call


async def test_a_live_call_is_redirected_and_terminated(world: World) -> None:
    rest = world.rest("callapi")
    world.app.reply("/url", WAIT["callapi"])
    world.app.reply("/elsewhere", WAIT["callapi"])
    async with Softphone("callee", server=world.server.sip_address) as phone:
        sid = await rest.place(uri_of(phone), f"{world.app.url}/url")
        call = await phone.incoming()
        call.answer()
        await world.told("/url", CallSid=sid)
        moved = await rest.request("POST", rest.call(sid), data={"Url": f"{world.app.url}/elsewhere"})
        assert (moved.status, moved.json["sid"]) == (200, sid)
        await world.told("/elsewhere", CallSid=sid)
        over = await rest.request("POST", rest.call(sid), data={"Status": "completed"})
        assert over.status == 200
        assert await call.ended() == "remote"
        await world.server.settled()
    assert (await world.record(sid)).status == "completed"
