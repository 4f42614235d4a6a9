"""Known sound, and finding it again in a recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from ringback.testing.phone_audio import RATE, Samples

_PIECE = RATE // 50


def babble(seed: int, seconds: float) -> Samples:
    """Noise of the telephone's band, as loud as speech: like nothing but itself."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / RATE)
    spectrum[(frequencies < 300) | (frequencies > 3000)] = 0
    wave = np.fft.irfft(spectrum, count)
    samples: Samples = (wave / np.abs(wave).max() * 12000).astype(np.int16)
    return samples


def channels_of(path: Path) -> list[Samples]:
    """The channels of a WAV file."""
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    assert rate == RATE
    return list(samples.T)


def place_of(said: Samples, heard: Samples) -> float:
    """The second of `heard` at which `said` begins, if it is there at all (negative: cut off)."""
    size = len(said) + len(heard)
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    match = np.fft.irfft(spectrum, size)
    lag = int(np.argmax(match))
    return (lag if lag <= len(heard) else lag - size) / RATE


def share_of(said: Samples, heard: Samples) -> float:
    """How much of what was said is there about where it belongs, packet by packet of 20 ms.

    A phone on a busy machine speaks late, and the jitter buffer then moves what follows: by less than half a
    second.
    """
    begin = round(place_of(said, heard) * RATE)
    found = pieces = 0
    for start in range(0, len(said) - _PIECE + 1, _PIECE):
        pieces += 1
        first = max(0, begin + start - RATE // 2)
        around = heard[first : begin + start + _PIECE + RATE // 2]
        found += len(around) >= _PIECE and _likeness(said[start : start + _PIECE], around) > 0.9
    return found / pieces


def _likeness(piece: Samples, around: Samples) -> float:
    """The largest correlation coefficient over all places."""
    windows = np.lib.stride_tricks.sliding_window_view(around.astype(np.float64), len(piece))
    norms = np.linalg.norm(windows, axis=1) * np.linalg.norm(piece.astype(np.float64))
    return float((windows @ piece.astype(np.float64) / np.maximum(norms, 1.0)).max())
