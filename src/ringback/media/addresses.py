"""Socket addresses as arrays: 32 octets each (four 64-bit words), laid out as the kernel's `sockaddr`
(Linux).

`sockaddr_in` is family, port (big-endian), address; `sockaddr_in6` has the flow label between port and
address and the scope after it. Whatever a family does not use is zero, so that equal addresses are equal
words.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from functools import lru_cache

import numpy as np
import numpy.typing as npt

UInt64 = npt.NDArray[np.uint64]

WORDS = 4
SIZE = {socket.AF_INET: 16, socket.AF_INET6: 28}
"""Octets of a socket address that the kernel wants to see."""

INET = struct.Struct("=H2s4s24x")
"""`struct sockaddr_in`: family, port, address."""
INET6 = struct.Struct("=H2s4x16sI4x")
"""`struct sockaddr_in6`: family, port, flow label, address, scope."""
MAPPED = bytes(10) + b"\xff\xff"
"""What an IPv4 address begins with in an IPv6 one."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache(maxsize=4096)
def parse_host(host: str) -> Address:
    """An address literal, brackets allowed; ValueError for names. IPv4 in IPv6 clothes is IPv4."""
    address = ipaddress.ip_address(host.strip("[]"))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def pack(host: str, port: int, family: int) -> UInt64:
    """`host` and `port` as a socket address of `family`, to be read only. IPv4 on an IPv6 socket is mapped.

    Raises ValueError for a host that is no address, or IPv6 where the socket is IPv4.
    """
    address = parse_host(host)
    place = port.to_bytes(2, "big")
    if family == socket.AF_INET:
        if address.version != 4:
            raise ValueError(f"{host} cannot be reached from an IPv4 media address")
        packed = INET.pack(family, place, address.packed)
    else:
        octets = address.packed if address.version == 6 else MAPPED + address.packed
        packed = INET6.pack(family, place, octets, _scope(address))
    return np.frombuffer(packed, np.uint64)


def unpack(words: UInt64) -> tuple[str, int]:
    """The host and port of a socket address; IPv4-mapped ones as IPv4."""
    octets = words.tobytes()
    port = int.from_bytes(octets[2:4], "big")
    if int.from_bytes(octets[:2], sys.byteorder) != socket.AF_INET6:
        return socket.inet_ntoa(octets[4:8]), port
    if octets[8:20] == MAPPED:
        return socket.inet_ntoa(octets[20:24]), port
    return str(ipaddress.IPv6Address(octets[8:24])), port


@lru_cache(maxsize=64)
def family_of(host: str) -> socket.AddressFamily:
    """The family to bind for a local address literal."""
    return socket.AF_INET6 if ipaddress.ip_address(host.strip("[]")).version == 6 else socket.AF_INET


def _scope(address: Address) -> int:
    scope = getattr(address, "scope_id", None)
    if not scope:
        return 0
    return int(scope) if scope.isdigit() else socket.if_nametoindex(scope)
