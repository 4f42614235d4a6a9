"""Devices: they prove who they are, register, and are called where they registered."""

from __future__ import annotations

import asyncio

import pytest
from tests.server.site import DIALECTS, NUMBERS, SPEAKS, Site

from ringback.store.records import CallFilter
from ringback.testing.softphone import CallFailed

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_device_is_challenged_and_then_known(site: Site) -> None:
    site.reply("laml", "voice", SPEAKS["laml"].gather("/laml/digits", keys=1), "<Hangup/>")
    async with site.server.phone() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        call.hang_up()
        await site.server.settled()
    [row] = await site.server.store.calls(CallFilter(), limit=1)
    assert (row.from_, row.extra["client"], row.trunk_name) == ("alice", "alice", None)


@pytest.mark.parametrize("password", ["", "looking-glass"])
async def test_a_wrong_password_does_not_register(site: Site, password: str) -> None:
    async with site.server.phone(password=password) as phone:
        with pytest.raises(CallFailed) as refused:
            await phone.register()
    assert refused.value.status == 401


async def test_an_unknown_name_looks_the_same_as_a_wrong_password(site: Site) -> None:
    async with site.server.phone("nobody", "wonderland") as phone:
        with pytest.raises(CallFailed) as refused:
            await phone.register()
    assert refused.value.status == 401


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_registered_device_is_called(site: Site, dialect: str) -> None:
    speaks = SPEAKS[dialect]
    site.reply(dialect, "voice", speaks.gather(f"/{dialect}/digits", keys=1))
    site.reply(dialect, "digits", speaks.hang_up())
    async with site.server.phone() as phone:
        await phone.register()
        sid = await site.create(dialect, "alice")
        call = await phone.incoming()
        call.ring()
        call.answer()
        await site.app.request(f"/{dialect}/voice")
        await call.hears(0.2)
        await call.press("7")
        await call.ended()
        assert speaks.digits(await site.app.request(f"/{dialect}/digits")) == "7"
        await site.server.settled()
    assert (await site.call(dialect, sid))["status" if dialect != "jambonz" else "call_status"] == "completed"


async def test_a_device_that_went_away_is_not_called(site: Site) -> None:
    async with site.server.phone() as phone:
        await phone.register()
        await phone.register(expires=0)
        status, body = await site.post(
            "laml", "Calls", From="+14155550100", To="client:alice", Url=f"{site.app.url}/laml/voice"
        )
        assert status >= 400, body
        with pytest.raises(TimeoutError):
            await phone.incoming(0.1)


async def test_a_device_calls_while_it_is_called(site: Site) -> None:
    speaks = SPEAKS["laml"]
    site.reply("laml", "voice", speaks.gather("/laml/digits", keys=1, timeout=30))
    async with site.server.phone() as phone:
        await phone.register()
        _, mine = await asyncio.gather(site.create("laml", "alice"), phone.call(NUMBERS["laml"]))
        theirs = await phone.incoming()
        theirs.answer()
        await asyncio.gather(mine.answered(), theirs.answered())
        mine.hang_up()
        theirs.hang_up()
    assert (await site.statuses("laml")).count("completed") == 2
