"""`verify_caller_id`: over REST only the account's own numbers are shown to whom it calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from tests.world import FLAVOURS, HANG_UP, RestReply, World, uri_of

from ringback.config import Settings
from ringback.config.tables import CallsSection

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN, FOREIGN = "+14155000001", "+19995550100"


def verifying(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, calls=CallsSection(verify_caller_id=True, shutdown_seconds=0))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with World.running(tmp_path_factory.mktemp("caller") / "data", verifying) as world:
        yield world


async def place(world: World, flavour: str, caller: str, to: str) -> RestReply:
    rest = world.rest(flavour)
    world.app.reply("/hang-up", HANG_UP[flavour])
    shown: dict[str, Any] = {"from" if flavour == "jambonz" else "From": caller}
    return await rest.request("POST", rest.calls, **rest.creation(to, f"{world.app.url}/hang-up", **shown))


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_number_of_the_account(world: World, flavour: str) -> None:
    async with world.server.phone("bob", "") as phone:
        assert (await place(world, flavour, OWN, uri_of(phone))).status in (200, 201)
        call = await phone.incoming()
        call.answer()
        await call.ended()
        await world.server.settled()


REFUSALS = {
    "signalwire": (400, '"21210"'),
    "twilio": (400, "21210"),
    "jambonz": (422, f'{{"msg":"{FOREIGN} is no number of this account"}}'),
    "callapi": (400, f"{FOREIGN} is no number of this account"),
}


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_number_of_somebody_else(world: World, flavour: str) -> None:
    status, text = REFUSALS[flavour]
    reply = await place(world, flavour, FOREIGN, "sip:bob@127.0.0.1:9")
    assert reply.status == status
    assert text in reply.text
