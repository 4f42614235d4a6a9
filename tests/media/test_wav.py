from __future__ import annotations

import os
import resource
import wave
from pathlib import Path

import numpy as np
import pytest

from ringback.media import wav


def ramp(samples: int, channels: int = 1) -> wav.Int16:
    return np.arange(samples * channels, dtype=np.int16).reshape(samples, channels)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_is_playable_after_each_commit(tmp_path: Path, channels: int) -> None:
    path = str(tmp_path / "call.wav")
    file = wav.WavFile(path, channels)
    for written in range(3):
        with wave.open(path) as played:
            assert played.getparams()[:3] == (channels, 2, 8000)
            assert played.getnframes() == written * 400
            assert len(played.readframes(2000)) == written * 800 * channels
        file.append(ramp(400, channels))
        file.commit()
        file.sync()
    file.close()
    assert file.samples == 1200
    assert (wav.read(path) == np.concatenate([ramp(400, channels)] * 3)).all()


def test_silence_of_any_length(tmp_path: Path) -> None:
    path = str(tmp_path / "call.wav")
    file = wav.WavFile(path, 2)
    file.append(ramp(10, 2))
    file.append_silence(100_000)
    file.append_silence(0)
    file.append(ramp(10, 2))
    file.commit()
    file.close()
    audio = wav.read(path)
    assert audio.shape == (100_020, 2)
    assert not audio[10:-10].any()
    assert (audio[-10:] == ramp(10, 2)).all()


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        wav.WavFile(str(path), 1)
    with pytest.raises(FileNotFoundError):
        wav.WavFile(str(tmp_path / "nowhere" / "call.wav"), 1)
    assert path.read_bytes() == b"somebody's"


def test_recordings_are_for_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    wav.WavFile(str(path), 1).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_whose_writer_died_is_made_whole(tmp_path: Path) -> None:
    path = str(tmp_path / "call.wav")
    file = wav.WavFile(path, 2)
    file.append(ramp(500, 2))
    file.commit()
    file.append(ramp(300, 2))
    with open(path, "ab") as torn:
        torn.write(b"\1\2\3")
    file.close()
    assert len(wav.read(path)) == 500
    assert wav.repair(path) == 800
    assert (wav.read(path)[500:] == ramp(300, 2)).all()
    assert os.path.getsize(path) == wav.HEADER + 800 * 4
    assert wav.repair(path) == 800


@pytest.mark.parametrize("left", [b"", b"RIFF\0\0\0\0WAV"])
def test_a_file_without_a_header_gets_one(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(left)
    assert wav.repair(str(path)) == 0
    with wave.open(str(path)) as played:
        assert played.getnframes() == 0


def test_what_is_no_file_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG" * 100)
    with pytest.raises(ValueError, match="not a WAV file"):
        wav.repair(str(path))
    with pytest.raises(ValueError, match="not a WAV file"):
        wav.read(str(path))
    assert path.read_bytes() == b"\x89PNG" * 100


def test_a_file_ends_before_its_header_cannot_tell(tmp_path: Path) -> None:
    file = wav.WavFile(str(tmp_path / "call.wav"), 1)
    file._octets = wav.MOST - 100
    with pytest.raises(OSError, match="4 GiB"):
        file.append(ramp(51))
    file.close()


def test_a_disk_that_is_full_keeps_what_fits(tmp_path: Path) -> None:
    """A limit on the size of files fails as a full disk does: in the middle of a write."""
    path = str(tmp_path / "call.wav")
    file = wav.WavFile(path, 2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1001, limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            file.append(ramp(1000, 2))
        file.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    file.close()
    assert file.samples == (1001 - wav.HEADER) // 4
    assert (wav.read(path) == ramp(1000, 2)[: file.samples]).all()


def test_closing_waits_for_a_sync_and_ends_it(tmp_path: Path) -> None:
    file = wav.WavFile(str(tmp_path / "call.wav"), 1)
    file.close()
    file.sync()
