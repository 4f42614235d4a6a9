"""jambonz, "Request information about a new call": every field, its type and presence, by POST and GET."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.world import HANG_UP, TRUNK, World, uri_of

from ringback.testing.kit import Asked
from ringback.testing.softphone import Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUIRED: dict[str, type] = {
    "call_sid": UUID,
    "call_id": str,
    "application_sid": UUID,
    "account_sid": UUID,
    "direction": str,
    "from": str,
    "to": str,
    "caller_name": str,
    "sip_status": int,
    "sip_reason": str,
    "call_status": str,
}

OPTIONAL: dict[str, type] = {
    "sbc_callid": str,
    "originating_sip_ip": str,
    "originating_sip_trunk_name": str,
    "local_sip_address": str,
    "service_provider_sid": UUID,
    "sip": dict,
    "env_vars": dict,
}
OBJECTS = {"sip", "env_vars"}
"""What has no place in the query of a GET."""

STATUSES = {
    *("trying", "ringing", "early-media", "in-progress"),
    *("completed", "failed", "busy", "no-answer"),
}


def check(asked: Asked, *optional: str) -> dict[str, Any]:
    """All required fields and these optional ones, each of its type; in a query all is text."""
    fields = asked.fields
    assert REQUIRED.keys() <= fields.keys(), REQUIRED.keys() - fields.keys()
    assert fields.keys() & OPTIONAL.keys() == set(optional)
    for name, kind in (REQUIRED | OPTIONAL).items():
        if name not in fields:
            continue
        if kind is UUID:
            assert str(UUID(fields[name])) == fields[name], name
        elif asked.method == "POST":
            assert type(fields[name]) is kind, name
        else:
            assert isinstance(fields[name], str), name
    assert fields["direction"] in ("inbound", "outbound")
    assert fields["call_status"] in STATUSES
    assert int(fields["sip_status"]) in range(100, 700)
    return fields


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_call_comes_in(world: World, method: str) -> None:
    kind = "-get" if method == "GET" else ""
    number = world.number("jambonz", HANG_UP["jambonz"], kind=kind)
    caller = Softphone("+14155552671", server=world.server.sip_address, display_name="John Doe")
    async with caller:
        call = await caller.call(number)
        await call.answered()
        sip_call_id = call.session.call_id
        await call.ended()
    (asked,) = world.requests(f"/voice/jambonz{kind}", to=number)
    assert asked.method == method
    expected = OPTIONAL.keys() if method == "POST" else OPTIONAL.keys() - OBJECTS
    fields = check(asked, *expected)
    assert fields["direction"] == "inbound"
    assert fields["from"] == "+14155552671"
    assert fields["to"] == number
    assert fields["caller_name"] == "John Doe"
    assert str(fields["sip_status"]) == "100"
    assert fields["sip_reason"] == "Trying"
    assert fields["call_status"] == "trying"
    assert fields["call_id"] == sip_call_id
    assert fields["originating_sip_ip"] == "127.0.0.1"
    assert fields["originating_sip_trunk_name"] == TRUNK
    assert fields["account_sid"] == str(world.account.id)
    if method == "POST":
        assert fields["env_vars"] == {"GREETING": "hello"}
        assert fields["sip"]["method"] == "INVITE"


async def test_who_has_no_name_has_an_empty_one(world: World) -> None:
    number = world.number("jambonz", HANG_UP["jambonz"])
    async with world.server.phone() as phone:
        await (await phone.call(number)).ended()
    (asked,) = world.requests("/voice/jambonz", to=number)
    assert check(asked, *OPTIONAL.keys() - {"originating_sip_trunk_name"})["caller_name"] == ""


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_call_goes_out(world: World, method: str) -> None:
    """Asked at the answer."""
    path = f"/outbound/{method}"
    world.app.reply(path, HANG_UP["jambonz"])
    async with Softphone("callee", server=world.server.sip_address) as phone:
        hook = {"url": f"{world.app.url}{path}", "method": method}
        await world.rest("jambonz").place(uri_of(phone), "", call_hook=hook)
        call = await phone.incoming()
        call.answer()
        await call.ended()
    (asked,) = world.requests(path)
    assert asked.method == method
    fields = check(asked, "sbc_callid", "service_provider_sid")
    assert fields["direction"] == "outbound"
    assert fields["call_status"] == "in-progress"
    assert (str(fields["sip_status"]), fields["sip_reason"]) == ("200", "OK")
    assert fields["call_id"] == call.session.call_id


async def test_the_response_is_an_array_of_verbs(world: World) -> None:
    """200 with JSON; anything else that is not an array refuses the call."""
    number = world.number("jambonz", [{"verb": "sip:decline", "status": 486}])
    async with world.server.phone() as phone:
        call = await phone.call(number)
        assert (await call.ended(), call.status) == ("failed", 486)
