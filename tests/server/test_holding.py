"""Hold: whoever is put on hold hears music, from whoever has some; whoever comes back is heard again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.patience import PATIENCE
from tests.server.neutral import HANG_UP, HOOK, Neutral, Phones, callee, hears_tone, talk
from tests.server.site import NUMBERS, Site

from ringback.calls.application import Holding, InDialogRequest
from ringback.calls.events import Bridged, Held
from ringback.calls.verbs import Clip, Configure, Dial, HangUp, Pause, Play
from ringback.testing.softphone import PhoneCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = NUMBERS["laml"]


async def connected(
    app: Neutral, phones: Phones, *before: Configure, **dial: Any
) -> tuple[PhoneCall, PhoneCall]:
    caller, bob, _ = phones
    app.answer("new-call", *before, Dial(callees=(callee(bob),), **dial), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), app.event(Bridged))
    return call, called


def music(site: Site) -> Clip:
    return Clip(site.tone("/hold.wav", 1.0, 1500.0))


@pytest.mark.parametrize("holder", ["caller", "callee"])
async def test_hold_and_back(site: Site, app: Neutral, phones: Phones, holder: str) -> None:
    both = await connected(app, phones, Configure(hold_music=music(site)))
    await talk(*both)
    holding, waiting = both if holder == "caller" else reversed(both)
    assert (await holding.offer("sendonly")).status == 200
    await app.event(Held, held=True)
    await hears_tone(waiting, 1500.0)
    assert (await holding.offer("sendrecv")).status == 200
    await app.event(Held, held=False)
    await talk(*both)
    holding.hang_up()


async def test_a_tune_of_our_own(site: Site, app: Neutral, phones: Phones) -> None:
    call, called = await connected(app, phones)
    await call.offer("inactive")
    await hears_tone(called, 392.0)
    await call.offer("sendrecv")
    await talk(call, called)
    call.hang_up()


async def test_what_the_application_answers_is_played_again_and_again(
    site: Site, app: Neutral, phones: Phones
) -> None:
    for _ in range(3):
        app.answer("hold", Play(clips=(music(site),)), Pause(seconds=0.1))
    call, called = await connected(app, phones, hold_hook=HOOK)
    await called.offer("sendonly")
    await hears_tone(call, 1500.0)
    async with asyncio.timeout(PATIENCE):
        while sum(isinstance(ask, Holding) for ask, _ in app.asked) < 2:
            await call.audio.arrival()
    question = await app.question("hold")
    assert (question.from_, question.to) == ("+14155559999", "bob")
    await called.offer("sendrecv")
    await talk(call, called)
    call.hang_up()


async def test_an_application_without_music_leaves_it_to_us(site: Site, app: Neutral, phones: Phones) -> None:
    call, called = await connected(app, phones, hold_hook=HOOK)
    await called.offer("sendonly")
    await hears_tone(call, 392.0)
    call.hang_up()


async def test_music_that_is_not_there(site: Site, app: Neutral, phones: Phones) -> None:
    missing = Clip(f"{site.app.url}/missing.wav")
    call, called = await connected(app, phones, Configure(hold_music=missing))
    await called.offer("sendonly")
    await hears_tone(call, 392.0)
    call.hang_up()


async def test_the_application_is_told_of_hold(site: Site, app: Neutral, phones: Phones) -> None:
    call, _ = await connected(app, phones, Configure(request_hook=HOOK))
    await call.offer("sendonly")
    question = await app.question("request")
    assert question == InDialogRequest(hook=HOOK, method="INVITE", held=True)
    app.answer("request", HangUp())
    await call.offer("sendrecv")
    assert await call.ended() == "remote"


async def test_who_was_held_when_it_is_connected_leaves_the_other_music(
    site: Site, app: Neutral, phones: Phones
) -> None:
    """A callee that puts us on hold while it is screened."""
    caller, bob, _ = phones
    verb = Dial(callees=(callee(bob, screening=HOOK),))
    app.answer("new-call", Configure(hold_music=music(site)), verb, HANG_UP)
    app.answer("screening", Pause(seconds=1))
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await app.question("screening")
    await called.offer("sendonly")
    await app.event(Bridged)
    await hears_tone(call, 1500.0)
    call.hang_up()
