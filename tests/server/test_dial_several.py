"""Dial with several callees: at once, one after the other, all failing, two answering at the same moment."""

from __future__ import annotations

import asyncio

import pytest
from tests.server.neutral import HANG_UP, Neutral, Phones, callee, talk
from tests.server.site import NUMBERS, Site

from ringback.calls.events import Bridged, CallRinging
from ringback.calls.outcome import EndOfVerb
from ringback.calls.verbs import Dial

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = NUMBERS["laml"]
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


async def test_the_first_who_answers_wins_and_the_others_stop_ringing(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, carol = phones
    app.answer("new-call", Dial(callees=(callee(bob), callee(carol))), HANG_UP)
    call = await caller.call(NUMBER)
    at_bob, at_carol = await asyncio.gather(bob.incoming(), carol.incoming())
    at_bob.ring()
    at_carol.ring()
    await app.event(CallRinging)
    at_carol.answer()
    assert await at_bob.ended() == "remote"
    assert at_bob.reason == ELSEWHERE
    await asyncio.gather(call.answered(), talk(call, at_carol))
    call.hang_up()
    await site.server.settled()
    ends = app.ends()
    assert (ends["bob"].status, ends["bob"].cause) == ("canceled", "answered elsewhere")
    assert (ends["carol"].status, app.outcome().callee) == ("completed", ends["carol"].id)


async def test_two_who_answer_at_the_same_moment(site: Site, app: Neutral, phones: Phones) -> None:
    """Both have sent 200 before either hears of the other: one is connected, one gets BYE."""
    caller, bob, carol = phones
    app.answer("new-call", Dial(callees=(callee(bob), callee(carol))), HANG_UP)
    call = await caller.call(NUMBER)
    both = await asyncio.gather(bob.incoming(), carol.incoming())
    for called in both:
        called.answer()
    await asyncio.gather(call.answered(), app.event(Bridged))
    ended = [asyncio.create_task(called.ended()) for called in both]
    await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
    [winner] = [called for called, end in zip(both, ended, strict=True) if not end.done()]
    await talk(call, winner)
    winner.hang_up()
    assert await call.ended() == "remote"
    await site.server.settled()
    assert app.outcome().end is EndOfVerb.DONE
    assert site.server.plane.stats().legs == 0


async def test_all_fail_and_the_failure_that_says_most_counts(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, carol = phones
    app.answer("new-call", Dial(callees=(callee(bob), callee(carol)), ring_timeout=0.5), HANG_UP)
    call = await caller.call(NUMBER)
    at_bob, at_carol = await asyncio.gather(bob.incoming(), carol.incoming())
    at_bob.ring()
    at_carol.reject(486)
    assert await at_bob.ended() == "remote"
    assert at_bob.reason is None
    assert await call.ended() == "remote"
    await site.server.settled()
    ends = app.ends()
    assert {who: ends[who].status for who in ("bob", "carol")} == {"bob": "no-answer", "carol": "busy"}
    outcome = app.outcome()
    assert (outcome.end, outcome.callee_status, outcome.callee, outcome.sip_status) == (
        EndOfVerb.FAILED,
        "busy",
        ends["carol"].id,
        486,
    )


async def test_one_after_the_other(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, carol = phones
    app.answer("new-call", Dial(callees=(callee(bob), callee(carol)), sequential=True), HANG_UP)
    call = await caller.call(NUMBER)
    at_bob = await bob.incoming()
    with pytest.raises(TimeoutError):
        await carol.incoming(0.1)
    at_bob.reject(486)
    at_carol = await carol.incoming()
    at_carol.answer()
    await asyncio.gather(call.answered(), talk(call, at_carol))
    at_carol.hang_up()
    await call.ended()
    await site.server.settled()
    assert app.outcome().callee == app.ends()["carol"].id


async def test_one_after_the_other_ends_with_the_first_who_answers(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, carol = phones
    app.answer("new-call", Dial(callees=(callee(bob), callee(carol)), sequential=True), HANG_UP)
    call = await caller.call(NUMBER)
    at_bob = await bob.incoming()
    at_bob.answer()
    await app.event(Bridged)
    at_bob.hang_up()
    assert await call.ended() == "remote"
    await site.server.settled()
    assert set(app.ends()) == {"bob", NUMBER}


async def test_who_is_named_twice_is_called_once(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob), callee(bob, caller_name="Again"))), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    with pytest.raises(TimeoutError):
        await bob.incoming(0.2)
    called.reject()
    await call.ended()


async def test_a_caller_who_gives_up_silences_every_telephone(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, carol = phones
    app.answer("new-call", Dial(callees=(callee(bob), callee(carol)), answer_on_bridge=True), HANG_UP)
    call = await caller.call(NUMBER)
    both = await asyncio.gather(bob.incoming(), carol.incoming())
    for called in both:
        called.ring()
    await app.event(CallRinging)
    call.hang_up()
    assert [await called.ended() for called in both] == ["remote", "remote"]
    await site.server.settled()
    assert {record.status for who, record in app.ends().items() if who != NUMBER} == {"canceled"}
    assert app.ends()[NUMBER].status == "abandoned"
