"""The ports of a worker: even for RTP, the odd one after it for RTCP (RFC 3550, 11), resting after use.

What a peer still sends when its call is over must not be heard by the next one, so a port that was given back
is not used again for a while; and ports are taken in turn, so that it mostly is for much longer.
"""

from __future__ import annotations

import socket
import time
from collections import deque

from ringback.media.addresses import family_of

EXPEDITED = 0xB8
"""DSCP EF in the traffic class octet (RFC 4594): voice."""

SO_TIMESTAMPNS = 35
"""Not named by the socket module: with each packet comes the kernel's time of its arrival."""


DRAIN = 0.002
"""Seconds for throwing away what came too soon, at most."""
_SCRAP = bytearray(1)


class Ports:
    """Sans-IO: which port is next. `first` is even."""

    def __init__(self, first: int, last: int, rest: float) -> None:
        self._free = deque(range(first + first % 2, last, 2))
        self._resting: deque[tuple[float, int]] = deque()
        self._rest = rest

    def take(self, now: float) -> int | None:
        """The even port that has been free for longest, None if there is none now."""
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
        return self._free.popleft() if self._free else None

    def give_back(self, port: int, now: float) -> None:
        """The port begins its rest."""
        self._resting.append((now + self._rest, port))

    def __len__(self) -> int:
        return len(self._free)

    @property
    def used_up(self) -> bool:
        """Whether all are in use: none is free, and none rests."""
        return not self._free and not self._resting


def bind_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Sockets for RTP and RTCP on `port` and the next. Raises OSError when either is taken."""
    rtp = _bind(host, port)
    try:
        return rtp, _bind(host, port + 1)
    except OSError:
        rtp.close()
        raise


def _bind(host: str, port: int) -> socket.socket:
    family = family_of(host)
    bound = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED)
        else:
            bound.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED)
        bound.bind((host.strip("[]"), port))
    except OSError:
        bound.close()
        raise
    return bound


def drain(rtp: socket.socket) -> None:
    """Throw away what came before the socket had an owner."""
    deadline = 0.0
    while not deadline or time.monotonic() < deadline:
        try:
            rtp.recv_into(_SCRAP)
        except BlockingIOError:
            return  # as nearly always
        except OSError:
            pass  # an ICMP error taken off the socket
        deadline = deadline or time.monotonic() + DRAIN
