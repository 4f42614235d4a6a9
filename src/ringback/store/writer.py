"""The one writer: groups what is written into commits, a thread's work, and tells the loop when they hold.

The loop decides when a group is due and hands it over whole: the thread wakes once per commit, not per write.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

from sqlalchemy import Engine

from ringback.store.batch import Write, commit, commit_singly
from ringback.store.errors import StoredRecordRefused, StoreOverloaded, StoreUnavailable
from ringback.store.statements import Statements
from ringback.store.writing import WritingConnection

_log = logging.getLogger(__name__)

GROUP_SECONDS = 0.005  # a busy store commits no more often than this; an idle one commits at once
LINGER_SECONDS = 0.02  # how long a write that nobody waits for may wait for company
BREATH = 4.0  # times as long as a commit took the next one waits, so that a busier store has larger groups
BATCH_LIMIT = 1000  # bounds the time of a commit, and of the loop's turn that reports it
BACKLOG_LIMIT = 20_000  # writes that wait while commits fail
STALL_SECONDS = 2.0  # a commit that takes longer counts as an outage
_RETRY_FIRST, _RETRY_MOST = 0.05, 1.0


class Writer:
    """Takes writes from the loop in order, commits them in groups, retries while the database is away."""

    def __init__(self, engine: Engine, *, backlog_limit: int = BACKLOG_LIMIT) -> None:
        self.engine = engine
        self._database = WritingConnection(engine)
        self.statements = Statements(engine.dialect)
        self._loop = asyncio.get_running_loop()
        self._backlog_limit = backlog_limit
        self._queue: SimpleQueue[list[Write] | None] = SimpleQueue()
        self._pending: list[Write] = []  # this, and what follows down to `_due`, belongs to the loop
        self._waiting = 0
        self._writing = False
        self._pending_since = 0.0  # when the oldest of `_pending` came
        self._writing_since = 0.0  # and the oldest of those handed over
        self._handed_over = 0.0
        self._not_before = 0.0  # the moment of the next commit
        self._timer: asyncio.Handle | None = None
        self._due = 0.0
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

    @property
    def delay(self) -> float:
        """For how many seconds the oldest write has waited that is not committed yet."""
        if self._writing:
            return self._loop.time() - self._writing_since
        return self._loop.time() - self._pending_since if self._pending else 0.0

    @property
    def committing(self) -> float:
        """For how many of those seconds it is being committed, and no longer waits for a commit before it."""
        return self._loop.time() - self._handed_over if self._writing else 0.0

    def submit(self, write: Write) -> None:
        """Queue a write. Raises StoreUnavailable when closed, StoreOverloaded when the backlog is full."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._waiting >= self._backlog_limit:
            raise StoreOverloaded(f"{self._waiting} writes are waiting for the database")
        self._waiting += 1
        if not self._pending:
            self._pending_since = self._loop.time()
        self._pending.append(write)
        if not self._writing and (self._timer is None or not write.patient):
            self._plan(LINGER_SECONDS if write.patient else 0.0)

    async def close(self, grace: float = 5.0) -> None:
        """Commit what is queued; what cannot be committed within `grace` seconds is given up."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._pending:
            self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, grace)
        self._give_up.set()
        await asyncio.to_thread(self._thread.join)

    # -- on the loop: when a group is due

    def _plan(self, patience: float) -> None:
        """Have the group handed over when it may be, `patience` seconds from now at the latest."""
        due = max(self._loop.time() + patience, self._not_before)
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._writing = True
        self._handed_over = self._loop.time()
        self._hand_over()

    def _hand_over(self) -> None:
        group, self._pending = self._pending[:BATCH_LIMIT], self._pending[BATCH_LIMIT:]
        self._writing_since = self._pending_since
        self._queue.put(group)

    # -- the thread

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            self._store(batch)
        self._database.close()

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
            return commit(self._database, self.statements, batch, retried=retried)
        except Exception as error:
            if self._database.is_outage(error):
                raise
            _log.error(
                "a write was refused, storing the %d writes of its group singly: %s", len(batch), error
            )
        return commit_singly(self._database, self.statements, batch, retried=retried)

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
        now = self._loop.time()
        self._waiting -= len(batch)
        self._writing = False
        breath = BREATH * (now - self._handed_over)
        self._not_before = now + min(max(GROUP_SECONDS, breath), LINGER_SECONDS)
        if self._pending and not self._closed:
            self._plan(LINGER_SECONDS if all(write.patient for write in self._pending) else 0.0)
        for write, result in zip(batch, results, strict=True):
            if write.future is not None or result is not None:
                _tell(write, result)


def _tell(write: Write, result: Any) -> None:
    """Resolve the write's future; of what nobody waits for only a failure is told."""
    failed, future = isinstance(result, Exception), write.future
    if future is None:
        if failed and write.append is not None:
            _log.error("call %s: %s was not stored: %s", write.append.call_id, write.append.kind, result)
    elif future.done():
        pass
    elif failed:
        future.set_exception(
            result if isinstance(result, StoreUnavailable) else StoredRecordRefused(str(result))
        )
        future.exception()  # reported here: a caller that does not wait owes us nothing
    else:
        future.set_result(result)
