"""Who answered, with real telephones: found out before the application is asked, beside it, and of who is
dialled."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from tests.server.neutral import HANG_UP, HOOK, Neutral, Phones, callee, tone
from tests.server.site import NUMBERS, Site

from ringback.calls.application import NewCall
from ringback.calls.control import CallRequest
from ringback.calls.events import AnswererDetected, Bridged, VerbStarted
from ringback.calls.verbs import Callee, Dial, MachineDetection, Pause
from ringback.testing.phone_audio import RATE, Samples
from ringback.testing.softphone import Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICK = MachineDetection(speech_threshold_ms=1000, speech_end_ms=500, silence_timeout_ms=10_000)


def syllables(seconds: float) -> Samples:
    """Something like speech: a buzz whose pitch and loudness change all the time."""
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = 130 + 25 * np.sin(2 * np.pi * 1.3 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    buzz = sum(np.sin(number * phase) / number for number in range(1, 12))
    return (3000 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))).astype(np.int16)


def request(site: Site, app: Neutral, phone: Softphone, detection: MachineDetection) -> CallRequest:
    target = callee(phone).target
    return CallRequest(
        account=site.account,
        application=app,
        to=target,
        to_shown="bob",
        from_="+14155550100",
        detection=detection,
    )


async def test_the_application_is_asked_once_it_is_known(site: Site, app: Neutral, phones: Phones) -> None:
    _, bob, _ = phones
    app.answer("new-call", HANG_UP)
    await site.server.switchboard.create(request(site, app, bob, QUICK))
    call = await bob.incoming()
    call.answer()
    await call.answered()
    call.audio.say(syllables(0.6))
    question = await app.question("new-call")
    assert isinstance(question, NewCall)
    await call.ended()
    [(_, record)] = app.asked
    assert record.answered_by == "human"
    assert record.detection_ms is not None
    assert record.detection_ms > 1000


async def test_a_redirect_ends_what_comes_before_the_first_document(
    site: Site, app: Neutral, phones: Phones
) -> None:
    """Nothing else runs beside what the call was redirected to."""
    _, bob, _ = phones
    app.answer("new-call", HANG_UP)
    app.answer("redirect", Pause(seconds=60))
    switchboard = site.server.switchboard
    wanted = MachineDetection(wait_for_end=True, partial_results=True, speech_threshold_ms=500)
    record = await switchboard.create(request(site, app, bob, wanted))
    call = await bob.incoming()
    call.answer()
    await call.answered()
    call.audio.say(syllables(3.0))
    await app.event(AnswererDetected)
    await switchboard.redirect(record.account_id, record.id, hook=HOOK)
    await app.event(VerbStarted)
    call.hang_up()
    await site.server.settled()
    assert [ask.what for ask, _ in app.asked] == ["redirect"]
    told = [event.what for event, _ in app.told if isinstance(event, AnswererDetected)]
    assert told == ["machine-start", "stopped"]


async def test_a_machine_with_its_beep(site: Site, app: Neutral, phones: Phones) -> None:
    _, bob, _ = phones
    app.answer("new-call", HANG_UP)
    wanted = MachineDetection(wait_for_end=True, partial_results=True, speech_threshold_ms=1000)
    await site.server.switchboard.create(request(site, app, bob, wanted))
    call = await bob.incoming()
    call.answer()
    await call.answered()
    call.audio.say(syllables(2.0))
    call.audio.say(np.zeros(RATE // 2, np.int16))
    call.audio.say(tone(1000.0, 0.4))
    await call.ended()
    told = [event for event, _ in app.told if isinstance(event, AnswererDetected)]
    assert [(event.what, event.partial) for event in told] == [
        ("machine-start", True),
        ("machine-end-beep", False),
    ]
    assert told[1].frequency == pytest.approx(1000, abs=5)
    [(_, record)] = app.asked
    assert record.answered_by == "machine-end-beep"


async def test_beside_the_call_and_of_who_is_dialled(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    wanted = MachineDetection(asynchronous=True, report=HOOK, speech_threshold_ms=1000, follow=True)
    dialled: Callee = callee(bob, detection=wanted)
    app.answer("new-call", Dial(callees=(dialled,)), HANG_UP)
    call = await caller.call(NUMBERS["laml"])
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), app.event(Bridged))
    called.audio.say(syllables(2.0))
    event = await app.event(AnswererDetected)
    assert (event.what, event.reason, event.hook) == ("machine-start", "long greeting", HOOK)
    called.audio.say(tone(1400.0, 0.4))
    event = await app.event(AnswererDetected, what="tone")
    assert event.frequency == pytest.approx(1400, abs=5)
    [of] = {record.to for event, record in app.told if isinstance(event, AnswererDetected)}
    assert of == "bob"
    called.hang_up()
    await call.ended()


async def test_a_machine_is_not_connected_where_people_are_wanted(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, _ = phones
    wanted = MachineDetection(speech_threshold_ms=1000, people_only=True)
    app.answer("new-call", Dial(callees=(callee(bob, detection=wanted),)), HANG_UP)
    call = await caller.call(NUMBERS["laml"])
    called = await bob.incoming()
    called.answer()
    await called.answered()
    called.audio.say(syllables(2.0))
    assert await called.ended() == "remote"
    assert await call.ended() == "remote"
    outcome = app.outcome()
    assert (outcome.bridged, outcome.callee_status) == (False, "completed")
    assert app.ends()["bob"].cause == "a machine answered"
