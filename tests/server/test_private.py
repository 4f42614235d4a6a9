"""A server that may not reach private addresses, as it is by default once HTTP is open to others: telephones
and carriers of the private network are served all the same, and an application calls nobody else there."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import msgspec
import pytest
from tests.calls.making import FakeApplication

from ringback.calls.control import CallRequest
from ringback.calls.verbs import Target
from ringback.config import Settings
from ringback.config.tables import TrunkTable, WebhooksSection
from ringback.routing.directory import Account
from ringback.store.records import CallFilter, CallRow
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, NUMBER, RunningServer, WebApp
from ringback.testing.softphone import Softphone

CALLER = "+14155559999"
SHORT_CALL = "<Response><Pause length='1'/><Hangup/></Response>"


def guarded(app: WebApp, data: Path, *trunks: TrunkTable) -> Settings:
    """No private addresses but those that the settings name."""
    settings = app.settings("laml", data)
    return msgspec.structs.replace(
        settings, webhooks=WebhooksSection(allow_private=False), trunk=(*settings.trunk, *trunks)
    )


async def place(server: RunningServer, to: Target) -> CallRow:
    """The row of a call that an application places, once it is over."""
    request = CallRequest(
        account=server.directory.all(Account)[0],
        application=FakeApplication(),
        to=to,
        to_shown=to.address,
        from_=NUMBER,
    )
    await server.switchboard.create(request)
    await server.settled()
    [row] = await server.store.calls(CallFilter(), limit=1)
    return row


@pytest.mark.parametrize(
    ("username", "password", "registers"),
    [
        pytest.param(CALLER, "", False, id="a carrier"),
        pytest.param(DEVICE, DEVICE_PASSWORD, False, id="a device that is not registered"),
        pytest.param(DEVICE, DEVICE_PASSWORD, True, id="a device that is registered"),
    ],
)
async def test_callers_are_hung_up_on(
    data: Path, username: str, password: str, registers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with WebApp() as app, RunningServer(guarded(app, data)) as server:
        app.reply("/voice", SHORT_CALL)
        async with server.phone(username, password) as phone:
            if registers:
                await phone.register()
            call = await phone.call(NUMBER)
            assert await call.ended() == "remote"
            await server.settled()
    assert not [text for text in caplog.messages if "BYE" in text]


async def test_a_trunk_may_be_a_name_in_the_private_network(data: Path) -> None:
    async with WebApp() as app, Softphone("carrier", server="127.0.0.1:9", password="") as carrier:
        port = carrier.listening.rpartition(":")[2]
        trunk = TrunkTable(name="pbx", host=f"localhost:{port}")
        async with RunningServer(guarded(app, data, trunk)) as server:
            placing = asyncio.ensure_future(place(server, Target(kind="number", address="+14155551234")))
            call = await carrier.incoming()
            call.answer()
            await call.answered()
            call.hang_up()
            row = await placing
            assert (row.status, row.trunk_name) == ("completed", "pbx")


async def test_any_other_name_that_leads_there_is_refused(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        WebApp() as app,
        RunningServer(guarded(app, data)) as server,
        Softphone("victim", server="127.0.0.1:9", password="") as victim,
    ):
        port = victim.listening.rpartition(":")[2]
        with caplog.at_level(logging.ERROR):
            row = await place(server, Target(kind="sip", address=f"sip:victim@localhost:{port}"))
        assert (row.status, row.sip_status) == ("failed", 403)
        assert row.cause == "the target's address is refused: it is not public"
        with pytest.raises(TimeoutError):
            await victim.incoming(0.1)
    assert not caplog.messages
