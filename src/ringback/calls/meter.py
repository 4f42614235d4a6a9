"""Counts what happens to calls, webhooks and callbacks, for `/metrics`: a few microseconds an event.

How things stand at a moment is not counted here but read where it is known (`ringback.console.figures`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from ringback.calls.events import CallAnswered, CallEnded, CallEvent, MediaStatistics, RecordingChanged
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import RecordingStatus
from ringback.calls.status import FINAL, CallStatus, Direction

if TYPE_CHECKING:
    from ringback.calls.timeline import SocketMessage
    from ringback.webhooks.retry import Outcome

_SETUP_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)
_WEBHOOK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
_DIALECTS = ("laml", "jambonz", "callapi")


class Meter:
    """Counters on a registry of their own. Whatever can be counted is there from the start, with 0.

    What has labels is looked up by them once: a registry takes longer to find a counter than to count.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        setups = Counter(
            "ringback_call_setups",
            "Calls that were answered, or ended without that, by direction and outcome.",
            ("direction", "outcome"),
            registry=self.registry,
        )
        self._setups = cache(setups.labels)
        setup_seconds = Histogram(
            "ringback_call_setup_seconds",
            "Time from a call's first event to its answer.",
            ("direction",),
            buckets=_SETUP_BUCKETS,
            registry=self.registry,
        )
        self._setup_seconds = cache(setup_seconds.labels)
        self._refused = Counter(
            "ringback_invites_refused",
            "INVITEs that became no call, by the status that they were answered with.",
            ("code",),
            registry=self.registry,
        )
        webhook_seconds = Histogram(
            "ringback_webhook_seconds",
            "Time from a question to an application until its answer, or until that was given up.",
            ("dialect", "outcome"),
            buckets=_WEBHOOK_BUCKETS,
            registry=self.registry,
        )
        self._webhook_seconds = cache(webhook_seconds.labels)
        callbacks = Counter(
            "ringback_callbacks",
            "Callbacks that were delivered or given up.",
            ("transport", "outcome"),
            registry=self.registry,
        )
        self._callbacks = cache(callbacks.labels)
        self._repeats = Counter(
            "ringback_callback_repeats",
            "Attempts at a callback that failed and are followed by another.",
            registry=self.registry,
        )
        self._recordings = Counter(
            "ringback_recordings",
            "Recordings that came to an end, by what they came to.",
            ("outcome",),
            registry=self.registry,
        )
        self._rtp = {
            name: Counter(f"ringback_rtp_packets_{name}", text, registry=self.registry)
            for name, text in (
                ("received", "RTP packets that came, of calls that have ended."),
                ("sent", "RTP packets that went out, of calls that have ended."),
                ("lost", "RTP packets that did not come, of calls that have ended."),
                ("lost_remote", "RTP packets that did not reach the far end, as it reported at the end."),
                ("late", "RTP packets that came too late to be heard, of calls that have ended."),
            )
        }
        self._counted: dict[type[CallEvent], Callable[[CallRecord, Any, datetime], None]] = {
            CallAnswered: self._answered,
            CallEnded: self._ended,
            RecordingChanged: self._recorded,
        }
        self._begin_with_nothing()

    def _begin_with_nothing(self) -> None:
        """A rate needs a 0 to start from."""
        for direction in Direction:
            self._setup_seconds(direction)
            for outcome in ("answered", *(status for status in CallStatus if status in FINAL)):
                if outcome != CallStatus.COMPLETED:
                    self._setups(direction, outcome)
        for outcome in ("ok", "failed"):
            for dialect in _DIALECTS:
                self._webhook_seconds(dialect, outcome)
        for outcome in ("delivered", "failed"):
            for transport in ("http", "websocket"):
                self._callbacks(transport, outcome)
        for status in RecordingStatus:
            if status.final:
                self._recordings.labels(status.value)

    def happened(self, call: CallRecord, event: CallEvent, at: datetime) -> None:
        """An event was appended; `call` is what was known just before."""
        count = self._counted.get(type(event))
        if count is not None:
            count(call, event, at)

    def _answered(self, call: CallRecord, _: CallAnswered, at: datetime) -> None:
        self._setups(call.direction, "answered").inc()
        seconds = (at - call.created_at).total_seconds()
        self._setup_seconds(call.direction).observe(max(0.0, seconds))

    def _ended(self, call: CallRecord, event: CallEnded, _: datetime) -> None:
        if call.answered_at is None:
            self._setups(call.direction, event.status).inc()
        if event.media is not None:
            self._count_packets(event.media)

    def _recorded(self, _: CallRecord, event: RecordingChanged, at: datetime) -> None:
        if event.recording.status.final:
            self._recordings.labels(event.recording.status.value).inc()

    def _count_packets(self, media: MediaStatistics) -> None:
        counted = {
            "received": media.packets_in,
            "sent": media.packets_out,
            "lost": media.lost_in,
            "late": media.late,
            # Duplicates may make what the far end reports negative (RFC 3550, 6.4.1).
            "lost_remote": media.lost_out,
        }
        for name, packets in counted.items():
            if packets > 0:
                self._rtp[name].inc(packets)

    def refused(self, sip_status: int) -> None:
        """An INVITE was refused before it became a call."""
        self._refused.labels(str(sip_status)).inc()

    def asked(self, dialect: str, ok: bool, seconds: float) -> None:
        """An application was asked; `ok`: it gave an answer of an accepted status, in time."""
        self._webhook_seconds(dialect, "ok" if ok else "failed").observe(seconds)

    def delivered(self, outcome: Outcome) -> None:
        """An attempt at a callback ended."""
        if outcome.delivered or outcome.given_up:
            self._callbacks("http", "delivered" if outcome.delivered else "failed").inc()
        else:
            self._repeats.inc()

    def messaged(self, message: SocketMessage) -> None:
        """A message went over an application's socket, or could not."""
        if message.kind == "callback":
            self._callbacks("websocket", "delivered" if message.ok else "failed").inc()
        elif message.elapsed_ms is not None:
            self.asked(message.dialect, message.ok, message.elapsed_ms / 1000)
