from __future__ import annotations

import numpy as np
import pytest

from ringback.speech.espeak import Espeak
from ringback.speech.pcm import to_int16, to_rate
from ringback.speech.protocol import Pcm, SpeechError, SpeechErrorKind, SpeechRequest, Voice
from ringback.speech.speaker import Speaker


class Scripted:
    """A provider that says a second of one sample value, or fails as told."""

    def __init__(self, name: str, fails: SpeechErrorKind | None = None) -> None:
        self._name = name
        self._fails = fails
        self.closed = False

    @property
    def name(self) -> str:
        return self._name

    def identity(self, request: SpeechRequest) -> str:
        return f"{self._name} {request.voice}"

    async def synthesize(self, request: SpeechRequest) -> Pcm:
        if self._fails is not None:
            raise SpeechError(self._fails, "out of order")
        return Pcm(b"\0\1" * 24000, 24000)

    def voices(self) -> list[Voice]:
        return [Voice(f"{self._name}-1", "en")]

    async def close(self) -> None:
        self.closed = True


async def test_the_first_provider_speaks_at_telephone_rate() -> None:
    speaker = Speaker([Scripted("one"), Scripted("two")])
    spoken = await speaker.speak(SpeechRequest("hi"))
    assert (spoken.provider, spoken.pcm.rate, spoken.pcm.seconds) == ("one", 8000, 1.0)
    assert (spoken.notes, spoken.spare) == ((), False)


async def test_a_vendor_chooses() -> None:
    speaker = Speaker([Scripted("one"), Scripted("two")])
    assert (await speaker.speak(SpeechRequest("hi", vendor="Two"))).provider == "two"
    spoken = await speaker.speak(SpeechRequest("hi", vendor="google"))
    assert spoken.provider == "one"
    assert "google is not configured" in spoken.notes[0]
    assert speaker.identity(SpeechRequest("x", vendor="two")).startswith("two")


async def test_the_last_one_helps_out() -> None:
    speaker = Speaker([Scripted("one", "unavailable"), Scripted("two")])
    spoken = await speaker.speak(SpeechRequest("hi"))
    assert (spoken.provider, spoken.spare) == ("two", True)
    assert spoken.notes == ("one failed (out of order): two speaks",)


@pytest.mark.parametrize("kind", ["empty", "too-long"])
async def test_what_cannot_be_said_by_anyone(kind: SpeechErrorKind) -> None:
    with pytest.raises(SpeechError):
        await Speaker([Scripted("one", kind), Scripted("two")]).speak(SpeechRequest("hi"))


async def test_nobody_left() -> None:
    with pytest.raises(SpeechError, match="out of order"):
        await Speaker([Scripted("one", "timeout")]).speak(SpeechRequest("hi"))
    with pytest.raises(ValueError, match="provider"):
        Speaker([])


async def test_everything_is_closed_and_listed() -> None:
    providers = [Scripted("one"), Scripted("two")]
    speaker = Speaker(providers)
    assert [(name, voice.name) for name, voice in speaker.voices()] == [("one", "one-1"), ("two", "two-1")]
    await speaker.close()
    assert all(provider.closed for provider in providers)


async def test_the_built_in_voice_notes_what_it_replaces() -> None:
    speaker = Speaker([Scripted("openai"), Espeak()])
    request = SpeechRequest("Hello", voice="Polly.Joanna", vendor="espeak")
    spoken = await speaker.speak(request)
    assert spoken.pcm.rate == 8000
    assert spoken.notes == ("the voice Polly.Joanna is not here: the built-in voice en-us+f2 speaks",)
    await speaker.close()


def test_rates_and_channels() -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)).astype("<i2")
    converted = to_rate(Pcm(tone.tobytes(), 22050))
    samples = np.frombuffer(converted.samples, dtype="<i2")
    assert len(samples) == 8000
    assert abs(int(np.argmax(np.abs(np.fft.rfft(samples)))) - 440) <= 1
    assert to_rate(Pcm(b"", 22050)).samples == b""
    assert to_rate(Pcm(b"\1\0", 8000)).samples == b"\1\0"
    loud = np.array([0.5, -1.0, 7.0, -7.0, np.nan, np.inf], dtype=np.float32)
    assert to_int16(loud) == np.array([16384, -32768, 32767, -32768, 0, 32767], "<i2").tobytes()
