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
