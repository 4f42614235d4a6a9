"""Sample rates and sample formats of whole utterances."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ringback.speech.protocol import Pcm, SpeechError

TELEPHONE_RATE = 8000


def to_rate(pcm: Pcm, rate: int = TELEPHONE_RATE) -> Pcm:
    """The same sound at another rate. Takes milliseconds for seconds of sound: call it from a thread."""
    if pcm.rate == rate or not pcm.samples:
        return Pcm(pcm.samples, rate)
    samples: NDArray[np.int16] = np.frombuffer(pcm.samples, dtype="<i2")
    return Pcm(np.asarray(soxr.resample(samples, pcm.rate, rate), dtype="<i2").tobytes(), rate)


def from_container(data: bytes) -> Pcm:
    """A WAV, FLAC, MP3 or OGG file as its provider sent it, mixed down to mono."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise SpeechError("provider", f"the provider's audio cannot be read: {error}") from None
    return Pcm(mono(samples), int(rate))


def mono(samples: NDArray[Any]) -> bytes:
    """Frames by channels of int16 as mono s16le bytes."""
    one = samples if samples.shape[1] == 1 else samples.astype(np.int32).mean(axis=1)
    return bytes(one.astype("<i2").tobytes())
