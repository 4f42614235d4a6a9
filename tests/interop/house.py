"""A server with an application for each thing that a far end may want to meet, chosen by the name called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, encode_basic_auth
from tests.ports import rtp_range

from ringback.calls.control import CallFilter
from ringback.calls.record import CallRecord
from ringback.config.tables import ApplicationTable, ServerSection, TrunkTable
from ringback.routing.directory import Account
from ringback.testing.kit import NUMBER, TOKEN, Asked, RunningServer, WebApp, settings_for

_DIALECTS = {"stays": "jambonz", "rings": "callapi", "dawdles": "callapi", "menu": "laml", "leaves": "laml"}


class House:
    """A running server, its web application, and what became of its calls.

    Who is called: `stays` answers and waits; `rings` rings until the caller gives up; `dawdles` rings for a
    moment, then answers; `menu` takes two keys, then hangs up; `leaves` says a word and hangs up.
    """

    def __init__(self, app: WebApp, server: RunningServer) -> None:
        self.app = app
        self.server = server
        account = server.directory.all(Account)[0]
        self.account_id = account.id
        self._patience = asyncio.Event()
        app.reply("/stays", [{"verb": "answer"}, {"verb": "pause", "length": 60}])
        app.reply("/rings", self._never)
        app.reply("/dawdles", self._soon)
        menu = '<Gather input="dtmf" numDigits="2" timeout="10" action="/pressed"/>'
        app.reply("/menu", f"<Response>{menu}</Response>")
        app.reply("/pressed", "<Response><Hangup/></Response>")
        app.reply("/leaves", "<Response><Say>Bye.</Say></Response>")
        app.reply("/lingers", '<Response><Pause length="60"/></Response>')
        app.reply("/ends", "<Response><Hangup/></Response>")

    async def calls(self) -> dict[str, CallRecord]:
        """All calls by their Call-ID, once they have ended."""
        await self.server.settled()
        calls = await self.server.switchboard.list(CallFilter(account_id=self.account_id), limit=500)
        return {call.sip_call_id: call for call in calls}

    async def place(self, to: str, **parameters: str) -> dict[str, Any]:
        """Place a call by REST that is ended at the answer, unless the parameters say something else."""
        return await place(self.server, to, parameters.pop("Url", f"{self.app.url}/ends"), **parameters)

    def give_up(self) -> None:
        """Let the requests that are kept waiting go."""
        self._patience.set()

    async def _never(self, _: Asked) -> str:
        await self._patience.wait()
        return "<Response/>"

    async def _soon(self, _: Asked) -> str:
        await asyncio.sleep(0.4)
        return "<Response><Say>Here I am.</Say><Pause length='60'/></Response>"


@asynccontextmanager
async def open_house(data: Path, *, host: str = "127.0.0.1", trunk: str = "") -> AsyncIterator[House]:
    """A house on this address. `trunk` is `host:port` of the carrier that telephone numbers are called by."""
    literal = f"[{host}]" if ":" in host else host
    async with WebApp() as app:
        applications = [
            ApplicationTable(name=name, dialect=dialect, voice_url=f"{app.url}/{name}")  # type: ignore[arg-type]
            for name, dialect in _DIALECTS.items()
        ]
        settings = settings_for(
            data,
            *applications,
            server=ServerSection(
                http="127.0.0.1:0",
                sip=(f"udp:{literal}:0", f"tcp:{literal}:0"),
                rtp=rtp_range(literal),
                data=str(data),
            ),
            trunk=(
                TrunkTable(
                    name="carrier",
                    host=trunk,
                    username="ringback",
                    password="opensesame",
                    inbound_from=("127.0.0.0/8", "::1/128"),
                ),
            ),
        )
        async with RunningServer(settings) as server:
            house = House(app, server)
            try:
                yield house
            finally:
                house.give_up()


async def place(server: RunningServer, to: str, url: str, **parameters: str) -> dict[str, Any]:
    """Place a call by REST, and return the call's resource."""
    account = f"AC{server.directory.all(Account)[0].id.hex}"
    headers = {"Authorization": encode_basic_auth(account, TOKEN)}
    async with (
        ClientSession(headers=headers) as http,
        http.post(
            f"{server.http_url}/2010-04-01/Accounts/{account}/Calls.json",
            data={"To": to, "From": NUMBER, "Url": url, **parameters},
        ) as reply,
    ):
        assert reply.status == 201, await reply.text()
        made: dict[str, Any] = await reply.json()
        return made
