"""SIP for asyncio: sockets and timers round the protocol core. This is what the rest of Ringback uses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from ringback.sip.admission import Admission
from ringback.sip.agent import Credentials, UserAgent
from ringback.sip.authorizer import Authorizer
from ringback.sip.core import AddressAllowed, HeaderList, Lookup, Settings, literal_flow
from ringback.sip.dialog import DialogState
from ringback.sip.errors import SipParseError
from ringback.sip.events import SessionEvent
from ringback.sip.flow import Flow, Trace, join_host_port
from ringback.sip.inbound import InboundCall
from ringback.sip.incoming import IncomingRequest
from ringback.sip.locate import Locator
from ringback.sip.message import Message, Response
from ringback.sip.outbound import Invitation, OutboundCall
from ringback.sip.pending import Pending
from ringback.sip.registration import Registration
from ringback.sip.session import Session
from ringback.sip.sockets import Tracer
from ringback.sip.transport import Transports
from ringback.sip.uri import NameAddr, Uri

log = logging.getLogger(__name__)

SOMEWHERE = "192.0.2.1"
"""A documentation address (RFC 5737): the route to it is the default route."""


class SipEndpoint:
    """A SIP user agent on real sockets, server and client in one. Its methods belong to one event loop."""

    def __init__(
        self,
        *,
        user_agent: str = "Ringback",
        advertise: str = "",
        on_invitation: Callable[[InboundCall], None] | None = None,
        on_register: Callable[[IncomingRequest], None] | None = None,
        on_request: Callable[[IncomingRequest], None] | None = None,
        on_trace: Callable[[Trace], None] | None = None,
        supported: Sequence[str] = (),
        methods: Sequence[str] = (),
        session_expires: int = 1800,
        address_allowed: AddressAllowed | None = None,
        admission: Admission | None = None,
        locator: Locator | None = None,
    ) -> None:
        """``on_invitation`` sets ``call.on_event`` and rings, answers or rejects, then or later; without it
        calls get 480. ``on_register`` answers REGISTER; without it 405. ``methods``: those of other requests
        that the application handles (MESSAGE, REFER …), by ``on_request`` outside of calls, by
        ``RequestReceived`` inside. ``supported``: further option tags that it handles (``replaces``).
        ``session_expires``: seconds, 0 turns our own session timers off.
        ``address_allowed`` is asked for every address before a request goes there, but for the peer's own
        inside a dialog.
        ``admission`` is asked whether there is room for a new call; without it there always is.
        """
        registrar = ("REGISTER",) if on_register is not None else ()
        settings = Settings(
            user_agent, tuple(supported), (*registrar, *methods), session_expires=session_expires
        )
        self._trace = Tracer(on_trace)
        self._transports = Transports(self, self._trace, advertise)
        self._agent = UserAgent(settings, _clock, self._transports.local_for, address_allowed=address_allowed)
        self._agent.on_invitation = on_invitation
        self._agent.on_register = on_register
        self._agent.on_request = on_request
        if admission is not None:
            self._agent.admission = admission
        self._agent.core.wake = self._wake
        self._locator = locator or Locator()
        self._registrations: set[Registration] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None
        self._awake = False
        self._running = False
        self._finished: asyncio.Event | None = None

    # Life

    @property
    def listening(self) -> list[str]:
        """The real listening points, such as ``udp:127.0.0.1:5060``."""
        return [
            f"{point.transport}:{join_host_port(point.local_host, point.local_port)}"
            for point in self._transports.listening
        ]

    def waited(self) -> float:
        """Seconds that the latest datagram waited to be read; 0 when none came since this was asked."""
        return self._transports.waited()

    async def start(self, listen: Sequence[str]) -> None:
        """Opens the sockets; port 0 takes a free one. Raises OSError (nothing stays open) and ValueError."""
        await self._transports.start(listen)
        self._running = True

    async def stop(self, grace: float = 0.0) -> None:
        """Refuses new calls, waits up to ``grace`` seconds for requests without an answer, closes the
        sockets."""
        self.refuse_new()
        for registration in self._registrations:
            registration.stop()
        self._finished = asyncio.Event()
        self.settled()
        try:
            await asyncio.wait_for(self._finished.wait(), grace)
        except TimeoutError:
            pass
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        self._transports.close()
        await self._transports.wait_closed()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def refuse_new(self, status: int | None = 503, retry_after: int = 5) -> None:
        """New calls get ``status`` and Retry-After, statelessly; None accepts them again."""
        self._agent.refuse_new(status, retry_after)

    # Requests

    def invite(
        self,
        target: Uri,
        *,
        from_: NameAddr,
        to: NameAddr,
        offer: bytes | None,
        on_event: Callable[[SessionEvent], None],
        headers: HeaderList = (),
        credentials: Credentials | None = None,
        route: Sequence[Uri] = (),
        call_id: str | None = None,
        max_forwards: int = 70,
        session_expires: int | None = None,
    ) -> OutboundCall:
        """Places a call. What the network does arrives as an event (``Failed``).

        ``target`` becomes the Request-URI. ``route``: an outbound proxy (its URIs usually with ``;lr``).
        ``credentials``: user and password, for whoever on the path challenges this call.
        ``session_expires``: the session interval to ask for (RFC 4028), where it is not the usual one.

        Raises ValueError for header fields that cannot be sent or that the protocol writes itself.
        """
        invitation = Invitation(
            target,
            from_,
            to,
            offer,
            tuple(headers),
            tuple(route),
            call_id,
            max_forwards,
            session_expires,
        )
        call = self._agent.invite(invitation, credentials)
        call.on_event = on_event
        call.start()
        return call

    def register(
        self,
        registrar: Uri,
        *,
        aor: NameAddr,
        credentials: Credentials | None = None,
        expires: int = 300,
        on_change: Callable[[Registration], None] | None = None,
        headers: HeaderList = (),
    ) -> Registration:
        """Registers and keeps registered until ``Registration.unregister``; ``await registration.first`` for
        the first final response. ``registrar`` is a URI without user."""
        registration = Registration(self._agent, registrar, aor, credentials, expires, on_change, headers)
        self._registrations.add(registration)
        registration.refresh()
        return registration

    def request(
        self,
        method: str,
        target: Uri,
        *,
        from_: NameAddr,
        to: NameAddr | None = None,
        headers: HeaderList = (),
        body: bytes = b"",
        credentials: Credentials | None = None,
        route: Sequence[Uri] = (),
        contact: bool = True,
    ) -> Pending[Response]:
        """A request outside any dialog (MESSAGE …); resolves with its final response. ``Content-Type``
        belongs in ``headers``. A REGISTER without ``contact`` only asks what is bound. Raises ValueError."""
        return self._agent.request(
            method,
            target,
            from_=from_,
            to=to or NameAddr(target),
            headers=headers,
            body=body,
            authorizer=Authorizer(*credentials) if credentials is not None else None,
            route=route,
            contact=contact,
        )

    def options(self, target: Uri, *, from_: NameAddr | None = None) -> Pending[Response]:
        """Asks a peer what it can do: the usual "are you there"."""
        sender = from_ or NameAddr(Uri("sip", None, None, self.local_address(target)))
        return self.request("OPTIONS", target, from_=sender, headers=[("Accept", "application/sdp")])

    def bye_orphan(self, state: DialogState, credentials: Credentials | None = None) -> Pending[Response]:
        """Ends a call of an earlier life of this process; ``credentials`` are those it was placed with.
        Raises SipParseError for a state that is none."""
        return self._agent.bye_orphan(state, credentials)

    async def locate(self, uri: Uri) -> list[Flow]:
        """Where requests to a URI would go, best first; nowhere when that cannot be found out."""
        return await self._locator.locate(uri)

    def find_call(self, call_id: str, local_tag: str, remote_tag: str) -> Session | None:
        """The call of a dialog, as Replaces (RFC 3891) names it."""
        return self._agent.find_call(call_id, local_tag, remote_tag)

    def local_address(self, target: Uri) -> str:
        """The address for the session description of a call to ``target``: the advertised one, or ours on the
        route there (for a name: on the default route)."""
        flow = literal_flow(target) or Flow(target.transport or "udp", SOMEWHERE, 5060)
        return self._transports.local_for(flow)[1]

    # What the transports report

    def turn_away(self, data: bytes, host: str, port: int) -> bytes | None:
        """A datagram came in: what it gets where it is not worth more (``UserAgent.turn_away``)."""
        return self._agent.turn_away(data, host, port)

    def datagram(self, data: bytes, flow: Flow) -> None:
        """A datagram came in."""
        self._guarded(self._agent.receive, data, flow)

    def message(self, message: Message, flow: Flow) -> None:
        """A message came in on a connection."""
        self._guarded(self._agent.receive_message, message, flow)

    def malformed(self, error: SipParseError, flow: Flow) -> None:
        """Something that is no message came in on a connection."""
        self._guarded(self._agent.refuse_malformed, error, flow)

    def send_failed(self, key: str) -> None:
        """A message could not be sent."""
        self._guarded(self._agent.send_failed, key)

    def _guarded(self, step: Callable[..., None], *values: object) -> None:
        """One step of the core. A fault of ours must not take the other calls with it."""
        self._awake = True
        try:
            step(*values)
        except Exception:
            log.exception("SIP: %s failed", getattr(step, "__name__", step))

    def settled(self) -> None:
        """Everything that arrived was handed over: sends, then tells the owners, until there is no more of
        both."""
        self._awake = True
        self._flush()
        while self._agent.run_news():
            self._flush()
        self._awake = False
        self._arm()
        if self._finished is not None and not self._agent.core.layer.unfinished():
            self._finished.set()

    def _flush(self) -> None:
        for message in self._agent.outgoing():
            self._transports.send(message)
        for lookup in self._agent.lookups():
            task = asyncio.get_running_loop().create_task(self._locate(lookup))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _locate(self, lookup: Lookup) -> None:
        try:
            flows = await self._locator.locate(lookup.uri)
        except Exception:
            log.exception("cannot resolve %s", lookup.uri)
            flows = []
        self._guarded(lookup.then, flows)
        self.settled()

    # Time

    def _wake(self) -> None:
        """The core has something outside of what the transports reported: an owner asked for it."""
        if not self._awake and self._running:
            self._awake = True
            asyncio.get_running_loop().call_soon(self.settled)

    def _arm(self) -> None:
        deadline = self._agent.poll_timeout()
        if deadline == self._armed or not self._running:
            return
        if deadline is not None and self._armed is not None and self._armed < deadline:
            return  # most deadlines are put off again and again: the timer goes off once, and looks then
        if self._timer is not None:
            self._timer.cancel()
        self._armed = deadline
        self._timer = (
            None if deadline is None else asyncio.get_running_loop().call_at(deadline, self._on_time)
        )

    def _on_time(self) -> None:
        self._armed = None
        self._guarded(self._agent.handle_timeout)
        self.settled()


def _clock() -> float:
    """The loop's own clock: deadlines go to ``call_at`` as they are."""
    return asyncio.get_running_loop().time()
