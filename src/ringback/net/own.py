"""This machine's own addresses."""

from __future__ import annotations

import ipaddress
import socket

_ELSEWHERE = "192.0.2.1"  # TEST-NET-1 (RFC 5737) stands for any address out there; nothing is sent


def own_address(towards: str = _ELSEWHERE) -> str:
    """The local address of the route to `towards`; loopback where there is no route."""
    family = socket.AF_INET6 if ":" in towards else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))
        except OSError:
            return "::1" if family is socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])


def is_loopback(host: str) -> bool:
    """Whether a host, an address (IPv6 also in brackets) or a name, is this machine seen from itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
