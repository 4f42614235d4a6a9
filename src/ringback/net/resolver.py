"""Name resolution for the HTTP client: what it returns has been checked, and is what gets connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from ringback.net.guard import AddressPolicy

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
Lookup = Callable[[str, int, socket.AddressFamily], list[AddressInfo]]


class ResolutionFailed(OSError):
    """A name that could not be resolved (or not in time)."""


def system_lookup(host: str, port: int, family: socket.AddressFamily) -> list[AddressInfo]:
    """Ask the operating system (hosts file and DNS). Blocks: called from a thread."""
    flags = socket.AI_ADDRCONFIG if family == socket.AF_UNSPEC else 0
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
    return [(f, k, p, name, tuple(at)) for f, k, p, name, at in found]


class GuardedResolver(AbstractResolver):
    """Resolves in threads of its own (a dead name server must not block other work) and checks every answer.

    Raises `ResolutionFailed` (an `OSError`) or `ringback.net.guard.AddressRefused`.
    """

    def __init__(
        self, policy: AddressPolicy, *, lookup: Lookup = system_lookup, timeout: float = 5.0
    ) -> None:
        self._policy = policy
        self._lookup = lookup
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                found = await loop.run_in_executor(self._threads, self._lookup, host, port, family)
        except TimeoutError as error:
            raise ResolutionFailed(f"no answer for {host} within {self._timeout:g} s") from error
        except (OSError, UnicodeError) as error:
            raise ResolutionFailed(f"{host} could not be resolved: {error}") from error
        results = [_result(host, port, info) for info in found]
        if not results:
            raise ResolutionFailed(f"{host} has no address")
        self._policy.check_host(host, port, [result["host"] for result in results])
        return results

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _result(host: str, port: int, info: AddressInfo) -> ResolveResult:
    family, _, protocol, _, at = info
    address = str(at[0])
    if family == socket.AF_INET6 and len(at) > 3 and at[3]:
        address = f"{address.split('%')[0]}%{at[3]!s}"  # the zone of a link-local address
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
