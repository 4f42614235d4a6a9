"""The REST surfaces of a server in this process, as its first account sees them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from rich.console import Console
from rich.json import JSON

from ringback.routing.directory import Account
from ringback.server import Server

_PREFIXES = {"laml": "api/laml/2010-04-01", "jambonz": "v1", "callapi": "call/2012-04-24"}


class Rest:
    """One dialect's, with the account's credentials. Paths are those below the account."""

    def __init__(self, server: Server, dialect: str, session: aiohttp.ClientSession) -> None:
        account = _account(server)
        self._base = f"{server.http_url}/{_PREFIXES[dialect]}/Accounts/{account.id}"
        self._session = session

    async def show(self, path: str, console: Console) -> Any:
        """GET, and print what came; its JSON."""
        url = f"{self._base}/{path}"
        async with self._session.get(url) as reply:
            body = await reply.json(content_type=None)
        console.print(f"\nGET {url}  {reply.status}", soft_wrap=True, markup=False)
        shown = msgspec.json.format(msgspec.json.encode(body), indent=2).decode()
        console.print(JSON(shown), soft_wrap=True)
        return body

    async def download(self, path: str, console: Console) -> bytes:
        """GET a file. Raises aiohttp.ClientError for anything but 200."""
        url = f"{self._base}/{path}"
        async with self._session.get(url, raise_for_status=True) as reply:
            content = await reply.read()
        console.print(f"\nGET {url}  {reply.status}, {len(content):,} octets", soft_wrap=True, markup=False)
        return content


@asynccontextmanager
async def rest(server: Server, dialect: str) -> AsyncIterator[Rest]:
    """A client for a block."""
    account = _account(server)
    if dialect == "jambonz":
        authorization = f"Bearer {account.token}"
    else:
        authorization = "Basic " + base64.b64encode(f"{account.id}:{account.token}".encode()).decode()
    async with aiohttp.ClientSession(headers={"Authorization": authorization}) as session:
        yield Rest(server, dialect, session)


def _account(server: Server) -> Account:
    return server.directory.all(Account)[0]
