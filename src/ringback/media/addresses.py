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

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache(maxsize=4096)
def parse_host(host: str) -> Address:
    """An address literal, brackets allowed; ValueError for names. IPv4 in IPv6 clothes is IPv4."""
    address = ipaddress.ip_address(host.strip("[]"))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def pack(host: str, port: int, family: int) -> UInt64:
    """`host` and `port` as a socket address of `family`. IPv4 on an IPv6 socket is mapped.

    Raises ValueError for a host that is no address, or IPv6 where the socket is IPv4.
    """
    address = parse_host(host)
    words = np.zeros(WORDS, np.uint64)
    if family == socket.AF_INET:
        if address.version != 4:
            raise ValueError(f"{host} cannot be reached from an IPv4 media address")
        packed = struct.pack("=H", family) + struct.pack("!H", port) + address.packed
    else:
        octets = address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed
        scope = _scope(address)
        packed = struct.pack("=H", family) + struct.pack("!HI", port, 0) + octets + struct.pack("=I", scope)
    words.view(np.uint8)[: len(packed)] = np.frombuffer(packed, np.uint8)
    return words


def unpack(words: UInt64) -> tuple[str, int]:
    """The host and port of a socket address; IPv4-mapped ones as IPv4."""
    octets = words.tobytes()
    family = int.from_bytes(octets[:2], sys.byteorder)
    port = int.from_bytes(octets[2:4], "big")
    if family == socket.AF_INET6:
        address: Address = ipaddress.IPv6Address(octets[8:24])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
    else:
        address = ipaddress.IPv4Address(octets[4:8])
    return str(address), port


@lru_cache(maxsize=64)
def family_of(host: str) -> socket.AddressFamily:
    """The family to bind for a local address literal."""
    return socket.AF_INET6 if ipaddress.ip_address(host.strip("[]")).version == 6 else socket.AF_INET


def _scope(address: Address) -> int:
    scope = getattr(address, "scope_id", None)
    if not scope:
        return 0
    return int(scope) if scope.isdigit() else socket.if_nametoindex(scope)
