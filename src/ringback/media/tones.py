"""Tones: rendered to sources once, and the ones that telephones make by custom."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ringback.media.model import DTMF_KEYS, Silence, Tone
from ringback.media.source import Source

RATE = 8000
FULL_SCALE_DBM0 = 3.14
"""The level of a full-scale sine in G.711 (ITU-T G.711: 3.14 dBm0 for A-law, 3.17 for µ-law)."""
RAMP = 16
"""Samples (2 ms) over which a tone fades in and out, so that it does not click."""

LOW_GROUP = (697.0, 770.0, 852.0, 941.0)
HIGH_GROUP = (1209.0, 1336.0, 1477.0, 1633.0)
KEYPAD = "123A456B789C*0#D"
"""The keys, row by row of `LOW_GROUP`, column by column of `HIGH_GROUP` (ITU-T Q.23)."""


def amplitude(level: float) -> float:
    """The peak of a sine of `level` dBm0, in units of a 16-bit sample."""
    return float(32767.0 * 10 ** ((level - FULL_SCALE_DBM0) / 20))


@lru_cache(maxsize=256)
def source(tone: Tone) -> Source:
    """The tone as audio. The same tone gives the same key."""
    count = max(0, tone.milliseconds) * RATE // 1000
    time = np.arange(count) / RATE
    wave = np.zeros(count)
    for frequency in tone.frequencies:
        wave += np.sin(2 * np.pi * frequency * time)
    ramp = min(RAMP, count // 2)
    if ramp:
        edge = np.arange(ramp) / ramp
        wave[:ramp] *= edge
        wave[count - ramp :] *= edge[::-1]
    pcm = np.clip(wave * amplitude(tone.level), -32767, 32767).astype("<i2").tobytes()
    name = "+".join(f"{frequency:g}" for frequency in tone.frequencies)
    return Source(f"tone:{name}:{tone.milliseconds}:{tone.level:g}", pcm)


def dtmf(key: str, milliseconds: int, level: float = -8.0) -> Tone:
    """The tone pair of a key (ITU-T Q.23). Raises ValueError for what is no key."""
    if key not in DTMF_KEYS:
        raise ValueError(f"{key!r} is not a DTMF key; the keys are {DTMF_KEYS}")
    place = KEYPAD.index(key)
    return Tone((LOW_GROUP[place // 4], HIGH_GROUP[place % 4]), milliseconds, level)


Pattern = tuple[Tone | Silence, ...]
"""Sounds one after the other, to be played over and over."""

_LEVEL = -13.0
"""dBm0 of each frequency, in the middle of what is usual for tones to the calling party (ITU-T E.180)."""


def _cadence(frequencies: tuple[float, ...], *milliseconds: int) -> Pattern:
    """Sound and pause in turn."""
    return tuple(
        Silence(length) if place % 2 else Tone(frequencies, length, _LEVEL)
        for place, length in enumerate(milliseconds)
    )


_EUROPEAN = _cadence((425.0,), 1000, 4000)
_DOUBLE = (400, 200, 400, 2000)

RINGING_TONES: dict[str, Pattern] = {
    "at": _cadence((420.0,), 1000, 5000),
    "au": _cadence((413.0, 438.0), *_DOUBLE),
    "be": _cadence((425.0,), 1000, 3000),
    "cl": _cadence((400.0,), 1000, 3000),
    "cn": _cadence((450.0,), 1000, 4000),
    "es": _cadence((425.0,), 1500, 3000),
    "fr": _cadence((440.0,), 1500, 3500),
    "hu": _cadence((425.0,), 1250, 3750),
    "il": _cadence((400.0,), 1000, 3000),
    "in": _cadence((375.0, 425.0), *_DOUBLE),
    "jp": _cadence((384.0, 416.0), 1000, 2000),
    "my": _cadence((425.0,), *_DOUBLE),
    "nz": _cadence((400.0, 450.0), *_DOUBLE),
    "ph": _cadence((425.0, 480.0), 1000, 4000),
    "pt": _cadence((425.0,), 1000, 5000),
    "ru": _cadence((425.0,), 800, 3200),
    "se": _cadence((425.0,), 1000, 5000),
    "sg": _cadence((401.0, 449.0), *_DOUBLE),
    "th": _cadence((400.0,), 1000, 4000),
    "tw": _cadence((440.0, 480.0), 1000, 2000),
    "uk": _cadence((400.0, 450.0), *_DOUBLE),
    "us": _cadence((440.0, 480.0), 2000, 4000),
    "us-old": _cadence((380.0, 460.0), 2000, 4000),
    "za": _cadence((367.0, 433.0), *_DOUBLE),
    **dict.fromkeys(
        ["bg", "br", "ch", "cz", "de", "dk", "ee", "fi", "gr", "it", "lt", "mx", "nl", "no", "pl", "ve"],
        _EUROPEAN,
    ),
}
"""What a caller hears while it rings elsewhere, by country (ITU-T E.180, supplement 2). A tone that the table
gives as modulated (400 x 25 Hz) is here as the two that make it up."""


def ringing_tone(country: str = "") -> Pattern:
    """The ringing tone of a country; of one that is not known, and of none, the one that E.180 recommends."""
    return RINGING_TONES.get(country.lower(), _EUROPEAN)


def _note(frequency: float, milliseconds: int) -> Pattern:
    return (Tone((frequency, 2 * frequency), milliseconds, -26.0), Silence(60))


HOLD_MUSIC: Pattern = tuple(
    sound
    for frequency, milliseconds in (
        (261.6, 440), (329.6, 440), (392.0, 440), (440.0, 940),
        (392.0, 440), (329.6, 440), (293.7, 940), (293.7, 440),
        (349.2, 440), (440.0, 440), (392.0, 940), (329.6, 440),
        (293.7, 440), (261.6, 1440),
    )
    for sound in _note(frequency, milliseconds)
)  # fmt: skip
"""A quiet tune for who waits on hold."""
