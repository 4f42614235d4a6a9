"""Listening for speech and tones: several may, and each is told for as long as it listens."""

from __future__ import annotations

from typing import Any, cast

from tests.calls.making import FakeApplication, fake_call

from ringback.calls.call import Call
from ringback.calls.leg import Sound
from ringback.media.model import SpeechDetection, SpeechStarted, SpeechStopped, ToneStarted

QUICK = SpeechDetection(stop_ms=200)
SLOW = SpeechDetection(stop_ms=1200)


class Ear:
    """A media leg that keeps what it is asked to listen for."""

    def __init__(self) -> None:
        self.wanted: list[tuple[SpeechDetection | None, bool]] = []

    def listen(self, *, speech: SpeechDetection | None, tones: bool) -> None:
        self.wanted.append((speech, tones))


def with_ear(call: Call) -> Ear:
    ear = Ear()
    call.leg._media = cast("Any", ear)
    return ear


async def test_sounds_are_told_while_somebody_listens() -> None:
    call = fake_call(FakeApplication())
    ear = with_ear(call)
    heard: list[Sound] = []
    call.leg._heard(SpeechStarted(80))
    with call.listening(heard.append, speech=QUICK):
        call.leg._heard(SpeechStarted(80))
        call.leg._heard(ToneStarted(1000.0))
    call.leg._heard(SpeechStopped(400))
    assert heard == [SpeechStarted(80), ToneStarted(1000.0)]
    assert ear.wanted == [(QUICK, False), (None, False)]


async def test_the_last_of_several_says_what_speech_is_and_tones_are_for_anybody() -> None:
    call = fake_call(FakeApplication())
    ear = with_ear(call)
    with (
        call.listening(print, speech=QUICK, tones=True),
        call.listening(print, speech=SLOW),
        call.listening(print),
    ):
        pass
    assert ear.wanted == [
        (QUICK, True),
        (SLOW, True),
        (SLOW, True),
        (SLOW, True),
        (QUICK, True),
        (None, False),
    ]


async def test_a_call_that_is_over_tells_nothing() -> None:
    call = fake_call(FakeApplication())
    with_ear(call)
    heard: list[Sound] = []
    with call.listening(heard.append, speech=QUICK):
        call.over_future.set_result(None)
        call.leg._heard(SpeechStarted(80))
    assert heard == []
