"""Callers with odd names, on each kind of database: the application and REST are told them as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.store.conftest import postgres
from tests.world import HANG_UP, World

from ringback.config import Settings
from ringback.testing.softphone import Softphone

__all__ = ["postgres"]

# user part, display name, the name as REST shows it in `from`
NAMES = [
    ("null-\0-null", "Nul", "null-�-null"),
    ("line\r\nbreak", "Line", "line\r\nbreak"),
    ("☺ \"<>'", '☺ "quoted" <x>', "☺ \"<>'"),
    ("a" * 500, "b" * 500, "a" * 500),
    ("%25;user=phone", "; drop table calls --", "%25;user=phone"),
    ("anonymous", "Anonymous", "anonymous"),
]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_odd_names(database: str, data: Path, request: pytest.FixtureRequest) -> None:
    url = "sqlite"
    if database == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("postgres")
        url = make()

    def on_database(settings: Settings) -> Settings:
        server = msgspec.structs.replace(settings.server, database=url)
        return msgspec.structs.replace(settings, server=server)

    async with World.running(data, on_database) as world:
        for user, name, shown in NAMES:
            number = world.number("jambonz", HANG_UP["jambonz"])
            async with Softphone(user, server=world.server.sip_address, display_name=name) as phone:
                call = await phone.call(number)
                assert await call.ended() == "remote", user
                await world.server.settled()
            (asked,) = world.requests("/voice/jambonz", to=number)
            assert (asked.fields["from"], asked.fields["caller_name"]) == (user, name)
            rest = world.rest("jambonz")
            (listed,) = await rest.get(rest.calls, to=number)
            assert (listed["from"], listed["caller_name"]) == (shown, name)
            assert [each["to"] for each in await rest.get(rest.calls, **{"from": user})] == [number]
        await refused_for_nul(world)


async def refused_for_nul(world: World) -> None:
    """What an application says is in the cause of the call's end."""
    number = world.number("jambonz", [{"verb": "sing\0"}])
    async with world.server.phone() as phone:
        call = await phone.call(number)
        assert await call.ended() == "failed"
        await world.server.settled()
    record = await world.record(call)
    assert (record.status, record.cause) == ("failed", "invalid instruction: sing\ufffd")
