"""WAV files of 16-bit PCM at 8 kHz that are playable while they grow, and after whatever ended their writer.

The header is the shortest there is (RIFF, `fmt `, `data`), and right after each `commit`: what was appended
since then is in the file, too, and `repair` makes the header say so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import threading

import numpy as np
import numpy.typing as npt

Int16 = npt.NDArray[np.int16]

RATE = 8000
HEADER = 44
MOST = 0xFFFFFFFF - HEADER
"""Octets of audio whose number the header can hold: 37 hours of two channels."""
_LAYOUT = struct.Struct("<4sI4s4sIHHIIHH4sI")
_SILENCE = bytes(1 << 16)
_syncfs = ctypes.CDLL(None, use_errno=True).syncfs


def header(channels: int, octets: int) -> bytes:
    """The 44 octets before `octets` of audio (Microsoft's Multimedia Programming Interface 1.0, RIFF)."""
    width = 2 * channels
    return _LAYOUT.pack(
        b"RIFF",
        octets + HEADER - 8,
        b"WAVE",
        b"fmt ",
        16,
        1,  # PCM
        channels,
        RATE,
        RATE * width,
        width,
        16,
        b"data",
        octets,
    )


class WavFile:
    """A new file, written by appending. Raises OSError where it exists already or cannot be made.

    After an OSError in `append` the file holds what could be written; nothing more is to be appended.
    """

    def __init__(self, path: str, channels: int) -> None:
        self.path = path
        self._channels = channels
        self._octets = 0
        self._told = 0
        self._open = True
        self._closing = threading.Lock()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o600)
        self.disk = os.fstat(self._descriptor).st_dev
        """The file system on which it is."""
        try:
            self._write(header(channels, 0))
        except OSError:
            os.close(self._descriptor)
            raise

    @property
    def samples(self) -> int:
        """Of one channel, so far."""
        return self._octets // (2 * self._channels)

    def append(self, audio: Int16) -> None:
        """Add `audio`, [sample, channel] or [sample] of one channel."""
        self._add(np.ascontiguousarray(audio, "<i2").tobytes())

    def append_silence(self, samples: int) -> None:
        """Add `samples` of silence."""
        left = samples * 2 * self._channels
        while left > 0:
            piece = min(left, len(_SILENCE))
            self._add(_SILENCE[:piece])
            left -= piece

    def commit(self) -> None:
        """Let the header say what is there. Raises OSError."""
        if self._told != self._octets:
            os.pwrite(self._descriptor, header(self._channels, self._octets), 0)
            self._told = self._octets

    def sync(self) -> None:
        """Wait until it is on the disk. May take long; may be called from another thread. Raises OSError."""
        with self._closing:
            if self._open:
                os.fdatasync(self._descriptor)

    def sync_disk(self) -> bool:
        """The same for everything on the file's disk (syncfs(2)), which costs little more than for one file.

        Returns whether that was done: a file that is closed cannot say which disk it was. Raises OSError if
        anything could not be written, of whatever file.
        """
        with self._closing:
            if not self._open:
                return False
            descriptor = os.dup(self._descriptor)
        try:
            if _syncfs(descriptor):
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error), self.path)
        finally:
            os.close(descriptor)
        return True

    def close(self) -> None:
        """Let go of the file, after the last `commit`; waits for a `sync` under way."""
        with self._closing:
            self._open = False
            os.close(self._descriptor)

    def _add(self, data: bytes) -> None:
        if self._octets + len(data) > MOST:
            raise OSError(errno.EFBIG, "a WAV file holds no more than 4 GiB", self.path)
        try:
            self._write(data)
        except OSError:
            self._trim()
            raise
        self._octets += len(data)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _trim(self) -> None:
        """After a write that failed half-way: keep the whole samples of it."""
        try:
            written = os.fstat(self._descriptor).st_size - HEADER
            self._octets = written - written % (2 * self._channels)
            os.ftruncate(self._descriptor, HEADER + self._octets)
        except OSError:
            pass  # what was known to be there is what the header goes on saying


def repair(path: str) -> int:
    """Make a file whole whose writer ended without a word: its header says what is there afterwards.

    Returns the samples of one channel. A file that ended before its header did becomes an empty one. Raises
    OSError, and ValueError for a file that was not written here.
    """
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        channels = 1
        if size >= HEADER:
            file.seek(0)
            channels, _ = _parse(file.read(HEADER), path)
        width = 2 * channels
        octets = min(max(0, size - HEADER), MOST) // width * width
        file.seek(0)
        file.write(header(channels, octets))
        file.truncate(HEADER + octets)
        file.flush()
        os.fdatasync(file.fileno())
    return octets // width


def read(path: str) -> Int16:
    """The audio of a file that was written here, [sample, channel]. Raises OSError, ValueError."""
    with open(path, "rb") as file:
        channels, octets = _parse(file.read(HEADER), path)
        data = file.read(octets)
    width = 2 * channels
    return np.frombuffer(data[: len(data) // width * width], "<i2").reshape(-1, channels)


def _parse(head: bytes, path: str) -> tuple[int, int]:
    """Channels and octets of audio, as a header of ours says."""
    if len(head) == HEADER:
        fields = _LAYOUT.unpack(head)
        channels, octets = fields[6], fields[12]
        if channels in (1, 2) and head[8:40] == header(channels, 0)[8:40]:
            return channels, octets
    raise ValueError(f"{path}: not a WAV file of 16-bit PCM at 8 kHz with a header of {HEADER} octets")
