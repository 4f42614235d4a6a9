"""Dial with real telephones: who is called, who is connected, what either hears, and how it ends."""

from __future__ import annotations

import asyncio

import pytest
from tests.patience import PATIENCE
from tests.server.neutral import HANG_UP, HOOK, Neutral, Phones, callee, hears_tone, phone_events, talk, tone
from tests.server.site import NUMBERS, Site

from ringback.calls.application import Action, Document
from ringback.calls.control import CallRequest
from ringback.calls.events import Bridged, CallRinging, DigitReceived, KeysMatched, Noted, Unbridged
from ringback.calls.outcome import EndOfVerb
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Answering, Callee, Clip, Dial, KeyPatterns, Play, Target
from ringback.testing.softphone import CallFailed, PhoneCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = NUMBERS["laml"]


async def test_two_are_connected_and_hear_each_other(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),), action=HOOK), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.ring()
    await app.event(CallRinging)
    called.answer()
    await asyncio.gather(call.answered(), talk(call, called))
    called.hang_up()
    assert await call.ended() == "remote"
    await site.server.settled()
    [outcome] = app.outcomes()
    leg = app.ends()["bob"]
    assert (outcome.end, outcome.callee_status, outcome.bridged) == (EndOfVerb.DONE, "completed", True)
    assert (outcome.callee, outcome.sip_status, outcome.sip_call_id) == (leg.id, 200, leg.sip_call_id)
    parent = app.ends()[NUMBER]
    assert (leg.parent_id, leg.direction) == (parent.id, Direction.OUTBOUND_DIAL)
    assert (leg.from_, leg.status, leg.ended_by) == (parent.from_, CallStatus.COMPLETED, "remote")
    bridged = [(type(e), r.id, e.other) for e, r in app.told if isinstance(e, Bridged | Unbridged)]
    assert bridged == [
        (Bridged, parent.id, leg.id),
        (Bridged, leg.id, parent.id),
        (Unbridged, parent.id, leg.id),
    ]
    question = await app.question("action")
    assert isinstance(question, Action)
    assert question.outcome == outcome


async def connected(app: Neutral, phones: Phones, verb: Dial) -> tuple[PhoneCall, PhoneCall]:
    """Both ends of a call that is connected with the first of those dialled."""
    caller, bob, _ = phones
    app.answer("new-call", verb, HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), app.event(Bridged))
    return call, called


async def test_a_caller_who_hangs_up_ends_it_for_both(site: Site, app: Neutral, phones: Phones) -> None:
    call, called = await connected(app, phones, Dial(callees=(callee(phones[1]),)))
    call.hang_up()
    assert await called.ended() == "remote"
    await site.server.settled()
    outcome = app.outcome()
    assert (outcome.end, outcome.callee_status, outcome.bridged) == (EndOfVerb.HUNG_UP, "completed", True)
    leg = app.ends()["bob"]
    assert (leg.status, leg.ended_by) == ("completed", "server")


async def test_a_caller_who_gives_up_while_it_rings(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),)), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.ring()
    await call.answered()
    call.hang_up()
    assert await called.ended() == "remote"
    await site.server.settled()
    outcome = app.outcome()
    assert (outcome.end, outcome.callee_status, outcome.bridged) == (EndOfVerb.HUNG_UP, "canceled", False)
    assert app.ends()["bob"].cause == "the caller hung up"


async def test_a_caller_who_waits_for_the_bridge_gets_180_and_is_answered_by_the_callee(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),), answer_on_bridge=True), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    assert phone_events(call) == []
    called.ring()
    await app.event(CallRinging, sip_status=180)
    called.answer()
    await asyncio.gather(call.answered(), talk(call, called))
    assert phone_events(call) == ["180", "200"]


async def test_a_caller_who_waits_in_vain_is_not_answered(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),), answer_on_bridge=True), HANG_UP)
    call = await caller.call(NUMBER)
    (await bob.incoming()).reject(486)
    with pytest.raises(CallFailed) as failed:
        await call.answered()
    assert failed.value.status == 603
    await site.server.settled()
    outcome = app.outcome()
    assert (outcome.end, outcome.callee_status, outcome.sip_status) == (EndOfVerb.FAILED, "busy", 486)


@pytest.mark.parametrize("answer_on_bridge", [True, False])
async def test_what_a_callee_says_before_the_answer_is_heard(
    site: Site, app: Neutral, phones: Phones, answer_on_bridge: bool
) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),), answer_on_bridge=answer_on_bridge), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.early_media()
    called.audio.say(tone(700.0))
    await hears_tone(call, 700.0)
    assert ("200" in phone_events(call)) is not answer_on_bridge
    assert ("183" in phone_events(call)) is answer_on_bridge
    called.answer()
    await asyncio.gather(call.answered(), talk(call, called))


async def test_after_an_announcement_and_a_refusal_the_next_prompt_is_heard(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, _ = phones
    busy = site.tone("/busy.wav", 1.0, 1200.0)
    app.answer("new-call", Dial(callees=(callee(bob),)), Play(clips=(Clip(busy),)), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.early_media()
    called.audio.say(tone(700.0))
    await hears_tone(call, 700.0)
    called.reject(480)
    await hears_tone(call, 1200.0)
    assert await call.ended() == "remote"


@pytest.mark.parametrize(("country", "hertz"), [("cl", 400.0), ("", 425.0)])
async def test_the_caller_hears_the_ringing_of_a_country(
    site: Site, app: Neutral, phones: Phones, country: str, hertz: float
) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),), ringback=country), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.ring()
    await hears_tone(call, hertz)
    called.answer()
    await talk(call, called)


async def test_music_in_place_of_ringing(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    music = Clip(site.tone("/music.wav", 1.0, 1200.0))
    app.answer("new-call", Dial(callees=(callee(bob),), music=music), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    await hears_tone(call, 1200.0)
    called.ring()
    called.answer()
    await talk(call, called)


async def test_music_that_is_not_there_is_ringing(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    missing = Clip(f"{site.app.url}/missing.wav")
    app.answer("new-call", Dial(callees=(callee(bob),), music=missing, ringback="cl"), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.ring()
    await hears_tone(call, 400.0)
    note = await app.event(Noted)
    assert note.note.code == "dial-music"
    called.reject()


@pytest.mark.parametrize("both", [False, True])
async def test_a_time_limit(site: Site, app: Neutral, phones: Phones, both: bool) -> None:
    _, bob, _ = phones
    verb = Dial(callees=(callee(bob),), time_limit=0.5, hang_up_after_limit=both)
    call, called = await connected(app, phones, verb)
    assert await called.ended() == "remote"
    assert await call.ended() == "remote"
    await site.server.settled()
    assert app.outcome().end is (EndOfVerb.HUNG_UP if both else EndOfVerb.DONE)
    assert app.ends()[NUMBER].ended_by == ("server" if both else "application")


async def test_a_key_ends_the_connection(site: Site, app: Neutral, phones: Phones) -> None:
    _, bob, _ = phones
    call, called = await connected(app, phones, Dial(callees=(callee(bob),), hang_up_keys=frozenset("*")))
    await called.press("*")
    await call.press("1")
    await app.event(DigitReceived, key="1")
    assert "ended (remote)" not in called.events
    await call.press("*")
    assert await called.ended() == "remote"
    assert await call.ended() == "remote"
    await site.server.settled()
    assert app.outcome().end is EndOfVerb.DONE


async def test_keys_pass_to_the_other_party(site: Site, app: Neutral, phones: Phones) -> None:
    call, called = await connected(app, phones, Dial(callees=(callee(phones[1]),)))
    await call.press("42")
    call.session.info("application/dtmf-relay", b"Signal=7\r\nDuration=160\r\n")
    async with asyncio.timeout(PATIENCE):
        while called.audio.events_heard != ["4", "2", "7"]:
            await called.audio.arrival()


async def test_sequences_of_keys_are_told(site: Site, app: Neutral, phones: Phones) -> None:
    keys = KeyPatterns(hook=HOOK, caller=("*1",), callee=("*2", "99"))
    call, called = await connected(app, phones, Dial(callees=(callee(phones[1]),), keys=keys))
    await call.press("*2")
    await called.press("5*2")
    await call.press("*1")
    await app.event(KeysMatched, keys="*1")
    matched = [(event.keys, record.to) for event, record in app.told if isinstance(event, KeysMatched)]
    assert matched == [("*2", "bob"), ("*1", NUMBER)]


async def test_nobody_is_there(site: Site, app: Neutral, phones: Phones) -> None:
    caller, _, _ = phones
    away = Callee(target=Target(kind="client", address="alice"), shown="alice")
    unknown = Callee(target=Target(kind="client", address="zoe"), shown="zoe")
    app.answer("new-call", Dial(callees=(away, unknown)), HANG_UP)
    call = await caller.call(NUMBER)
    assert await call.ended() == "remote"
    await site.server.settled()
    ends = app.ends()
    assert [(ends[who].status, ends[who].sip_status) for who in ("alice", "zoe")] == [
        ("failed", 480),
        ("failed", 404),
    ]
    outcome = app.outcome()
    assert (outcome.end, outcome.callee_status, outcome.callee) == (
        EndOfVerb.FAILED,
        "failed",
        ends["alice"].id,
    )


async def test_a_registered_device_is_dialled(site: Site, app: Neutral, phones: Phones) -> None:
    caller, _, _ = phones
    target = Callee(target=Target(kind="client", address="alice"), shown="alice", caller_id="+14155550177")
    async with site.server.phone() as alice:
        await alice.register()
        app.answer("new-call", Dial(callees=(target,), caller_name="Somebody"), HANG_UP)
        call = await caller.call(NUMBER)
        called = await alice.incoming()
        seen = called.session.request.from_
        assert (seen.uri.user, seen.display_name) == ("+14155550177", "Somebody")
        called.answer()
        await asyncio.gather(call.answered(), talk(call, called))


async def test_what_the_invite_of_a_leg_says(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    dialled = callee(bob, session_expires=400)
    app.answer("new-call", Dial(callees=(dialled,), headers=(("X-Order", "7"),)), HANG_UP)
    await caller.call(NUMBER)
    called = await bob.incoming()
    request = called.session.request
    assert (request.max_forwards, request.headers.get("X-Order")) == (69, "7")
    assert request.headers.get("Session-Expires") == "400"
    called.reject()


async def test_a_ring_time_that_passes(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),), ring_timeout=0.5), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.ring()
    assert await called.ended() == "remote"
    assert await call.ended() == "remote"
    await site.server.settled()
    outcome = app.outcome()
    assert (outcome.end, outcome.callee_status, outcome.bridged) == (EndOfVerb.FAILED, "no-answer", False)


async def test_prompt_bridge_prompt_is_one_stream(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    before, after = (
        Play(clips=(Clip(site.tone(f"/{hertz}.wav", 1.0, hertz)),), answering=Answering.ANSWER)
        for hertz in (1200.0, 1500.0)
    )
    app.answer("new-call", before, Dial(callees=(callee(bob),)), after, HANG_UP)
    call = await caller.call(NUMBER)
    await hears_tone(call, 1200.0)
    called = await bob.incoming()
    called.answer()
    await talk(call, called)
    called.hang_up()
    await hears_tone(call, 1500.0)
    await call.ended()
    assert len(call.audio.streams_heard) == 1


async def test_a_call_placed_from_outside_dials(site: Site, app: Neutral, phones: Phones) -> None:
    """Click to call: one is called, and connected with another when it answers."""
    _, bob, carol = phones
    document = Document(verbs=(Dial(callees=(callee(carol),)), HANG_UP), application=app, at_end=None)
    request = CallRequest(
        account=site.account,
        application=app,
        to=callee(bob).target,
        to_shown="bob",
        from_="+14155550100",
        document=document,
        max_forwards=20,
    )
    await site.server.switchboard.create(request)
    at_bob = await bob.incoming()
    assert at_bob.session.request.max_forwards == 20
    at_bob.answer()
    at_carol = await carol.incoming()
    seen = at_carol.session.request
    assert (seen.max_forwards, seen.from_.uri.user) == (19, "+14155550100")
    at_carol.answer()
    await talk(at_bob, at_carol)
    at_carol.hang_up()
    assert await at_bob.ended() == "remote"
    await site.server.settled()
    assert app.ends()["carol"].parent_id == app.ends()["bob"].id
