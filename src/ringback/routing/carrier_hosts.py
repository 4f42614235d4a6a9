"""Which addresses are the carriers': a call that reaches one costs money, whatever name it is called by.

A gateway is configured by name or address. What the names lead to is looked up again and again, so that the
address is known for a carrier's when somebody writes that instead, or a name of his own that leads there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable

from ringback.routing.directory import Directory, Trunk
from ringback.routing.trunk import Gateway
from ringback.sip.core import is_literal, target_host
from ringback.sip.flow import Flow
from ringback.sip.uri import Uri

_PORT = 5060
Place = tuple[str, int]
"""Host and port."""


class CarrierHosts:
    """The hosts of all gateways. Any port of a host is the carrier's; on loopback, where each port is another
    program, only the gateway's own."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._found: dict[Gateway, frozenset[Place]] = {}

    def at(self, host: str, port: int | None) -> list[Trunk]:
        """The trunks that have a gateway there."""
        name = plain_host(host)
        return [
            trunk
            for trunk in self._directory.all(Trunk)
            if any(_is_at(place, name, port) for gateway in trunk.gateways for place in self._places(gateway))
        ]

    def of(self, uri: Uri) -> list[Trunk]:
        """The trunks that a SIP URI belongs to, by its host or by where requests to it go."""
        found = [*self.at(target_host(uri), uri.port), *self.at(uri.host, uri.port)]
        return list({trunk.id: trunk for trunk in found}.values())

    async def refresh(self, locate: Callable[[Uri], Awaitable[list[Flow]]]) -> None:
        """Look up where the gateways with a name are; what is not found now is where it was."""
        gateways = {gateway for trunk in self._directory.all(Trunk) for gateway in trunk.gateways}
        self._found = {gateway: self._found[gateway] for gateway in gateways & self._found.keys()}
        for gateway in gateways:
            if is_literal(gateway.uri().host):
                continue
            flows = await locate(gateway.uri())
            if flows:
                self._found[gateway] = frozenset((plain_host(flow.host), flow.port) for flow in flows)

    def _places(self, gateway: Gateway) -> frozenset[Place]:
        uri = gateway.uri()
        return self._found.get(gateway, frozenset()) | {(plain_host(uri.host), uri.port or _PORT)}


def _is_at(place: Place, name: str, port: int | None) -> bool:
    return place[0] == name and (not _is_loopback(name) or place[1] == (port or _PORT))


def plain_host(host: str) -> str:
    """One spelling of a host: no brackets, no final dot, an IPv4 address never as one of IPv6."""
    text = host.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (is_literal(name) and ipaddress.ip_address(name).is_loopback)
