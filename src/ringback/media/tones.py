"""Tones: rendered to sources once, and the ones that telephones make by custom."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ringback.media.model import DTMF_KEYS, Tone
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
