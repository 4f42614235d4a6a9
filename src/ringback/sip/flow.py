"""Where messages come from and go to: the addresses that the protocol core and the sockets share."""

from __future__ import annotations

import msgspec

RELIABLE_TRANSPORTS = frozenset({"tcp", "tls", "ws", "wss"})


class Flow(msgspec.Struct, frozen=True):
    """One way to a peer: transport, peer address and, where it matters, our own end.

    ``transport`` is ``"udp"`` or ``"tcp"``; ``host`` is a literal address, IPv6 without brackets.
    ``local_host``/``local_port`` name our end when it is known; empty and 0 leave the choice to the
    transport. ``connection`` is the number of an existing TCP connection, 0 for "any, or a new one".
    """

    transport: str
    host: str
    port: int
    local_host: str = ""
    local_port: int = 0
    connection: int = 0

    @property
    def reliable(self) -> bool:
        """True where the transport itself retransmits (RFC 3261 section 17)."""
        return self.transport in RELIABLE_TRANSPORTS

    @property
    def peer(self) -> tuple[str, str, int]:
        """Transport, host and port of the peer: what two ways to one peer have in common."""
        return (self.transport, self.host, self.port)

    def __str__(self) -> str:
        return f"{self.transport}:{join_host_port(self.host, self.port)}"


class Outgoing(msgspec.Struct, frozen=True):
    """One message to put on the wire.

    ``key`` is handed back to the core if the message cannot be sent (empty: nobody cares). ``fallback`` is
    where it goes when ``flow`` names a connection that has gone (RFC 3261 section 18.2.2).
    """

    flow: Flow
    data: bytes
    key: str = ""
    fallback: Flow | None = None


class Trace(msgspec.Struct, frozen=True):
    """A message as it was on the wire, for the time line of a call.

    ``direction`` is ``"in"`` or ``"out"``; ``when`` is seconds since the epoch; ``local`` and ``remote``
    are ``host:port``.
    """

    direction: str
    when: float
    local: str
    remote: str
    transport: str
    message: bytes


def join_host_port(host: str, port: int | None) -> str:
    """``host:port`` with brackets round IPv6 addresses; without a port just the host."""
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if port else shown


def split_address(text: str, default_port: int = 5060) -> tuple[str, int]:
    """Host and port of ``host``, ``host:port``, ``[v6]`` or ``[v6]:port``. Raises ValueError."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"not an address: {text!r}")
        return host, int(rest[1:]) if rest else default_port
    if text.count(":") > 1:
        return text, default_port
    host, colon, port = text.partition(":")
    return host, int(port) if colon else default_port


def parse_listen(text: str) -> Flow:
    """A listening point such as ``udp:127.0.0.1:5060`` or ``tcp:[::1]:5060``, as the local end of a Flow.

    Raises ValueError, saying what was expected.
    """
    transport, colon, address = text.partition(":")
    if not colon or transport not in ("udp", "tcp"):
        raise ValueError(f"expected udp:HOST:PORT or tcp:HOST:PORT, got {text!r}")
    host, port = split_address(address)
    if not host or not 0 <= port <= 65535:
        raise ValueError(f"expected udp:HOST:PORT or tcp:HOST:PORT, got {text!r}")
    return Flow(transport, "", 0, host, port)
