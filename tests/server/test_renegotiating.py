"""Connected calls whose media are negotiated anew by one of the parties: the two go on hearing each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.patience import PATIENCE
from tests.server.neutral import HANG_UP, Neutral, Phones, callee, sound, talk
from tests.server.site import NUMBERS, Site

from ringback.calls.events import Bridged
from ringback.calls.verbs import Dial
from ringback.sip.negotiate import PCMA
from ringback.testing.softphone import PhoneCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = NUMBERS["laml"]


async def another_codec(call: PhoneCall) -> None:
    assert (await call.offer(codecs=(PCMA,))).status == 200


async def another_port(call: PhoneCall) -> None:
    before = call.audio.port
    assert (await call.move()).status == 200
    assert call.audio.port != before


async def a_refresh(call: PhoneCall) -> None:
    description = call.session.offers.local_sdp
    assert description is not None
    assert (await call.session.reinvite(description)).status == 200


async def no_offer(call: PhoneCall) -> None:
    assert (await call.session.reinvite(None)).status == 200


@pytest.mark.parametrize("by_callee", [False, True])
@pytest.mark.parametrize("change", [another_codec, another_port, a_refresh, no_offer])
async def test_the_two_go_on_hearing_each_other(
    site: Site,
    app: Neutral,
    phones: Phones,
    change: Callable[[PhoneCall], Awaitable[None]],
    by_callee: bool,
) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),)), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), app.event(Bridged))
    await talk(call, called)
    await change(called if by_callee else call)
    await sound(call, 620.0, called, 1250.0)
    await call.press("5")
    async with asyncio.timeout(PATIENCE):
        while called.audio.events_heard != ["5"]:
            await called.audio.arrival()
    call.hang_up()
    assert await called.ended() == "remote"
