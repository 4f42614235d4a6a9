"""Finding out who answered a call, while the call goes on or before it does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ringback.calls.amd import TOLD_LATE_MS, Detector, Finding
from ringback.calls.events import AnswererDetected
from ringback.calls.status import EndedBy
from ringback.calls.verbs import HangUp
from ringback.calls.waiting import first_of
from ringback.media.model import SpeechDetection, SpeechStarted, SpeechStopped, ToneEnded, ToneStarted

if TYPE_CHECKING:
    from ringback.calls.call import Call
    from ringback.calls.leg import Sound
    from ringback.calls.verbs import MachineDetection

SPEECH = SpeechDetection(start_ms=60, stop_ms=TOLD_LATE_MS)
"""Pauses between words are to be heard: how long they are is what tells people from machines."""
TONE_MS = 80
"""What had been heard of a tone when it was reported."""


async def detect(call: Call, wanted: MachineDetection) -> None:
    """Listen, from the answer on, until it is known who answered or the call is over.

    What is found is in the call's events and, once there is a verdict, in its record.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    ears = Ears(wanted)
    sounds: asyncio.Queue[Sound] = asyncio.Queue()
    try:
        with call.listening(sounds.put_nowait, speech=SPEECH, tones=True):
            while not (ears.over or call.over):
                sound = await _next(call, sounds, began + ears.deadline / 1000 - loop.time())
                now = round((loop.time() - began) * 1000)
                for found in ears.hear(sound, now) if sound is not None else ears.wait(now):
                    _tell(call, wanted, found)
    except asyncio.CancelledError:
        stopped = round((loop.time() - began) * 1000)
        _tell(call, wanted, Finding(what="stopped", at=stopped, verdict=False))
        raise


def detect_beside(call: Call, wanted: MachineDetection) -> None:
    """Find out while the call goes on, in place of any detection that still does."""
    if call.detection is not None:
        call.detection.cancel()
    call.detection = call.beside(detect(call, wanted))


async def at_answer(call: Call, wanted: MachineDetection | None) -> None:
    """Begin to find out, where that is wanted; what is to know first waits for this."""
    if wanted is None or call.over:
        return
    if wanted.asynchronous:
        detect_beside(call, wanted)
        return
    await detect(call, wanted)
    if wanted.people_only and call.record.answered_by not in (None, "human", "unknown"):
        call.drop(HangUp(cause="a machine answered"), EndedBy.SERVER)


async def _next(call: Call, sounds: asyncio.Queue[Sound], patience: float) -> Sound | None:
    """What is heard next; None when the patience or the call is over first."""
    if not sounds.empty():
        return sounds.get_nowait()
    hearing = asyncio.ensure_future(sounds.get())
    try:
        await first_of(hearing, call.over_future, timeout=max(0.0, patience))
        return hearing.result() if hearing.done() else None
    finally:
        hearing.cancel()


def _tell(call: Call, wanted: MachineDetection, found: Finding) -> None:
    if call.over:
        return
    call.append(
        AnswererDetected(
            what=found.what,
            milliseconds=found.at,
            verdict=found.verdict,
            partial=found.partial,
            reason=found.reason,
            frequency=found.frequency,
            hook=wanted.report,
        )
    )


class Ears:
    """Turns what the media plane tells into the times at which it happened."""

    def __init__(self, wanted: MachineDetection) -> None:
        self._detector = Detector(wanted)
        self._speech_began = 0

    @property
    def over(self) -> bool:
        """See `Detector.over`."""
        return self._detector.over

    @property
    def deadline(self) -> int:
        """See `Detector.deadline`."""
        return self._detector.deadline

    def hear(self, sound: Sound, now: int) -> list[Finding]:
        """Something was told at `now`."""
        detector = self._detector
        match sound:
            case SpeechStarted(ms):
                self._speech_began = now - ms
                return detector.speech_started(now - ms) + detector.expire(now)
            case SpeechStopped(ms):
                return detector.speech_stopped(self._speech_began + ms) + detector.expire(now)
            case ToneStarted(frequency):
                return detector.tone_started(now - TONE_MS, frequency) + detector.expire(now)
            case ToneEnded():
                return detector.tone_ended(now) + detector.expire(now)

    def wait(self, now: int) -> list[Finding]:
        """Nothing was told by `now`."""
        return self._detector.expire(now)
