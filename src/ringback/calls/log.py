"""Appending to a call: the event, the record it makes, and the callbacks due for it, in one durable step."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from datetime import datetime
from typing import TYPE_CHECKING

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
    encode,
    kind_of,
)
from ringback.calls.record import CallRecord, apply
from ringback.calls.recordings.rows import to_recording_row
from ringback.calls.rows import to_row
from ringback.net.clock import utcnow
from ringback.store.errors import StoreError
from ringback.store.records import Append, CallRow, StoredDelivery
from ringback.webhooks.delivery import Delivery
from ringback.webhooks.outbox import to_stored

if TYPE_CHECKING:
    from ringback.calls.application import Application
    from ringback.calls.engine import Engine

logger = logging.getLogger(__name__)
_Due = tuple[Delivery, StoredDelivery]
"""A callback as it is sent, and as it is stored."""

_NARRATIVE = (
    DigitReceived,
    DocumentAsked,
    DocumentReceived,
    MediaMissing,
    MediaResumed,
    Noted,
    RecordingChanged,
    VerbEnded,
    VerbStarted,
)
"""Events that change no status: nobody waits for them to be durable."""


class CallLog:
    """The one way to change what is known about a call."""

    def __init__(self, record: CallRecord, engine: Engine, *, sequence: int = -1) -> None:
        self.record = record
        self._engine = engine
        self._call_id = str(record.id)
        self._sequence = sequence
        self._stored: CallRecord | None = None

    def append(
        self,
        event: CallEvent,
        application: Application | None,
        *,
        new_call: bool = False,
        at: datetime | None = None,
    ) -> asyncio.Future[None]:
        """Apply the event, store it with the callbacks due for it; the future resolves once that is durable.

        The callbacks are sent after the commit, never before; without an application nobody is told. Nobody
        has to await the future. `at` is when it happened, where that is not now.

        Raises:
            StoreError: `new_call` and the store takes no new calls.
        """
        at = at or utcnow()
        self._engine.meter.happened(self.record, event, at)
        self.record = apply(self.record, event, at)
        due = self._due(event, application)
        self._sequence += 1
        logged = discreet(event)
        append = Append(
            call_id=self._call_id,
            sequence=self._sequence,
            kind=kind_of(logged),
            at=at.timestamp(),
            payload=encode(logged),
            row=self._row(),
            deliveries=tuple(stored for _, stored in due),
            recordings=(to_recording_row(event.recording),) if isinstance(event, RecordingChanged) else (),
            patient=isinstance(event, _NARRATIVE) and not due,
        )
        committed = self._store(append, new_call)
        # An empty context: sending callbacks is no part of whatever the call is doing now.
        deliveries = [delivery for delivery, _ in due]
        committed.add_done_callback(lambda done: self._committed(done, deliveries), context=Context())
        self._engine.time_line.happened(self.record, logged, at)
        self._notify(event, application)
        return committed

    def _due(self, event: CallEvent, application: Application | None) -> list[_Due]:
        """The callbacks. A fault in rendering costs them, not the event: that has happened all the same."""
        if application is None:
            return []
        try:
            return [(each, to_stored(each)) for each in application.deliveries(event, self.record)]
        except Exception:
            logger.exception("call %s: callbacks for %s were not made", self.record.id, kind_of(event))
            return []

    def _notify(self, event: CallEvent, application: Application | None) -> None:
        if application is None:
            return
        try:
            application.notify(event, self.record)
        except Exception:
            logger.exception("call %s: the application was not told of %s", self.record.id, kind_of(event))

    def _row(self) -> CallRow | None:
        """The row, where it is not what was stored last."""
        if self.record is self._stored:
            return None
        self._stored = self.record
        return to_row(self.record)

    def _store(self, append: Append, new_call: bool) -> asyncio.Future[None]:
        try:
            return self._engine.store.append(append, new_call=new_call)
        except StoreError as error:
            if new_call:
                raise
            # A running call goes on without its log rather than end for the log's sake.
            logger.error("call %s: %s was not stored: %s", append.call_id, append.kind, error)
            lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            lost.set_result(None)
            return lost

    def _committed(self, done: asyncio.Future[None], deliveries: list[Delivery]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            logger.error("call %s: an event was not stored: %s", self.record.id, error)
        elif deliveries and not done.cancelled():
            self._engine.deliverer.offer(deliveries)
