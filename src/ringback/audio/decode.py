"""Sound files as telephone sound: 8 kHz, mono, 16 bits. Blocks: called from a thread.

WAV (PCM, G.711, GSM, float), AIFF and AIFC, AU, FLAC, OGG and MP3 are recognised by their content;
headerless G.711, GSM and PCM by content type or file name.
"""

from __future__ import annotations

import io
import re
from urllib.parse import urlsplit

import msgspec
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ringback.audio.errors import AudioError
from ringback.speech.pcm import to_int16

RATE = 8000
MAX_SECONDS = 3600.0

_BLOCK_SECONDS = 5
_CONTAINERS = (b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"fLaC", b"OggS", b"ID3", b"caff")
_TEXT = re.compile(rb"\s*(<|\{|\[)")
_RATES = range(2000, 384_001)


class RawFormat(msgspec.Struct, frozen=True):
    """A headerless format, in libsndfile's words."""

    subtype: str
    rate: int = RATE
    endian: str = "FILE"


_ULAW, _ALAW, _GSM = RawFormat("ULAW"), RawFormat("ALAW"), RawFormat("GSM610")
_L16 = RawFormat("PCM_16", endian="LITTLE")
_BY_NAME = {
    "ulaw": _ULAW,
    "mulaw": _ULAW,
    "ul": _ULAW,
    "pcmu": _ULAW,
    "alaw": _ALAW,
    "al": _ALAW,
    "pcma": _ALAW,
    "gsm": _GSM,
    "pcm": _L16,
    "raw": _L16,
    "sln": _L16,
    "r8": _L16,
    "sln16": RawFormat("PCM_16", 16000, "LITTLE"),
    "r16": RawFormat("PCM_16", 16000, "LITTLE"),
}
_BY_TYPE = {
    "audio/basic": _ULAW,
    "audio/ulaw": _ULAW,
    "audio/x-ulaw": _ULAW,
    "audio/mulaw": _ULAW,
    "audio/x-mulaw": _ULAW,
    "audio/pcmu": _ULAW,
    "audio/alaw": _ALAW,
    "audio/x-alaw": _ALAW,
    "audio/pcma": _ALAW,
    "audio/gsm": _GSM,
    "audio/x-gsm": _GSM,
    "audio/pcm": _L16,
    "audio/l16": RawFormat("PCM_16", endian="BIG"),  # network order: RFC 2586
}


def decode(data: bytes, *, content_type: str = "", name: str = "", max_seconds: float = MAX_SECONDS) -> bytes:
    """The samples of a sound file, s16le mono at 8 kHz; raises `AudioError`.

    `content_type` may have parameters (`audio/L16;rate=16000`); `name` is a path or URL.
    """
    if not data:
        raise AudioError("unsupported", "the audio is empty")
    raw = None if data.startswith(_CONTAINERS) else raw_format(content_type, name)
    if raw is None and _is_text(data, content_type):
        kind = content_type.split(";")[0] or "text"
        raise AudioError("unsupported", f"expected audio, got {kind}")
    try:
        with _open(data, raw) as sound:
            return _telephone(sound, max_seconds)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
        kind = content_type or "unknown type"
        raise AudioError("unsupported", f"this is no audio that can be decoded ({kind}): {error}") from None


def raw_format(content_type: str, name: str) -> RawFormat | None:
    """The headerless format that a content type or a file name's extension means."""
    kind, _, parameters = content_type.partition(";")
    found = _BY_TYPE.get(kind.strip().lower())
    if found is None:
        path = urlsplit(name).path if "://" in name else name
        return _BY_NAME.get(path.rpartition(".")[2].lower())
    rate = re.search(r"rate\s*=\s*\"?(\d+)", parameters)
    if rate is not None and int(rate.group(1)) in _RATES:
        return RawFormat(found.subtype, int(rate.group(1)), found.endian)
    return found


def _open(data: bytes, raw: RawFormat | None) -> soundfile.SoundFile:
    if raw is None:
        return soundfile.SoundFile(io.BytesIO(data))
    return soundfile.SoundFile(
        io.BytesIO(data),
        samplerate=raw.rate,
        channels=1,
        format="RAW",
        subtype=raw.subtype,
        endian=raw.endian,
    )


def _telephone(sound: soundfile.SoundFile, max_seconds: float) -> bytes:
    rate = int(sound.samplerate)
    if rate not in _RATES:
        raise AudioError("unsupported", f"a sample rate of {rate} Hz cannot be played")
    resample = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="float32")
    parts: list[bytes] = []
    frames = 0
    while True:
        # As floating point, because libsndfile does not scale float files that are read as integers.
        block: NDArray[np.float32] = sound.read(rate * _BLOCK_SECONDS, dtype="float32", always_2d=True)
        frames += len(block)
        if frames > max_seconds * rate:
            raise AudioError("too-large", f"the audio is longer than {max_seconds:g} s")
        last = len(block) == 0
        samples = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))
        if resample is not None:
            samples = resample.resample_chunk(samples, last=last)
        parts.append(to_int16(samples))
        if last:
            return b"".join(parts)


def _is_text(data: bytes, content_type: str) -> bool:
    kind = content_type.split(";")[0].strip().lower()
    declared = kind.startswith("text/") or kind in ("application/json", "application/xml")
    return declared or _TEXT.match(data[:64]) is not None
