"""Two accounts whose web applications know their devices: neither is asked about the other's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from ringback.config.tables import AccountTable, ApplicationTable
from ringback.routing.directory import Account
from ringback.sip.uri import NameAddr, Uri
from ringback.testing.kit import TOKEN, Asked, RunningServer, WebApp, settings_for
from ringback.testing.softphone import CallFailed, Softphone


class Tenants:
    """A server with the accounts `a` and `b`, of realms `a.example` and `b.example`."""

    def __init__(self, app: WebApp, server: RunningServer, stack: AsyncExitStack) -> None:
        self.app, self.server = app, server
        self._stack = stack

    async def phone(self, name: str, realm: str) -> Softphone:
        phone = self.server.phone(name, "moon")
        phone.address = NameAddr(Uri(user=name, host=realm))
        return await self._stack.enter_async_context(phone)

    def asked(self, account: str) -> int:
        return sum(asked.path == f"/{account}" for asked in self.app.asked)

    def owner(self, name: str) -> str:
        client = self.server.directory.client(name)
        account = None if client is None else self.server.directory.get(Account, client.account_id)
        return "" if account is None else account.name


@pytest_asyncio.fixture
async def tenants(data: Any) -> AsyncIterator[Tenants]:
    async with WebApp() as app, AsyncExitStack() as stack:
        app.reply("/a", {"status": "ok"})
        app.reply("/b", {"status": "ok"})
        accounts = tuple(
            AccountTable(
                name=name,
                token=f"{TOKEN}{name}",
                sip_realm=f"{name}.example",
                registration_hook=f"{app.url}/{name}",
            )
            for name in "ab"
        )
        application = ApplicationTable(
            name="app", account="a", dialect="jambonz", voice_url=f"{app.url}/voice"
        )
        settings = settings_for(data, application, account=accounts, trunk=(), client=(), number=())
        server = await stack.enter_async_context(RunningServer(settings))
        yield Tenants(app, server, stack)


async def refused(phone: Softphone) -> int:
    with pytest.raises(CallFailed) as failed:
        await phone.register()
    return failed.value.status


async def test_a_name_that_is_taken_is_not_shown_to_the_other_application(tenants: Tenants) -> None:
    ours, theirs = await tenants.phone("alice", "a.example"), await tenants.phone("alice", "b.example")
    await ours.register()
    assert tenants.owner("alice") == "a"
    assert await refused(theirs) == 401  # as a wrong password
    call = await theirs.call("anything")
    with pytest.raises(CallFailed) as failed:
        await call.answered()
    assert failed.value.status == 403
    assert (tenants.asked("a"), tenants.asked("b")) == (1, 0)
    bob = await tenants.phone("bob", "b.example")
    await bob.register()
    assert tenants.owner("bob") == "b"
    assert (tenants.asked("a"), tenants.asked("b")) == (1, 1)


async def test_who_takes_a_name_while_an_application_thinks_has_it(tenants: Tenants) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(_: Asked) -> dict[str, Any]:
        asked.set()
        await go_on.wait()
        return {"status": "ok"}

    tenants.app.reply("/b", slowly)
    ours, theirs = await tenants.phone("alice", "a.example"), await tenants.phone("alice", "b.example")
    late = asyncio.create_task(refused(theirs))
    await asked.wait()
    await ours.register()
    go_on.set()
    assert await late == 403
    assert tenants.owner("alice") == "a"


async def test_an_application_bars_addresses_from_its_own_account(tenants: Tenants) -> None:
    tenants.app.reply("/b", {"status": "fail", "blacklist": 60})
    bob, alice = await tenants.phone("bob", "b.example"), await tenants.phone("alice", "a.example")
    assert [await refused(bob), await refused(bob)] == [403, 503]
    await alice.register()
    assert tenants.owner("alice") == "a"
