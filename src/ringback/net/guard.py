"""The address guard: which addresses a URL, or a SIP target, may lead to.

A webhook, an audio file or a dialled SIP URI is named by an application, so the server could be talked
into reaching machines that only it can see. Every address that a name resolves to is checked, and the
connection is then made to a checked address, so that a second DNS answer cannot change the verdict.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

import msgspec

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Origin = tuple[str, str, int]  # scheme, host (lower case, no brackets), port

DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443, "sip": 5060, "sips": 5061}

# Instance metadata and platform services of the large clouds: they hand out credentials.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google, Azure, Oracle, DigitalOcean, OpenStack
        "169.254.169.253",  # AWS resolver
        "169.254.169.123",  # AWS time
        "169.254.170.2",  # AWS container credentials
        "169.254.170.23",  # AWS pod identity
        "fd00:ec2::254",
        "fd00:ec2::253",
        "fd00:ec2::23",
        "fd20:ce::254",  # Google, IPv6
        "fe80::a9fe:a9fe",  # OpenStack, IPv6
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure platform
        "192.0.0.192",  # Oracle classic
    )
)

_SHARED = ipaddress.ip_network("100.64.0.0/10")  # carrier-grade NAT, RFC 6598
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.ip_network("::/96")  # deprecated v4-compatible addresses, RFC 4291


class AddressRefused(Exception):
    """An address that must not be reached. `why` is one word or two: "loopback", "metadata service"."""

    def __init__(self, url: str, address: str, why: str) -> None:
        super().__init__(f"{url} leads to {address}, which is not allowed ({why})")
        self.url = url
        self.address = address
        self.why = why


class AddressPolicy(msgspec.Struct):
    """What may be reached. One value is shared by all who ask, and changes when the configuration does.

    `allow_private` opens private, loopback, link-local and shared addresses. `always_allowed` holds
    the origins that the configuration names: they may be private in any case. Only their host and
    port are compared, since http, ws and sip on one port reach the same service. Metadata addresses,
    multicast and the unspecified address are never reached.
    """

    allow_private: bool = False
    always_allowed: frozenset[Origin] = frozenset()

    def become(self, other: AddressPolicy) -> None:
        """Allow what the other one allows."""
        self.allow_private, self.always_allowed = other.allow_private, other.always_allowed

    def check(self, url: str, address: str) -> None:
        """Raise `AddressRefused` unless `address`, to which `url`'s host resolved, may be reached."""
        _, host, port = origin_of(url)
        self.check_host(host, port, [address], url=url)

    def check_host(self, host: str, port: int, addresses: Iterable[str], *, url: str = "") -> None:
        """Check every address of a host; one that is refused refuses the host (no picking of the others)."""
        allow_private = self.allow_private or self._names(host, port)
        for text in addresses:
            why = refusal(text, allow_private=allow_private)
            if why is not None:
                raise AddressRefused(url or f"{host}:{port}", text, why)

    def _names(self, host: str, port: int) -> bool:
        wanted = _plain_host(host)
        return any(wanted == name and port == at for _, name, at in self.always_allowed)


def origin_of(url: str) -> Origin:
    """Scheme, host and port of a URL; `ValueError` when it has no host or an impossible port."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(f"expected an absolute URL with a host, got {url!r}")
    scheme = parts.scheme.lower()
    port = parts.port if parts.port is not None else DEFAULT_PORTS.get(scheme, 0)
    return scheme, _plain_host(parts.hostname), port


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs have scheme, host and port in common; False where one of them has no host."""
    try:
        return origin_of(one) == origin_of(other)
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def refusal(text: str, *, allow_private: bool) -> str | None:
    """Why an address must not be reached, or None when it may be."""
    try:
        address = _unwrapped(ipaddress.ip_address(text.split("%", 1)[0].strip("[]")))
    except ValueError:
        return "not an address"
    if address in METADATA:
        return "metadata service"
    if address.is_unspecified:
        return "unspecified"
    if address.is_multicast:
        return "multicast"
    return None if allow_private and not _is_reserved(address) else _not_public(address)


def _not_public(address: IPAddress) -> str | None:
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.version == 4 and address in _SHARED:
        return "shared address space"
    if _is_reserved(address):
        return "reserved"
    return None if address.is_global else "private"


def _is_reserved(address: IPAddress) -> bool:
    # IPv6 calls ::1 and most of the unassigned space reserved; only IPv4's class E matters here.
    return address.version == 4 and address.is_reserved


def _unwrapped(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one carries: mapped, compatible, NAT64, 6to4 or Teredo."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    embedded = any(address in network for network in _NAT64)
    if embedded or (address in _COMPATIBLE and int(address) > 0xFFFF):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _plain_host(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
