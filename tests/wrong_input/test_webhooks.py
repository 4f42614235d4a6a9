"""Applications that are down, slow, endless or broken: the call ends as its service has it, others go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.patience import PATIENCE
from tests.world import FLAVOURS, HANG_UP, WAIT, XML, World, uri_of
from tests.wrong_input.failures import Outcome, outcomes, reply, spoken_to

from ringback.testing.kit import Answer, Asked, Reply
from ringback.testing.softphone import PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUSES: dict[str, Answer] = {
    "500": reply(b"no", status=500),
    "503": reply(b"no", status=503, **{"Retry-After": "1"}),
    "403": reply(b"no", status=403),
    "404": reply(b"no", status=404),
    "204": reply(status=204),
    "empty": reply(),
    "redirect without a place": reply(status=302),
    "redirect to the metadata service": reply(status=302, Location="http://169.254.169.254/"),
    "redirect to a file": reply(status=302, Location="file:///etc/passwd"),
    "redirects in a loop": reply(status=307, Location="/loop"),
}

FAILED = "failed"
SIGNALWIRE = {
    **dict.fromkeys(STATUSES, Outcome(500, FAILED, "11217")),
    "204": Outcome(500, FAILED, "11770"),
    "empty": Outcome(500, FAILED, "11770"),
    "redirect to the metadata service": Outcome(500, FAILED, "11200"),
    "redirect to a file": Outcome(500, FAILED, "11251"),
    "redirects in a loop": Outcome(500, FAILED, "11215"),
}
EXPECTED = {
    "signalwire": SIGNALWIRE,
    "twilio": {
        **{
            name: Outcome(500, FAILED, "11200" if outcome.code == "11217" else outcome.code)
            for name, outcome in SIGNALWIRE.items()
        },
        "redirect to a file": Outcome(500, FAILED, "11206"),
    },
    "jambonz": {
        **dict.fromkeys(STATUSES, Outcome(480, FAILED, "webhook-failure")),
        "204": Outcome(480, FAILED, "invalid-app-payload"),
        "empty": Outcome(480, FAILED, "invalid-app-payload"),
    },
    "callapi": {
        **dict.fromkeys(STATUSES, Outcome(500, FAILED, "11206")),
        "404": Outcome(404, FAILED, "21402"),
        "204": Outcome(500, FAILED, "12100"),
        "empty": Outcome(500, FAILED, "12100"),
        "redirect to the metadata service": Outcome(500, FAILED, "11200"),
        "redirect to a file": Outcome(500, FAILED, "11200"),
        "redirects in a loop": Outcome(500, FAILED, "11206"),
    },
}


class Slow:
    """Ways not to come to an end."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def silent(self, _: Asked) -> Reply:
        """Never answer."""
        await self.over.wait()
        return "<Response/>"


def stream(kind: str, piece: bytes, pause: float) -> Callable[[Asked], web.StreamResponse]:
    """Send pieces for ever."""

    class Endless(web.StreamResponse):
        async def write_eof(self, data: bytes = b"") -> None:
            while True:
                await self.write(piece)
                await asyncio.sleep(pause)

    return lambda _: Endless(headers={"Content-Type": kind})


TOO_SLOW = {
    "signalwire": Outcome(500, FAILED, "11200"),
    "twilio": Outcome(500, FAILED, "11200"),
    "jambonz": Outcome(480, FAILED, "webhook-connection-failure"),
    "callapi": Outcome(500, FAILED, "11205"),
}
TOO_LARGE = {
    "signalwire": Outcome(500, FAILED, "11750"),
    "twilio": Outcome(500, FAILED, "11200"),  # its limit is audio's, and a second is over before that
    "jambonz": Outcome(480, FAILED, "webhook-connection-failure"),
    "callapi": Outcome(500, FAILED, "11200"),
}


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_replies_that_are_no_documents(world: World, flavour: str) -> None:
    """Refusals and redirects; and, under short time-outs: silence, a drip, megabytes for ever."""
    kind = "application/json" if flavour == "jambonz" else "text/xml"
    world.app.reply("/loop", reply(status=307, Location="/loop"))
    slow = Slow()
    endless: dict[str, Answer] = {
        "silence": slow.silent,
        "a drip": stream(kind, b" ", 0.2),
        "three megabytes a second": stream(kind, b" " * 300_000, 0.1),
    }
    began = time.monotonic()
    cut_off = await outcomes(world, flavour, endless, kind="-hasty")
    assert time.monotonic() - began < 15.0  # with Twilio's apology spoken
    slow.over.set()
    assert await outcomes(world, flavour, STATUSES) == EXPECTED[flavour]
    assert cut_off == {
        "silence": TOO_SLOW[flavour],
        "a drip": TOO_SLOW[flavour],
        "three megabytes a second": TOO_LARGE[flavour],
    }
    await world.works(flavour)


# -- nobody there, or nobody who speaks HTTP


@asynccontextmanager
async def listener(greeting: bytes | None) -> AsyncIterator[str]:
    """A port where someone says this and hangs up (None: hangs up at once)."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if greeting is not None:
            await reader.read(100)
            writer.write(greeting)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


DOWN_CODES = {
    "signalwire": ("11205", "11210", "11220", "11251", "11205"),
    "twilio": ("11205", "11210", "11220", "11206", "11205"),
    "jambonz": ("webhook-connection-failure",) * 5,
    "callapi": ("11200",) * 5,
}


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_nobody_answers(world: World, flavour: str, free_port: Callable[..., int]) -> None:
    """To a call that was answered: refused, unknown host, no TLS, no HTTP, cut off. It is hung up."""
    async with listener(b"220 mail.example.com ESMTP\r\n\r\n") as mail, listener(None) as mute:
        urls = (
            f"http://127.0.0.1:{free_port()}/",
            "http://no-such-host.invalid/",
            f"{world.app.url.replace('http:', 'https:')}/",
            f"http://{mail}/",
            f"http://{mute}/",
        )
        ended = await asyncio.gather(*(_placed(world, flavour, f"{url}#rc=0") for url in urls))
    for url, code, outcome in zip(urls, DOWN_CODES[flavour], ended, strict=True):
        # A LaML call that was answered is completed, whatever its application did.
        status = "completed" if flavour in ("signalwire", "twilio") else FAILED
        assert outcome == Outcome(200, status, code), url
    await world.works(flavour)


async def _placed(world: World, flavour: str, url: str) -> Outcome:
    async with Softphone("callee", server=world.server.sip_address) as phone:
        sid = await world.rest(flavour).place(uri_of(phone), url)
        call = await phone.incoming()
        call.answer()
        if flavour == "twilio":
            await spoken_to(call)
            call.hang_up()
        assert await call.ended() in ("remote", "local")
        await world.server.settled()
    record = await world.record(sid)
    notes = [note for note in await world.notes(record.id) if note.level != "info"]
    return Outcome(record.sip_status, str(record.status), notes[-1].code)


@pytest.mark.parametrize("flavour", XML)
async def test_a_document_that_leads_to_itself_ends_with_the_caller(world: World, flavour: str) -> None:
    world.app.reply("/round", "<Response><Pause length='0'/><Redirect>/round</Redirect></Response>")
    number = world.number(flavour, "<Response><Say>a</Say><Redirect>/round</Redirect></Response>")
    async with world.server.phone() as phone:
        call = await phone.call(number)
        await call.answered()
        for _ in range(5):
            await world.app.request("/round")
        await world.works(flavour)
        call.hang_up()
        await world.server.settled()
    assert (await world.record(call)).status == "completed"


# -- callbacks


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_dead_callbacks_do_not_hold_up_others(world: World, flavour: str) -> None:
    """Forty calls report to a URL that never answers; the callbacks of the next call come at once."""
    slow = Slow()
    world.app.reply("/hole", slow.silent)
    async with Softphone("callee", server=world.server.sip_address) as phone:
        rest = world.rest(flavour)
        url = f"{world.app.url}/never"
        await asyncio.gather(*(rest.place(uri_of(phone), url, f"{world.app.url}/hole") for _ in range(40)))
        for _ in range(40):
            (await phone.incoming()).reject(404)
        await world.server.switchboard.idle()
        assert world.server.deliverer.queued >= 40
        sid = await rest.place(uri_of(phone), url, f"{world.app.url}/status/prompt")
        (await phone.incoming()).reject(404)
        name, field = ("call_sid", "call_status") if flavour == "jambonz" else ("CallSid", "CallStatus")
        await world.told("/status/prompt", **{name: sid, field: "failed"})
        assert world.server.deliverer.queued >= 40, "all the others are still waited for"
        slow.over.set()
        await world.server.settled()


async def test_callbacks_to_nobody_are_given_up(world: World, free_port: Callable[..., int]) -> None:
    """And the call knows nothing of it."""
    dead = f"http://127.0.0.1:{free_port()}/#rc=0"
    world.app.reply("/voice", HANG_UP["twilio"])
    async with Softphone("callee", server=world.server.sip_address) as phone:
        sid = await world.rest("twilio").place(uri_of(phone), f"{world.app.url}/voice", dead)
        call: PhoneCall = await phone.incoming()
        call.answer()
        assert await call.ended() == "remote"
        await world.server.settled()
    record = await world.record(sid)
    assert record.status == "completed"
    stored = await world.server.store.deliveries(str(record.id))
    assert [delivery.status for delivery in stored] == ["failed"] * 3


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_the_caller_hangs_up_on_a_silent_application(world: World, flavour: str) -> None:
    """The question is abandoned at once."""
    slow, asked = Slow(), asyncio.Event()

    async def think(request: Asked) -> Reply:
        asked.set()
        return await slow.silent(request)

    number = world.number(flavour, think)
    async with world.server.phone() as phone:
        call = await phone.call(number)
        await asyncio.wait_for(asked.wait(), PATIENCE)
        began = time.monotonic()
        call.hang_up()
        await world.server.settled()
        assert time.monotonic() - began < 4.0, "less than any application may take"
    slow.over.set()
    assert (await world.record(call)).status == "abandoned"


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_silent_action_leaves_the_call_to_rest(world: World, flavour: str) -> None:
    """A call whose application is silent can still be ended from outside."""
    slow = Slow()
    world.app.reply("/silent", slow.silent)
    number = world.number(flavour, WAIT[flavour])
    rest = world.rest(flavour)
    async with world.server.phone() as phone:
        call = await phone.call(number)
        await call.answered()
        sid = str((await world.record(call)).id)
        hook = f"{world.app.url}/silent"
        if flavour == "jambonz":
            await rest.request("PUT", rest.call(sid), json={"call_hook": hook})
        else:
            await rest.request("POST", rest.call(sid), data={"Url": hook})
        await world.app.request("/silent")
        if flavour == "jambonz":
            reply = await rest.request("DELETE", rest.call(sid))
        else:
            reply = await rest.request("POST", rest.call(sid), data={"Status": "completed"})
        assert reply.status in (200, 204)
        assert await call.ended() == "remote"
    slow.over.set()
