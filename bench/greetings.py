"""What is heard after an answer, synthesised: people, machines with and without a beep, faxes, nobody.

The same every time: texts are spoken by the built-in voices, lines are given noise by a seeded generator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import soxr

from ringback.media import tones
from ringback.media.model import Tone
from ringback.speech.espeak import Espeak
from ringback.speech.protocol import SpeechRequest

Int16 = npt.NDArray[np.int16]
Float = npt.NDArray[np.float64]

RATE = 8000
VOICES = (("en-US", "female"), ("en-US", "male"), ("en-GB", "female"), ("de-DE", "male"), ("es-ES", "female"))
NOISES: tuple[float | None, ...] = (None, -50.0, -40.0, -30.0)
"""Level of what else is on the line, in dBm0."""
BEEPS = (440.0, 480.0, 850.0, 1000.0, 1400.0, 1850.0)
VOICE_LEVEL = -20.0

SHORT = (
    "Hello?",
    "Yes?",
    "Hello, hello?",
    "Hello, this is Alice.",
    "Bob speaking.",
    "Alice Example, good morning.",
    "Hi, who is calling?",
)
LONG = (
    "Good morning, Example Dental Practice, this is Alice speaking, how may I help you?",
    "Thank you for calling the front desk of the Example Hotel, Bob speaking, what can I do for you?",
)
MACHINES = (
    "Hi, you have reached the voice mailbox of Alice Example. I cannot take your call right now. "
    "Please leave a message after the tone.",
    "The person you are calling is not available. At the tone, please record your message. "
    "When you have finished recording, you may hang up.",
    "Hello. This is Bob. I am out of the office until Monday. "
    "Leave your name and number, and I will call you back.",
    "You have reached the answering machine of the Example family. Nobody is at home. Speak after the beep.",
)
BRIEF_MACHINES = ("This is Bob, leave a message.", "Alice here. After the tone.")


class Heard(msgspec.Struct, frozen=True):
    """One line after the answer: what it is, and its sound at 8 kHz."""

    kind: str
    audio: Int16


async def corpus(
    speakers: Sequence[tuple[str, str]] = VOICES, noises: Sequence[float | None] = NOISES
) -> list[Heard]:
    """Everything, by these voices, on lines of each noise."""
    speak = Espeak()
    try:
        voices = {
            (text, voice): await _spoken(speak, text, voice)
            for text in (*SHORT, *LONG, *MACHINES, *BRIEF_MACHINES)
            for voice in speakers
        }
    finally:
        await speak.close()
    generator = np.random.default_rng(20)
    lines = []
    for noise in noises:
        for kind, sound in _sounds(speakers, voices):
            lead = np.zeros(int(generator.uniform(0.1, 1.5) * RATE))
            lines.append(Heard(kind, _on_the_line(np.concatenate([lead, sound]), noise, generator)))
    return lines


def _sounds(
    speakers: Sequence[tuple[str, str]], voices: dict[tuple[str, tuple[str, str]], Float]
) -> Iterator[tuple[str, Float]]:
    for voice in speakers:
        for text in SHORT:
            yield "person", voices[text, voice]
        for text in LONG:
            yield "person, long greeting", voices[text, voice]
        for number, text in enumerate(MACHINES):
            greeting = voices[text, voice]
            for beep in (BEEPS[number], BEEPS[number + 2]):
                yield "machine, beep", np.concatenate([greeting, _rest(0.4 + 0.1 * number), _tone(beep)])
            yield "machine, late beep", np.concatenate([greeting, _rest(2.0), _tone(1000.0)])
            yield "machine, no beep", greeting
            yield (
                "machine, hello and a long pause",
                np.concatenate([voices[SHORT[0], voice], _rest(1.6), greeting, _rest(0.5), _tone(1000.0)]),
            )
        for text in BRIEF_MACHINES:
            yield (
                "machine, brief greeting and beep",
                np.concatenate([voices[text, voice], _rest(0.5), _tone(950.0)]),
            )
    for frequency in (1100.0, 1070.0, 1130.0):
        calling = np.concatenate([_tone(frequency, 500), _rest(3.0)])
        yield "fax that calls", np.concatenate([calling] * 3)
    for frequency in (2100.0, 2090.0, 2110.0):
        yield "fax that answers", _tone(frequency, 3000)
    for _ in range(5):
        yield "nobody", _rest(0.1)


async def _spoken(speak: Espeak, text: str, voice: tuple[str, str]) -> Float:
    language, gender = voice
    request = SpeechRequest(text, language=language, gender="male" if gender == "male" else "female")
    pcm = await speak.synthesize(request)
    wave = soxr.resample(np.frombuffer(pcm.samples, "<i2").astype(np.float64), pcm.rate, RATE)
    loud = np.abs(wave) > 200
    wave = wave[loud.argmax() : len(wave) - loud[::-1].argmax()]
    power = float((wave**2).mean())
    return np.asarray(wave * tones.amplitude(VOICE_LEVEL) / np.sqrt(2 * power))


def _tone(frequency: float, milliseconds: int = 400) -> Float:
    return np.frombuffer(tones.source(Tone((frequency,), milliseconds, -12.0)).pcm, "<i2").astype(np.float64)


def _rest(seconds: float) -> Float:
    return np.zeros(int(seconds * RATE))


def _on_the_line(sound: Float, noise: float | None, generator: np.random.Generator) -> Int16:
    """With noise like that of a room (more of it below than above), from the answer until 32 s later."""
    line = np.zeros(32 * RATE)
    line[: min(len(sound), len(line))] = sound[: len(line)]
    if noise is not None:
        white = np.fft.rfft(generator.standard_normal(len(line)))
        frequency = np.fft.rfftfreq(len(line), 1 / RATE)
        room = np.fft.irfft(white / np.sqrt(np.maximum(frequency, 100.0)) * (frequency > 60), len(line))
        line += room * tones.amplitude(noise) / np.sqrt(2 * (room**2).mean())
    return np.clip(line, -32768, 32767).astype(np.int16)
