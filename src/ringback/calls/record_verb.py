"""Record: a beep, what the caller says until it falls silent, presses a key or hangs up; ControlRecording."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ringback.calls.control import WrongState
from ringback.calls.leg import Sound
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.prompt import play_sources
from ringback.calls.recordings.control import NoSuchRecording
from ringback.calls.recordings.recording import Recording
from ringback.calls.verbs import ControlRecording, Record
from ringback.calls.waiting import first_of
from ringback.media.model import SpeechDetection, SpeechStarted, SpeechStopped, Tone

if TYPE_CHECKING:
    from ringback.calls.call import Call

BEEP = Tone((1000.0,), 400)
SPEECH = SpeechDetection()


class Patience:
    """How long a Record goes on, without IO: what is heard and times in, the deadline out.

    Times are seconds of any one clock. The silence before the first word counts like any other.
    """

    def __init__(self, verb: Record, now: float) -> None:
        self._silence = verb.silence_timeout
        self._end = now + verb.max_seconds
        self._silent_since: float | None = now

    @property
    def deadline(self) -> float:
        """When it is over, if nothing else happens."""
        if self._silence is None or self._silent_since is None:
            return self._end
        return min(self._end, self._silent_since + self._silence)

    def hears(self, sound: Sound, now: float) -> None:
        """The caller begins to speak, or has fallen silent a while ago."""
        if isinstance(sound, SpeechStarted):
            self._silent_since = None
        elif isinstance(sound, SpeechStopped):
            self._silent_since = now - SPEECH.stop_ms / 1000


async def record(call: Call, verb: Record) -> Outcome:
    """Record the caller; it ends with the recording, finished, or without one where there is nothing."""
    if verb.beep:
        await play_sources(call, [BEEP], loop=1)
    if call.over:
        return Outcome(end=EndOfVerb.HUNG_UP)
    begun = call.recorder.start(verb.recording)
    if begun.status.final:
        return Outcome(end=EndOfVerb.FAILED, error=begun.error)
    finished = call.recorder.finished(begun.id)
    try:
        key = await _until_done(call, verb, finished)
    finally:
        # Also when something else is done with the call: what was said so far is kept.
        call.recorder.stop_soon(begun.id)
    recording = await call.recorder.made(begun.id)
    return Outcome(
        end=EndOfVerb.HUNG_UP if call.over else EndOfVerb.DONE,
        digits=key,
        finish_key=key,
        recording=recording,
        error=finished.result().error if finished.done() else None,
    )


async def _until_done(call: Call, verb: Record, finished: asyncio.Future[Recording]) -> str | None:
    """Wait for whatever ends it; the key, if it was one."""
    loop = asyncio.get_running_loop()
    patience = Patience(verb, loop.time())
    inbox: asyncio.Queue[str | Sound] = asyncio.Queue()
    with call.hearing(inbox.put_nowait), call.listening(inbox.put_nowait, speech=SPEECH):
        while True:
            heard = loop.create_task(inbox.get())
            try:
                left = max(0.0, patience.deadline - loop.time())
                await first_of(heard, finished, call.over_future, timeout=left)
            finally:
                if not heard.done():
                    heard.cancel()
            if not heard.done() or heard.cancelled():
                return None
            what = heard.result()
            if not isinstance(what, str):
                patience.hears(what, loop.time())
            elif what in verb.finish_keys:
                return what


def control_recording(call: Call, verb: ControlRecording) -> Outcome:
    """Begin, interrupt, continue or end recording the call. What cannot be is noted."""
    try:
        if verb.what == "start":
            call.recorder.start(verb.recording)
        else:
            name = verb.recording.custom_id
            call.recorder.change(verb.what, name=name, silence=verb.silence)
    except (NoSuchRecording, WrongState) as error:
        call.note("warning", "recording", f"{verb.what}: {error.message}")
        return Outcome(end=EndOfVerb.FAILED, error=error.message)
    return Outcome()
