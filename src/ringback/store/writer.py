"""The one writer: a thread that groups what is waiting into commits and tells the loop when they hold."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Engine

from ringback.store.batch import Write, commit, commit_singly, is_outage
from ringback.store.errors import StoredRecordRefused, StoreOverloaded, StoreUnavailable
from ringback.store.statements import Statements

_log = logging.getLogger(__name__)

GROUP_SECONDS = 0.005  # a busy store commits no more often than this; an idle one commits at once
BATCH_LIMIT = 1000  # bounds the time of a commit, and of the loop's turn that reports it
BACKLOG_LIMIT = 20_000  # writes that wait while commits fail
STALL_SECONDS = 2.0  # a commit that takes longer counts as an outage
_RETRY_FIRST, _RETRY_MOST = 0.05, 1.0


class Writer:
    """Takes writes from the loop in order, commits them in groups, retries while the database is away."""

    def __init__(self, engine: Engine, *, backlog_limit: int = BACKLOG_LIMIT) -> None:
        self.engine = engine
        self._statements = Statements(engine.dialect.name)
        self._loop = asyncio.get_running_loop()
        self._backlog_limit = backlog_limit
        self._queue: SimpleQueue[Write | None] = SimpleQueue()
        self._waiting = 0  # touched by the loop only
        self._closed = False
        self._give_up = threading.Event()
        self._failing = False
        self._busy_since = 0.0  # 0: no commit under way
        self._thread = threading.Thread(target=self._run, name="ringback-store-writer", daemon=True)
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """Commits hold, in time, and there is room for more."""
        if self._closed or self._failing or self._waiting * 2 > self._backlog_limit:
            return False
        busy_since = self._busy_since
        return not busy_since or time.monotonic() - busy_since < STALL_SECONDS

    @property
    def waiting(self) -> int:
        """How many writes have not been committed yet."""
        return self._waiting

    def submit(self, write: Write) -> asyncio.Future[Any]:
        """Queue a write. Raises StoreUnavailable when closed, StoreOverloaded when the backlog is full."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._waiting >= self._backlog_limit:
            raise StoreOverloaded(f"{self._waiting} writes are waiting for the database")
        self._waiting += 1
        self._queue.put(write)
        return write.future

    async def close(self, grace: float = 5.0) -> None:
        """Commit what is queued; what cannot be committed within `grace` seconds is given up."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, grace)
        self._give_up.set()
        await asyncio.to_thread(self._thread.join)

    # -- the thread

    def _run(self) -> None:
        last_commit = 0.0
        while (first := self._queue.get()) is not None:
            pause = last_commit + GROUP_SECONDS - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            batch, ends = self._gather(first)
            self._store(batch)
            if ends:
                break
            last_commit = time.monotonic()

    def _gather(self, first: Write) -> tuple[list[Write], bool]:
        batch = [first]
        while len(batch) < BATCH_LIMIT:
            try:
                write = self._queue.get_nowait()
            except Empty:
                break
            if write is None:
                return batch, True
            batch.append(write)
        return batch, False

    def _store(self, batch: list[Write]) -> None:
        """Commit a batch, however long that takes; then report it."""
        delay = _RETRY_FIRST
        results = self._attempt(batch, retried=False)
        while results is None:
            if self._give_up.wait(delay):
                results = [StoreUnavailable("the database cannot be written")] * len(batch)
                break
            delay = min(delay * 2, _RETRY_MOST)
            results = self._attempt(batch, retried=True)
        self._report(batch, results)

    def _attempt(self, batch: list[Write], *, retried: bool) -> list[Any] | None:
        self._busy_since = time.monotonic()
        try:
            results = self._commit(batch, retried)
        except Exception as error:
            self._report_outage(error)
            return None
        finally:
            self._busy_since = 0.0
        self._report_recovery()
        return results

    def _commit(self, batch: Sequence[Write], retried: bool) -> list[Any]:
        try:
            return commit(self.engine, self._statements, batch, retried=retried)
        except Exception as error:
            if is_outage(error):
                raise
            _log.error(
                "a write was refused, storing the %d writes of its group singly: %s", len(batch), error
            )
        return commit_singly(self.engine, self._statements, batch, retried=retried)

    def _report_outage(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            _log.error("the database cannot be written, keeping what comes and trying again: %s", error)

    def _report_recovery(self) -> None:
        if self._failing:
            self._failing = False
            _log.warning("the database can be written again")

    def _report(self, batch: list[Write], results: list[Any]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle, batch, results)
        except RuntimeError:  # the loop has been closed: nobody waits any more
            _log.debug("the loop ended before %d writes were reported", len(batch))

    # -- on the loop again

    def _settle(self, batch: list[Write], results: list[Any]) -> None:
        self._waiting -= len(batch)
        for write, result in zip(batch, results, strict=True):
            if write.future.done():
                continue
            if not isinstance(result, Exception):
                write.future.set_result(result)
                continue
            if not isinstance(result, StoreUnavailable):
                result = StoredRecordRefused(str(result))
            write.future.set_exception(result)
            write.future.exception()  # reported here: a caller that does not wait owes us nothing
