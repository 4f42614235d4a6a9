"""What every part of the user agent shares: settings, timers, transactions, dialogs, and the way out."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Iterable
from functools import lru_cache
from os import urandom
from typing import Any, Protocol

import msgspec

from ringback.sip.body import SDP, sdp_body
from ringback.sip.errors import SipParseError
from ringback.sip.flow import Flow, Outgoing
from ringback.sip.header_policy import PROTOCOL
from ringback.sip.headers import Headers, key_of
from ringback.sip.layer import Local, TransactionLayer
from ringback.sip.message import Request, Response, make_response
from ringback.sip.recent import Recent
from ringback.sip.timers import Clock, Timers
from ringback.sip.transaction import ServerTransaction
from ringback.sip.uri import Uri

HeaderList = Iterable[tuple[str, str]]
DialogKey = tuple[str, str, str]
"""Call-ID, our tag, the peer's tag."""
AddressAllowed = Callable[[Flow, str, str], bool]
"""Whether a request may go somewhere: the flow, the name that it was found for, and, inside a dialog, the
address of its peer (else empty)."""

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK")
"""What every user agent here does by itself."""
TCP_AVOIDED_FOR = 600.0
"""Seconds in which a peer that refused TCP is sent large requests by UDP at once."""


class Settings(msgspec.Struct, frozen=True):
    """How a user agent behaves. ``session_expires`` and ``min_se`` are seconds (RFC 4028); ``methods`` and
    ``supported`` are the methods and option tags that its owner handles beyond those of the protocol core."""

    user_agent: str = "Ringback"
    supported: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    session_expires: int = 1800
    min_se: int = 90
    max_redirects: int = 5
    udp_limit: int = 1300
    """Octets above which a request tries TCP first (RFC 3261 section 18.1.1)."""

    @property
    def allow(self) -> str:
        """The value of Allow."""
        return ", ".join((*METHODS, *self.methods))

    @property
    def option_tags(self) -> str:
        """The value of Supported."""
        tags = ["100rel", *(["timer"] if self.session_expires else []), *self.supported]
        return ", ".join(dict.fromkeys(tags))


CHALLENGE_ANSWERED_IN = 4.0
"""Seconds in which whoever was challenged comes back, at the least: telephones do at once."""
_MOST_CHALLENGED = 4096


class Lookup(msgspec.Struct, frozen=True, eq=False):
    """A name to look up: the flows found go to ``Core.located``."""

    uri: Uri
    then: Callable[[list[Flow]], None]


class DialogUser(Protocol):
    """Whoever lives in a dialog."""

    def receive_request(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        """A new request inside the dialog."""

    def receive_ack(self, request: Request) -> None:
        """The ACK of a 2xx."""


class Core:
    """The state of one user agent, without its rules. Single-threaded; time comes from ``clock``."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        local_for: Callable[[Flow], Local],
        address_allowed: AddressAllowed | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.local_for = local_for
        self.address_allowed = address_allowed
        self._ours = Headers(
            [("Server", settings.user_agent), ("Allow", settings.allow), ("Supported", settings.option_tags)]
        )
        self.timers = Timers(clock)
        self.layer = TransactionLayer(self.timers, self.send, local_for)
        self.dialogs: dict[DialogKey, DialogUser] = {}
        self.wake: Callable[[], None] = _nothing
        self._outgoing: list[Outgoing] = []
        self._news: list[tuple[Callable[[Any], None], Any]] = []
        self._lookups: list[Lookup] = []
        self._tcp_refused: dict[tuple[str, int], float] = {}
        self._challenged: Recent[bool] = Recent(clock, CHALLENGE_ANSWERED_IN, _MOST_CHALLENGED)

    # Out

    def send(self, message: Outgoing) -> None:
        """Queues a message; it leaves with the next ``outgoing``."""
        self._outgoing.append(message)
        self.wake()

    def outgoing(self) -> list[Outgoing]:
        """Takes what is to be sent, in order."""
        taken, self._outgoing = self._outgoing, []
        return taken

    def notify(self, handler: Callable[[Any], None], value: Any) -> None:
        """Queues a call to the owner: it hears of things after the bytes that they caused have left."""
        self._news.append((handler, value))
        self.wake()

    def news(self) -> list[tuple[Callable[[Any], None], Any]]:
        """Takes the queued calls, in order."""
        taken, self._news = self._news, []
        return taken

    def locate(self, uri: Uri, then: Callable[[list[Flow]], None]) -> None:
        """Finds where requests to a URI go; at once for a literal address, which never asks DNS."""
        flow = literal_flow(uri)
        if flow is not None:
            then([flow])
            return
        self._lookups.append(Lookup(uri, then))
        self.wake()

    def lookups(self) -> list[Lookup]:
        """Takes the names that wait for an answer."""
        taken, self._lookups = self._lookups, []
        return taken

    # What messages are made of

    def contact(self, flow: Flow, user: str | None) -> str:
        """Our Contact for a peer on that flow."""
        return _contact(*self.local_for(flow), user)

    def response(
        self,
        request: Request,
        status: int,
        reason: str | None = None,
        to_tag: str | None = None,
        *,
        record_route: bool = False,
    ) -> Response:
        """A response with our name on it (``make_response``). Only 100 does without a tag."""
        response = make_response(request, status, reason, to_tag, record_route=record_route)
        response.headers.copy_from(self._ours, "Server")
        return response

    def answer(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str | None = None,
        headers: HeaderList = (),
    ) -> None:
        """Answers a request that needs no more than a status and a few header fields of ours."""
        response = self.response(transaction.request, status, reason, transaction.to_tag)
        for name, value in headers:
            response.headers.add(name, value)
        transaction.respond(response)

    def describe_us(self, message: Request | Response, flow: Flow, user: str | None) -> None:
        """Adds what INVITE, UPDATE and their 2xx carry: Contact, Allow and Supported."""
        headers = message.headers
        headers.add("Contact", self.contact(flow, user))
        headers.copy_from(self._ours, "Allow", "Supported")

    def permitted(self, uri: Uri, flows: list[Flow], peer: Flow | None = None) -> list[Flow]:
        """Those of the addresses found for a URI to which a request may go.

        Inside a dialog its ``peer`` may be answered in any case, and where nothing else is left it stands in:
        a call must not stay up because its Contact leads nowhere.
        """
        name, known = target_host(uri), peer.host if peer is not None else ""
        judge = self.address_allowed
        found = [flow for flow in flows if judge is None or flow.host == known or judge(flow, name, known)]
        return found or ([peer] if peer is not None else [])

    def note_challenge(self, call_id: str, host: str) -> None:
        """Remembers that a call was told to come again with credentials."""
        self._challenged.note((call_id, host), True)

    def is_challenged(self, call_id: str, host: str) -> bool:
        """Whether a call was lately."""
        return self._challenged.get((call_id, host)) is not None

    def answer_challenge(self, call_id: str, host: str) -> bool:
        """The same, of one that comes again; once for each challenge."""
        challenged = self.is_challenged(call_id, host)
        if challenged:
            self._challenged.forget((call_id, host))
        return challenged

    def prefers_tcp(self, flow: Flow) -> bool:
        """True unless the peer refused TCP lately."""
        until = self._tcp_refused.get((flow.host, flow.port))
        return until is None or until <= self.clock()

    def note_tcp_refused(self, flow: Flow) -> None:
        """Remembers that the peer cannot be reached by TCP."""
        now = self.clock()
        self._tcp_refused = {peer: until for peer, until in self._tcp_refused.items() if until > now}
        self._tcp_refused[(flow.host, flow.port)] = now + TCP_AVOIDED_FOR


@lru_cache(maxsize=1024)
def _contact(transport: str, host: str, port: int, user: str | None) -> str:
    uri = Uri("sip", user, None, host, port)
    if transport != "udp":
        uri = uri.with_(params=uri.params.with_("transport", transport))
    return f"<{uri}>"


def _nothing() -> None:
    """Nobody waits for output."""


def retry_after() -> tuple[str, str]:
    """A Retry-After of 0 to 10 seconds for a request that came too early (RFC 3261 section 14.2)."""
    return ("Retry-After", str(random.randrange(11)))


def new_tag() -> str:
    """A tag with 64 random bits (RFC 3261 section 19.3 wants 32)."""
    return urandom(8).hex()


def new_call_id() -> str:
    """A Call-ID nobody else has."""
    return urandom(16).hex()


def add_headers(headers: Headers, extra: HeaderList) -> None:
    """Adds the owner's header fields. Raises ValueError for those that belong to the protocol."""
    for name, value in extra:
        if key_of(name) in PROTOCOL:
            raise ValueError(f"{name} is written by the protocol itself")
        headers.add(name, value)


def checked(extra: HeaderList) -> list[tuple[str, str]]:
    """The owner's header fields, fit to be sent later. Raises ValueError now for those that are not."""
    fields = list(extra)
    if fields:
        add_headers(Headers(), fields)
    return fields


def set_body(message: Request | Response, body: bytes | None, content_type: str = SDP) -> None:
    """Gives a message its body."""
    if body:
        message.body = body
        message.headers.set("Content-Type", content_type)


def readable_sdp(message: Request | Response) -> bytes | None:
    """The session description of a message that nobody can refuse any more (ACK, a response)."""
    try:
        return sdp_body(message)
    except SipParseError:
        return None


@lru_cache(maxsize=4096)
def is_literal(host: str) -> bool:
    """True for an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


# RFC 1918, RFC 6598 (carrier NAT), loopback, link-local, unspecified, RFC 4193.
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "0.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::/127",
    )
)


@lru_cache(maxsize=4096)
def is_private(host: str) -> bool:
    """True for addresses that mean nothing elsewhere; False for names."""
    if not is_literal(host):
        return False
    address = ipaddress.ip_address(host)
    return any(address in network for network in _PRIVATE)


def target_host(uri: Uri) -> str:
    """The name or address that requests to a URI go to: ``maddr``, else its host."""
    return uri.params.get("maddr") or uri.host


def literal_flow(uri: Uri) -> Flow | None:
    """The way to a URI whose target is an address; None for names."""
    host = target_host(uri)
    if not is_literal(host):
        return None
    # TLS is never replaced by less: the transport, which does not speak it, says that it cannot send.
    transport = "tls" if uri.scheme == "sips" else uri.transport or "udp"
    return Flow(transport, host, uri.port or 5060)
