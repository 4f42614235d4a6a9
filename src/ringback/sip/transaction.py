"""The four transactions of RFC 3261 section 17, with the Accepted states of RFC 6026, as tables.

A table says, for a state and something that happens, which state comes next and what is done on the way.
Whatever is not in the table is absorbed. The transaction user gets responses and failures by callback.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, auto
from os import urandom

from ringback.sip.flow import Flow
from ringback.sip.headers import Headers
from ringback.sip.message import Request, Response
from ringback.sip.timers import Timer, Timers
from ringback.sip.uri import Uri

T1 = 0.5
"""Round-trip estimate (RFC 3261 17.1.1.1), seconds."""
T2 = 4.0
"""Longest interval between retransmissions of a non-INVITE request or an INVITE response."""
T4 = 5.0
"""How long a message stays in the network."""
TIMEOUT = 64 * T1
"""Timers B, F, H, J, L and M."""
TIMER_D = 32.0


class State(IntEnum):
    """Where a transaction stands."""

    __hash__ = int.__hash__  # they are looked up for every message, and an Enum's own is slow

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Input(IntEnum):
    """What can happen to a transaction: a message received, one to be sent, a timer, an error."""

    __hash__ = int.__hash__

    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    REQUEST = auto()
    ACK = auto()
    RESEND = auto()
    TIMEOUT = auto()
    LINGER = auto()
    ERROR = auto()


Step = tuple[State, tuple[str, ...]]
Table = dict[State, dict[Input, Step]]

# RESEND is timer A or E (client), G (server); TIMEOUT is B, F or H; LINGER is D, K or M, and J, I or L.
# An ERROR once the peer has answered changes nothing: its connection may go and the rest come by another.
CLIENT_INVITE: Table = {
    State.CALLING: {
        Input.PROVISIONAL: (State.PROCEEDING, ("stop_timers", "deliver")),
        Input.SUCCESS: (State.ACCEPTED, ("stop_timers", "linger_m", "deliver")),
        Input.FAILURE: (State.COMPLETED, ("stop_timers", "acknowledge", "linger_d", "deliver", "let_go")),
        Input.RESEND: (State.CALLING, ("send", "double_resend")),
        Input.TIMEOUT: (State.TERMINATED, ("report_timeout",)),
        Input.ERROR: (State.TERMINATED, ("report_error",)),
    },
    State.PROCEEDING: {
        Input.PROVISIONAL: (State.PROCEEDING, ("deliver",)),
        Input.SUCCESS: (State.ACCEPTED, ("stop_timers", "linger_m", "deliver")),
        Input.FAILURE: (State.COMPLETED, ("stop_timers", "acknowledge", "linger_d", "deliver", "let_go")),
        Input.TIMEOUT: (State.TERMINATED, ("report_timeout",)),
    },
    State.ACCEPTED: {
        Input.SUCCESS: (State.ACCEPTED, ("deliver",)),
        Input.LINGER: (State.TERMINATED, ()),
    },
    State.COMPLETED: {
        Input.FAILURE: (State.COMPLETED, ("acknowledge",)),
        Input.LINGER: (State.TERMINATED, ()),
        Input.ERROR: (State.TERMINATED, ()),
    },
}
CLIENT_OTHER: Table = {
    State.TRYING: {
        Input.PROVISIONAL: (State.PROCEEDING, ("deliver",)),
        Input.SUCCESS: (State.COMPLETED, ("stop_timers", "linger_k", "deliver", "let_go")),
        Input.FAILURE: (State.COMPLETED, ("stop_timers", "linger_k", "deliver", "let_go")),
        Input.RESEND: (State.TRYING, ("send", "double_resend_to_t2")),
        Input.TIMEOUT: (State.TERMINATED, ("report_timeout",)),
        Input.ERROR: (State.TERMINATED, ("report_error",)),
    },
    State.PROCEEDING: {
        Input.PROVISIONAL: (State.PROCEEDING, ("deliver",)),
        Input.SUCCESS: (State.COMPLETED, ("stop_timers", "linger_k", "deliver", "let_go")),
        Input.FAILURE: (State.COMPLETED, ("stop_timers", "linger_k", "deliver", "let_go")),
        Input.RESEND: (State.PROCEEDING, ("send", "resend_at_t2")),
        Input.TIMEOUT: (State.TERMINATED, ("report_timeout",)),
    },
    State.COMPLETED: {
        Input.LINGER: (State.TERMINATED, ()),
    },
}
SERVER_INVITE: Table = {
    State.PROCEEDING: {
        Input.REQUEST: (State.PROCEEDING, ("send",)),
        Input.PROVISIONAL: (State.PROCEEDING, ("send",)),
        Input.SUCCESS: (State.ACCEPTED, ("send", "linger_l")),
        Input.FAILURE: (State.COMPLETED, ("send", "start_resend", "start_timeout")),
    },
    State.ACCEPTED: {
        Input.SUCCESS: (State.ACCEPTED, ("send",)),
        Input.ACK: (State.ACCEPTED, ("deliver_ack",)),
        Input.LINGER: (State.TERMINATED, ()),
    },
    State.COMPLETED: {
        Input.REQUEST: (State.COMPLETED, ("send",)),
        Input.RESEND: (State.COMPLETED, ("send", "double_resend_to_t2")),
        Input.ACK: (State.CONFIRMED, ("stop_timers", "linger_i")),
        Input.TIMEOUT: (State.TERMINATED, ("stop_timers",)),
    },
    State.CONFIRMED: {
        Input.LINGER: (State.TERMINATED, ()),
    },
}
SERVER_OTHER: Table = {
    State.TRYING: {
        Input.PROVISIONAL: (State.PROCEEDING, ("send",)),
        Input.SUCCESS: (State.COMPLETED, ("send", "linger_j")),
        Input.FAILURE: (State.COMPLETED, ("send", "linger_j")),
        # Not in the RFC: a request that nobody answers must not stay for ever; its client gave up at timer F.
        Input.TIMEOUT: (State.TERMINATED, ()),
    },
    State.PROCEEDING: {
        Input.REQUEST: (State.PROCEEDING, ("send",)),
        Input.PROVISIONAL: (State.PROCEEDING, ("send",)),
        Input.SUCCESS: (State.COMPLETED, ("send", "linger_j")),
        Input.FAILURE: (State.COMPLETED, ("send", "linger_j")),
        Input.TIMEOUT: (State.TERMINATED, ()),
    },
    State.COMPLETED: {
        Input.REQUEST: (State.COMPLETED, ("send",)),
        Input.LINGER: (State.TERMINATED, ()),
    },
}

Send = Callable[[bytes], None]


class Transaction:
    """What the four have in common: the walk through the table and the timers."""

    __slots__ = (
        "_data",
        "_interval",
        "_linger",
        "_on_end",
        "_resend",
        "_send",
        "_table",
        "_timeout",
        "_timers",
        "flow",
        "request",
        "state",
    )

    def __init__(
        self,
        table: Table,
        state: State,
        request: Request,
        flow: Flow,
        timers: Timers,
        send: Send,
        on_end: Callable[[], None],
    ) -> None:
        self.state = state
        self.request = request
        self.flow = flow
        self._table = table
        self._timers = timers
        self._send = send
        self._on_end = on_end
        self._data = b""
        self._interval = T1
        self._resend: Timer | None = None
        self._timeout: Timer | None = None
        self._linger: Timer | None = None

    @property
    def terminated(self) -> bool:
        """True once nothing more can happen."""
        return self.state is State.TERMINATED

    def feed(self, happening: Input, message: Request | Response | None = None) -> None:
        """Takes the step that the table has for this; without one, absorbs it."""
        steps = self._table.get(self.state)
        step = steps.get(happening) if steps is not None else None
        if step is None:
            return
        self.state, actions = step
        ends = self.state is State.TERMINATED
        if ends:
            self._stop_all()
            self._on_end()
        for action in actions:
            getattr(self, action)(message)
        if ends:
            self.let_go(None)

    def _stop_all(self) -> None:
        self.stop_timers(None)
        if self._linger is not None:
            self._linger.cancel()

    # Actions: each takes the message that caused it.

    def let_go(self, _: Request | Response | None) -> None:
        """Nobody is told any more."""

    def send(self, _: Request | Response | None) -> None:
        if self._data:
            self._send(self._data)

    def stop_timers(self, _: Request | Response | None) -> None:
        if self._resend is not None:
            self._resend.cancel()
        if self._timeout is not None:
            self._timeout.cancel()

    def start_resend(self, _: Request | Response | None) -> None:
        if not self.flow.reliable:
            self._resend_in(T1)

    def start_timeout(self, _: Request | Response | None) -> None:
        self._timeout = self._timers.after(TIMEOUT, lambda: self.feed(Input.TIMEOUT))

    def double_resend(self, _: Request | Response | None) -> None:
        self._resend_in(2 * self._interval)

    def double_resend_to_t2(self, _: Request | Response | None) -> None:
        self._resend_in(min(2 * self._interval, T2))

    def resend_at_t2(self, _: Request | Response | None) -> None:
        self._resend_in(T2)

    def _resend_in(self, interval: float) -> None:
        self._interval = interval
        self._resend = self._timers.after(interval, lambda: self.feed(Input.RESEND))

    def _linger_for(self, seconds: float) -> None:
        self._linger = self._timers.after(seconds, lambda: self.feed(Input.LINGER))

    def _linger_if_unreliable(self, seconds: float) -> None:
        self._linger_for(0.0 if self.flow.reliable else seconds)


class ClientTransaction(Transaction):
    """A request of ours. ``on_failure`` gets ``"timeout"`` or ``"transport"``."""

    __slots__ = ("_on_failure", "_on_response", "branch", "cancelled")

    def __init__(
        self,
        request: Request,
        branch: str,
        flow: Flow,
        timers: Timers,
        send: Send,
        on_end: Callable[[], None],
        on_response: Callable[[Response], None],
        on_failure: Callable[[str], None],
    ) -> None:
        invite = request.method == "INVITE"
        table, state = (CLIENT_INVITE, State.CALLING) if invite else (CLIENT_OTHER, State.TRYING)
        super().__init__(table, state, request, flow, timers, send, on_end)
        self.branch = branch
        self.cancelled = False
        self._on_response = on_response
        self._on_failure = on_failure
        self._data = request.encode()

    def start(self) -> None:
        """Sends the request and starts timers A or E, and B or F."""
        self.start_resend(None)
        self.start_timeout(None)
        self._send(self._data)

    def receive(self, response: Response) -> None:
        """A response whose branch and method are this transaction's."""
        status = response.status
        if status < 200:
            self.feed(Input.PROVISIONAL, response)
        else:
            self.feed(Input.SUCCESS if status < 300 else Input.FAILURE, response)

    def fail(self) -> None:
        """The transport could not send it."""
        self.feed(Input.ERROR)

    def give_up_in(self, seconds: float) -> None:
        """Ends by time-out unless a final response comes: what CANCEL starts (RFC 3261 section 9.1)."""
        if self._timeout is not None:
            self._timeout.cancel()
        self._timeout = self._timers.after(seconds, lambda: self.feed(Input.TIMEOUT))

    def deliver(self, response: Response) -> None:
        self._on_response(response)

    def acknowledge(self, response: Response) -> None:
        self._send(make_ack(self.request, response).encode())

    def report_timeout(self, _: Response | None) -> None:
        self._on_failure("timeout")

    def report_error(self, _: Response | None) -> None:
        self._on_failure("transport")

    def let_go(self, _: Request | Response | None) -> None:
        # Whoever is told holds this transaction: in a circle, both would stay until garbage is collected.
        self._on_response, self._on_failure = _ignore, _ignore

    def linger_d(self, _: Response | None) -> None:
        self._linger_if_unreliable(TIMER_D)

    def linger_k(self, _: Response | None) -> None:
        self._linger_if_unreliable(T4)

    def linger_m(self, _: Response | None) -> None:
        self._linger_for(TIMEOUT)


def _ignore(_: object) -> None:
    """Nobody is there any more who would be told."""


_FORGOTTEN = Request("FORGOTTEN", Uri())


class ServerTransaction(Transaction):
    """A request of the peer's; ``request`` is there until the final response has been sent.

    ``on_ack`` gets an ACK that came with the INVITE's own branch after a 2xx, ``on_cancel`` the CANCEL.
    """

    __slots__ = ("key", "last_status", "on_ack", "on_cancel", "to_tag")

    def __init__(
        self,
        key: tuple[object, ...],
        request: Request,
        flow: Flow,
        timers: Timers,
        send: Send,
        on_end: Callable[[], None],
    ) -> None:
        invite = request.method == "INVITE"
        table, state = (SERVER_INVITE, State.PROCEEDING) if invite else (SERVER_OTHER, State.TRYING)
        super().__init__(table, state, request, flow, timers, send, on_end)
        self.key = key
        self.to_tag = request.to.tag or urandom(8).hex()
        self.last_status = 0
        self.on_ack: Callable[[Request], None] | None = None
        self.on_cancel: Callable[[Request], None] | None = None
        if not invite:
            self.start_timeout(None)

    @property
    def final(self) -> bool:
        """True once a final response was sent."""
        return self.last_status >= 200

    def receive(self, request: Request) -> None:
        """The request again, or the ACK of its final response."""
        self.feed(Input.ACK if request.method == "ACK" else Input.REQUEST, request)

    def respond(self, response: Response) -> None:
        """Sends a response; after a final one only the repeated 2xx of an INVITE passes."""
        status = response.status
        if self.final and not (self.state is State.ACCEPTED and 200 <= status < 300):
            return
        self.last_status = status
        self._data = response.encode()
        if status >= 200:
            # What follows needs the bytes only, and a busy server keeps many of these for half a minute.
            self.on_cancel = None
            self.request = _FORGOTTEN
        if status < 200:
            self.feed(Input.PROVISIONAL, response)
        else:
            self.feed(Input.SUCCESS if status < 300 else Input.FAILURE, response)

    def deliver_ack(self, request: Request) -> None:
        if self.on_ack is not None:
            self.on_ack(request)

    def linger_i(self, _: Request | Response | None) -> None:
        self._linger_if_unreliable(T4)

    def linger_j(self, _: Request | Response | None) -> None:
        self.stop_timers(None)
        self._linger_if_unreliable(TIMEOUT)

    def linger_l(self, _: Request | Response | None) -> None:
        self._linger_for(TIMEOUT)


def make_ack(invite: Request, response: Response) -> Request:
    """The ACK of a final response other than 2xx (RFC 3261 section 17.1.1.3)."""
    return _companion(invite, "ACK", response.headers.get("To") or "")


def make_cancel(invite: Request) -> Request:
    """The CANCEL of an INVITE (RFC 3261 section 9.1): everything is the INVITE's own."""
    return _companion(invite, "CANCEL", invite.headers.get("To") or "")


def _companion(invite: Request, method: str, to: str) -> Request:
    source = invite.headers
    headers = Headers()
    headers.add("Via", source.get_all("Via")[0])
    headers.add("Max-Forwards", source.get("Max-Forwards") or "70")
    for value in source.get_all("Route"):
        headers.add("Route", value)
    headers.add("From", source.get("From") or "")
    headers.add("To", to)
    headers.add("Call-ID", invite.call_id)
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    if (user_agent := source.get("User-Agent")) is not None:
        headers.add("User-Agent", user_agent)
    headers.add("Content-Length", "0")
    return Request(method, invite.uri, headers, b"")
