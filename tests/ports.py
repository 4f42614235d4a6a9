"""Ports for programs that have to be told one. Everything else binds port 0, and asks what it got."""

from __future__ import annotations

import secrets
import socket

_FIRST, _COUNT = 5_100, 1_450


def free_port(transport: str = "tcp", host: str = "127.0.0.1") -> int:
    """An even port that nobody holds: below those which the system gives away, to another test, say, before
    it is used here, and below those of RTP."""
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = _FIRST + 2 * secrets.randbelow(_COUNT)
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port


def free_ports(count: int) -> int:
    """The first of a run of ports that are free now, all for UDP: between those above, and those of the
    servers that run in other tests (`ringback.testing.kit`)."""
    while True:
        first = 10_000 + 2 * secrets.randbelow((10_000 - count) // 2)
        try:
            for port in range(first, first + count):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
