"""Forgetting: calls with all that hangs on them, their traces, and recordings before them where asked."""

from __future__ import annotations

import time
from collections.abc import Callable

from ringback.calls.recordings.archive import Archive
from ringback.store.store import Store

_DAY = 86400.0


class Retention:
    """Days; 0 means for ever (`calls`), or as long as the calls (`recordings`)."""

    def __init__(
        self,
        store: Store,
        archive: Archive,
        *,
        calls: int,
        recordings: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._archive = archive
        self._calls = calls
        self._recordings = recordings
        self._clock = clock

    async def forget(self) -> None:
        """Forget what is due, in small pieces. Raises StoreError."""
        await self._archive.folder.tidy()
        now = self._clock()
        if self._recordings:
            before = now - self._recordings * _DAY
            await self._store.prune_recordings(before, release=self._archive.release)
        if self._calls:
            before = now - self._calls * _DAY
            await self._store.prune(before, release=self._archive.release)
            self._store.forget_traces(before)
