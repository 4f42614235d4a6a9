"""A call's time line for people: its events, SIP messages, webhooks and callbacks, as lines of text.

Events come from the durable log; everything else from the store's bounded, lossy trace. Whoever subscribes
sees the lines as they happen.
"""

from __future__ import annotations

import contextlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Literal

import msgspec

from ringback.calls.describe import describe
from ringback.calls.discretion import document_shown, redacted, shown, without_userinfo
from ringback.calls.events import CallEvent, decode
from ringback.calls.record import CallRecord
from ringback.net.clock import utcnow
from ringback.net.http import Exchange
from ringback.sip.flow import Trace
from ringback.store.records import TraceEntry
from ringback.store.store import Store
from ringback.webhooks.delivery import Delivery
from ringback.webhooks.retry import Outcome

current_call: ContextVar[str | None] = ContextVar("current_call", default=None)
"""The call in whose name the running task works: how a fetch finds its way onto the right time line."""

_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*[^\r\n \t])", re.IGNORECASE)
_MAX_BODY = 4096
_MAX_URL = 2048
_UNCLAIMED_CALL_IDS = 256
_UNCLAIMED_MESSAGES = 8
REFUSED = "refused"
"""The time line of what never became a call."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `kind` is call, sip, webhook, callback, verb, key, media or note."""

    call_id: str
    at: float
    kind: str
    text: str
    data: dict[str, Any] = {}


class SocketMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message between us and an application over its WebSocket, and what came of it.

    `webhook` is what the application answers or orders, `callback` what it is only told. `ok`: it was
    answered, or sent.
    """

    call_id: str
    dialect: str
    kind: Literal["webhook", "callback"]
    name: str
    url: str
    data: Any
    result: str = ""
    ok: bool = True
    elapsed_ms: float | None = None
    answer: Any = None


_decode_line = msgspec.json.Decoder(Line).decode
Listener = Callable[[Line], None]


class TimeLine:
    """Collects lines, keeps them in the store's trace, and passes them on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: list[Listener] = []
        self._calls_by_call_id: dict[bytes, str] = {}
        self._unclaimed: OrderedDict[bytes, list[Trace]] = OrderedDict()
        """Messages of Call-IDs that are no call's yet: an INVITE is seen before the call it makes."""

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Pass every line to the listener, until the block ends."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def follow(self, sip_call_id: str, call_id: str) -> None:
        """SIP messages with this Call-ID belong to that call; those that came just before it, too."""
        key = sip_call_id.encode()
        self._calls_by_call_id[key] = call_id
        for trace in self._unclaimed.pop(key, ()):
            self._keep_message(call_id, trace)

    def forget(self, sip_call_id: str) -> None:
        """The call is over."""
        self._calls_by_call_id.pop(sip_call_id.encode(), None)

    def happened(self, call: CallRecord, event: CallEvent, at: datetime) -> None:
        """An event was appended: it is in the log already, so it is only passed on."""
        if self._listeners:
            kind, text = describe(event)
            self._publish(_line(str(call.id), at.timestamp(), kind, text, event))

    def sip(self, trace: Trace) -> None:
        """A SIP message was sent or received."""
        found = _CALL_ID.search(trace.message)
        if found is None:
            return
        call_id = self._calls_by_call_id.get(found[1])
        if call_id is not None:
            self._keep_message(call_id, trace)
        else:
            self._set_aside(found[1], trace)

    def _keep_message(self, call_id: str, trace: Trace) -> None:
        """As it was on the wire: it becomes a line when somebody looks."""
        self._store.trace(call_id, trace.when, "sip", _pack(trace))
        if self._listeners:
            self._publish(_sip_line(call_id, trace))

    def _set_aside(self, sip_call_id: bytes, trace: Trace) -> None:
        held = self._unclaimed.setdefault(sip_call_id, [])
        if len(held) < _UNCLAIMED_MESSAGES:
            held.append(trace)
        if len(self._unclaimed) > _UNCLAIMED_CALL_IDS:
            self._unclaimed.popitem(last=False)

    def fetched(self, exchange: Exchange) -> None:
        """Something was fetched for a call: a document, or audio."""
        call_id = current_call.get()
        if call_id is None:
            return
        result = str(exchange.status) if exchange.status is not None else exchange.error
        self._keep(
            Line(
                call_id=call_id,
                at=utcnow().timestamp(),
                kind="webhook",
                text=without_userinfo(
                    f"{exchange.method} {exchange.url}  {result}  {exchange.elapsed_ms:.0f} ms"
                ),
                data={
                    "request": _body_shown(exchange.request_body),
                    "response": _body_shown(exchange.response_body),
                },
            )
        )

    def delivered(self, delivery: Delivery, outcome: Outcome) -> None:
        """A callback was sent, or could not be."""
        if delivery.call_id is None:
            return
        result = str(outcome.status) if outcome.status is not None else outcome.message
        fields = dict(delivery.fields) if delivery.encoding == "form" else _object(delivery.json)
        status = fields.get("CallStatus") or fields.get("call_status") or ""
        self._keep(
            Line(
                call_id=delivery.call_id,
                at=utcnow().timestamp(),
                kind="callback",
                text=without_userinfo(f"{delivery.method} {delivery.url}  {status}  {result}"),
                data={"fields": shown(fields)},
            )
        )

    def messaged(self, message: SocketMessage) -> None:
        """A message went over an application's socket, or could not."""
        parts = [f"WS {message.name} {message.url}", message.result]
        if message.elapsed_ms is not None:
            parts.append(f"{message.elapsed_ms:.0f} ms")
        if message.kind == "callback":
            parts.insert(1, str(message.data.get("call_status", "")))
            data = {"fields": shown(message.data)}
        else:
            bodies = {"request": message.data, "response": message.answer}
            data = {name: _body_shown(msgspec.json.encode(body)) for name, body in bodies.items() if body}
        self._keep(
            Line(
                call_id=message.call_id,
                at=utcnow().timestamp(),
                kind=message.kind,
                text=without_userinfo("  ".join(part for part in parts if part)),
                data=data,
            )
        )

    def refused(self, source: str, status: int, reason: str) -> None:
        """A call was refused before it was anybody's: kept under `REFUSED`."""
        text = f"call from {source} refused with {status}: {reason}"
        self._keep(Line(call_id=REFUSED, at=utcnow().timestamp(), kind="note", text=text))

    def _keep(self, line: Line) -> None:
        self._store.trace(line.call_id, line.at, line.kind, msgspec.json.encode(line))
        self._publish(line)

    def _publish(self, line: Line) -> None:
        for listener in self._listeners:
            listener(line)


def _pack(trace: Trace) -> bytes:
    """A SIP message as it is kept: a line of where it went, and what of it may be kept."""
    way = f"{trace.direction} {trace.transport} {trace.remote}\r\n"
    return way.encode() + redacted(trace.message)


def _unpack(entry: TraceEntry) -> Line:
    """A line from what was kept. What is no SIP message is the line itself, in JSON."""
    if entry.data.startswith(b"{"):
        return _decode_line(entry.data)
    way, _, message = entry.data.partition(b"\r\n")
    direction, transport, remote = way.decode().split(" ")
    return _sip_line(entry.call_id, Trace(direction, entry.at, "", remote, transport, message))


def _sip_line(call_id: str, trace: Trace) -> Line:
    start = trace.message.partition(b"\r\n")[0].decode("utf-8", "replace")
    arrow = "<-" if trace.direction == "in" else "->"
    return Line(
        call_id=call_id,
        at=trace.when,
        kind="sip",
        text=f"{arrow} {trace.transport} {trace.remote}  {start}",
        data={
            "direction": trace.direction,
            "message": redacted(trace.message).decode("utf-8", "replace"),
        },
    )


async def lines_of(store: Store, call_id: str) -> list[Line]:
    """The whole time line of a call, in order of time."""
    lines = []
    for stored in await store.events(call_id):
        event = decode(stored.payload)
        kind, text = describe(event)
        lines.append(_line(call_id, stored.at, kind, text, event))
    for entry in await store.traces(call_id):
        lines.append(_unpack(entry))
    lines.sort(key=lambda line: line.at)
    return lines


def _line(call_id: str, at: float, kind: str, text: str, event: CallEvent) -> Line:
    return Line(call_id=call_id, at=at, kind=kind, text=text, data=msgspec.to_builtins(event))


def _body_shown(body: bytes) -> str:
    """The beginning; cut after hiding, since half a URL does not show where its credentials end."""
    return document_shown(body[: _MAX_BODY + _MAX_URL].decode("utf-8", "replace"))[:_MAX_BODY]


def _object(body: bytes) -> dict[str, Any]:
    value = msgspec.json.decode(body) if body else {}
    return value if isinstance(value, dict) else {}
