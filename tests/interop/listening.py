"""Audio judged as audio: where in what was heard is what should have been heard, and how well."""

from __future__ import annotations

import io

import msgspec
import numpy as np
import soundfile

from ringback.testing.phone_audio import RATE, Samples


class Match(msgspec.Struct, frozen=True):
    """The best match: `seconds` from the beginning of what was heard, `likeness` from 0 to 1 (the same)."""

    seconds: float
    likeness: float


def voice(seconds: float, seed: int = 1) -> Samples:
    """Noise in the telephone band, coming and going four times a second: it is like nothing but itself."""
    count = int(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / RATE)
    spectrum[(frequencies < 300) | (frequencies > 3000)] = 0
    noise = np.fft.irfft(spectrum, count)
    swell = 0.6 + 0.4 * np.cos(2 * np.pi * 4 * np.arange(count) / RATE)
    samples: Samples = (noise * swell / np.abs(noise).max() * 20_000).astype(np.int16)
    return samples


def wav(samples: Samples) -> bytes:
    """A WAV file of it."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def find(heard: Samples, wanted: Samples) -> Match:
    """Where `wanted` is most likely in `heard`, by normalised cross-correlation."""
    if len(heard) < len(wanted):
        return Match(0.0, 0.0)
    whole, part = heard.astype(np.float64), wanted.astype(np.float64)
    size = len(whole) + len(part)
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)
    products = products[: len(whole) - len(part) + 1]
    energy = np.concatenate(([0.0], np.cumsum(whole**2)))
    energy = energy[len(part) :] - energy[: -len(part)]
    likeness = products / np.sqrt(np.maximum(energy, 1.0) * max(float(part @ part), 1.0))
    best = int(np.argmax(likeness))
    return Match(best / RATE, float(likeness[best]))


def likeness(heard: Samples, wanted: Samples, window: float = 0.1) -> float:
    """How much most of `wanted` is like what was heard: the median over its windows, each where it fits best.

    A machine that is busy lets some come late, or not at all; `find` takes that for another sound.
    """
    size = int(window * RATE)
    parts = (wanted[begin : begin + size] for begin in range(0, len(wanted) - size + 1, size))
    return float(np.median([find(heard, part).likeness for part in parts]))


def worst(heard: Samples, wanted: Samples, seconds: float, window: float = 0.1) -> float:
    """The likeness of the least like window of `wanted`, which begins at `seconds` in `heard`."""
    begin, size = round(seconds * RATE), int(window * RATE)
    found: list[float] = []
    for offset in range(0, len(wanted) - size + 1, size):
        part = wanted[offset : offset + size].astype(np.float64)
        there = heard[begin + offset : begin + offset + size].astype(np.float64)
        if len(there) < size:
            return 0.0
        energy = max(float(part @ part), 1.0) * max(float(there @ there), 1.0)
        found.append(float(part @ there) / energy**0.5)
    return min(found)
