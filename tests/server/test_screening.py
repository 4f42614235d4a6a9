"""Screening: a callee who answers decides first, on a document of its own; until then the caller hears
ringing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.server.neutral import HANG_UP, HOOK, Neutral, Phones, callee, hears_tone, live_call, talk, tone
from tests.server.site import NUMBERS, Site

from ringback.calls.application import Redirected, Screening
from ringback.calls.events import Bridged, VerbEnded, VerbStarted
from ringback.calls.outcome import EndOfVerb
from ringback.calls.verbs import Clip, Dial, Gather, Hook, Pause, Play, Redirect
from ringback.testing.softphone import PhoneCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = NUMBERS["laml"]
OTHER = Hook(url="http://app.example/other")


async def being_screened(app: Neutral, phones: Phones, **more: Any) -> tuple[PhoneCall, PhoneCall]:
    """The caller, and a callee who has answered and is asked."""
    caller, bob, _ = phones
    verb = Dial(callees=(callee(bob, screening=HOOK, **more),), ringback="cl")
    app.answer("new-call", verb, Pause(seconds=60))
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await app.question("screening")
    return call, called


async def test_who_is_still_there_at_the_end_is_connected(site: Site, app: Neutral, phones: Phones) -> None:
    announcement = Play(clips=(Clip(site.tone("/whisper.wav", 1.0, 1200.0)),))
    app.answer("screening", announcement, Gather(max_digits=1, first_digit_timeout=10))
    call, called = await being_screened(app, phones)
    await asyncio.gather(hears_tone(called, 1200.0), hears_tone(call, 400.0))
    await app.event(VerbStarted, verb=Gather(max_digits=1, first_digit_timeout=10))
    await called.press("1")
    await app.event(Bridged)
    await talk(call, called)
    question = await app.question("screening")
    assert isinstance(question, Screening)
    assert "Contact" in dict(question.headers)
    assert [record.to for ask, record in app.asked if ask is question] == ["bob"]
    call.hang_up()


async def test_who_hangs_up_is_not(site: Site, app: Neutral, phones: Phones) -> None:
    app.answer("screening", Gather(max_digits=1, first_digit_timeout=10))
    call, called = await being_screened(app, phones)
    called.hang_up()
    await app.event(VerbStarted, verb=Pause(seconds=60))
    outcome = app.outcome()
    assert (outcome.end, outcome.bridged, outcome.callee_status) == (EndOfVerb.FAILED, False, "completed")
    call.hang_up()


async def test_who_is_hung_up_by_the_application_is_not(site: Site, app: Neutral, phones: Phones) -> None:
    app.answer("screening", Redirect(hook=OTHER))
    app.answer("redirect", HANG_UP)
    call, called = await being_screened(app, phones)
    assert await called.ended() == "remote"
    await app.event(VerbStarted, verb=Pause(seconds=60))
    assert not app.outcome().bridged
    call.hang_up()


async def test_an_application_with_nothing_to_say_accepts(site: Site, app: Neutral, phones: Phones) -> None:
    call, called = await being_screened(app, phones)
    await app.event(Bridged)
    await talk(call, called)
    call.hang_up()


async def test_it_takes_no_longer_than_it_may(site: Site, app: Neutral, phones: Phones) -> None:
    app.answer("screening", Gather(max_digits=1, first_digit_timeout=60))
    call, called = await being_screened(app, phones, screening_timeout=0.5)
    assert await called.ended() == "remote"
    await app.event(VerbStarted, verb=Pause(seconds=60))
    call.hang_up()
    await site.server.settled()
    assert app.ends()["bob"].cause == "its screening took longer than 0.5 s"


async def test_another_who_accepts_first_wins(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, carol = phones
    app.answer("new-call", Dial(callees=(callee(bob, screening=HOOK), callee(carol))), HANG_UP)
    app.answer("screening", Gather(max_digits=1, first_digit_timeout=60))
    call = await caller.call(NUMBER)
    at_bob, at_carol = await asyncio.gather(bob.incoming(), carol.incoming())
    at_bob.answer()
    await app.event(VerbStarted, verb=Gather(max_digits=1, first_digit_timeout=60))
    at_carol.answer()
    assert await at_bob.ended() == "remote"
    await talk(call, at_carol)
    call.hang_up()


async def test_early_media_are_not_heard_during_the_screening(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob, screening=HOOK),), ringback="cl"), HANG_UP)
    app.answer("screening", Gather(max_digits=1, first_digit_timeout=60))
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.early_media()
    called.audio.say(tone(700.0, 30.0))
    await hears_tone(call, 700.0)
    called.answer()
    await hears_tone(call, 400.0)
    called.hang_up()


async def test_keys_are_sent_at_the_answer(site: Site, app: Neutral, phones: Phones) -> None:
    call, called = await being_screened(app, phones, send_digits="12#")
    await app.event(Bridged)
    assert called.audio.events_heard == ["1", "2", "#"]
    call.hang_up()


async def test_a_caller_who_hangs_up_meanwhile(site: Site, app: Neutral, phones: Phones) -> None:
    app.answer("screening", Gather(max_digits=1, first_digit_timeout=60))
    call, called = await being_screened(app, phones)
    call.hang_up()
    assert await called.ended() == "remote"
    await site.server.settled()
    assert app.outcome().end is EndOfVerb.HUNG_UP


async def test_a_callee_who_is_redirected_meanwhile_goes_its_own_way(
    site: Site, app: Neutral, phones: Phones
) -> None:
    app.answer("screening", Gather(max_digits=1, first_digit_timeout=60))
    app.answer("redirect", Gather(max_digits=1, first_digit_timeout=60))
    call, called = await being_screened(app, phones)
    leg = live_call(site.server, "bob").record
    await site.server.switchboard.redirect(leg.account_id, leg.id, hook=OTHER)
    await app.event(VerbStarted, verb=Pause(seconds=60))
    assert not app.outcome().bridged
    assert isinstance(await app.question("redirect"), Redirected)
    call.hang_up()
    await app.event(VerbEnded, verb="Pause")
    await called.press("1")
    assert "ended (remote)" not in called.events
    called.hang_up()
