"""What is done to a recording's file: measuring, trimming, mixing down, MP3. It blocks: work for a thread, or
for a process (`python -m ringback.calls.recordings.files mono|mp3 SOURCE TO`).

Files are WAV of 16-bit PCM at 8 kHz. What is made is made beside its place and moved there, so that a crash
leaves the old file or the new one.
"""

from __future__ import annotations

import contextlib
import os
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[np.int16]

RATE = 8000
POLITENESS = 15
"""Niceness of a process that only makes another form of a file."""
_FRAME = 160
_BLOCK = _FRAME * 50 * 60
"""A minute at a time: an hour of two channels does not belong in memory."""
_QUIET = 64.0
"""The root mean square of -48 dBm0, below which nothing counts as speech (see `SpeechDetection`)."""


class Measure(msgspec.Struct, frozen=True):
    """A file's length in seconds, its size in octets, and its channels."""

    seconds: float
    octets: int
    channels: int


def measure(path: Path) -> Measure:
    """What a file holds. Raises OSError, soundfile.SoundFileError."""
    with soundfile.SoundFile(path) as file:
        return Measure(file.frames / RATE, path.stat().st_size, file.channels)


def reason(error: Exception) -> str:
    """What went wrong with a file or its storage, for people, who need not know where files are here."""
    if isinstance(error, OSError):
        return error.strerror or "it cannot be read"
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string)
    return str(error)


def trim(path: Path) -> None:
    """Leave out the silence at both ends; of nothing but silence, nothing stays. Raises as `measure`."""
    first, end, total = _sounding(path)
    if (first, end) == (0, total):
        return
    with _made(path) as made, _wav(made, _channels(path)) as out:
        for block in _blocks(path, first, end):
            out.writeframes(block.tobytes())


def mix_down(path: Path, to: Path) -> None:
    """Both channels added up, into a file of one."""
    with _made(to) as made, _wav(made, 1) as out:
        for block in _blocks(path):
            total = block.astype(np.int32).sum(axis=1)
            out.writeframes(np.clip(total, -32768, 32767).astype("<i2").tobytes())


def encode_mp3(path: Path, to: Path) -> None:
    """The same as MP3."""
    with (
        _made(to) as made,
        soundfile.SoundFile(made, "w", RATE, _channels(path), format="MP3", subtype="MPEG_LAYER_III") as out,
    ):
        for block in _blocks(path):
            out.write(block)


def _sounding(path: Path) -> tuple[int, int, int]:
    """The samples from the first frame that is not silent to the end of the last, and all there are."""
    first: int | None = None
    position = end = 0
    for block in _blocks(path):
        padded = np.pad(block, ((0, -len(block) % _FRAME), (0, 0))).astype(np.float64)
        power = np.square(padded.reshape(-1, _FRAME, block.shape[1])).mean(axis=1).max(axis=1)
        loud = np.flatnonzero(power >= _QUIET**2)
        if len(loud):
            first = position + int(loud[0]) * _FRAME if first is None else first
            end = position + min(len(block), (int(loud[-1]) + 1) * _FRAME)
        position += len(block)
    return (0, 0, position) if first is None else (first, end, position)


def _blocks(path: Path, first: int = 0, end: int | None = None) -> Iterator[Samples]:
    """[sample, channel], a minute at a time."""
    with soundfile.SoundFile(path) as file:
        file.seek(first)
        left = (file.frames if end is None else end) - first
        while left > 0:
            block: Samples = file.read(min(left, _BLOCK), dtype="int16", always_2d=True)
            if not len(block):
                return
            left -= len(block)
            yield block


def _channels(path: Path) -> int:
    return int(soundfile.info(path).channels)


@contextlib.contextmanager
def _wav(path: Path, channels: int) -> Iterator[wave.Wave_write]:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(RATE)
        yield out


@contextlib.contextmanager
def _made(path: Path) -> Iterator[Path]:
    """A place to write; what is there at the end of the block is synced and takes the place of `path`."""
    making = path.with_name(f"{path.name}.making")
    try:
        yield making
        with making.open("rb") as file:
            os.fsync(file.fileno())
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Mix a file down, or encode it, behind everything else on this machine; the exit code."""
    what, source, to = arguments
    os.nice(POLITENESS)
    try:
        {"mono": mix_down, "mp3": encode_mp3}[what](Path(source), Path(to))
    except (OSError, soundfile.SoundFileError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
