"""What we do at the carriers beside calls: register at their gateways, and ask whether they are there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from ringback.routing.gateways import Gateways
from ringback.routing.trunk import Gateway, Trunk
from ringback.sip.message import Response
from ringback.sip.pending import Pending
from ringback.sip.registration import Registration
from ringback.sip.uri import NameAddr, Uri

logger = logging.getLogger(__name__)

_DOWN = frozenset({408, 502, 503, 504})
"""Answers to OPTIONS that mean no calls; any other, 404 among them, comes from a gateway that works."""


class CarrierEndpoint(Protocol):
    """The part of `ringback.sip.endpoint.SipEndpoint` that is needed here."""

    def register(
        self, registrar: Uri, *, aor: NameAddr, credentials: tuple[str, str] | None = None
    ) -> Registration: ...

    def options(self, target: Uri) -> Pending[Response]: ...


class Carriers:
    """Keeps registrations and probes as the configured trunks want them."""

    def __init__(self, endpoint: CarrierEndpoint, gateways: Gateways) -> None:
        self._endpoint = endpoint
        self._gateways = gateways
        self._registrations: dict[tuple[Trunk, Gateway], Registration] = {}
        self._probes: dict[tuple[Trunk, Gateway], asyncio.Task[None]] = {}

    def registration(self, trunk: Trunk, gateway: Gateway) -> Registration | None:
        """Ours at a gateway, if we register there."""
        return self._registrations.get((trunk, gateway))

    def apply(self, trunks: Iterable[Trunk]) -> None:
        """Do for these trunks what they want, and no more for any other."""
        configured = list(trunks)
        wanted = {(trunk, gateway) for trunk in configured for gateway in trunk.gateways}
        # A trunk that changed in any way is another one: it signs off as it was, and on as it is.
        for gone in self._registrations.keys() - {key for key in wanted if key[0].register}:
            self._registrations.pop(gone).unregister()
        for gone in self._probes.keys() - {key for key in wanted if key[0].options_seconds}:
            self._probes.pop(gone).cancel()
        self._gateways.keep(configured)
        for trunk, gateway in wanted:
            if trunk.register and (trunk, gateway) not in self._registrations:
                self._registrations[trunk, gateway] = self._register(trunk, gateway)
            if trunk.options_seconds and (trunk, gateway) not in self._probes:
                work = asyncio.get_running_loop().create_task(self._probe(trunk, gateway))
                self._probes[trunk, gateway] = work

    def close(self) -> None:
        """Sign off everywhere, ask nobody."""
        self.apply(())

    def _register(self, trunk: Trunk, gateway: Gateway) -> Registration:
        """Who we are there is the trunk's user name."""
        registrar = gateway.uri()
        return self._endpoint.register(
            registrar,
            aor=NameAddr(Uri(user=trunk.username, host=registrar.host)),
            credentials=(trunk.username, trunk.password),
        )

    async def _probe(self, trunk: Trunk, gateway: Gateway) -> None:
        """Ask again and again; half a minute without an answer is one, too."""
        while True:
            response = await self._endpoint.options(gateway.uri())
            down = response.status in _DOWN
            why = f"OPTIONS got {response.status} {response.reason}".strip() if down else ""
            if self._gateways.note(trunk, gateway, why):
                state = f"is down: {why}" if down else "is up"
                level = logging.WARNING if down else logging.INFO
                logger.log(level, "gateway %s of trunk %s %s", gateway.host, trunk.name, state)
            await asyncio.sleep(trunk.options_seconds)
