"""Detection on a call: what is found is the call's, and what else the call does waits for it or does not."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.calls.making import HOOK, FakeApplication, fake_call
from tests.calls.test_listening import with_ear

from ringback.calls.call import Call
from ringback.calls.configure import configure
from ringback.calls.detection import SPEECH, at_answer
from ringback.calls.events import AnswererDetected
from ringback.calls.verbs import Configure, MachineDetection
from ringback.media.model import SpeechStarted, SpeechStopped, ToneEnded, ToneStarted
from ringback.testing.virtual_time import in_virtual_time


def found(application: FakeApplication) -> list[AnswererDetected]:
    return [event for event in application.told if isinstance(event, AnswererDetected)]


async def speak(call: Call, seconds: float) -> None:
    """As the media plane tells of speech: its beginning 60 ms late, its end 200."""
    await asyncio.sleep(0.06)
    call.leg._heard(SpeechStarted(60))
    await asyncio.sleep(seconds - 0.06 + 0.2)
    call.leg._heard(SpeechStopped(round(seconds * 1000)))


def with_call() -> tuple[Call, FakeApplication, Any]:
    application = FakeApplication()
    call = fake_call(application)
    return call, application, with_ear(call)


@in_virtual_time
async def test_what_follows_waits_for_the_verdict() -> None:
    call, application, ear = with_call()
    speaking = asyncio.create_task(speak(call, 0.7))
    await at_answer(call, MachineDetection(report=HOOK))
    [event] = found(application)
    assert event == AnswererDetected(what="human", milliseconds=1900, reason="short greeting", hook=HOOK)
    assert (call.record.answered_by, call.record.detection_ms) == ("human", 1900)
    assert ear.wanted == [(SPEECH, True), (None, False)]
    await speaking


@in_virtual_time
async def test_a_machine_and_its_beep_beside_the_call() -> None:
    call, application, _ = with_call()
    await at_answer(call, MachineDetection(asynchronous=True, follow=True, report=HOOK))
    assert not found(application)
    await speak(call, 5.0)
    call.leg._heard(ToneStarted(1000.0))
    assert call.detection is not None
    await call.detection
    call.leg._heard(ToneEnded(1000.0, 400))
    first, *rest = found(application)
    assert (first.what, first.verdict, first.milliseconds) == ("machine-start", True, 2600)
    assert [(event.what, event.verdict, event.frequency) for event in rest] == [("tone", False, 1000.0)]
    assert call.record.answered_by == "machine-start"


@in_virtual_time
async def test_nobody_speaks() -> None:
    call, application, _ = with_call()
    await at_answer(call, MachineDetection(silence_timeout_ms=2000))
    [event] = found(application)
    assert (event.what, event.reason, event.milliseconds) == ("unknown", "no-speech", 2000)


async def test_a_call_that_ends_leaves_it_open() -> None:
    call, application, _ = with_call()
    detecting = asyncio.create_task(at_answer(call, MachineDetection()))
    await asyncio.sleep(0)
    call.over_future.set_result(None)
    await detecting
    await at_answer(call, MachineDetection(asynchronous=True))
    await at_answer(call, None)
    assert call.detection is None
    assert not found(application)


async def test_another_detection_takes_its_place() -> None:
    call, application, _ = with_call()
    configure(call, Configure(detection=MachineDetection(asynchronous=True)))
    first = call.detection
    await asyncio.sleep(0)
    configure(call, Configure(detection=MachineDetection(asynchronous=True, report=HOOK)))
    assert first is not None
    await asyncio.wait({first})
    assert first.cancelled()
    assert [(event.what, event.verdict) for event in found(application)] == [("stopped", False)]
    assert call.record.answered_by is None
    assert call.detection is not None
    call.detection.cancel()
    await asyncio.wait({call.detection})
