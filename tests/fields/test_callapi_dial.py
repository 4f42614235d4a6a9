"""Every field of CallAPI's webhooks about two parties and about recordings, as they go over the wire."""

from __future__ import annotations

import asyncio
import io
import wave
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from lxml import etree
from tests.fields.dialling import DialCase, phones, refused, unknown
from tests.fields.table import COUNT, HEX, Field, check, column, same
from tests.fields.test_callapi import CALLBACK, VOICE
from tests.patience import PATIENCE
from tests.server.neutral import hears_tone, talk, tone
from tests.world import HANG_UP, WAIT, World, uri_of

from ringback.config import Settings
from ringback.testing.kit import Asked
from ringback.testing.softphone import PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALL_SID = f"ID{HEX}-CA{HEX}"
AUDIO = rf"http://\S+/call/2012-04-24/Accounts/AC{HEX}/Recordings/RE{HEX}\.wav"

RECORDED = (
    Field("RecordingUrl", AUDIO, "recorded"),
    Field("PublicRecordingUrl", AUDIO, "recorded"),
)
DOCUMENT = tuple(field for field in VOICE if field.name != "Digits")
ACTION = (
    *DOCUMENT,
    Field("OutboundCallSid", CALL_SID),
    Field("DialCallSid", CALL_SID),
    Field("DialCallStatus", "completed|busy|no-answer|failed|canceled"),
    Field("DialCallDuration", COUNT),
    *RECORDED,
    Field("DialRingDuration", COUNT),
    Field("DialSipCallId", r"\S+"),
    Field("DialSipResponseCode", r"\d{3}"),
)
LEG = (
    Field("Direction", "outbound-dial"),
    Field("CallerName", "alice"),
)
LEG_CALLBACK = (
    *(field for field in CALLBACK if field.name not in ("Direction", "CallerName", "Digits")),
    *LEG,
    Field("ParentCallSid", CALL_SID),
)
SCREENING = (
    *(
        field
        for field in DOCUMENT
        if field.name not in ("Direction", "CallerName", "InstanceId", "CallTimestamp")
    ),
    *LEG,
    Field("SipCallId", r"\S+"),
)


class Told(NamedTuple):
    """What the application was asked and told about a Dial, each in order."""

    screening: list[Asked]
    action: list[Asked]
    leg: list[Asked]

    def check(self, *tags: str) -> None:
        """Every request against its table."""
        for asked in self.screening:
            check(asked, SCREENING, ())
            assert asked.fields["PostStatus"] == "callback"
        for asked in self.action:
            check(asked, ACTION, ("inbound", "device", *tags))
        for asked in self.leg:
            ended = asked.fields["CallStatus"] not in ("initiated", "ringing", "in-progress")
            check(asked, LEG_CALLBACK, ("ended",) if ended else ())
        same([*self.leg, *self.screening], "CallSid", "From", "To")


class Case(DialCase):
    """CallAPI names who is called by the user's name."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, "callapi", name, between=",")

    def told(self, phone: Softphone) -> Told:
        """What there was about one of them."""
        return Told(*self.about(phone.username))


async def test_a_dial_that_connects_and_is_recorded(world: World) -> None:
    case = Case(world, "connects")
    async with AsyncExitStack() as stack:
        phone, bob = await phones(stack, world, "bob")
        call = await phone.call(world.number("callapi", case.dial(bob, attributes="record='true'")))
        ringing = await bob.incoming()
        invite = ringing.session
        ringing.ring()
        await world.told(case.paths["leg"], CallStatus="ringing")
        ringing.answer()
        await talk(call, ringing)
        ringing.hang_up()
        assert await call.ended() == "remote"
        await world.server.settled()
    told = case.told(bob)
    told.check("recorded")
    assert column(told.screening, "CallStatus") == ["in-progress"]
    assert column(told.leg, "CallStatus") == ["initiated", "ringing", "in-progress", "completed"]
    assert column(told.leg, "SequenceNumber") == ["0", "1", "2", "3"]
    (action,), leg = told.action, told.leg[0].fields
    assert (action.fields["DialCallStatus"], action.fields["DialSipResponseCode"]) == ("completed", "200")
    assert (action.fields["DialCallSid"], action.fields["CallSid"]) == (leg["CallSid"], leg["ParentCallSid"])
    assert action.fields["DialSipCallId"] == invite.call_id
    rest = world.rest("callapi")
    listed = (await rest.get(rest.calls, ParentCallSid=action.fields["CallSid"]))["calls"]
    assert [(one["sid"], one["parent_call_sid"]) for one in listed] == [
        (leg["CallSid"], leg["ParentCallSid"])
    ]
    today = await rest.get(f"{rest.base}/ListCalls.json", ParentCallSid=action.fields["CallSid"])
    assert today["calls"] == listed
    (recording,) = await rest.get(f"{rest.base}/Calls/{action.fields['CallSid']}/Recordings.json")
    assert recording["file_uri"] == action.fields["RecordingUrl"]
    await check_audio(world, recording["file_uri"], longest=30.0)


async def check_audio(world: World, url: str, longest: float) -> None:
    """Everybody who knows the address has the audio, also in part."""
    async with world.http.get(url) as reply:
        assert (reply.status, reply.headers["content-type"]) == (200, "audio/x-wav")
        with wave.open(io.BytesIO(await reply.read())) as audio:
            assert (audio.getnchannels(), audio.getframerate(), audio.getsampwidth()) == (1, 8000, 2)
            assert 0.1 < audio.getnframes() / audio.getframerate() < longest
    async with world.http.get(url, headers={"Range": "bytes=0-3"}) as reply:
        assert (reply.status, await reply.read()) == (206, b"RIFF")
    async with world.http.get(url.replace(".wav", ".mp3")) as reply:
        assert (reply.status, reply.headers["content-type"]) == (200, "audio/mpeg")


async def test_the_first_that_accepts_wins(world: World) -> None:
    """Bob answers and declines when he is asked; carol is still called, and takes it; dan only rings."""
    case = Case(world, "several")
    world.app.reply(case.paths["screen"], HANG_UP["callapi"], "<Response><Pause/></Response>")
    async with AsyncExitStack() as stack:
        phone, bob, carol, dan = await phones(stack, world, "bob", "carol", "dan")
        call = await phone.call(world.number("callapi", case.dial(bob, carol, dan)))
        declines, takes, loses = [await each.incoming() for each in (bob, carol, dan)]
        loses.ring()
        declines.answer()
        assert await declines.ended() == "remote"
        takes.answer()
        assert await loses.ended() != "local"
        await talk(call, takes)
        call.hang_up()
        await takes.ended()
        await world.server.settled()
    declined, won, lost = case.told(bob), case.told(carol), case.told(dan)
    for told in (declined, won, lost):
        told.check()
    assert column(declined.leg, "CallStatus") == ["initiated", "in-progress", "completed"]
    assert column(won.leg, "CallStatus") == ["initiated", "in-progress", "completed"]
    assert column(lost.leg, "CallStatus") == ["initiated", "ringing", "canceled"]
    assert lost.screening == []
    # The caller hung up, and the action is told all the same.
    (action,) = won.action
    assert action.fields["DialCallSid"] == won.leg[0].fields["CallSid"]
    assert (action.fields["DialCallStatus"], action.fields["CallStatus"]) == ("completed", "completed")


async def rings(call: PhoneCall) -> None:
    """Nobody answers."""
    call.ring()
    await call.ended()


@pytest.mark.parametrize(
    ("far_end", "status", "sip_status", "course"),
    [
        (refused, "busy", "486", ["initiated", "ringing", "busy"]),
        (unknown, "failed", "404", ["initiated", "failed"]),
        (rings, "no-answer", "487", ["initiated", "ringing", "no-answer"]),
    ],
    ids=["busy", "unknown", "rings"],
)
async def test_a_dial_that_does_not_connect(
    world: World, far_end: object, status: str, sip_status: str, course: list[str]
) -> None:
    case = Case(world, f"fails-{status}")
    async with AsyncExitStack() as stack:
        phone, bob = await phones(stack, world, "bob")
        call = await phone.call(world.number("callapi", case.dial(bob, attributes="timeout='1'")))
        called = await bob.incoming()
        assert callable(far_end)
        await far_end(called)
        assert await call.ended() == "remote"
        await world.server.settled()
    told = case.told(bob)
    told.check()
    assert column(told.leg, "CallStatus") == course
    (action,) = told.action
    assert (action.fields["DialCallStatus"], action.fields["DialSipResponseCode"]) == (status, sip_status)
    assert (action.fields["DialCallDuration"], action.fields["CallStatus"]) == ("0", "in-progress")


async def test_an_invite_carries_headers(world: World) -> None:
    async with AsyncExitStack() as stack:
        phone, bob = await phones(stack, world, "bob")
        document = f"<Response><Dial><Sip>{uri_of(bob)}?Queue=sales&X-Rank=7</Sip></Dial></Response>"
        await phone.call(world.number("callapi", document))
        called = await bob.incoming()
        headers = called.session.request.headers
        account = world.rest("callapi").account_sid
        assert (headers.get("X-Queue"), headers.get("X-Rank")) == ("sales", "7")
        assert headers.get("X-RestComm-ApiVersion") == "2012-04-24"
        assert headers.get("X-RestComm-AccountSid") == account
        leg = await world.record(called)
        assert (headers.get("X-RestComm-CallSid") or "").endswith(f"-CA{leg.id.hex}")
        called.reject(486)
        sid = await world.rest("callapi").place(uri_of(bob), f"{world.app.url}/never")
        called = await bob.incoming()
        assert called.session.request.headers.get("X-RestComm-CallSid") == sid
        called.reject(486)
        await world.server.settled()


# -- a live call changed


@pytest.mark.parametrize("both", [True, False], ids=["both", "one"])
async def test_a_connected_call_is_given_another_script(world: World, both: bool) -> None:
    """With MoveConnectedCallLeg the callee runs it as well; else the callee is hung up."""
    case = Case(world, f"moved-{both}")
    moved = f"/moved/callapi/{both}"
    world.app.reply(moved, WAIT["callapi"])
    rest = world.rest("callapi")
    async with AsyncExitStack() as stack:
        phone, bob = await phones(stack, world, "bob")
        call = await phone.call(world.number("callapi", case.dial(bob)))
        called = await bob.incoming()
        called.answer()
        await talk(call, called)
        leg = case.told(bob).leg[0].fields
        form = {"Url": f"{world.app.url}{moved}"} | ({"MoveConnectedCallLeg": "true"} if both else {})
        reply = await rest.request("POST", rest.call(leg["ParentCallSid"]), data=form)
        assert (reply.status, reply.json["status"]) == (200, "in-progress")
        await world.told(moved, CallSid=leg["ParentCallSid"])
        if both:
            await world.told(moved, CallSid=leg["CallSid"])
            assert (await world.record(leg["CallSid"])).status == "in-progress"
            called.hang_up()
        else:
            assert await called.ended() == "remote"
        assert (await world.record(leg["ParentCallSid"])).status == "in-progress"
        call.hang_up()
        await world.server.settled()
    asked = [(one.fields["CallSid"], one.fields["Direction"]) for one in world.requests(moved)]
    expected = [(leg["ParentCallSid"], "inbound")] + ([(leg["CallSid"], "outbound-dial")] if both else [])
    assert sorted(asked) == sorted(expected)


async def test_a_muted_party_is_not_heard(world: World) -> None:
    case = Case(world, "muted")
    rest = world.rest("callapi")
    async with AsyncExitStack() as stack:
        phone, bob = await phones(stack, world, "bob")
        call = await phone.call(world.number("callapi", case.dial(bob)))
        called = await bob.incoming()
        called.answer()
        await talk(call, called)
        sid = case.told(bob).leg[0].fields["ParentCallSid"]
        for muted in ("true", "false"):
            reply = await rest.request("POST", rest.call(sid), data={"Mute": muted})
            assert reply.status == 200
            call.audio.hush()
            call.audio.say(tone(600.0, 20.0))
            if muted == "true":
                with pytest.raises(TimeoutError):
                    await hears_tone(called, 600.0, timeout=1.0)
            else:
                await hears_tone(called, 600.0)
        call.hang_up()
        await world.server.settled()


async def test_a_transfer_is_decided_by_the_application(tmp_path: Path) -> None:
    """Bob sends the caller to carol; the script at refer_url says how."""

    def with_refer(settings: Settings) -> Settings:
        applications = tuple(
            msgspec.structs.replace(table, refer_url=table.voice_url.replace("/voice/", "/refer/"))
            if table.dialect == "callapi"
            else table
            for table in settings.application
        )
        return msgspec.structs.replace(settings, application=applications)

    async with World.running(tmp_path / "data", with_refer) as world, AsyncExitStack() as stack:
        case = Case(world, "transferred")
        phone, bob, carol = await phones(stack, world, "bob", "carol")
        world.app.reply("/refer/callapi", f"<Response><Dial><Sip>{uri_of(carol)}</Sip></Dial></Response>")
        call = await phone.call(world.number("callapi", case.dial(bob)))
        called = await bob.incoming()
        called.answer()
        await talk(call, called)
        response = await called.session.send_request("REFER", [("Refer-To", f"<{uri_of(carol)}>")])
        assert response.status == 202
        third = await carol.incoming()
        third.answer()
        await talk(call, third)
        assert await called.ended() == "remote"
        call.hang_up()
        await third.ended()
        await world.server.settled()
        (asked,) = world.requests("/refer/callapi")
        transfer = (
            Field("ReferTarget", "carol"),
            Field("Transferor", "bob"),
            Field("Transferee", "alice"),
        )
        check(asked, (*DOCUMENT, *transfer), ("inbound", "device"))
        assert asked.fields["CallSid"] == case.told(bob).leg[0].fields["ParentCallSid"]


# -- recordings


RECORD_ACTION = (
    *DOCUMENT,
    Field("RecordingUrl", AUDIO),
    Field("PublicRecordingUrl", AUDIO),
    Field("RecordingDuration", r"\d+\.\d+"),
    Field("Digits", "#|hangup"),
)


async def test_a_message_is_recorded_listed_fetched_and_deleted(world: World) -> None:
    done = "/done/callapi/message"
    world.app.reply(done, HANG_UP["callapi"])
    document = f"<Response><Record action='{done}' playBeep='false'/></Response>"
    async with world.server.phone() as phone:
        call = await phone.call(world.number("callapi", document))
        await call.answered()
        await call.hears(1.0)
        await call.press("#")
        assert await call.ended() == "remote"
        await world.server.settled()
    (action,) = world.requests(done)
    check(action, RECORD_ACTION, ("inbound", "device"))
    assert (action.fields["Digits"], action.fields["CallStatus"]) == ("#", "in-progress")
    await check_audio(world, action.fields["RecordingUrl"], longest=10.0)

    rest, sid = world.rest("callapi"), action.fields["CallSid"]
    listed = await rest.get(f"{rest.base}/Recordings.json", CallSid=sid)
    (recording,) = listed["recordings"]
    assert listed["total"] == 1
    assert recording["call_sid"] == sid
    assert recording["duration"] == action.fields["RecordingDuration"]
    assert await rest.get(f"{rest.base}/Calls/{sid}/Recordings.json") == [recording]
    one = f"{rest.base}/Recordings/{recording['sid']}"
    assert await rest.get(f"{one}.json") == recording
    xml = etree.fromstring((await rest.request("GET", one)).text.encode())
    assert xml.findtext("Recording/FileUri") == action.fields["RecordingUrl"]
    assert (await world.foreign_rest("callapi").request("GET", f"{one}.json")).status == 403
    assert (await rest.request("DELETE", f"{one}.json")).status == 200
    assert (await rest.request("GET", f"{one}.json")).status == 404
    async with world.http.get(action.fields["RecordingUrl"]) as reply:
        assert reply.status == 404


async def test_a_caller_who_hangs_up_has_left_a_message(world: World) -> None:
    done, text = "/done/callapi/left", "/text/callapi/left"
    world.app.reply(done, HANG_UP["callapi"])
    world.app.reply(text, "")
    document = f"<Response><Record action='{done}' transcribeCallback='{text}'/></Response>"
    async with world.server.phone() as phone:
        call = await phone.call(world.number("callapi", document))
        await call.answered()
        call.audio.say(tone(500.0))
        await call.hears(2.0)
        call.hang_up()
        await world.server.settled()
    (action,) = world.requests(done)
    check(action, RECORD_ACTION, ("inbound", "device"))
    assert (action.fields["Digits"], action.fields["CallStatus"]) == ("hangup", "completed")
    told = await world.told(text)
    assert told.fields["TranscriptionStatus"] == "failed"
    assert told.fields["RecordingUrl"] == action.fields["RecordingUrl"]


async def test_a_recorded_call_that_was_placed_says_so_at_its_end(world: World) -> None:
    voice, done, status = "/voice/callapi/placed", "/done/callapi/placed", "/status/callapi/placed"
    world.app.reply(voice, f"<Response><Record action='{done}' playBeep='false'/></Response>")
    world.app.reply(done, HANG_UP["callapi"])
    async with Softphone("placed", server=world.server.sip_address) as phone:
        sid = await world.rest("callapi").place(
            uri_of(phone), f"{world.app.url}{voice}", f"{world.app.url}{status}"
        )
        call = await phone.incoming()
        call.answer()
        await asyncio.wait_for(call.hears(1.0), PATIENCE)
        await call.press("1")
        await call.ended()
        await world.server.settled()
    (action,) = world.requests(done, CallSid=sid)
    last = world.requests(status, CallSid=sid)[-1]
    check(
        last,
        (
            *CALLBACK,
            Field("RecordingUrl", AUDIO),
            Field("RecordingSid", f"RE{HEX}"),
            Field("RecordingDuration", r"\d+\.\d+"),
        ),
        ("outbound", "ended"),
    )
    assert last.fields["RecordingUrl"] == action.fields["RecordingUrl"]
    assert last.fields["RecordingDuration"] == action.fields["RecordingDuration"]
