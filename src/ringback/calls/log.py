"""Appending to a call: the event, the record it makes, and the callbacks due for it, in one durable step."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ringback.calls.discretion import discreet
from ringback.calls.events import (
    CallEvent,
    DigitReceived,
    DocumentAsked,
    DocumentReceived,
    MediaMissing,
    MediaResumed,
    Noted,
    RecordingChanged,
    VerbEnded,
    VerbStarted,
    kind_of,
)
from ringback.calls.record import CallRecord, apply
from ringback.calls.recordings.rows import to_recording_row
from ringback.calls.rows import to_row
from ringback.net.clock import utcnow
from ringback.store.errors import StoreError
from ringback.store.ids import spelled
from ringback.store.records import Append, CallRow, StoredDelivery
from ringback.webhooks.delivery import Delivery
from ringback.webhooks.outbox import to_stored

if TYPE_CHECKING:
    from ringback.calls.application import Application
    from ringback.calls.engine import Engine

logger = logging.getLogger(__name__)
_Due = tuple[Delivery, StoredDelivery]
"""A callback as it is sent, and as it is stored."""


_UNTOLD = frozenset(
    {
        DigitReceived,
        DocumentAsked,
        DocumentReceived,
        MediaMissing,
        MediaResumed,
        VerbEnded,
        VerbStarted,
    }
)
"""Events for which no service has a callback: no application is asked for one."""
_NARRATIVE = _UNTOLD | {Noted, RecordingChanged}
"""Events that change no status: nobody waits for them to be durable, but for a callback."""


class _Step(NamedTuple):
    """What comes of one event: what is stored, the callbacks among it, and the event as people see it."""

    append: Append
    due: list[_Due]
    logged: CallEvent
    at: datetime


class CallLog:
    """The one way to change what is known about a call."""

    def __init__(self, record: CallRecord, engine: Engine, *, sequence: int = -1) -> None:
        self.record = record
        self._engine = engine
        self._call_id = spelled(record.id)
        self._sequence = sequence
        self._stored: CallRecord | None = None
        self._row: CallRow | None = None

    def append(self, event: CallEvent, application: Application | None) -> None:
        """Apply the event, and have it stored with the callbacks due for it.

        The callbacks are sent after the commit, never before; without an application nobody is told.
        """
        step = self._step(event, application, utcnow())
        try:
            if step.due:
                self._then_send(self._engine.store.append(step.append), step.due)
            else:
                self._engine.store.post(step.append)
        except StoreError as error:
            self._lost(step.append, error)
        self._tell(step, event, application)

    def commit(
        self,
        event: CallEvent,
        application: Application | None,
        *,
        new_call: bool = False,
        at: datetime | None = None,
    ) -> asyncio.Future[None]:
        """The same for who wants to know when it is durable: the future resolves then, awaited or not.

        `at` is when it happened, where that is not now.

        Raises:
            StoreError: `new_call` and the store takes no new calls.
        """
        step = self._step(event, application, at or utcnow())
        try:
            committed = self._engine.store.append(step.append, new_call=new_call)
        except StoreError as error:
            if new_call:
                raise
            self._lost(step.append, error)
            committed = asyncio.get_running_loop().create_future()
            committed.set_result(None)
        else:
            self._then_send(committed, step.due)
        self._tell(step, event, application)
        return committed

    def _step(self, event: CallEvent, application: Application | None, at: datetime) -> _Step:
        self._engine.meter.happened(self.record, event, at)
        self.record = apply(self.record, event, at)
        due = self._due(event, application)
        self._sequence += 1
        logged, payload = discreet(event)
        append = Append(
            call_id=self._call_id,
            sequence=self._sequence,
            kind=kind_of(logged),
            at=at.timestamp(),
            payload=payload,
            row=self._changed_row(),
            deliveries=tuple([stored for _, stored in due]) if due else (),
            recordings=(to_recording_row(event.recording),) if isinstance(event, RecordingChanged) else (),
            patient=not due and type(event) in _NARRATIVE,
        )
        return _Step(append, due, logged, at)

    def _tell(self, step: _Step, event: CallEvent, application: Application | None) -> None:
        self._engine.time_line.happened(self.record, step.logged, step.at)
        if application is None:
            return
        try:
            application.notify(event, self.record)
        except Exception:
            logger.exception("call %s: the application was not told of %s", self.record.id, kind_of(event))

    def _due(self, event: CallEvent, application: Application | None) -> list[_Due]:
        """The callbacks. A fault in rendering costs them, not the event: that has happened all the same."""
        if application is None or type(event) in _UNTOLD:
            return []
        try:
            return [(each, to_stored(each)) for each in application.deliveries(event, self.record)]
        except Exception:
            logger.exception("call %s: callbacks for %s were not made", self.record.id, kind_of(event))
            return []

    def _changed_row(self) -> CallRow | None:
        """The row, where it is not what was stored last."""
        if self.record is self._stored:
            return None
        self._stored = self.record
        self._row = to_row(self.record, self._row)
        return self._row

    def _lost(self, append: Append, error: StoreError) -> None:
        """A running call goes on without its log rather than end for the log's sake."""
        logger.error("call %s: %s was not stored: %s", append.call_id, append.kind, error)

    def _then_send(self, committed: asyncio.Future[None], due: list[_Due]) -> None:
        deliveries = [delivery for delivery, _ in due]
        # An empty context: sending callbacks is no part of whatever the call is doing now.
        committed.add_done_callback(partial(self._committed, deliveries), context=Context())

    def _committed(self, deliveries: list[Delivery], done: asyncio.Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            logger.error("call %s: an event was not stored: %s", self.record.id, error)
        elif deliveries and not done.cancelled():
            self._engine.deliverer.offer(deliveries)
