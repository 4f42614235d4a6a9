"""Ports for programs that have to be told one. Everything else binds port 0, and asks what it got.

Each process that tests has some ports to itself, so that none which was found free is another test's before
it is used, also where several suites run. They lie above those which the system gives away, or else among
those of benches, of which short ones take the first.
"""

from __future__ import annotations

import fcntl
import functools
import itertools
import os
import random
import secrets
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

_SHARE = 400
_KEPT = 100
"""The last ones of a share, even and odd."""
_SHARES = (*range(61_000, 65_001, _SHARE), *range(11_000, 19_601, _SHARE))


def free_port(transport: str = "tcp", host: str = "127.0.0.1") -> int:
    """An even port that nobody holds. Raises OSError."""
    return _search(lambda: _ports().take(2), lambda port: _free(port, transport, host))


def free_ports(count: int) -> int:
    """The first, an even one, of a run of ports that are free now, all for UDP. Raises OSError."""
    return _search(
        lambda: _ports().take(count + count % 2),
        lambda first: all(_free(port, "udp") for port in range(first, first + count)),
    )


def kept_port() -> int:
    """An even port that nobody holds, for UDP; nobody else is given it soon, also while it is not in use.
    Raises OSError."""
    return _search(lambda: _ports().keep(), lambda port: _free(port, "udp"))


def rtp_range(host: str = "127.0.0.1") -> str:
    """RTP ports for a server's settings. Servers that run at the same time begin in different places: none is
    sent what was meant for the port's holder before."""
    return f"{host}:{20_000 + 2 * secrets.randbelow(12_000)}-59999"


def taken(transport: str, host: str, port: int) -> bool:
    """Whether somebody holds a port."""
    return not _free(port, transport, host)


class _Ports:
    """The ports of this process, given in turn, those to be kept and all others."""

    def __init__(self, first: int) -> None:
        self._first, self._end = first, first + _SHARE - _KEPT
        self._next = first
        self._kept = itertools.cycle(range(self._end, first + _SHARE, 2))

    def take(self, count: int) -> int:
        """The first of so many."""
        assert count <= self._end - self._first, count
        if self._next + count > self._end:
            self._next = self._first
        self._next += count
        return self._next - count

    def keep(self) -> int:
        """One to be kept."""
        return next(self._kept)


@functools.cache
def _ports() -> _Ports:
    """Claimed for as long as the process lives, in the file in which a byte is a share. Where all are, one is
    shared."""
    file = Path(tempfile.gettempdir()) / f"ringback-ports-{os.getuid()}.lock"
    claims = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    for place, first in enumerate(_SHARES):
        try:
            fcntl.lockf(claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            continue
        return _Ports(first)
    return _Ports(random.choice(_SHARES))


def _search(another: Callable[[], int], good: Callable[[int], bool]) -> int:
    for _ in range(_SHARE):
        port = another()
        if good(port):
            return port
    raise OSError("all ports of this process are taken")


def _free(port: int, transport: str, host: str = "127.0.0.1") -> bool:
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
