"""Connected calls changed from outside: one redirected, or both; whispers, mute, gain, requests, limits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.patience import PATIENCE
from tests.server.neutral import (
    HANG_UP,
    HOOK,
    Neutral,
    Phones,
    callee,
    has_tone,
    hears_tone,
    live_call,
    talk,
    tone,
)
from tests.server.site import NUMBERS, Site

from ringback.calls.application import Action, Ask, Document, InDialogRequest, Redirected
from ringback.calls.call import Call
from ringback.calls.control import CallIsOver, WrongState
from ringback.calls.events import Bridged, Unbridged, VerbEnded, VerbStarted
from ringback.calls.outcome import EndOfVerb
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, EndedBy
from ringback.calls.verbs import Clip, Configure, Dial, HangUp, Hook, Pause, Play, SendRequest
from ringback.testing.softphone import PhoneCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = NUMBERS["laml"]
OTHER = Hook(url="http://app.example/other")
NEXT = Pause(seconds=60)
MOOD = (("X-Mood", "fine"),)


class Two:
    """A caller and a callee, connected, with the calls that belong to them."""

    def __init__(self, site: Site, call: PhoneCall, called: PhoneCall) -> None:
        self.calls = site.server.switchboard
        self.call, self.called = call, called
        self.parent: Call = live_call(site.server, NUMBER)
        self.child: Call = live_call(site.server, "bob")
        self.account = self.parent.record.account_id

    async def redirect(self, which: Call) -> None:
        await self.calls.redirect(self.account, which.record.id, hook=OTHER)


async def connected(site: Site, app: Neutral, phones: Phones, *before: Any, **dial: Any) -> Two:
    caller, bob, _ = phones
    app.answer("new-call", *before, Dial(callees=(callee(bob),), **dial), NEXT)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), app.event(Bridged))
    return Two(site, call, called)


def clip(site: Site, hertz: float) -> Clip:
    return Clip(site.tone(f"/{hertz:g}.wav", 1.0, hertz))


async def test_a_caller_who_is_redirected_loses_the_callee(site: Site, app: Neutral, phones: Phones) -> None:
    two = await connected(site, app, phones)
    app.answer("redirect", Play(clips=(clip(site, 1300.0),), loop=0))
    await two.redirect(two.parent)
    assert await two.called.ended() == "remote"
    await hears_tone(two.call, 1300.0)
    two.call.hang_up()


async def test_a_hang_up_does_not_wait_for_the_applications_last_answer(
    site: Site, app: Neutral, phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that does one thing at a time cannot answer what it is asked while it hangs up."""
    two = await connected(site, app, phones, action=HOOK)
    hung_up = asyncio.Event()
    ask = app.ask

    async def busy(question: Ask, call: CallRecord) -> Document | None:
        if isinstance(question, Action):
            await hung_up.wait()
        return await ask(question, call)

    monkeypatch.setattr(app, "ask", busy)
    async with asyncio.timeout(PATIENCE):
        record = await two.calls.hang_up(two.account, two.parent.record.id)
        assert (record.status, record.ended_by) == (CallStatus.COMPLETED, EndedBy.CONTROL)
        assert record == await two.calls.get(two.account, record.id)
        with pytest.raises(CallIsOver):
            await two.calls.tag(two.account, record.id, {})
    hung_up.set()
    await app.question("action")


async def test_a_callee_who_is_redirected_leaves_the_caller_with_the_next_verb(
    site: Site, app: Neutral, phones: Phones
) -> None:
    two = await connected(site, app, phones)
    app.answer("redirect", Play(clips=(clip(site, 1300.0),), loop=0))
    await two.redirect(two.child)
    await asyncio.gather(hears_tone(two.called, 1300.0), app.event(VerbStarted, verb=NEXT))
    outcome = app.outcome()
    assert (outcome.end, outcome.callee_status, outcome.bridged) == (EndOfVerb.DONE, "completed", True)
    question = await app.question("redirect")
    assert [record.to for ask, record in app.asked if ask is question] == ["bob"]
    two.call.hang_up()
    await two.call.ended()
    assert await site.server.switchboard.get(two.account, two.child.record.id)
    assert not two.child.over
    two.called.hang_up()


async def test_the_callee_by_way_of_the_caller(site: Site, app: Neutral, phones: Phones) -> None:
    two = await connected(site, app, phones)
    app.answer("redirect", Play(clips=(clip(site, 1300.0),), loop=0))
    record = await two.calls.redirect_callee(two.account, two.parent.record.id, hook=OTHER)
    assert record.to == "bob"
    await asyncio.gather(hears_tone(two.called, 1300.0), app.event(VerbStarted, verb=NEXT))
    with pytest.raises(WrongState):
        await two.calls.redirect_callee(two.account, two.parent.record.id, hook=OTHER)
    two.call.hang_up()
    two.called.hang_up()


async def test_both_go_their_own_ways(site: Site, app: Neutral, phones: Phones) -> None:
    two = await connected(site, app, phones)
    app.answer("redirect", Play(clips=(clip(site, 1300.0),), loop=0))
    app.answer("redirect", Play(clips=(clip(site, 1700.0),), loop=0))
    await two.calls.redirect_callee(two.account, two.parent.record.id, hook=OTHER)
    await two.redirect(two.parent)
    await asyncio.gather(hears_tone(two.called, 1300.0), hears_tone(two.call, 1700.0))
    unbridged = [event for event, _ in app.told if isinstance(event, Unbridged)]
    assert len(unbridged) == 2
    two.call.hang_up()
    two.called.hang_up()


async def test_both_in_one_change_and_the_dial_reports_nothing(
    site: Site, app: Neutral, phones: Phones
) -> None:
    two = await connected(site, app, phones, action=HOOK)
    app.answer("redirect", Play(clips=(clip(site, 1300.0),), loop=0))
    own = Document(verbs=(Play(clips=(clip(site, 1700.0),), loop=0),), application=app, at_end=HangUp())
    await two.calls.redirect_both(two.account, two.parent.record.id, to=own, callee_to=OTHER)
    await asyncio.gather(hears_tone(two.called, 1300.0), hears_tone(two.call, 1700.0))
    assert [ask.what for ask, _ in app.asked] == ["new-call", "redirect"]
    assert not app.outcomes()
    with pytest.raises(WrongState):
        await two.calls.redirect_both(two.account, two.parent.record.id, to=OTHER, callee_to=OTHER)
    two.call.hang_up()
    two.called.hang_up()


async def test_how_a_call_behaves_is_changed_beside_what_it_does(
    site: Site, app: Neutral, phones: Phones
) -> None:
    two = await connected(site, app, phones)
    await two.calls.configure(two.account, two.parent.record.id, Configure(request_hook=OTHER, gain_db=-6.0))
    await two.call.session.send_request("MESSAGE", [], b"hello", "text/plain")
    question = await app.question("request")
    assert (question.hook, question.body) == (OTHER, "hello")
    await talk(two.call, two.called)
    two.call.hang_up()
    await site.server.settled()
    with pytest.raises(CallIsOver):
        await two.calls.configure(two.account, two.parent.record.id, Configure())


async def test_both_at_once_wait_for_nobody(site: Site, app: Neutral, phones: Phones) -> None:
    """Whoever comes first: nothing blocks, and each call ends up somewhere."""
    two = await connected(site, app, phones)
    for _ in range(3):
        app.answer("redirect", NEXT)
    changes = (
        two.calls.redirect_callee(two.account, two.parent.record.id, hook=OTHER),
        two.redirect(two.child),
        two.redirect(two.parent),
    )
    async with asyncio.timeout(PATIENCE):
        results = await asyncio.gather(*changes, return_exceptions=True)
    assert all(result is None or isinstance(result, WrongState | CallIsOver) or result for result in results)
    two.call.hang_up()
    two.called.hang_up()
    await site.server.settled()
    assert site.server.plane.stats().legs == 0


async def test_a_callee_who_is_hung_up_by_control_ends_the_dial(
    site: Site, app: Neutral, phones: Phones
) -> None:
    two = await connected(site, app, phones)
    await two.calls.hang_up(two.account, two.child.record.id)
    assert await two.called.ended() == "remote"
    await app.event(VerbStarted, verb=NEXT)
    two.call.hang_up()


async def test_a_whisper_is_for_one_party_only(site: Site, app: Neutral, phones: Phones) -> None:
    two = await connected(site, app, phones)
    two.called.audio.say(tone(900.0, 30.0))
    await hears_tone(two.call, 900.0)
    whispered = Play(clips=(clip(site, 1300.0),))
    await two.calls.play_over(two.account, two.child.record.id, (whispered,))
    await hears_tone(two.called, 1300.0)
    assert has_tone(two.call.heard(), 900.0)
    two.call.hang_up()


async def test_a_party_that_is_muted_is_not_heard(site: Site, app: Neutral, phones: Phones) -> None:
    two = await connected(site, app, phones)
    await two.calls.mute(two.account, two.parent.record.id, muted=True)
    two.call.audio.say(tone(440.0, 60.0))
    two.called.audio.say(tone(900.0, 60.0))
    await hears_tone(two.call, 900.0)
    await two.called.hears(len(two.called.heard()) / 8000 + 0.5)
    assert not has_tone(two.called.heard(), 440.0)
    await two.calls.mute(two.account, two.parent.record.id, muted=False)
    await hears_tone(two.called, 440.0)
    two.call.hang_up()


async def test_a_party_is_made_quieter(site: Site, app: Neutral, phones: Phones) -> None:
    two = await connected(site, app, phones)
    two.call.audio.say(tone(440.0, 60.0))
    await hears_tone(two.called, 440.0)
    loud = float(abs(two.called.heard()[-800:].astype(int)).max())
    await two.calls.amplify(two.account, two.parent.record.id, decibels=-20.0)
    async with asyncio.timeout(PATIENCE):
        while abs(two.called.heard()[-800:].astype(int)).max() > loud / 5:
            await two.called.audio.arrival()
    assert has_tone(two.called.heard(), 440.0)
    two.call.hang_up()


async def test_a_time_limit_set_during_the_call(site: Site, app: Neutral, phones: Phones) -> None:
    two = await connected(site, app, phones)
    await two.calls.limit_time(two.account, two.parent.record.id, 0.1)
    assert await two.call.ended() == "remote"
    assert await two.called.ended() == "remote"


async def test_a_request_in_the_dialog(site: Site, app: Neutral, phones: Phones) -> None:
    two = await connected(site, app, phones)
    ids = two.account, two.parent.record.id
    answer = await two.calls.send_request(*ids, "INFO", content_type="text/plain", body="hello")
    assert answer == (200, "OK")
    sending = asyncio.create_task(
        two.calls.send_request(*ids, "MESSAGE", content_type="text/plain", body="again", headers=MOOD)
    )
    incoming = await asyncio.wait_for(two.call.requests.get(), PATIENCE)
    assert (incoming.request.body, incoming.request.headers.get("X-Mood")) == (b"again", "fine")
    await two.calls.tag(two.account, two.parent.record.id, {"meanwhile": "other changes are made"})
    incoming.reply(480)
    assert (await sending)[0] == 480
    two.call.hang_up()
    await two.parent.closed
    with pytest.raises(CallIsOver):
        await two.calls.send_request(*ids, "INFO", content_type="text/plain", body="hello")


async def test_a_request_as_a_verb(site: Site, app: Neutral, phones: Phones) -> None:
    verb = SendRequest(method="INFO", content_type="text/plain", body="hello", action=HOOK)
    odd = SendRequest(method="INFO", headers=(("Call-ID", "mine"),))
    two = await connected(site, app, phones, verb, odd)
    good, bad = app.outcomes("SendRequest")
    assert (good.end, good.sip_status, good.sip_reason) == (EndOfVerb.FAILED, None, None)
    assert (bad.end, bad.sip_status) == (EndOfVerb.FAILED, None)
    two.call.hang_up()


@pytest.mark.parametrize(("method", "kind"), [("INFO", "text/plain"), ("MESSAGE", "text/plain")])
async def test_what_a_party_sends_is_asked_about(
    site: Site, app: Neutral, phones: Phones, method: str, kind: str
) -> None:
    two = await connected(site, app, phones, Configure(request_hook=HOOK))
    response = await two.call.session.send_request(method, MOOD, b"hello", kind)
    assert response.status == (200 if method == "INFO" else 202)
    question = await app.question("request")
    assert isinstance(question, InDialogRequest)
    assert (question.method, question.body, question.held) == (method, "hello", None)
    assert ("X-Mood", "fine") in question.headers
    assert not two.parent.over
    app.answer("request", HangUp())
    await two.call.session.send_request(method, (), b"good bye", kind)
    assert await two.call.ended() == "remote"


async def test_a_message_that_nobody_asked_for(site: Site, app: Neutral, phones: Phones) -> None:
    two = await connected(site, app, phones)
    response = await two.call.session.send_request("MESSAGE", (), b"hello", "text/plain")
    assert response.status == 501
    two.call.hang_up()


async def test_a_redirect_may_dial_again(site: Site, app: Neutral, phones: Phones) -> None:
    """The callee, on its own, calls somebody else and is connected with them."""
    _, _, carol = phones
    two = await connected(site, app, phones)
    app.answer("redirect", Dial(callees=(callee(carol),)), HANG_UP)
    await two.redirect(two.child)
    assert isinstance(await app.question("redirect"), Redirected)
    third = await carol.incoming()
    assert third.session.request.max_forwards == 68
    third.answer()
    await talk(two.called, third)
    two.call.hang_up()
    await talk(two.called, third)
    third.hang_up()
    assert await two.called.ended() == "remote"
    await app.event(VerbEnded, verb="HangUp")
