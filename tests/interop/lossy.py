"""A bad network between a phone and its server: packets are lost, delayed and overtake each other."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any

from ringback.testing.phone_audio import PhoneAudio

Address = tuple[str, int]


class _Side(asyncio.DatagramProtocol):
    """One socket of the relay."""

    def __init__(self, relay: Relay, inside: bool) -> None:
        self._relay = relay
        self._inside = inside

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._relay.carry(data, inside=self._inside)


class Relay:
    """Carries RTP both ways: loses a share of the packets, and delays each by up to `jitter` seconds.

    What happens to the nth packet of a direction is the same in every run.
    """

    def __init__(self, *, loss: float, jitter: float, seed: int = 7) -> None:
        self._loss = loss
        self._jitter = jitter
        self._chance = {True: random.Random(seed), False: random.Random(seed + 1)}
        self._transports: dict[bool, asyncio.DatagramTransport] = {}
        self._targets: dict[bool, Address] = {}
        self.carried = 0
        self.lost = 0

    async def open(self, host: str, phone: Address) -> tuple[Address, Address]:
        """Open both sides: the address for the server to send to, and the one for the phone."""
        loop = asyncio.get_running_loop()
        for inside in (True, False):
            made, _ = await loop.create_datagram_endpoint(partial(_Side, self, inside), (host, 0))
            self._transports[inside] = made
        self._targets[True] = phone
        outside, inside_address = (
            self._transports[side].get_extra_info("sockname")[:2] for side in (False, True)
        )
        return outside, inside_address

    def towards(self, server: Address) -> None:
        """Where the server is."""
        self._targets[False] = server

    def carry(self, data: bytes, *, inside: bool) -> None:
        """A packet that came in on one side; it leaves on the other, or never."""
        chance = self._chance[inside]
        lost, delay = chance.random() < self._loss, chance.random() * self._jitter
        if lost:
            self.lost += 1
            return
        self.carried += 1
        asyncio.get_running_loop().call_later(delay, self._send, data, not inside)

    def close(self) -> None:
        """Close both sides; what is under way is lost."""
        for transport in self._transports.values():
            transport.close()

    def _send(self, data: bytes, inside: bool) -> None:
        transport = self._transports[inside]
        if not transport.is_closing() and inside in self._targets:
            transport.sendto(data, self._targets[inside])


class LossyAudio(PhoneAudio):
    """A phone's audio behind such a network: 5 % are lost, up to 30 ms of jitter."""

    def __init__(self) -> None:
        super().__init__()
        self.relay = Relay(loss=0.05, jitter=0.030)

    async def open(self, host: str) -> None:
        """Bind a free port, and let the far end know the relay's."""
        await super().open(host)
        outside, self._inside = await self.relay.open(host, (host, self.port))
        self.port = outside[1]

    def start(self, remote: Address, **options: Any) -> None:
        """Begin to send, by way of the relay."""
        self.relay.towards(remote)
        super().start(self._inside, **options)

    async def close(self) -> None:
        """Stop sending; what was heard stays."""
        await super().close()
        self.relay.close()
