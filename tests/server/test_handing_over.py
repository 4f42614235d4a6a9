"""Calls handed over to somebody else: by control, by a Dial, by a REFER, and what follows when that fails."""

from __future__ import annotations

import asyncio

import pytest
from tests.patience import PATIENCE
from tests.server.neutral import HOOK, Neutral, Phones, callee, hears_tone, live_call, talk
from tests.server.site import NUMBERS, Site

from ringback.calls.application import Action
from ringback.calls.control import WrongState
from ringback.calls.events import Bridged, VerbStarted
from ringback.calls.outcome import EndOfVerb
from ringback.calls.verbs import (
    Answer,
    Clip,
    Dial,
    Fallbacks,
    Gather,
    HangUp,
    Pause,
    Play,
    Refer,
    Ring,
    Transfer,
    Verb,
)
from ringback.sip.incoming import IncomingRequest
from ringback.sip.referral import SIPFRAG, sipfrag
from ringback.testing.softphone import PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = NUMBERS["laml"]
ELSEWHERE = Refer(refer_to="sip:carol@192.0.2.9")
LONG = Pause(seconds=60)


def clip(site: Site, hertz: float, seconds: float = 1.0) -> Clip:
    return Clip(site.tone(f"/{hertz:g}-{seconds:g}.wav", seconds, hertz))


async def calling(app: Neutral, caller: Softphone, *first: Verb) -> PhoneCall:
    app.answer("new-call", *first)
    call = await caller.call(NUMBER)
    await call.answered()
    return call


async def told(call: PhoneCall, status: int) -> None:
    state = "active" if status < 200 else "terminated;reason=noresource"
    headers = [("Event", "refer"), ("Subscription-State", state)]
    await call.session.send_request("NOTIFY", headers, sipfrag(status), SIPFRAG)


async def referred(call: PhoneCall) -> IncomingRequest:
    return await asyncio.wait_for(call.requests.get(), PATIENCE)


# -- by control


async def test_in_place_of_the_verb_that_runs(site: Site, app: Neutral, phones: Phones) -> None:
    after = Play(clips=(clip(site, 1300.0),), loop=0)
    call = await calling(app, phones[0], Answer(), Pause(seconds=60), after)
    await app.event(VerbStarted, verb=LONG)
    live = live_call(site.server, NUMBER)
    await site.server.switchboard.transfer(live.record.account_id, live.record.id, ELSEWHERE)
    request = await referred(call)
    assert request.request.headers.get("Refer-To") == "<sip:carol@192.0.2.9>"
    request.reply(603)
    await hears_tone(call, 1300.0)
    started = [type(event.verb).__name__ for event, _ in app.told if isinstance(event, VerbStarted)]
    assert started == ["Answer", "Pause", "Refer", "Play"]
    call.hang_up()


async def test_a_call_that_is_not_answered_cannot_be_handed_over(
    site: Site, app: Neutral, phones: Phones
) -> None:
    app.answer("new-call", Ring(), LONG)
    call = await phones[0].call(NUMBER)
    await app.event(VerbStarted, verb=LONG)
    live = live_call(site.server, NUMBER)
    with pytest.raises(WrongState):
        await site.server.switchboard.transfer(live.record.account_id, live.record.id, ELSEWHERE)
    call.hang_up()


async def test_a_callee_that_is_handed_over_leaves_the_caller_with_the_next_verb(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),)), LONG)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), app.event(Bridged))
    leg = live_call(site.server, "bob")
    await site.server.switchboard.transfer(leg.record.account_id, leg.record.id, ELSEWHERE)
    (await referred(called)).reply(603)
    await app.event(VerbStarted, verb=LONG)
    assert await called.ended() == "remote"  # it had nothing else to do
    call.hang_up()


# -- REFER, and its action after a hang-up


@pytest.mark.parametrize("final", [None, 200])
async def test_the_action_is_asked_after_the_far_end_has_left(
    site: Site, app: Neutral, phones: Phones, final: int | None
) -> None:
    call = await calling(app, phones[0], Answer(), Refer(refer_to="sip:carol@192.0.2.9", action=HOOK))
    (await referred(call)).reply(202)
    await told(call, 180)
    if final is not None:
        app.answer("action", LONG)
        await told(call, final)
        await app.event(VerbStarted, verb=LONG)
    call.hang_up()
    ask: Action = await app.question("action")
    assert ask.hook == HOOK
    assert (ask.outcome.sip_status, ask.outcome.notified_status) == (202, final or 180)
    assert ask.outcome.end is (EndOfVerb.DONE if final else EndOfVerb.HUNG_UP)


async def test_a_far_end_that_leaves_without_answering_the_refer(
    site: Site, app: Neutral, phones: Phones
) -> None:
    call = await calling(app, phones[0], Answer(), Refer(refer_to="sip:carol@192.0.2.9", action=HOOK))
    await referred(call)
    call.hang_up()
    ask: Action = await app.question("action")
    assert (ask.outcome.end, ask.outcome.sip_status) == (EndOfVerb.HUNG_UP, None)


# -- Transfer


async def test_a_transfer_by_refer_ends_the_call(site: Site, app: Neutral, phones: Phones) -> None:
    call = await calling(app, phones[0], Answer(), Transfer(by=ELSEWHERE, action=HOOK), LONG)
    (await referred(call)).reply(202)
    await told(call, 200)
    assert await call.ended() == "remote"
    ask: Action = await app.question("action")
    assert (type(ask.verb), ask.outcome.notified_status) == (Transfer, 200)


async def test_a_transfer_that_fails_goes_on_with_its_fallback(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, carol = phones
    voicemail = Dial(callees=(callee(carol),))
    transfer = Transfer(by=Dial(callees=(callee(bob),)), fallbacks=Fallbacks(busy=(voicemail,)), action=HOOK)
    call = await calling(app, caller, Answer(), transfer, LONG)
    (await bob.incoming()).reject(486)
    called = await carol.incoming()
    called.answer()
    await talk(call, called)
    assert (await app.question("action")).outcome.callee_status == "busy"
    called.hang_up()
    await app.event(VerbStarted, verb=LONG)
    call.hang_up()


async def test_the_actions_document_takes_the_place_of_the_fallback(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, _ = phones
    transfer = Transfer(
        by=Dial(callees=(callee(bob),)), fallbacks=Fallbacks(declined=(HangUp(),)), action=HOOK
    )
    app.answer("action", Play(clips=(clip(site, 1300.0),), loop=0))
    call = await calling(app, caller, Answer(), transfer)
    (await bob.incoming()).reject(603)
    await hears_tone(call, 1300.0)
    call.hang_up()


# -- what a Dial does for it


async def test_a_parked_caller_hears_music_while_the_callee_is_briefed(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, _ = phones
    briefing = (
        Play(clips=(clip(site, 1100.0, 2.0),)),
        Gather(prompts=(Play(clips=(clip(site, 700.0),), loop=0),), expected="1", max_digits=1),
    )
    app.answer("hold", Play(clips=(clip(site, 1700.0, 60.0),)))
    dial = Dial(callees=(callee(bob, briefing=briefing),), parks=True, hold_hook=HOOK)
    call = await calling(app, caller, Answer(), dial)
    await hears_tone(call, 1700.0)
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(hears_tone(called, 1100.0), hears_tone(call, 1700.0))
    await hears_tone(called, 700.0)
    await called.press("1")
    await app.event(Bridged)
    await talk(call, called)
    call.hang_up()


async def test_a_callee_that_presses_another_key_is_not_connected(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, _ = phones
    gather = Gather(prompts=(Play(clips=(clip(site, 700.0),), loop=0),), expected="1", max_digits=1)
    call = await calling(app, caller, Answer(), Dial(callees=(callee(bob, briefing=(gather,)),)), LONG)
    called = await bob.incoming()
    called.answer()
    await hears_tone(called, 700.0)
    await called.press("2")
    assert await called.ended() == "remote"
    await app.event(VerbStarted, verb=LONG)
    outcome = app.outcome()
    assert (outcome.bridged, outcome.callee_status) == (False, "completed")
    call.hang_up()


async def test_both_hear_what_is_announced(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    announcement = (Play(clips=(clip(site, 1300.0, 1.0),)),)
    call = await calling(app, caller, Answer(), Dial(callees=(callee(bob),), announcement=announcement))
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(hears_tone(call, 1300.0), hears_tone(called, 1300.0))
    await talk(call, called)
    call.hang_up()
