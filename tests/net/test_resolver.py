"""Name resolution when name servers are dead: whose names those are waits, others do not."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.patience import PATIENCE

from ringback.net.guard import AddressPolicy
from ringback.net.resolver import AddressInfo, GuardedResolver, ResolutionFailed

ANYWHERE = AddressPolicy(allow_private=True)


class NameServer:
    """Knows every name at once, except those of dead zones: for those it blocks until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked: list[str] = []

    def lookup(self, host: str, port: int, family: socket.AddressFamily) -> list[AddressInfo]:
        self.asked.append(host)
        if "dead" in host:
            self.released.wait(30)
            raise OSError("nobody answers")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.fixture
def server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.released.set()


async def test_dead_names_of_one_domain_do_not_keep_others_waiting(server: NameServer) -> None:
    patient = GuardedResolver(ANYWHERE, lookup=server.lookup, timeout=20)
    stuck = [asyncio.create_task(patient.resolve(f"a{n}.dead.example", 80)) for n in range(200)]
    alive = await asyncio.wait_for(patient.resolve("app.example", 80), PATIENCE)
    assert [found["host"] for found in alive] == ["127.0.0.1"]
    assert len(server.asked) < 16
    server.released.set()
    assert {type(error) for error in await asyncio.gather(*stuck, return_exceptions=True)} == {
        ResolutionFailed
    }
    await patient.close()


async def test_a_name_given_up_keeps_its_place_until_its_thread_is_free(server: NameServer) -> None:
    hasty = GuardedResolver(ANYWHERE, lookup=server.lookup, timeout=0.01)
    for number in range(20):
        with pytest.raises(ResolutionFailed, match="no answer"):
            await hasty.resolve(f"a{number}.dead.example", 80)
    assert len(server.asked) == 8
    await hasty.close()


async def test_places_are_given_back(server: NameServer) -> None:
    resolver = GuardedResolver(ANYWHERE, lookup=server.lookup)
    server.released.set()
    for number in range(20):
        with pytest.raises(ResolutionFailed, match="nobody answers"):
            await resolver.resolve(f"a{number}.dead.example", 80)
    assert len(server.asked) == 20
    await resolver.close()
