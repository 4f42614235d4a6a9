"""One cache for what was spoken and what was fetched: in memory by bytes, behind it on disk."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from ringback.audio.disk import Files
from ringback.audio.freshness import Freshness
from ringback.media.source import Source


class Entry(msgspec.Struct, frozen=True):
    """A sound, and for a fetched one what its server said about keeping it (None: for ever)."""

    source: Source
    freshness: Freshness | None = None


class _Description(msgspec.Struct, frozen=True):
    key: str
    rate: int
    freshness: Freshness | None = None


def cache_key(*parts: str) -> str:
    """A key for whatever the parts describe; no two different lists of parts share one."""
    digest = hashlib.blake2b(digest_size=20)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def source_of(pcm: bytes, rate: int = 8000) -> Source:
    """Samples as a source, named by their content. Hashes: call it from a thread for long sounds."""
    return Source(hashlib.blake2b(pcm, digest_size=16).hexdigest(), pcm, rate)


class AudioCache:
    """Keeps entries by key. `directory` None keeps them in memory alone."""

    def __init__(
        self,
        directory: Path | None,
        *,
        memory_bytes: int = 128 * 1024 * 1024,
        disk_bytes: int = 1024 * 1024 * 1024,
    ) -> None:
        self._files = None if directory is None else Files(directory, max_bytes=disk_bytes)
        self._memory: OrderedDict[str, Entry] = OrderedDict()
        self._memory_bytes = memory_bytes
        self._held = 0
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="audio-cache")

    @property
    def held_bytes(self) -> int:
        """Bytes of samples in memory."""
        return self._held

    async def get(self, key: str) -> Entry | None:
        """The entry, fresh or not, or None."""
        entry = self._memory.get(key)
        if entry is not None:
            self._memory.move_to_end(key)
            return entry
        if self._files is None:
            return None
        loop = asyncio.get_running_loop()
        entry = await loop.run_in_executor(self._threads, self._read, self._files, key)
        if entry is not None:
            self._keep(key, entry)
        return entry

    async def put(self, key: str, entry: Entry) -> None:
        """Keep an entry in memory, and on disk before returning."""
        self._keep(key, entry)
        if self._files is None:
            return
        description = _Description(entry.source.key, entry.source.rate, entry.freshness)
        await asyncio.get_running_loop().run_in_executor(
            self._threads, self._files.write, key, msgspec.json.encode(description), entry.source.pcm
        )

    async def remove(self, key: str) -> None:
        """Forget an entry."""
        entry = self._memory.pop(key, None)
        if entry is not None:
            self._held -= len(entry.source.pcm)
        if self._files is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._files.remove, key)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True)

    def _keep(self, key: str, entry: Entry) -> None:
        old = self._memory.pop(key, None)
        self._held -= len(old.source.pcm) if old is not None else 0
        self._memory[key] = entry
        self._held += len(entry.source.pcm)
        while self._held > self._memory_bytes and self._memory:
            _, dropped = self._memory.popitem(last=False)
            self._held -= len(dropped.source.pcm)

    @staticmethod
    def _read(files: Files, key: str) -> Entry | None:
        found = files.read(key)
        if found is None:
            return None
        try:
            description = msgspec.json.decode(found[0], type=_Description)
        except msgspec.MsgspecError:
            files.remove(key)
            return None
        return Entry(Source(description.key, found[1], description.rate), description.freshness)
