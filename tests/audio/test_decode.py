from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import soundfile

from ringback.audio.decode import decode, raw_format
from ringback.audio.errors import AudioError


def tone(
    rate: int = 8000, seconds: float = 1.0, hertz: float = 440.0
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate))


def encoded(
    kind: str, subtype: str | None, rate: int = 8000, channels: int = 1, seconds: float = 1.0
) -> bytes:
    out = io.BytesIO()
    one = tone(rate, seconds)
    soundfile.write(out, np.stack([one] * channels, axis=1), rate, format=kind, subtype=subtype)
    return out.getvalue()


def check(pcm: bytes, seconds: float = 1.0, tolerance: float = 0.02) -> None:
    samples = np.frombuffer(pcm, dtype="<i2")
    assert abs(len(samples) / 8000 - seconds) < tolerance
    spectrum = np.abs(np.fft.rfft(samples))
    assert abs(np.argmax(spectrum) * 8000 / len(samples) - 440) < 3
    assert 14000 < np.abs(samples[2000:6000].astype(int)).max() < 18500


@pytest.mark.parametrize(
    ("kind", "subtype", "rate", "channels"),
    [
        ("WAV", "PCM_16", 8000, 1),
        ("WAV", "PCM_16", 44100, 2),
        ("WAV", "PCM_U8", 11025, 1),
        ("WAV", "PCM_24", 48000, 2),
        ("WAV", "FLOAT", 16000, 1),
        ("WAV", "ULAW", 8000, 1),
        ("WAV", "ALAW", 8000, 1),
        ("WAV", "GSM610", 8000, 1),
        ("WAV", "IMA_ADPCM", 8000, 1),
        ("AIFF", "PCM_16", 22050, 2),
        ("AIFF", "ULAW", 8000, 1),
        ("AU", "ULAW", 8000, 1),
        ("FLAC", "PCM_16", 32000, 1),
        ("OGG", "VORBIS", 44100, 2),
        ("OGG", "OPUS", 48000, 1),
        ("MP3", "MPEG_LAYER_III", 44100, 2),
        ("MP3", "MPEG_LAYER_III", 8000, 1),
    ],
)
def test_containers(kind: str, subtype: str, rate: int, channels: int) -> None:
    check(decode(encoded(kind, subtype, rate, channels)), tolerance=0.15)


@pytest.mark.parametrize(
    ("subtype", "endian", "content_type", "name"),
    [
        ("ULAW", "FILE", "", "http://x/prompt.ulaw?v=1"),
        ("ULAW", "FILE", "audio/basic", "prompt"),
        ("ULAW", "FILE", "audio/x-mulaw; charset=binary", "prompt.bin"),
        ("ALAW", "FILE", "", "a/b.AL"),
        ("ALAW", "FILE", "audio/x-alaw", ""),
        ("GSM610", "FILE", "", "hello.gsm"),
        ("GSM610", "FILE", "audio/x-gsm", ""),
        ("PCM_16", "LITTLE", "", "hello.pcm"),
        ("PCM_16", "BIG", "audio/L16", ""),
    ],
)
def test_headerless(subtype: str, endian: str, content_type: str, name: str) -> None:
    out = io.BytesIO()
    soundfile.write(out, tone(), 8000, format="RAW", subtype=subtype, endian=endian)
    check(decode(out.getvalue(), content_type=content_type, name=name), tolerance=0.03)


def test_headerless_with_a_rate() -> None:
    out = io.BytesIO()
    soundfile.write(out, tone(16000), 16000, format="RAW", subtype="PCM_16", endian="BIG")
    check(decode(out.getvalue(), content_type='audio/L16; rate="16000"; channels=1'))
    assert raw_format("audio/pcmu;rate=1", "") is not None
    assert raw_format("audio/mpeg", "x.mp3") is None


def test_a_container_wins_over_its_name() -> None:
    check(decode(encoded("WAV", "PCM_16"), content_type="audio/basic", name="x.ulaw"))


def test_a_wrong_content_type_does_no_harm() -> None:
    check(decode(encoded("MP3", "MPEG_LAYER_III", 44100), content_type="audio/wav"), tolerance=0.15)


def test_resampling_over_block_borders_keeps_the_length() -> None:
    pcm = decode(encoded("WAV", "PCM_16", 44100, seconds=23.456))
    assert abs(len(pcm) / 16000 - 23.456) < 0.001


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"", "audio/wav"),
        (b"<html>not found</html>", ""),
        (b"hello", "text/plain"),
        (b'{"error":1}', "application/json"),
        (b"RIFF\x00\x00\x00\x00WAVEjunk", "audio/wav"),
        (bytes(range(256)) * 8, "audio/mp4"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(500), "audio/mp4"),
    ],
)
def test_what_is_no_sound(data: bytes, content_type: str) -> None:
    with pytest.raises(AudioError) as failed:
        decode(data, content_type=content_type)
    assert failed.value.kind == "unsupported"


def test_truncated_files_raise_or_play_what_is_there() -> None:
    for kind, subtype in (
        ("WAV", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("MP3", "MPEG_LAYER_III"),
    ):
        whole = encoded(kind, subtype, 44100)
        for cut in (10, 50, len(whole) // 2):
            with contextlib.suppress(AudioError):
                assert len(decode(whole[:cut])) <= 17_000


def test_too_long() -> None:
    with pytest.raises(AudioError) as failed:
        decode(encoded("FLAC", "PCM_16", seconds=3.0), max_seconds=2.0)
    assert failed.value.kind == "too-large"
