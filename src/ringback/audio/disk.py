"""The cache's files: one per entry, checked when read, the least recently used removed first. Blocks."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import threading
import zlib
from pathlib import Path

from ringback.store.privacy import own_folder

log = logging.getLogger(__name__)

_MAGIC = b"RBA1"
_HEAD = struct.Struct(">4sII")  # magic, length of the description, CRC-32 of all that follows


class Files:
    """Entries under a directory: a description (bytes) and samples (bytes) by a hexadecimal key.

    Safe to call from several threads. Never raises for what the disk does: a cache may forget.
    """

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._sizes: dict[str, int] | None = None  # least recently used first
        self._total = 0

    def read(self, key: str) -> tuple[bytes, bytes] | None:
        """(description, samples), or None; a damaged file is removed."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        found = _parse(data)
        if found is None:
            log.warning("removing a damaged file from the audio cache: %s", path.name)
            self.remove(key)
            return None
        with self._lock, contextlib.suppress(OSError):
            os.utime(path)  # so that the order survives a restart
            self._touch(key, len(data))
        return found

    def write(self, key: str, description: bytes, samples: bytes) -> None:
        """Keep an entry; it appears whole or not at all."""
        path = self._path(key)
        checksum = zlib.crc32(samples, zlib.crc32(description))
        temporary = path.with_suffix(f".{threading.get_ident()}.tmp")
        try:
            own_folder(path.parent)
            temporary.write_bytes(_HEAD.pack(_MAGIC, len(description), checksum) + description + samples)
            temporary.replace(path)
        except OSError as error:
            log.warning("the audio cache cannot be written: %s", error)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            return
        with self._lock:
            self._touch(key, _HEAD.size + len(description) + len(samples))
            self._shrink()

    def remove(self, key: str) -> None:
        """Forget an entry."""
        with self._lock:
            self._forget(key)

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / f"{key}.audio"

    def _touch(self, key: str, size: int) -> None:
        sizes = self._index()
        self._total += size - sizes.pop(key, 0)
        sizes[key] = size

    def _shrink(self) -> None:
        sizes = self._index()
        while self._total > self._max_bytes and sizes:
            self._forget(next(iter(sizes)))

    def _forget(self, key: str) -> None:
        self._total -= self._index().pop(key, 0)
        with contextlib.suppress(OSError):
            self._path(key).unlink(missing_ok=True)

    def _index(self) -> dict[str, int]:
        if self._sizes is None:
            found = []
            for path in self._directory.glob("??/*.audio"):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    found.append((status.st_mtime, path.stem, status.st_size))
            self._sizes = {key: size for _, key, size in sorted(found)}
            self._total = sum(self._sizes.values())
        return self._sizes


def _parse(data: bytes) -> tuple[bytes, bytes] | None:
    if len(data) < _HEAD.size:
        return None
    magic, length, checksum = _HEAD.unpack_from(data)
    if magic != _MAGIC or zlib.crc32(memoryview(data)[_HEAD.size :]) != checksum:
        return None
    description_end = _HEAD.size + length
    return data[_HEAD.size : description_end], data[description_end:]
