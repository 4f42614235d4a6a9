"""jambonz, "list calls": the curl line, the sample's call, every key and its type, filters, errors."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio
from tests.patience import PATIENCE
from tests.world import HANG_UP, WAIT, World

from ringback.config import Settings
from ringback.config.tables import ApplicationTable, NumberTable
from ringback.testing.kit import TOKEN
from ringback.testing.softphone import PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNT = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
APPLICATION = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
CALLER, CALLED = "+14155552671", "+14155559876"

KEYS: dict[str, type] = {
    "account_sid": UUID,
    "call_id": str,
    "call_sid": UUID,
    "call_status": str,
    "direction": str,
    "from": str,
    "service_url": str,
    "sip_status": int,
    "to": str,
    "application_sid": UUID,
    "caller_name": str,
    "duration": int,
    "originating_sip_trunk_name": str,
}
"""`parent_call_sid`, the last key of the page, is there for the legs of a dial only."""


def as_in_the_sample(settings: Settings) -> Settings:
    """The account, application, number and trunk of the sample."""
    voice_url = settings.application[0].voice_url.replace("/voice/signalwire", "/voice/jambonz")
    application = ApplicationTable(
        name="sample",
        dialect="jambonz",
        account="test",
        sid=UUID(APPLICATION),
        voice_url=voice_url,
        status_callback=voice_url.replace("/voice/jambonz", "/status/sample"),
    )
    account, *others = settings.account
    return msgspec.structs.replace(
        settings,
        account=(msgspec.structs.replace(account, sid=UUID(ACCOUNT)), *others),
        application=(*settings.application, application),
        number=(*settings.number, NumberTable(number=CALLED, application="sample", account="test")),
        trunk=(msgspec.structs.replace(settings.trunk[0], name="MainSIPTrunk"),),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    data: Path = tmp_path_factory.mktemp("sample") / "data"
    async with World.running(data, as_in_the_sample) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def call(world: World) -> AsyncIterator[PhoneCall]:
    """The sample's call, answered and going on."""
    world.answer(CALLED, WAIT["jambonz"])
    async with Softphone(CALLER, server=world.server.sip_address, display_name="John Doe") as phone:
        placed = await phone.call(CALLED)
        # A list shows what is stored, and so does a callback.
        call_id = placed.session.call_id
        await world.told("/status/sample", call_id=call_id, call_status="in-progress")
        yield placed
        placed.hang_up()
        await world.server.settled()


async def of_call(world: World, call: PhoneCall, **query: str) -> list[dict[str, Any]]:
    """What a list holds of that call."""
    rest = world.rest("jambonz")
    listed = await rest.get(rest.calls, **query)
    assert isinstance(listed, list)
    return [each for each in listed if each["call_id"] == call.session.call_id]


async def test_the_curl_line(world: World, call: PhoneCall) -> None:
    """As the page has it, but for host, account and token; the answer is the sample's."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    line = ("curl", f"{world.server.http_url}/v1/Accounts/{ACCOUNT}/Calls")
    header = ("-H", f"Authorization: Bearer {TOKEN}")
    curl = await asyncio.create_subprocess_exec(*line, *header, "-sS", stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(curl.communicate(), PATIENCE)
    assert curl.returncode == 0
    (shown,) = [each for each in json.loads(output) if each["call_id"] == call.session.call_id]
    sid = shown["call_sid"]
    assert {name: shown[name] for name in KEYS if name not in ("call_sid", "call_id", "duration")} == {
        "account_sid": ACCOUNT,
        "call_status": "in-progress",
        "direction": "inbound",
        "from": CALLER,
        "service_url": f"{world.server.http_url}/v1/calls/{sid}",
        "sip_status": 200,
        "to": CALLED,
        "application_sid": APPLICATION,
        "caller_name": "John Doe",
        "originating_sip_trunk_name": "MainSIPTrunk",
    }


async def test_every_key_has_its_type_while_the_call_is_up_and_after(world: World, call: PhoneCall) -> None:
    await check_keys(world, call, "in-progress")
    call.hang_up()
    await world.server.settled()
    await check_keys(world, call, "completed")


async def check_keys(world: World, call: PhoneCall, status: str) -> None:
    """In the list and by itself."""
    (listed,) = await of_call(world, call)
    rest = world.rest("jambonz")
    retrieved = await rest.get(rest.call(listed["call_sid"]))
    for shown in (listed, retrieved):
        assert shown["call_status"] == status
        assert "parent_call_sid" not in shown
        assert None not in shown.values()
        for name, kind in KEYS.items():
            if kind is UUID:
                assert str(UUID(shown[name])) == shown[name]
            else:
                assert type(shown[name]) is kind, name


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"direction": "inbound"}, True),
        ({"direction": "outbound"}, False),
        ({"from": CALLER}, True),
        ({"from": CALLED}, False),
        ({"to": CALLED}, True),
        ({"to": CALLER}, False),
        ({"callStatus": "in-progress"}, True),
        ({"callStatus": "completed"}, False),
        ({"callStatus": "queued"}, False),
        ({"direction": "inbound", "from": CALLER, "to": CALLED, "callStatus": "in-progress"}, True),
        ({"direction": "inbound", "from": CALLER, "to": CALLER}, False),
    ],
    ids=lambda value: (
        "&".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else ""
    ),
)
async def test_filters(world: World, call: PhoneCall, query: dict[str, str], found: bool) -> None:
    assert bool(await of_call(world, call, **query)) is found


async def test_a_plus_that_nobody_escaped(world: World, call: PhoneCall) -> None:
    reply = await world.rest("jambonz").request("GET", f"/v1/Accounts/{ACCOUNT}/Calls?from={CALLER}")
    assert [each["from"] for each in reply.json if each["call_id"] == call.session.call_id] == [CALLER]


@pytest.mark.parametrize("query", [{"direction": "sideways"}, {"callStatus": "asleep"}], ids=str)
async def test_a_word_that_is_not_allowed(world: World, query: dict[str, str]) -> None:
    rest = world.rest("jambonz")
    reply = await rest.request("GET", rest.calls, params=query)
    assert reply.status == 400
    assert isinstance(reply.json["msg"], str)


async def test_no_calls_are_an_empty_array(world: World) -> None:
    rest = world.foreign_rest("jambonz")
    assert await rest.get(rest.calls) == []


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic dGVzdDp0ZXN0"])
async def test_401(world: World, header: str) -> None:
    rest = world.rest("jambonz")
    reply = await rest.request("GET", rest.calls, headers={"Authorization": header})
    assert (reply.status, reply.text) == (401, "Unauthorized")


async def test_500(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's own error: what nobody foresaw."""

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(world.server.switchboard, "list", broken)
    rest = world.rest("jambonz")
    reply = await rest.request("GET", rest.calls)
    assert (reply.status, reply.text) == (500, "Internal Server Error")


async def test_the_other_operations_of_the_page(world: World) -> None:
    """Create, retrieve, update, delete and count are where the page's menu has them."""
    rest = world.rest("jambonz")
    world.app.reply("/hook", HANG_UP["jambonz"])
    async with Softphone("callee", server=world.server.sip_address) as phone:
        uri = f"sip:callee@{phone.listening.partition(':')[2]}"
        sid = await rest.place(uri, f"{world.app.url}/hook")
        await phone.incoming()
        counted = await rest.get(f"{rest.base}/CallCount")
        assert counted == {"inbound": 0, "outbound": 1}
        reply = await rest.request("PUT", rest.call(sid), json={"tag": {"who": "me"}})
        assert (reply.status, reply.text) == (202, "Accepted")
        assert (await rest.get(rest.call(sid)))["call_status"] == "trying"
        deleted = await rest.request("DELETE", rest.call(sid))
        assert (deleted.status, deleted.text) == (204, "")
        await world.server.settled()
