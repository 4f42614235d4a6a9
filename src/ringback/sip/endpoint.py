"""SIP for asyncio: sockets and timers round the protocol core. This is what the rest of Ringback uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ringback.sip.dialog import DialogState
from ringback.sip.events import SessionEvent
from ringback.sip.flow import Trace
from ringback.sip.incoming import IncomingRequest
from ringback.sip.message import Response
from ringback.sip.pending import Pending
from ringback.sip.registration import Registration
from ringback.sip.session import InboundCall, OutboundCall
from ringback.sip.uri import NameAddr, Uri

HeaderList = Iterable[tuple[str, str]]
Credentials = tuple[str, str]


class SipEndpoint:
    """A SIP user agent on real sockets, server and client in one."""

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
        session_expires: int = 1800,
        address_allowed: Callable[[str], bool] | None = None,
    ) -> None:
        """``on_invitation`` sets ``call.on_event`` and rings, answers or rejects, then or later; without it
        calls get 480. ``on_register`` answers REGISTER (without it 405), ``on_request`` other requests outside
        a dialog (MESSAGE, SUBSCRIBE …; without it 405). ``supported``: further option tags that the application
        handles (``replaces``). ``session_expires``: seconds, 0 turns our own session timers off.
        ``address_allowed`` is asked for every literal address before a new request goes there.
        """

    @property
    def listening(self) -> list[str]:
        """The real listening points, such as ``udp:127.0.0.1:5060``."""

    async def start(self, listen: Sequence[str]) -> None:
        """Opens the sockets; port 0 takes a free one. Raises OSError (nothing stays open) and ValueError."""

    async def stop(self, grace: float = 0.0) -> None:
        """Refuses new calls, waits up to ``grace`` seconds for open transactions, closes the sockets."""

    def refuse_new(self, status: int | None = 503, retry_after: int = 5) -> None:
        """New calls get ``status`` and Retry-After, statelessly; None accepts them again."""

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
    ) -> OutboundCall:
        """Places a call. Never raises for what the network does: that arrives as ``Failed``."""

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
        """Registers and keeps registered until ``Registration.unregister``; ``await registration.first`` for the
        first final response."""

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
    ) -> Pending[Response]:
        """A request outside any dialog (MESSAGE …); resolves with its final response."""

    def options(self, target: Uri, *, from_: NameAddr | None = None) -> Pending[Response]:
        """Asks a peer what it can do: the usual "are you there"."""

    def bye_orphan(self, state: DialogState) -> Pending[Response]:
        """Ends a call of an earlier life of this process."""

    def find_call(self, call_id: str, local_tag: str, remote_tag: str) -> InboundCall | OutboundCall | None:
        """The call of a dialog, as Replaces (RFC 3891) names it."""
