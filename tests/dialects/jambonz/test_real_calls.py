"""Two telephones and an application, in the whole server: screened, whispered to, parted, recorded."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import pytest_asyncio
import soundfile
from aiohttp import web
from tests.dialects.jambonz.webapps import Socket, SocketApp
from tests.patience import PATIENCE
from tests.server.neutral import hears_tone, talk, tone
from tests.server.site import serve_tone
from tests.world import World, uri_of, with_socket

from ringback.testing.softphone import PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOCKET_NUMBER = "+14159990001"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sockets() -> AsyncIterator[SocketApp]:
    found = SocketApp()
    application = web.Application()
    application.router.add_get("/{path:.*}", found.accept)
    runner = web.AppRunner(application, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(sockets: SocketApp, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    data: Path = tmp_path_factory.mktemp("world") / "data"
    async with World.running(data, with_socket(f"{sockets.url}/ivr", SOCKET_NUMBER)) as running:
        yield running
        await running.server.settled()


class Two(NamedTuple):
    """A caller and a callee who hear each other, and the caller's call."""

    caller: PhoneCall
    callee: PhoneCall
    sid: str

    def hang_up(self) -> None:
        self.caller.hang_up()
        self.callee.hang_up()


def dial(phone: Softphone, **properties: Any) -> dict[str, Any]:
    target = [{"type": "sip", "sipUri": uri_of(phone)}]
    return {"verb": "dial", "target": target, "answerOnBridge": True, **properties}


@asynccontextmanager
async def connected(world: World, *after: dict[str, Any], **properties: Any) -> AsyncIterator[Two]:
    """Two who talk, by an application over HTTP."""
    bob = Softphone("bob", server=world.server.sip_address)
    async with world.server.phone() as phone, bob:
        number = world.number("jambonz", [dial(bob, **properties), *after])
        call = await phone.call(number)
        callee = await bob.incoming()
        callee.answer()
        await call.answered()
        record = await world.record(call)
        two = Two(call, callee, str(record.id))
        await talk(call, callee)
        yield two
        two.hang_up()
    await world.server.settled()


async def put(world: World, sid: str, **body: Any) -> None:
    rest = world.rest("jambonz")
    reply = await rest.request("PUT", rest.call(sid), json=body)
    assert (reply.status, reply.text) == (202, "Accepted")


def sound(world: World, hertz: float, seconds: float = 1.0) -> str:
    return serve_tone(world.app, f"/{hertz:g}-{seconds:g}.wav", seconds, hertz)


# -- over HTTP and REST


async def test_a_whisper_is_heard_by_one_of_them(world: World) -> None:
    async with connected(world) as two:
        await put(world, two.sid, whisper={"verb": "play", "url": sound(world, 1300.0, 3.0)})
        await hears_tone(two.caller, 1300.0)
        await talk(two.caller, two.callee)


async def test_the_callee_is_given_an_application_of_its_own(world: World) -> None:
    world.app.reply("/child", [{"verb": "play", "url": sound(world, 1300.0), "loop": "forever"}])
    after = {"verb": "play", "url": sound(world, 1700.0), "loop": "forever"}
    async with connected(world, after) as two:
        await put(world, two.sid, child_call_hook="/child")
        await asyncio.gather(hears_tone(two.callee, 1300.0), hears_tone(two.caller, 1700.0))
        asked = await world.told("/child")
        assert asked.fields["parent_call_sid"] == two.sid
        two.caller.hang_up()
        await two.caller.ended()
        leg = await world.record(asked.fields["call_sid"])
        assert leg.ended_at is None  # it goes on alone


async def test_both_are_given_applications(world: World) -> None:
    world.app.reply("/child", [{"verb": "play", "url": sound(world, 1300.0), "loop": "forever"}])
    world.app.reply("/parent", [{"verb": "play", "url": sound(world, 1700.0), "loop": "forever"}])
    async with connected(world, actionHook="/both-done") as two:
        await put(world, two.sid, call_hook="/parent", child_call_hook="/child")
        await asyncio.gather(hears_tone(two.callee, 1300.0), hears_tone(two.caller, 1700.0))
    assert not world.requests("/both-done")


async def test_a_recording_is_made_listed_fetched_and_deleted(world: World) -> None:
    rest = world.rest("jambonz")
    async with connected(world) as two:
        await put(world, two.sid, record={"action": "startCallRecording", "type": "cloud"})
        two.caller.audio.say(tone(440.0, 1.5))
        two.callee.audio.say(tone(900.0, 1.5))
        await asyncio.gather(two.callee.silence(timeout=20.0), two.caller.silence(timeout=20.0))
        await put(world, two.sid, record={"action": "stopCallRecording"})
        two.caller.hang_up()
        assert await two.callee.ended() == "remote"
    page = await rest.get(f"{rest.base}/RecentCalls", page="1", count="25", filter=two.sid)
    (row,) = page["data"]
    assert (page["total"], row["answered"], row["termination_reason"]) == (1, True, "caller hungup")
    audio = f"/v1{row['recording_url']}"
    assert audio.endswith("/mp3")
    samples, rate = await _audio(world, audio.removesuffix("mp3") + "wav")
    assert rate == 8000
    assert [_loudest(samples[:, channel], rate) for channel in (0, 1)] == [
        pytest.approx(440.0, abs=15),
        pytest.approx(900.0, abs=15),
    ]
    whole = await _bytes(world, audio)
    assert (whole[0], len(whole[1]) > 1000) == (200, True)
    part = await _bytes(world, audio, Range="bytes=100-199")
    assert part == (206, whole[1][100:200])
    children = await rest.get(f"{rest.base}/RecentCalls", page="1", count="25", direction="outbound")
    leg = next(each for each in children["data"] if each.get("sip_parent_callid") == row["sip_callid"])
    assert (leg["termination_reason"], leg["direction"]) == ("caller hungup", "outbound")
    assert (await rest.request("DELETE", audio)).status == 204
    assert (await rest.request("GET", audio)).status == 404
    page = await rest.get(f"{rest.base}/RecentCalls", page="1", count="25", filter=two.sid)
    assert "recording_url" not in page["data"][0]


async def _bytes(world: World, path: str, **headers: str) -> tuple[int, bytes]:
    credentials = {"Authorization": world.rest("jambonz").credentials}
    async with world.http.get(f"{world.server.http_url}{path}", headers={**credentials, **headers}) as reply:
        return reply.status, await reply.read()


async def _audio(world: World, path: str) -> tuple[np.ndarray[Any, Any], int]:
    status, data = await _bytes(world, path)
    assert status == 200
    samples, rate = soundfile.read(io.BytesIO(data), always_2d=True)
    return samples, rate


def _loudest(samples: np.ndarray[Any, Any], rate: int) -> float:
    """The frequency that there is most of."""
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * rate / len(samples))


# -- over a WebSocket


@asynccontextmanager
async def on_socket(
    world: World, sockets: SocketApp, bob: Softphone, *verbs: dict[str, Any]
) -> AsyncIterator[tuple[PhoneCall, Socket, str]]:
    """A caller whose application dials bob; the caller's call, the application's socket, the SID."""
    async with world.server.phone() as phone:
        call = await phone.call(SOCKET_NUMBER)
        socket = await sockets.connection()
        message = await socket.next("session:new")
        await socket.ack(message, list(verbs))
        yield call, socket, message["call_sid"]
        call.hang_up()
    await world.server.settled()


async def until(socket: Socket, kind: str, **data: Any) -> dict[str, Any]:
    """The next message of a type, with these in its data; others wait for their turn."""
    others: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        while True:
            message = await socket.received.get()
            if message["type"] == kind and data.items() <= message["data"].items():
                break
            others.append(message)
    for other in others:
        socket.received.put_nowait(other)
    return message


async def test_a_callee_is_asked_and_changed_over_the_callers_socket(
    world: World, sockets: SocketApp
) -> None:
    bob = Softphone("bob", server=world.server.sip_address)
    async with bob:
        verb = dial(bob, confirmHook="/confirm", actionHook="/done")
        async with on_socket(world, sockets, bob, verb) as (call, socket, sid):
            callee = await bob.incoming()
            callee.answer()
            confirm = await until(socket, "dial:confirm")
            child = confirm["data"]["call_sid"]
            assert (confirm["hook"], confirm["data"]["parent_call_sid"]) == ("/confirm", sid)
            gather = {"verb": "gather", "numDigits": 1, "actionHook": "/pressed"}
            await socket.ack(confirm, [{**gather, "play": {"url": sound(world, 1100.0, 2.0)}}])
            await hears_tone(callee, 1100.0)
            await callee.press("1")
            pressed = await until(socket, "verb:hook", digits="1")
            assert (pressed["hook"], pressed["data"]["call_sid"]) == ("/pressed", child)
            await socket.ack(pressed, [])
            await call.answered()
            await talk(call, callee)

            await socket.command("whisper", {"verb": "play", "url": sound(world, 1300.0, 3.0)}, callSid=child)
            await hears_tone(callee, 1300.0)

            late = [{"verb": "play", "url": sound(world, 1500.0)}]
            await socket.command("redirect", late, callSid=child, queueCommand=True)
            refused = await until(socket, "jambonz:error", command="redirect")
            assert refused["data"]["msg"].endswith("runs no verbs that others could come after")

            await socket.command("redirect", {"child_call_hook": "/child"})
            # The dial is over as soon as its callee leaves, which is when that one is asked about.
            done = await until(socket, "verb:hook", dial_call_sid=child)
            assert (done["hook"], done["data"]["dial_call_status"]) == ("/done", "completed")
            await socket.ack(done, [])
            moved = await until(socket, "session:redirect")
            assert (moved["hook"], moved["data"]["call_sid"]) == ("/child", child)
            await socket.ack(moved, [{"verb": "play", "url": sound(world, 1700.0), "loop": "forever"}])
            own = await sockets.connection()
            adult = await own.next("session:adulting")
            assert adult["call_sid"] == child
            await own.ack(adult)
            await hears_tone(callee, 1700.0)
            call.hang_up()
            await until(socket, "call:status", call_status="completed", call_sid=sid)
            await own.command("call:status", {"call_status": "completed"})
            assert await callee.ended() == "remote"
            await until(own, "call:status", call_status="completed", call_sid=child)


async def test_a_callee_who_is_not_there_at_the_end_of_the_screening(
    world: World, sockets: SocketApp
) -> None:
    bob = Softphone("bob", server=world.server.sip_address)
    async with bob:
        verb = dial(bob, confirmHook="/confirm", actionHook="/done")
        async with on_socket(world, sockets, bob, verb) as (call, socket, _):
            callee = await bob.incoming()
            callee.answer()
            await socket.ack(await until(socket, "dial:confirm"), [{"verb": "hangup"}])
            assert await callee.ended() == "remote"
            done = await until(socket, "verb:hook")
            assert done["hook"] == "/done"
            assert done["data"]["dial_call_status"] == "completed"  # it was answered, and hung up
            await socket.ack(done, [{"verb": "sip:decline", "status": 486}])
            assert await call.ended() == "failed"


async def test_a_transfer_by_command_that_comes_back(world: World, sockets: SocketApp) -> None:
    """The caller hears what the socket answers while it is parked, and waits for commands afterwards."""
    bob = Softphone("bob", server=world.server.sip_address)
    async with bob:
        wait = {"verb": "gather", "timeout": 60}
        async with on_socket(world, sockets, bob, {"verb": "answer"}, wait) as (call, socket, sid):
            await call.answered()
            await socket.command(
                "transfer",
                {
                    "mode": "warm",
                    "target": [{"type": "sip", "sipUri": uri_of(bob)}],
                    "brief": {"text": "Hello."},
                    "onHoldHook": "/hold",
                    "actionHook": "/transferred",
                    "eventHook": "/going",
                },
            )
            hold = await until(socket, "verb:hook", call_sid=sid)
            assert hold["hook"] == "/hold"
            await socket.ack(hold, [{"verb": "play", "url": sound(world, 1700.0, 60.0)}])
            await hears_tone(call, 1700.0)
            rung = await bob.incoming()
            rung.ring()
            assert (await until(socket, "verb:hook", call_status=180))["hook"] == "/going"
            rung.reject(486)
            done = await until(socket, "verb:hook", transfer_result="returned")
            assert (done["hook"], done["data"]["transfer_reason"]) == ("/transferred", "busy")
            await socket.ack(done, [])
            await socket.command("redirect", [{"verb": "play", "url": sound(world, 1300.0), "loop": 0}])
            await hears_tone(call, 1300.0)


async def test_a_transfer_that_cannot_be_done_is_an_error_on_the_socket(
    world: World, sockets: SocketApp
) -> None:
    bob = Softphone("bob", server=world.server.sip_address)
    async with bob, on_socket(world, sockets, bob, {"verb": "answer"}) as (call, socket, _):
        await call.answered()
        target = [{"type": "sip", "sipUri": uri_of(bob)}]
        confirm = {"prompt": "Press 1", "digit": "1"}
        await socket.command("transfer", {"mode": "blind", "target": target, "confirm": confirm})
        error = await until(socket, "jambonz:error")
        assert error["data"]["msg"] == "transfer: not supported: confirm with blindMethod refer"
