"""A network in memory with a clock of its own: user agents and hand-driven peers on it, loss, refusals."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from ringback.sip.agent import UserAgent
from ringback.sip.core import Settings
from ringback.sip.errors import SipParseError
from ringback.sip.flow import Flow, Outgoing, join_host_port
from ringback.sip.headers import Headers
from ringback.sip.inbound import InboundCall
from ringback.sip.message import Message, Request, Response, make_response
from ringback.sip.outbound import Invitation, OutboundCall
from ringback.sip.parse import parse_message
from ringback.sip.uri import NameAddr, Uri

DELAY = 0.01
"""Seconds from one host to another."""


def sdp(port: int = 4000, address: str = "192.0.2.1", version: int = 1) -> bytes:
    """A small session description."""
    lines = [
        "v=0",
        f"o=- 1 {version} IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
        f"m=audio {port} RTP/AVP 0",
        "",
    ]
    return "\r\n".join(lines).encode()


class Host:
    """Something with an address on the network."""

    def __init__(self, network: Network, host: str, port: int) -> None:
        self.network = network
        self.host = host
        self.port = port
        self.inbox: list[Message] = []
        self.names: list[str] = []

    def uri(self, user: str = "bob", **params: str) -> Uri:
        uri = Uri("sip", user, None, self.host, self.port)
        for name, value in params.items():
            uri = uri.with_(params=uri.params.with_(name, value))
        return uri

    def name(self, user: str = "bob") -> NameAddr:
        return NameAddr(self.uri(user))

    def note(self, message: Message) -> None:
        self.inbox.append(message)
        self.names.append(label(message))

    def requests(self, method: str) -> list[Request]:
        return [item for item in self.inbox if isinstance(item, Request) and item.method == method]

    def responses(self, status: int, method: str = "") -> list[Response]:
        return [
            item
            for item in self.inbox
            if isinstance(item, Response) and item.status == status and item.cseq.method.startswith(method)
        ]


class Node(Host):
    """A user agent."""

    def __init__(self, network: Network, host: str, port: int, settings: Settings, **options: Any) -> None:
        super().__init__(network, host, port)
        self.agent = UserAgent(settings, lambda: network.now, self._local, **options)
        self.agent.on_invitation = self._invited
        self.calls: list[InboundCall] = []
        self.events: list[Any] = []
        self.on_call: Callable[[InboundCall], None] = lambda call: None
        self.lookups: dict[str, list[Flow]] = {}

    def _local(self, flow: Flow) -> tuple[str, str, int]:
        return flow.transport, self.host, self.port

    def _invited(self, call: InboundCall) -> None:
        self.calls.append(call)
        call.on_event = self.events.append
        self.on_call(call)

    def call(self, target: Host, offer: bytes | None = None, **changes: Any) -> OutboundCall:
        """Places a call; ``offer`` b"" means none."""
        credentials = changes.pop("credentials", None)
        uri = changes.pop("uri", target.uri())
        body = sdp() if offer is None else offer or None
        invitation = Invitation(uri, self.name("alice"), target.name(), body, **changes)
        call = self.agent.invite(invitation, credentials)
        call.on_event = self.events.append
        call.start()
        return call

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def event(self, kind: type) -> Any:
        """The one event of that kind."""
        (found,) = [event for event in self.events if isinstance(event, kind)]
        return found


class Peer(Host):
    """A host whose messages the test writes by hand."""

    def request(self, method: str, to: Host, **changes: Any) -> Request:
        number = changes.pop("cseq", 1)
        body = changes.pop("body", b"")
        branch = changes.pop("branch", f"z9hG4bK{next(self.network.numbers)}")
        fields = {
            "Via": f"SIP/2.0/UDP {join_host_port(self.host, self.port)};branch={branch}",
            "Max-Forwards": "70",
            "From": f"<sip:peer@{self.host}>;tag=peer",
            "To": f"<{to.uri()}>",
            "Call-ID": "call-1",
            "CSeq": f"{number} {method}",
            "Contact": f"<{self.uri('peer')}>",
        }
        if body:
            fields["Content-Type"] = "application/sdp"
        fields.update({name.replace("_", "-"): value for name, value in changes.items()})
        headers = Headers((name, value) for name, value in fields.items() if value is not None)
        return Request(method, to.uri(), headers, body)

    def within(self, method: str, to: Host, response: Response, **changes: Any) -> Request:
        """A request in the dialog that a response to us made."""
        changes.setdefault("To", response.headers.get("To"))
        changes.setdefault("Call_ID", response.call_id)
        changes.setdefault("From", response.headers.get("From"))
        return self.request(method, to, **changes)

    def response(
        self, request: Request, status: int, tag: str | None = "peer", body: bytes = b"", **fields: str
    ) -> Response:
        response = make_response(request, status, None, tag)
        if 100 < status < 300 and request.method in ("INVITE", "UPDATE"):
            response.headers.add("Contact", f"<{self.uri('peer')}>")
        for name, value in fields.items():
            response.headers.add(name.replace("_", "-"), value)
        if body:
            response.headers.set("Content-Type", "application/sdp")
            response.body = body
        return response

    def send(self, message: Message | bytes, to: Host, transport: str = "udp") -> None:
        data = message if isinstance(message, bytes) else message.encode()
        self.network.transmit(self, to, data, transport)

    def respond(self, request: Request, status: int, **changes: Any) -> Response:
        """Sends a response to where the request's Via says."""
        response = self.response(request, status, **changes)
        via = request.via
        to = self.network.hosts[(via.host, via.port or 5060)]
        self.send(response, to, via.transport.lower())
        return response


class Network:
    """Hosts, messages under way, and time. ``lose(n, message)`` is asked for every message in turn."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.hosts: dict[tuple[str, int], Host] = {}
        self.lose: Callable[[int, bytes], bool] = lambda number, data: False
        self.no_tcp: set[str] = set()
        self.unreachable: set[str] = set()
        self.sent = 0
        self.log: list[str] = []
        self.numbers = count(1)
        self._order = count()
        self._under_way: list[tuple[float, int, Host, Host, bytes, str]] = []

    def node(self, host: str, port: int = 5060, allowed: Any = None, **settings: Any) -> Node:
        node = Node(self, host, port, Settings(**settings), address_allowed=allowed)
        self.hosts[(host, port)] = node
        return node

    def peer(self, host: str, port: int = 5060) -> Peer:
        peer = Peer(self, host, port)
        self.hosts[(host, port)] = peer
        return peer

    def transmit(self, source: Host, target: Host, data: bytes, transport: str) -> None:
        self.sent += 1
        if transport == "udp" and self.lose(self.sent, data):
            return
        heapq.heappush(
            self._under_way, (self.now + DELAY, next(self._order), source, target, data, transport)
        )

    def _send(self, node: Node, message: Outgoing) -> None:
        flow = message.flow
        if (flow.transport == "tcp" and flow.host in self.no_tcp) or flow.host in self.unreachable:
            node.agent.send_failed(message.key)
            return
        target = self.hosts.get((flow.host, flow.port))
        self.log.append(f"{flow.transport} {label(read(message.data))}")
        if target is not None:
            self.transmit(node, target, message.data, flow.transport)

    def settle(self) -> None:
        """Sends what agents have to send, and tells their owners, until there is no more."""
        busy = True
        while busy:
            busy = False
            for node in self.nodes():
                for message in node.agent.outgoing():
                    busy = True
                    self._send(node, message)
                for lookup in node.agent.lookups():
                    busy = True
                    lookup.then(node.lookups.get(lookup.uri.host, []))
                busy = node.agent.run_news() or busy

    def nodes(self) -> list[Node]:
        return [host for host in self.hosts.values() if isinstance(host, Node)]

    def run(self, seconds: float = 0.2) -> None:
        """Lets time pass: messages arrive and timers fire in order."""
        end = self.now + seconds
        self.settle()
        while (due := self._next()) <= end:
            self.now = max(due, self.now)
            self._deliver()
            for node in self.nodes():
                node.agent.handle_timeout()
            self.settle()
        self.now = end

    def _next(self) -> float:
        times = [node.agent.poll_timeout() for node in self.nodes()]
        arrivals = [self._under_way[0][0]] if self._under_way else []
        return min([time for time in times if time is not None] + arrivals, default=float("inf"))

    def _deliver(self) -> None:
        while self._under_way and self._under_way[0][0] <= self.now:
            _, _, source, target, data, transport = heapq.heappop(self._under_way)
            if (message := read(data)) is not None:
                target.note(message)
            if isinstance(target, Node):
                flow = Flow(transport, source.host, source.port, target.host, target.port)
                target.agent.receive(data, flow)
                self.settle()


def read(data: bytes) -> Message | None:
    """The message, unless it repeats something malformed that it answers."""
    try:
        return parse_message(data)
    except SipParseError:
        return None


def label(message: Message | None) -> str:
    """``INVITE`` or ``200 INVITE``."""
    if message is None:
        return "unreadable"
    if isinstance(message, Request):
        return message.method
    return f"{message.status} {message.cseq.method}"


@pytest.fixture
def network() -> Network:
    random.seed(1)
    return Network()
