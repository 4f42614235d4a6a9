"""Transfers between real telephones, in every dialect: asked of the far end, asked by it, and packaged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from tests.patience import PATIENCE
from tests.server.neutral import hears_tone, talk
from tests.server.site import serve_tone
from tests.world import LAML, World, uri_of

from ringback.config import Settings
from ringback.sip.incoming import IncomingRequest
from ringback.sip.referral import SIPFRAG, sipfrag
from ringback.testing.kit import Asked
from ringback.testing.softphone import PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

ELSEWHERE = "sip:carol@192.0.2.9"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    def deciding(settings: Settings) -> Settings:
        """CallAPI's applications decide about transfers at a place of their own."""
        applications = tuple(
            msgspec.structs.replace(each, refer_url=f"{each.voice_url.partition('/voice/')[0]}/referred")
            if each.name == "callapi"
            else each
            for each in settings.application
        )
        return msgspec.structs.replace(settings, application=applications)

    data: Path = tmp_path_factory.mktemp("world") / "data"
    async with World.running(data, deciding) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def world(shared: World) -> AsyncIterator[World]:
    yield shared
    await shared.server.settled()


@pytest_asyncio.fixture(loop_scope="module")
async def bob(world: World) -> AsyncIterator[Softphone]:
    async with Softphone("bob", server=world.server.sip_address) as phone:
        yield phone


@pytest_asyncio.fixture(loop_scope="module")
async def carol(world: World) -> AsyncIterator[Softphone]:
    async with Softphone("carol", server=world.server.sip_address) as phone:
        yield phone


@pytest_asyncio.fixture(loop_scope="module")
async def caller(world: World) -> AsyncIterator[Softphone]:
    async with world.server.phone() as phone:
        yield phone


async def told(call: PhoneCall, status: int) -> None:
    state = "active" if status < 200 else "terminated;reason=noresource"
    headers = [("Event", "refer"), ("Subscription-State", state)]
    await call.session.send_request("NOTIFY", headers, sipfrag(status), SIPFRAG)


async def accepted(call: PhoneCall) -> IncomingRequest:
    """Take the REFER that comes."""
    request: IncomingRequest = await asyncio.wait_for(call.requests.get(), PATIENCE)
    request.reply(202)
    return request


def fields(asked: Asked, *names: str) -> list[Any]:
    return [asked.fields.get(name) for name in names]


def sound(world: World, hertz: float, seconds: float = 1.0) -> str:
    return serve_tone(world.app, f"/{hertz:g}-{seconds:g}.wav", seconds, hertz)


# -- LaML's Refer


REFER_FIELDS = ("ReferCallStatus", "ReferSipResponseCode", "NotifySipResponseCode", "CallStatus")


@pytest.mark.parametrize("flavour", LAML)
async def test_laml_asks_its_action_when_the_far_end_has_been_transferred(
    world: World, caller: Softphone, flavour: str
) -> None:
    world.app.reply("/refer-done", "<Response><Pause length='60'/></Response>")
    document = f"<Response><Refer action='/refer-done'><Sip>{ELSEWHERE}</Sip></Refer></Response>"
    call = await caller.call(world.number(flavour, document))
    request = (await accepted(call)).request
    assert request.headers.get("Refer-To") == f"<{ELSEWHERE}>"
    await told(call, 180)
    await told(call, 200)
    asked = await world.told("/refer-done")
    assert fields(asked, *REFER_FIELDS) == ["in-progress", "202", "200", "in-progress"]
    call.hang_up()


@pytest.mark.parametrize("flavour", LAML)
async def test_laml_asks_its_action_when_the_far_end_leaves_before_it_knows(
    world: World, caller: Softphone, flavour: str
) -> None:
    document = f"<Response><Refer action='/refer-done'><Sip>{ELSEWHERE}</Sip></Refer></Response>"
    call = await caller.call(world.number(flavour, document))
    await accepted(call)
    await told(call, 180)
    call.hang_up()
    asked = await world.told("/refer-done")
    assert fields(asked, *REFER_FIELDS) == ["canceled", "202", "180", "completed"]


@pytest.mark.parametrize("flavour", LAML)
async def test_laml_goes_on_when_the_far_end_refuses(world: World, caller: Softphone, flavour: str) -> None:
    world.app.reply("/refused", f"<Response><Play loop='0'>{sound(world, 1300.0)}</Play></Response>")
    document = f"<Response><Refer action='/refused'><Sip>{ELSEWHERE}</Sip></Refer></Response>"
    call = await caller.call(world.number(flavour, document))
    request: IncomingRequest = await asyncio.wait_for(call.requests.get(), PATIENCE)
    request.reply(405)
    asked = await world.told("/refused")
    assert fields(asked, *REFER_FIELDS) == ["failed", "405", None, "in-progress"]
    await hears_tone(call, 1300.0)
    call.hang_up()


# -- a party that asks: LaML's referUrl, CallAPI's refer_url


async def connected(world: World, caller: Softphone, bob: Softphone, number: str) -> list[PhoneCall]:
    call = await caller.call(number)
    called = await bob.incoming()
    called.answer()
    await talk(call, called)
    return [call, called]


async def ask_for(call: PhoneCall, to: Softphone) -> int:
    response = await call.session.send_request("REFER", [("Refer-To", f"<{uri_of(to)}>")])
    return response.status


@pytest.mark.parametrize("flavour", LAML)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_laml_decides_at_its_refer_url(
    world: World, caller: Softphone, bob: Softphone, carol: Softphone, flavour: str, method: str
) -> None:
    world.app.reply(
        "/laml-referred",
        lambda asked: f"<Response><Dial><Sip>{asked.fields['ReferTransferTarget']}</Sip></Dial></Response>",
    )
    document = (
        f"<Response><Dial referUrl='/laml-referred' referMethod='{method}' action='/never'>"
        f"<Sip>{uri_of(bob)}</Sip></Dial></Response>"
    )
    call, called = await connected(world, caller, bob, world.number(flavour, document))
    assert await ask_for(called, carol) == 202
    third = await carol.incoming()
    third.answer()
    assert await called.ended() == "remote"
    await talk(call, third)
    asked = await world.told("/laml-referred")
    assert asked.method == method
    assert asked.fields["ReferTransferTarget"].startswith("sip:carol@")
    assert not world.requests("/never")
    third.hang_up()
    call.hang_up()


@pytest.mark.parametrize("flavour", LAML)
async def test_laml_refuses_where_there_is_no_document(
    world: World, caller: Softphone, bob: Softphone, carol: Softphone, flavour: str
) -> None:
    document = f"<Response><Dial referUrl='/nothing-here'><Sip>{uri_of(bob)}</Sip></Dial></Response>"
    call, called = await connected(world, caller, bob, world.number(flavour, document))
    assert await ask_for(called, carol) == 603
    await talk(call, called)
    call.hang_up()


async def test_callapi_decides_at_its_refer_url(
    world: World, caller: Softphone, bob: Softphone, carol: Softphone
) -> None:
    world.app.reply("/referred", f"<Response><Dial><Sip>{uri_of(carol)}</Sip></Dial></Response>")
    document = f"<Response><Dial><Sip>{uri_of(bob)}</Sip></Dial></Response>"
    call, called = await connected(world, caller, bob, world.number("callapi", document))
    assert await ask_for(called, carol) == 202
    third = await carol.incoming()
    third.answer()
    assert await called.ended() == "remote"
    await talk(call, third)
    asked = await world.told("/referred")
    assert {"Transferor", "Transferee"} <= asked.fields.keys()
    third.hang_up()
    call.hang_up()


async def test_callapi_refuses_without_a_script(
    world: World, caller: Softphone, bob: Softphone, carol: Softphone
) -> None:
    world.app.reply("/referred", "<Response/>")
    document = f"<Response><Dial><Sip>{uri_of(bob)}</Sip></Dial></Response>"
    call, called = await connected(world, caller, bob, world.number("callapi", document))
    assert await ask_for(called, carol) == 603
    await talk(call, called)
    call.hang_up()


async def test_jambonz_refuses_as_its_hook_does(
    world: World, caller: Softphone, bob: Softphone, carol: Softphone
) -> None:
    world.app.reply("/jb-referred", web.Response(status=403), [])
    dial = {"verb": "dial", "target": [{"type": "sip", "sipUri": uri_of(bob)}], "referHook": "/jb-referred"}
    call, called = await connected(world, caller, bob, world.number("jambonz", [dial]))
    assert await ask_for(called, carol) == 403
    await talk(call, called)
    assert await ask_for(called, carol) == 202
    assert await called.ended() == "remote"
    call.hang_up()


# -- jambonz: sip:refer


SIP_REFER = {"verb": "sip:refer", "referTo": ELSEWHERE, "actionHook": "/jb-refer", "eventHook": "/jb-going"}


@pytest.mark.parametrize("last", [180, 200])
async def test_jambonz_asks_its_action_hook_after_a_hang_up(
    world: World, caller: Softphone, last: int
) -> None:
    call = await caller.call(world.number("jambonz", [{"verb": "answer"}, SIP_REFER]))
    await accepted(call)
    await told(call, 180)
    if last == 200:
        await told(call, 200)
    call.hang_up()
    asked = await world.told("/jb-refer")
    final = last if last >= 200 else None
    assert fields(asked, "refer_status", "final_referred_call_status") == [202, final]
    assert (await world.told("/jb-going")).fields == {"event": "transfer-status", "call_status": 180}


# -- jambonz: transfer

RESULT = ("transfer_result", "transfer_reason", "sip_status")


def transfer(to: Softphone | str, **properties: Any) -> dict[str, Any]:
    target = [{"type": "sip", "sipUri": to if isinstance(to, str) else uri_of(to)}]
    return {"verb": "transfer", "target": target, "actionHook": "/transferred", **properties}


async def test_blind_by_refer(world: World, caller: Softphone) -> None:
    call = await caller.call(
        world.number("jambonz", [transfer(ELSEWHERE, mode="blind", eventHook="/going-refer")])
    )
    assert (await accepted(call)).request.headers.get("Refer-To") == f"<{ELSEWHERE}>"
    await told(call, 180)
    await told(call, 200)
    assert fields(await world.told("/transferred"), *RESULT) == ["bridged", "completed", 200]
    assert await call.ended() == "remote"
    assert (await world.told("/going-refer")).fields == {"event": "transfer-status", "call_status": 180}


async def test_blind_by_refer_to_a_far_end_that_just_leaves(world: World, caller: Softphone) -> None:
    call = await caller.call(world.number("jambonz", [transfer(ELSEWHERE, mode="blind")]))
    await accepted(call)
    call.hang_up()
    assert fields(await world.told("/transferred"), *RESULT) == ["bridged", "completed", 202]


async def test_blind_by_refer_that_is_refused(world: World, caller: Softphone) -> None:
    after = {"verb": "play", "url": sound(world, 1300.0), "loop": "forever"}
    call = await caller.call(world.number("jambonz", [transfer(ELSEWHERE, mode="blind"), after]))
    request: IncomingRequest = await asyncio.wait_for(call.requests.get(), PATIENCE)
    request.reply(501)
    await hears_tone(call, 1300.0)
    assert fields(await world.told("/transferred"), *RESULT) == ["failed", "error", 501]
    call.hang_up()


async def test_blind_by_calling(world: World, caller: Softphone, bob: Softphone) -> None:
    verb = transfer(bob, mode="blind", blindMethod="dial", eventHook="/going-dial")
    call = await caller.call(world.number("jambonz", [verb]))
    called = await bob.incoming()
    called.answer()
    await talk(call, called)
    called.hang_up()
    asked = await world.told("/transferred")
    assert fields(asked, *RESULT) == ["bridged", "completed", 200]
    leg = await world.record(str(asked.fields["dial_call_sid"]))
    assert leg.parent_id == (await world.record(call)).id
    assert (await world.told("/going-dial", call_status=200)).fields["event"] == "transfer-status"
    assert await call.ended() == "remote"


async def test_warm_with_the_caller_parked(world: World, caller: Softphone, bob: Softphone) -> None:
    world.app.reply("/hold", [{"verb": "play", "url": sound(world, 1700.0, 60.0)}])
    verb = transfer(
        bob,
        mode="warm",
        brief={"text": "Hello, somebody needs help with an order."},
        confirm={"prompt": sound(world, 700.0, 30.0), "digit": "1"},
        onHoldHook="/hold",
    )
    call = await caller.call(world.number("jambonz", [verb]))
    await hears_tone(call, 1700.0)
    called = await bob.incoming()
    called.answer()
    await called.hears(1.0)
    await asyncio.gather(hears_tone(called, 700.0), hears_tone(call, 1700.0))
    await called.press("1")
    await talk(call, called)
    call.hang_up()
    assert fields(await world.told("/transferred"), *RESULT) == ["bridged", "completed", 200]
    hold = (await world.told("/hold")).fields
    assert hold["hold_detail"].keys() == {"from", "to"}


async def test_warm_with_the_caller_present(world: World, caller: Softphone, bob: Softphone) -> None:
    """Both hear the brief once the callee has accepted."""
    verb = transfer(
        bob,
        mode="warm",
        callerPresent=True,
        brief={"text": "I am connecting you now with somebody who knows about orders."},
        confirm={"prompt": sound(world, 700.0, 30.0), "digit": "1"},
    )
    call = await caller.call(world.number("jambonz", [{"verb": "answer"}, verb]))
    called = await bob.incoming()
    called.answer()
    await hears_tone(called, 700.0)
    await called.press("1")
    await asyncio.gather(call.hears(1.0), called.hears(1.0))
    await talk(call, called)
    called.hang_up()
    assert fields(await world.told("/transferred"), *RESULT) == ["bridged", "completed", 200]


async def test_a_callee_that_does_not_accept(world: World, caller: Softphone, bob: Softphone) -> None:
    verb = transfer(
        bob,
        mode="warm",
        confirm={"prompt": sound(world, 700.0, 30.0), "digit": "1"},
        disposition={"onDecline": "hangup"},
    )
    call = await caller.call(world.number("jambonz", [verb, {"verb": "pause", "length": 60}]))
    called = await bob.incoming()
    called.answer()
    await hears_tone(called, 700.0)
    await called.press("9")
    assert await called.ended() == "remote"
    assert fields(await world.told("/transferred"), *RESULT) == ["failed", "declined", 200]
    assert await call.ended() == "remote"


async def test_to_voicemail(world: World, caller: Softphone, bob: Softphone, carol: Softphone) -> None:
    disposition = {"onBusy": "voicemail", "voicemailUrl": uri_of(carol)}
    verb = transfer(bob, mode="blind", blindMethod="dial", disposition=disposition)
    call = await caller.call(world.number("jambonz", [verb]))
    (await bob.incoming()).reject(486)
    mailbox = await carol.incoming()
    mailbox.answer()
    await talk(call, mailbox)
    assert fields(await world.told("/transferred"), *RESULT) == ["voicemail", "busy", 486]
    mailbox.hang_up()
    assert await call.ended() == "remote"


async def test_to_a_voicemail_application(world: World, caller: Softphone, bob: Softphone) -> None:
    world.app.reply("/voicemail", [{"verb": "play", "url": sound(world, 1300.0), "loop": "forever"}])
    disposition = {"onNoAnswer": "voicemail", "voicemailUrl": f"{world.app.url}/voicemail"}
    verb = transfer(bob, mode="warm", timeout=0.5, disposition=disposition)
    call = await caller.call(world.number("jambonz", [verb]))
    rung = await bob.incoming()
    rung.ring()
    await hears_tone(call, 1300.0)
    assert fields(await world.told("/transferred"), "transfer_result", "transfer_reason") == [
        "voicemail",
        "no-answer",
    ]
    call.hang_up()


async def test_a_caller_who_gives_up(world: World, caller: Softphone, bob: Softphone) -> None:
    call = await caller.call(world.number("jambonz", [transfer(bob, mode="warm")]))
    rung = await bob.incoming()
    rung.ring()
    await call.answered()
    call.hang_up()
    assert await rung.ended() == "remote"
    asked = await world.told("/transferred")
    assert fields(asked, "transfer_result", "transfer_reason") == ["failed", "caller-abandoned"]


async def test_over_rest_the_call_comes_back_where_it_was(
    world: World, caller: Softphone, bob: Softphone
) -> None:
    after = {"verb": "play", "url": sound(world, 1300.0), "loop": "forever"}
    document = [{"verb": "answer"}, {"verb": "pause", "length": 60}, after]
    call = await caller.call(world.number("jambonz", document))
    await call.answered()
    rest, sid = world.rest("jambonz"), str((await world.record(call)).id)
    options = transfer(bob, mode="warm")
    del options["verb"]
    reply = await rest.request("PUT", rest.call(sid), json={"transfer": options})
    assert (reply.status, reply.text) == (202, "Accepted")
    (await bob.incoming()).reject(603)
    assert fields(await world.told("/transferred"), *RESULT) == ["returned", "declined", 603]
    await hears_tone(call, 1300.0)
    call.hang_up()
