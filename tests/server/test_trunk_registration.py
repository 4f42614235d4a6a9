"""Carriers that want to know where we are are told so, over the transport that was configured."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PATIENCE
from tests.server.site import site_settings

from ringback.config.tables import TrunkTable
from ringback.sip.endpoint import SipEndpoint
from ringback.sip.incoming import IncomingRequest
from ringback.testing.kit import RunningServer, WebApp


class Carrier:
    """A registrar that takes everybody."""

    def __init__(self) -> None:
        self.registers: asyncio.Queue[IncomingRequest] = asyncio.Queue()
        self.endpoint = SipEndpoint(on_register=self._register)

    def _register(self, incoming: IncomingRequest) -> None:
        contact, expires = (incoming.request.headers.get(name) for name in ("Contact", "Expires"))
        incoming.reply(200, headers=[("Contact", f"{contact};expires={expires}")])
        self.registers.put_nowait(incoming)

    async def __aenter__(self) -> Carrier:
        await self.endpoint.start(["udp:127.0.0.1:0", "tcp:127.0.0.1:0"])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.endpoint.stop(1.0)

    def address(self, transport: str) -> str:
        """`host:port` for that transport; the other one has another port."""
        prefix = f"{transport}:"
        return next(text.removeprefix(prefix) for text in self.endpoint.listening if text.startswith(prefix))

    async def heard(self) -> tuple[str, str, int | None]:
        """Transport, user and expiry of the next REGISTER."""
        incoming = await asyncio.wait_for(self.registers.get(), PATIENCE)
        request = incoming.request
        return incoming.source.transport, str(request.to.uri.user), request.expires


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_it_registers_and_says_good_bye(data: Path, transport: Any) -> None:
    async with WebApp() as app, Carrier() as carrier:
        trunk = TrunkTable(
            name="carrier",
            account="test",
            host=carrier.address(transport),
            transport=transport,
            username="we",
            password="secret",
            register=True,
        )
        async with RunningServer(site_settings(app, data, trunk=(trunk,))):
            transport_used, user, expires = await carrier.heard()
            assert (transport_used, user) == (transport, "we")
            assert expires
        assert await carrier.heard() == (transport, "we", 0)
