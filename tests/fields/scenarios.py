"""The calls whose webhooks are looked at: each is made once, with a softphone as the far end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from tests.patience import PATIENCE
from tests.world import HANG_UP, WAIT, World, called, uri_of

from ringback.testing.kit import Asked, Reply
from ringback.testing.softphone import PhoneCall, Softphone

CALLER = "+13035550123"
CALLER_NAME = "Alice Example"
DIVERTED_FROM = "+18005550199"
HEADERS = (("Diversion", f"<sip:{DIVERTED_FROM}@example.com>;reason=no-answer"), ("X-Customer", "7"))


class Heard(NamedTuple):
    """What the application was asked and told about one call, each in order."""

    voice: list[Asked]
    action: list[Asked]
    status: list[Asked]


Scenario = Callable[[World, str], Awaitable[Heard]]


def name_of(value: object) -> str | None:
    """What a test of a scenario is called."""
    return getattr(value, "__name__", "")


def method_of(scenario: Scenario) -> tuple[str, ...]:
    """The tag of scenarios whose webhooks go by GET."""
    return ("get",) if scenario is answered_by_get else ()


def gather(flavour: str, action: str) -> Reply:
    """A document that takes keys, ended by #."""
    if flavour == "jambonz":
        return [{"verb": "gather", "input": ["digits"], "finishOnKey": "#", "actionHook": action}]
    return f'<Response><Gather finishOnKey="#" timeout="10" action="{action}"/></Response>'


async def from_device(world: World, flavour: str) -> Heard:
    """A configured device calls, presses 7 and #, and hears the application hang up."""
    async with world.server.phone() as phone:
        return await _inbound(world, flavour, phone)


async def from_trunk(world: World, flavour: str) -> Heard:
    """A carrier's call, with a name, a diversion and a header of its own."""
    phone = Softphone(CALLER, server=world.server.sip_address, display_name=CALLER_NAME)
    async with phone:
        return await _inbound(world, flavour, phone, HEADERS)


async def _inbound(
    world: World, flavour: str, phone: Softphone, headers: tuple[tuple[str, str], ...] = ()
) -> Heard:
    number = world.number(flavour, gather(flavour, "/action"))
    world.app.reply("/action", lambda asked: HANG_UP[_flavour_of(asked)])
    call = await phone.call(number, headers=headers)
    await call.answered()
    await call.press("7#")
    await call.ended()
    await world.server.settled()
    return _heard(world, flavour, number)


async def left_by_caller(world: World, flavour: str) -> Heard:
    """A device calls, is answered, and hangs up."""
    number = world.number(flavour, WAIT[flavour])
    async with world.server.phone() as phone:
        call = await phone.call(number)
        await call.answered()
        call.hang_up()
        await world.server.settled()
    return _heard(world, flavour, number)


async def abandoned(world: World, flavour: str) -> Heard:
    """A device calls, and gives up while the application still thinks."""
    thinking, gone = asyncio.Event(), asyncio.Event()

    async def think(_: Asked) -> Reply:
        thinking.set()
        await gone.wait()
        return HANG_UP[flavour]

    number = world.number(flavour, think)
    async with world.server.phone() as phone:
        call = await phone.call(number)
        await asyncio.wait_for(thinking.wait(), PATIENCE)
        call.hang_up()
        await world.server.settled()
        gone.set()
    return _heard(world, flavour, number)


async def rejected(world: World, flavour: str) -> Heard:
    """A device calls, and the application rejects it as busy."""
    document: Reply = '<Response><Reject reason="busy"/></Response>'
    if flavour == "jambonz":
        document = [{"verb": "sip:decline", "status": 486, "reason": "Busy Here"}]
    number = world.number(flavour, document)
    async with world.server.phone() as phone:
        call = await phone.call(number)
        assert await call.ended() == "failed"
        assert call.status == 486
        await world.server.settled()
    return _heard(world, flavour, number)


async def answered(world: World, flavour: str) -> Heard:
    """Placed by REST; the far end rings, then answers; the application hangs up."""

    async def pick_up(call: PhoneCall, sid: str) -> None:
        call.ring()
        call.answer()
        await call.ended()

    return await _outbound(world, flavour, "answers", pick_up)


async def answered_by_get(world: World, flavour: str) -> Heard:
    """The same, with every webhook by GET."""

    async def pick_up(call: PhoneCall, sid: str) -> None:
        call.ring()
        call.answer()
        await call.ended()

    more: dict[str, Any] = {"Method": "GET", "StatusCallbackMethod": "GET"}
    if flavour == "jambonz":
        base = world.app.url
        more = {
            "call_hook": {"url": f"{base}/jambonz/byget", "method": "GET"},
            "call_status_hook": {"url": f"{base}/status/jambonz/byget", "method": "GET"},
        }
    return await _outbound(world, flavour, "byget", pick_up, **more)


async def busy(world: World, flavour: str) -> Heard:
    """Placed by REST; the far end rings, then is busy."""

    async def refuse(call: PhoneCall, sid: str) -> None:
        call.ring()
        call.reject(486)

    return await _outbound(world, flavour, "busy", refuse)


async def failed(world: World, flavour: str) -> Heard:
    """Placed by REST; the far end does not know the number. It never rings."""

    async def refuse(call: PhoneCall, sid: str) -> None:
        call.reject(404)

    return await _outbound(world, flavour, "unknown", refuse)


async def unanswered(world: World, flavour: str) -> Heard:
    """Placed by REST; nobody answers within a second."""

    async def let_ring(call: PhoneCall, sid: str) -> None:
        call.ring()
        await call.ended()

    more = {"timeout": 1} if flavour == "jambonz" else {"Timeout": 1}
    return await _outbound(world, flavour, "rings", let_ring, **more)


async def cancelled(world: World, flavour: str) -> Heard:
    """Placed by REST, and cancelled by REST while it rings."""

    async def let_ring(call: PhoneCall, sid: str) -> None:
        call.ring()
        await world.app.request(f"/status/{flavour}/cancelled")  # the call is on its way
        await world.app.request(f"/status/{flavour}/cancelled")  # and rings
        await world.rest(flavour).cancel(sid)
        await call.ended()

    return await _outbound(world, flavour, "cancelled", let_ring)


async def _outbound(world: World, flavour: str, name: str, far_end: Any, **more: Any) -> Heard:
    voice, status = f"/{flavour}/{name}", f"/status/{flavour}/{name}"
    world.app.reply(voice, HANG_UP[flavour])
    async with Softphone(name, server=world.server.sip_address) as phone:
        sid = await world.rest(flavour).place(
            uri_of(phone), f"{world.app.url}{voice}", f"{world.app.url}{status}", **more
        )
        await far_end(await phone.incoming(), sid)
        await world.server.settled()
    return Heard(world.requests(voice), [], world.requests(status))


def _heard(world: World, flavour: str, number: str) -> Heard:
    def about(path: str) -> list[Asked]:
        return [
            asked
            for asked in world.requests(path)
            if called(asked).removeprefix("+") == number.removeprefix("+")
        ]

    return Heard(about(f"/voice/{flavour}"), about("/action"), about(f"/status/{flavour}"))


def _flavour_of(asked: Asked) -> str:
    return "jambonz" if "call_sid" in asked.fields else "twilio"
