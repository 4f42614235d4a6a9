"""Where a SIP URI leads (RFC 3263): NAPTR, SRV, then addresses. Literal addresses never get here."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import Any, Protocol

import dns.asyncresolver
import dns.exception
import dns.resolver
import msgspec

from ringback.sip.core import literal_flow, target_host
from ringback.sip.flow import Flow
from ringback.sip.uri import Uri

LIFETIME = 5.0
"""Seconds that one question may take."""
MAX_FLOWS = 16
SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp"}


class Naptr(msgspec.Struct, frozen=True):
    """A NAPTR record: where the SRV records of a service are."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(msgspec.Struct, frozen=True):
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


class Records(Protocol):
    """What is asked of DNS. No answer is an empty list."""

    async def naptr(self, name: str) -> list[Naptr]: ...

    async def srv(self, name: str) -> list[Srv]: ...

    async def addresses(self, name: str) -> list[str]: ...


class DnsRecords:
    """Real DNS, with a cache; names without a dot, and those DNS does not know, as the system resolves
    them."""

    def __init__(self) -> None:
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def naptr(self, name: str) -> list[Naptr]:
        return [
            Naptr(
                row.order,
                row.preference,
                row.flags.decode("latin-1").upper(),
                row.service.decode("latin-1").upper(),
                row.replacement.to_text(omit_final_dot=True),
            )
            for row in await self._ask(name, "NAPTR")
        ]

    async def srv(self, name: str) -> list[Srv]:
        return [
            Srv(row.priority, row.weight, row.port, row.target.to_text(omit_final_dot=True))
            for row in await self._ask(name, "SRV")
        ]

    async def addresses(self, name: str) -> list[str]:
        if "." in name:
            answers = await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA"))
            found = [str(row.address) for rows in answers for row in rows]
            if found:
                return found
        try:
            rows = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        except OSError:
            return []
        return list(dict.fromkeys(str(row[4][0]) for row in rows))

    async def _ask(self, name: str, kind: str) -> list[Any]:
        try:
            if self._resolver is None:
                self._resolver = dns.asyncresolver.Resolver()
                self._resolver.cache = dns.resolver.LRUCache()
            return list(await self._resolver.resolve(name, kind, lifetime=LIFETIME, search=False))
        except (dns.exception.DNSException, OSError, ValueError):
            return []


class Locator:
    """Finds the flows for a URI, best first; an empty list when there are none."""

    def __init__(self, records: Records | None = None) -> None:
        self._records = records if records is not None else DnsRecords()

    async def locate(self, uri: Uri) -> list[Flow]:
        """Addresses to try in order (RFC 3263 section 4). Never raises for what DNS says."""
        literal = literal_flow(uri)
        if literal is not None:
            return [literal]
        host = target_host(uri)
        transport = uri.transport
        if not host or uri.scheme != "sip" or transport not in (None, "udp", "tcp"):
            return []
        if uri.port is not None:
            return await self._at(transport or "udp", host, uri.port)
        for service, name in await self._services(host, transport):
            flows = await self._by_srv(service, name)
            if flows:
                return flows[:MAX_FLOWS]
        return await self._at(transport or "udp", host, 5060)

    async def _services(self, host: str, transport: str | None) -> list[tuple[str, str]]:
        """(transport, SRV name), best first (section 4.1)."""
        if "." not in host:
            return []
        if transport is not None:
            return [(transport, f"_sip._{transport}.{host}")]
        rows = [
            row for row in await self._records.naptr(host) if row.flags == "S" and row.service in SERVICES
        ]
        if rows:
            rows.sort(key=lambda row: (row.order, row.preference))
            return [(SERVICES[row.service], row.replacement) for row in rows]
        return [("udp", f"_sip._udp.{host}"), ("tcp", f"_sip._tcp.{host}")]

    async def _by_srv(self, transport: str, name: str) -> list[Flow]:
        flows: list[Flow] = []
        for row in in_order(await self._records.srv(name)):
            if row.target not in ("", ".") and len(flows) < MAX_FLOWS:
                flows += await self._at(transport, row.target, row.port)
        return flows

    async def _at(self, transport: str, host: str, port: int) -> list[Flow]:
        return [
            Flow(transport, address, port) for address in (await self._records.addresses(host))[:MAX_FLOWS]
        ]


def in_order(rows: list[Srv]) -> list[Srv]:
    """SRV records by priority, and by chance according to weight within one (RFC 2782)."""
    # The exponential variates of a weight sort as repeated weighted draws would.
    return sorted(rows, key=lambda row: (row.priority, random.expovariate(row.weight or 0.01)))
