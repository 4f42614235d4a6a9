"""Name resolution for the HTTP client: what it returns has been checked, and is what gets connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from ringback.net.guard import AddressPolicy
from ringback.net.turns import Turns

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
Lookup = Callable[[str, int, socket.AddressFamily], list[AddressInfo]]

_THREADS = 128
_THREADS_PER_DOMAIN = 8


class ResolutionFailed(OSError):
    """A name that could not be resolved (or not in time)."""


def system_lookup(host: str, port: int, family: socket.AddressFamily) -> list[AddressInfo]:
    """Ask the operating system (hosts file and DNS). Blocks: called from a thread."""
    flags = socket.AI_ADDRCONFIG if family == socket.AF_UNSPEC else 0
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
    return [(f, k, p, name, tuple(at)) for f, k, p, name, at in found]


class GuardedResolver(AbstractResolver):
    """Resolves in threads of its own (a dead name server must not block other work) and checks every answer.

    The system cannot be told to give up, so a name that nobody answers for holds its thread long after its
    caller has gone. Names under one domain get a few threads only: whoever names dead ones waits alone.
    Raises `ResolutionFailed` (an `OSError`) or `ringback.net.guard.AddressRefused`.
    """

    def __init__(
        self, policy: AddressPolicy, *, lookup: Lookup = system_lookup, timeout: float = 5.0
    ) -> None:
        self._policy = policy
        self._lookup = lookup
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="resolver")
        self._turns = Turns(_THREADS_PER_DOMAIN)
        self._asked: set[asyncio.Future[list[AddressInfo]]] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._ask(host, port, family)
        except TimeoutError as error:
            raise ResolutionFailed(f"no answer for {host} within {self._timeout:g} s") from error
        except (OSError, UnicodeError) as error:
            raise ResolutionFailed(f"{host} could not be resolved: {error}") from error
        results = [_result(host, port, info) for info in found]
        if not results:
            raise ResolutionFailed(f"{host} has no address")
        self._policy.check_host(host, port, [result["host"] for result in results])
        return results

    async def _ask(self, host: str, port: int, family: socket.AddressFamily) -> list[AddressInfo]:
        domain = _domain(host)
        await self._turns.take(domain)
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, self._lookup, host, port, family)
        self._asked.add(asked)

        def answered(done: asyncio.Future[list[AddressInfo]]) -> None:
            self._turns.give_back(domain)
            self._asked.discard(done)
            if not done.cancelled():
                done.exception()  # whoever asked may have left

        asked.add_done_callback(answered)
        return await asyncio.shield(asked)  # the thread works on, whoever waits for it

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for asked in list(self._asked):
            asked.cancel()


def _domain(host: str) -> str:
    """The part of a name that commonly has one owner."""
    return ".".join(host.lower().rstrip(".").rsplit(".", 2)[-2:])


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
