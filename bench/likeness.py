"""How like the original speech sounds: by PESQ where that is installed, else by a plain distance."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Int16 = npt.NDArray[np.int16]
Float = npt.NDArray[np.float64]

RATE = 8000
FRAME = 160
FLOOR = 100.0
"""Magnitude added to every spectral line, so that what is too quiet to be heard does not count."""

try:
    _pesq: Callable[..., float] | None = importlib.import_module("pesq").pesq
except ImportError:
    _pesq = None

PERCEPTUAL = _pesq is not None
MEASURE = "MOS-LQO" if PERCEPTUAL else "distance in dB"


def likeness(said: Int16, heard: Int16, places: npt.NDArray[np.int64]) -> float:
    """MOS-LQO of the narrow band (ITU-T P.862, P.862.1) from 1 to 4.5, or `distance` without PESQ.

    `places[i]` is the sample in `said` at which the i-th frame of `heard` belongs.
    """
    if _pesq is None:
        return distance(said, heard, places)
    return float(_pesq(RATE, said, heard, "nb"))


def distance(said: Int16, heard: Int16, places: npt.NDArray[np.int64]) -> float:
    """The mean log-spectral distance of the frames in which something was said, in dB; 0 is the same."""
    starts = np.clip(places, 0, len(said) - FRAME)
    original = said[starts[:, None] + np.arange(FRAME)].astype(np.float64)
    frames = heard[: len(places) * FRAME].reshape(-1, FRAME).astype(np.float64)
    spoken = (original**2).mean(axis=1) > (said.astype(np.float64) ** 2).mean() / 100
    apart = _spectrum(original[spoken]) - _spectrum(frames[spoken])
    return float(np.sqrt((apart**2).mean(axis=1)).mean())


def _spectrum(frames: Float) -> Float:
    """[frame, line], in dB."""
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(FRAME), axis=1))
    return np.asarray(20 * np.log10(magnitude + FLOOR))
