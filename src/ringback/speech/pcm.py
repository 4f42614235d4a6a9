"""Sample rates and sample formats of whole utterances."""

from __future__ import annotations

import io

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
        # As floating point, because libsndfile does not scale float files that are read as integers.
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise SpeechError("provider", f"the provider's audio cannot be read: {error}") from None
    return Pcm(to_int16(samples.mean(axis=1, dtype=np.float32)), int(rate))


def to_int16(samples: NDArray[np.float32]) -> bytes:
    """Samples between -1 and 1, clipped there, as s16le bytes; what is not a number is silence."""
    scaled = np.nan_to_num(np.rint(samples * 32768.0))
    return bytes(np.clip(scaled, -32768, 32767).astype("<i2").tobytes())
