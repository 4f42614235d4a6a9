"""Every field of jambonz's webhooks about two parties, as they go over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from tests.fields.table import COUNT, UUID, Field, check, column, same
from tests.fields.test_jambonz import CALL_INFO
from tests.patience import PATIENCE
from tests.world import World, uri_of

from ringback.sip.referral import SIPFRAG, sipfrag
from ringback.sip.uri import NameAddr, Uri
from ringback.testing.kit import Asked
from ringback.testing.softphone import PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER = ("inbound", "device")
SIP = r"sip:\w+@127\.0\.0\.1:\d+"

DIALLED = (
    *CALL_INFO,
    Field("dial_call_status", "completed|failed|busy|no-answer"),
    Field("dial_sip_status", r"\d{3}", type=int),
    Field("dial_call_sid", UUID),
    Field("dial_sbc_callid", r"\S+"),
)
# The leg's own: an outbound call, with a parent, and with data of its own where the dial has a tag.
_OURS = {"direction", "to", "fs_sip_address", "originating_sip_ip", "originating_sip_trunk_name"}
LEG = (
    *(field for field in CALL_INFO if field.name not in _OURS),
    Field("direction", "outbound"),
    Field("to", SIP),
    Field("parent_call_sid", UUID),
    Field("customerData", "", "tagged", type=dict),
)
LEG_STATUS = (
    *LEG,
    Field("duration", COUNT, "ended", type=int),
    Field("call_termination_by", "caller|jambonz", "ended"),
    Field("headers", "", "by-caller", type=dict),
)
KEYS = (*CALL_INFO, Field("dtmf", r"\*1"))
HOLD = (*CALL_INFO, Field("hold_detail", "", type=dict))
REFER = (*CALL_INFO, Field("refer_details", "", type=dict))
TRANSFERRED = (
    *CALL_INFO,
    Field("refer_status", "202", type=int),
    Field("final_referred_call_status", "200", type=int),
)
SENT = (*CALL_INFO, Field("result", "success"))


class Case:
    """A number whose application dials, and the requests that belong to it."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self._uris: dict[str, str] = {}

    def path(self, what: str) -> str:
        """Where one of its hooks is."""
        return f"/{what}/{self.name}"

    def reply(self, what: str, reply: Any) -> str:
        """Answer a hook; its path."""
        self.world.app.reply(self.path(what), reply)
        return self.path(what)

    def asked(self, what: str) -> list[Asked]:
        """What came to a hook, in order."""
        return self.world.requests(self.path(what))

    async def next(self, what: str) -> Asked:
        """The next request to a hook."""
        return await self.world.app.request(self.path(what))

    def dial(self, *phones: Softphone, **properties: Any) -> list[dict[str, Any]]:
        """A document that calls these phones."""
        self._uris |= {phone.username: uri_of(phone) for phone in phones}
        targets = [{"type": "sip", "sipUri": self._uris[phone.username]} for phone in phones]
        return [{"verb": "dial", "target": targets, "actionHook": self.path("done"), **properties}]

    def statuses(self, name: str = "bob") -> list[Asked]:
        """The status callbacks of the leg to a phone, in order."""
        return self.world.requests("/status/jambonz", to=self._uris[name])


class Party(NamedTuple):
    """Two who hear each other, each at their telephone."""

    caller: PhoneCall
    callee: PhoneCall


@asynccontextmanager
async def connected(case: Case, **properties: Any) -> AsyncIterator[Party]:
    """A caller connected with bob, who has answered."""
    world = case.world
    case.reply("done", [{"verb": "hangup"}])
    async with (
        world.server.phone() as phone,
        Softphone("bob", server=world.server.sip_address) as bob,
    ):
        document = case.dial(bob, answerOnBridge=True, **properties)
        call = await phone.call(world.number("jambonz", document))
        callee = await bob.incoming()
        callee.ring()
        await world.told("/status/jambonz", to=uri_of(bob), call_status="ringing")
        callee.answer()
        await call.answered()
        await asyncio.gather(call.press("5"), callee.hears(0.1))
        yield Party(call, callee)
        await world.server.settled()


async def test_a_dial_that_connects(world: World) -> None:
    case = Case(world, "connects")
    confirm = case.reply("confirm", [])
    keys = {"dtmfCapture": {"parentCall": ["*1"]}, "dtmfHook": case.reply("keys", [])}
    async with connected(case, confirmHook=confirm, tag={"leg": {"aB": 1}}, **keys) as party:
        await party.caller.press("*1")
        pressed = await case.next("keys")
        party.callee.hang_up()
        assert await party.caller.ended() == "remote"
    check(pressed, KEYS, CALLER)
    (confirmed,) = case.asked("confirm")
    check(confirmed, LEG, ("tagged",))
    assert confirmed.fields["customerData"] == {"leg": {"aB": 1}}
    assert (confirmed.fields["call_status"], confirmed.fields["sip_status"]) == ("in-progress", 200)
    (done,) = case.asked("done")
    check(done, DIALLED, CALLER)
    told = case.statuses()
    assert column(told, "call_status") == ["trying", "ringing", "in-progress", "completed"]
    for asked in told:
        ended = asked.fields["call_status"] == "completed"
        check(asked, LEG_STATUS, ("tagged", *(("ended", "by-caller") if ended else ())))
    assert told[-1].fields["call_termination_by"] == "caller"
    same([*told, confirmed], "call_sid", "parent_call_sid", "from", "to", "application_sid", "account_sid")
    leg = told[0].fields
    assert (done.fields["dial_call_status"], done.fields["dial_sip_status"]) == ("completed", 200)
    assert (done.fields["dial_call_sid"], done.fields["call_sid"]) == (
        leg["call_sid"],
        leg["parent_call_sid"],
    )
    assert done.fields["dial_sbc_callid"] == told[-1].fields["call_id"]
    assert done.fields["call_sid"] == pressed.fields["call_sid"]
    rest = world.rest("jambonz")
    shown = await rest.get(rest.call(leg["call_sid"]))
    assert (shown["parent_call_sid"], shown["direction"]) == (leg["parent_call_sid"], "outbound")


async def busy(call: PhoneCall) -> None:
    call.reject(486)


async def declined(call: PhoneCall) -> None:
    call.reject(603)


async def unavailable(call: PhoneCall) -> None:
    call.reject(480)


async def silent(call: PhoneCall) -> None:
    call.ring()


@pytest.mark.parametrize(
    ("behave", "status", "sip_status", "by"),
    [
        (busy, "busy", 486, "caller"),
        (declined, "failed", 603, "caller"),
        (unavailable, "failed", 480, "caller"),
        (silent, "no-answer", 487, "jambonz"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_dial_that_connects_nobody(
    world: World, behave: Callable[[PhoneCall], Awaitable[None]], status: str, sip_status: int, by: str
) -> None:
    case = Case(world, f"nobody-{behave.__name__}")
    case.reply("done", [{"verb": "hangup"}])
    async with (
        world.server.phone() as phone,
        Softphone("bob", server=world.server.sip_address) as bob,
    ):
        call = await phone.call(world.number("jambonz", case.dial(bob, timeout=1)))
        await behave(await bob.incoming())
        assert await call.ended() == "remote"
        await world.server.settled()
    (done,) = case.asked("done")
    check(done, DIALLED, CALLER)
    assert (done.fields["dial_call_status"], done.fields["dial_sip_status"]) == (status, sip_status)
    last = case.statuses()[-1]
    check(last, LEG_STATUS, ("ended",))
    told = [last.fields[name] for name in ("call_status", "sip_status", "call_termination_by")]
    assert told == [status, sip_status, by]


async def test_a_party_that_holds(world: World) -> None:
    case = Case(world, "holds")
    hold = case.reply("hold", [{"verb": "pause", "length": 1}])
    request = case.reply("request", [])
    document = {"sipRequestWithinDialogHook": request, "verb": "config"}
    case.reply("done", [{"verb": "hangup"}])
    async with (
        world.server.phone() as phone,
        Softphone("bob", server=world.server.sip_address) as bob,
    ):
        dial = case.dial(bob, onHoldHook=hold, answerOnBridge=True)
        call = await phone.call(world.number("jambonz", [document, *dial]))
        callee = await bob.incoming()
        callee.answer()
        await call.answered()
        await asyncio.gather(callee.hears(0.2), call.press("5"))
        await call.offer("sendonly")
        held = await case.next("hold")
        told = await case.next("request")
        call.hang_up()
        await world.server.settled()
    check(held, HOLD, CALLER)
    assert set(held.fields["hold_detail"]) == {"from", "to"}
    requested = (
        *CALL_INFO,
        Field("sip_method", "INVITE"),
        Field("sip_body", ".*"),
        Field("sip_headers", "", type=dict),
        Field("event", "hold"),
        Field("on_hold", "true", type=bool),
    )
    check(told, requested, CALLER)


async def test_a_party_that_is_transferred(world: World) -> None:
    """bob asks that his caller be connected with somebody else: the application does it its own way."""
    case = Case(world, "referred")
    refer = case.reply("refer", [{"verb": "hangup"}])
    async with connected(case, referHook=refer) as party:
        target = NameAddr(Uri(user="carol", host="192.0.2.9"))
        headers = (("Refer-To", str(target)), ("X-Override-Number", "77"))
        response = await party.callee.session.send_request("REFER", headers)
        assert response.status == 202
        assert await party.caller.ended() == "remote"
    (asked,) = case.asked("refer")
    check(asked, REFER, CALLER)
    details = asked.fields["refer_details"]
    assert details["refer_to_user"] == "carol"
    assert details["x_override_number"] == "77"
    assert details["referred_call_sid"] == asked.fields["call_sid"]
    assert details["referring_call_sid"] == case.statuses()[0].fields["call_sid"]


async def test_a_far_end_is_asked_to_transfer(world: World) -> None:
    case = Case(world, "transfers")
    hooks = {
        "actionHook": case.reply("done", [{"verb": "hangup"}]),
        "eventHook": case.reply("going", []),
    }
    refer = {"verb": "sip:refer", "referTo": "+14155550177", **hooks}
    async with world.server.phone() as phone:
        call = await phone.call(world.number("jambonz", [{"verb": "answer"}, refer]))
        asked = await asyncio.wait_for(call.requests.get(), PATIENCE)
        assert "+14155550177@" in (asked.request.headers.get("Refer-To") or "")
        asked.reply(202)
        for status, state in ((180, "active"), (200, "terminated")):
            headers = [("Event", "refer"), ("Subscription-State", state)]
            assert (
                await call.session.send_request("NOTIFY", headers, sipfrag(status), SIPFRAG)
            ).status == 200
        assert await call.ended() == "remote"
        await world.server.settled()
    (done,) = case.asked("done")
    check(done, TRANSFERRED, CALLER)
    events = case.asked("going")
    for told in events:
        check(told, (Field("event", "transfer-status"), Field("call_status", "180|200", type=int)), ())
    assert column(events, "call_status") == [180, 200]


async def test_a_request_inside_the_dialog_is_sent(world: World) -> None:
    case = Case(world, "sends")
    done = case.reply("done", [{"verb": "hangup"}])
    headers = {"Content-Type": "application/json", "X-A": "b"}
    request = {"verb": "sip:request", "method": "MESSAGE", "body": '{"a":1}', "headers": headers}
    async with world.server.phone() as phone:
        document = [{"verb": "answer"}, {**request, "actionHook": done}]
        call = await phone.call(world.number("jambonz", document))
        incoming = await asyncio.wait_for(call.requests.get(), PATIENCE)
        incoming.reply(202)
        sent = incoming.request
        assert (sent.body, sent.headers.get("X-A")) == (b'{"a":1}', "b")
        assert sent.headers.get("Content-Type") == "application/json"
        assert await call.ended() == "remote"
        await world.server.settled()
    (asked,) = case.asked("done")
    check(asked, SENT, CALLER)
    assert asked.fields["sip_status"] == 202


async def test_nobody_speaks_after_the_answer(world: World) -> None:
    case = Case(world, "amd")
    amd = {
        "actionHook": case.reply("amd", [{"verb": "hangup"}]),
        "timers": {"noSpeechTimeoutMs": 300},
    }
    async with connected(case, amd=amd) as party:
        assert await party.caller.ended() == "remote"
    (told,) = case.asked("amd")
    check(told, (*CALL_INFO, Field("type", "amd_no_speech_detected")), CALLER)
    assert not case.asked("done")  # the reply took the place of the dial
