"""Every field of LaML's webhooks about two parties and about recordings, as they go over the wire."""

from __future__ import annotations

import asyncio
import io
import wave
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
from tests.fields.dialling import DialCase, phones, refused, unknown
from tests.fields.table import COUNT, HEX, RFC_2822, SIP_URI, UUID, Field, check, column, same
from tests.fields.test_laml import CALLBACK, DOCUMENT
from tests.world import HANG_UP, LAML, World, uri_of

from ringback.testing.kit import Asked
from ringback.testing.softphone import Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")


RECORDED = (
    Field("RecordingUrl", rf"http://\S+/api/laml/2010-04-01/Accounts/{UUID}/Recordings/{UUID}", "signalwire"),
    Field("RecordingUrl", rf"http://\S+/2010-04-01/Accounts/AC{HEX}/Recordings/RE{HEX}", "twilio"),
    Field("RecordingSid", UUID, "signalwire"),
    Field("RecordingSid", f"RE{HEX}", "twilio"),
    Field("RecordingDuration", COUNT),
)
ACTION = (
    *(field for field in DOCUMENT if field.name not in ("Digits", "FinishedOnKey")),
    Field("DialCallStatus", "completed|busy|no-answer|failed|canceled"),
    Field("DialCallSid", UUID, "signalwire"),
    Field("DialCallSid", f"CA{HEX}", "twilio"),
    Field("DialCallDuration", COUNT),
    Field("DialBridged", "true|false", "twilio"),
    Field("DialSipCallId", r"\S+"),
    Field("DialSipResponseCode", r"\d{3}"),
)
LEG = (
    Field("ParentCallSid", UUID, "signalwire"),
    Field("ParentCallSid", f"CA{HEX}", "twilio"),
    Field("To", SIP_URI),
    Field("Direction", "outbound-dial"),
)
LEG_NAMES = {field.name for field in LEG}
SCREENING = (
    *(field for field in DOCUMENT if field.name not in LEG_NAMES | {"Called", "ApplicationSid"}),
    *LEG,
    Field("ApplicationSid", f"AP{HEX}", "twilio"),
    Field("Called", SIP_URI),
    Field("SipResponseCode", "200"),
)
LEG_CALLBACK = (
    *(field for field in CALLBACK if field.name not in LEG_NAMES | {"Called"}),
    *LEG,
    Field("Called", SIP_URI, "twilio"),
)


class Told(NamedTuple):
    """What the application was asked and told about a Dial, each in order."""

    screening: list[Asked]
    action: list[Asked]
    leg: list[Asked]

    def check(self, *tags: str) -> None:
        """Every request against its table."""
        for asked in self.screening:
            check(asked, SCREENING, tags)
        for asked in self.action:
            check(asked, ACTION, (*tags, "inbound", "device"))
        for asked in self.leg:
            ended = asked.fields["CallStatus"] not in ("initiated", "ringing", "in-progress")
            check(asked, LEG_CALLBACK, (*tags, "ended") if ended else tags)
        same([*self.leg, *self.screening], "CallSid", "ParentCallSid", "From", "To")


class Case(DialCase):
    """LaML names who is called by the whole URI."""

    def __init__(self, world: World, profile: str, name: str) -> None:
        super().__init__(world, profile, name, between=" ")
        self._uris: dict[str, str] = {}

    def sip(self, phone: Softphone) -> str:
        self._uris[phone.username] = uri_of(phone)
        return super().sip(phone)

    def told(self, phone: Softphone) -> Told:
        """What there was about one of them."""
        return Told(*self.about(self._uris[phone.username]))


@pytest.mark.parametrize("profile", LAML)
async def test_a_dial_that_connects(world: World, profile: str) -> None:
    case = Case(world, profile, "connects")
    async with AsyncExitStack() as stack:
        phone, bob = await phones(stack, world, "bob")
        call = await phone.call(world.number(profile, case.dial(bob)))
        ringing = await bob.incoming()
        ringing.ring()
        await world.told(case.paths["leg"], CallStatus="ringing")
        ringing.answer()
        await call.answered()
        await asyncio.gather(call.press("5"), ringing.hears(0.5))
        ringing.hang_up()
        assert await call.ended() == "remote"
        await world.server.settled()
    told = case.told(bob)
    told.check(profile)
    assert column(told.screening, "CallStatus") == ["in-progress"]
    assert column(told.leg, "CallStatus") == ["initiated", "ringing", "in-progress", "completed"]
    assert column(told.leg, "SequenceNumber") == ["0", "1", "2", "3"]
    (action,) = told.action
    leg = told.leg[0].fields
    assert (action.fields["DialCallStatus"], action.fields["DialSipResponseCode"]) == ("completed", "200")
    assert (action.fields["DialCallSid"], action.fields["CallSid"]) == (leg["CallSid"], leg["ParentCallSid"])
    assert action.fields["CallStatus"] == "in-progress"
    if profile == "twilio":
        assert action.fields["DialBridged"] == "true"
    rest = world.rest(profile)
    (shown,) = (await rest.get(rest.calls, ParentCallSid=action.fields["CallSid"]))["calls"]
    assert (shown["sid"], shown["parent_call_sid"]) == (leg["CallSid"], leg["ParentCallSid"])
    assert shown["direction"] == ("outbound-dial" if profile == "twilio" else "outbound")


@pytest.mark.parametrize("profile", LAML)
async def test_the_first_that_answers_wins(world: World, profile: str) -> None:
    case = Case(world, profile, "several")
    async with AsyncExitStack() as stack:
        phone, bob, carol = await phones(stack, world, "bob", "carol")
        call = await phone.call(world.number(profile, case.dial(bob, carol)))
        loser, winner = await bob.incoming(), await carol.incoming()
        loser.ring()
        winner.answer()
        assert await loser.ended() != "local"
        await call.answered()
        call.hang_up()
        await winner.ended()
        await world.server.settled()
    lost, won = case.told(bob), case.told(carol)
    lost.check(profile)
    won.check(profile)
    assert lost.screening == []
    assert column(lost.leg, "CallStatus") == ["initiated", "ringing", "canceled"]
    assert column(won.leg, "CallStatus") == ["initiated", "in-progress", "completed"]
    # The caller hung up, and the action is told all the same.
    (action,) = won.action
    assert (action.fields["DialCallSid"], action.fields["DialCallStatus"]) == (
        won.leg[0].fields["CallSid"],
        "completed",
    )
    assert action.fields["CallStatus"] == "completed"


@pytest.mark.parametrize("profile", LAML)
@pytest.mark.parametrize(
    ("far_end", "status", "sip_status", "course"),
    [
        (refused, "busy", "486", ["initiated", "ringing", "busy"]),
        (unknown, "failed", "404", ["initiated", "failed"]),
    ],
    ids=["busy", "unknown"],
)
async def test_a_dial_that_does_not(
    world: World, profile: str, far_end: object, status: str, sip_status: str, course: list[str]
) -> None:
    case = Case(world, profile, f"fails-{status}")
    async with AsyncExitStack() as stack:
        phone, bob = await phones(stack, world, "bob")
        call = await phone.call(world.number(profile, case.dial(bob, attributes="answerOnBridge='true'")))
        assert callable(far_end)
        await far_end(await bob.incoming())
        await call.answered()  # by the action's Hangup
        await call.ended()
        await world.server.settled()
    told = case.told(bob)
    told.check(profile)
    assert column(told.leg, "CallStatus") == course
    (action,) = told.action
    assert (action.fields["DialCallStatus"], action.fields["DialSipResponseCode"]) == (status, sip_status)
    assert (action.fields["DialCallDuration"], action.fields["CallStatus"]) == ("0", "ringing")


@pytest.mark.parametrize("profile", LAML)
async def test_a_callee_who_declines_when_asked(world: World, profile: str) -> None:
    case = Case(world, profile, "screened")
    world.app.reply(case.paths["screen"], HANG_UP[profile])
    async with AsyncExitStack() as stack:
        phone, bob = await phones(stack, world, "bob")
        call = await phone.call(world.number(profile, case.dial(bob)))
        (await bob.incoming()).answer()
        await call.ended()
        await world.server.settled()
    told = case.told(bob)
    told.check(profile)
    (action,) = told.action
    assert action.fields["DialCallDuration"] == "0"
    if profile == "twilio":
        assert action.fields["DialBridged"] == "false"


# -- recordings


RECORD_ACTION = (
    *(field for field in DOCUMENT if field.name not in ("Digits", "FinishedOnKey")),
    *RECORDED,
    Field("Digits", "#|hangup|"),
)
TWILIO_RECORDING = (
    Field("AccountSid", f"AC{HEX}"),
    Field("CallSid", f"CA{HEX}"),
    Field("RecordingSid", f"RE{HEX}"),
    Field("RecordingStatus", "in-progress|completed"),
    Field("RecordingChannels", "1|2"),
    Field("RecordingSource", "RecordVerb|DialVerb|OutboundAPI|StartCallRecordingAPI"),
    Field("RecordingTrack", "inbound|both"),
    Field("RecordingStartTime", RFC_2822),
    *(field for field in RECORDED if field.name != "RecordingSid" and field.due(frozenset({"twilio"}))),
)
SIGNALWIRE_RECORDING = (
    *(field for field in DOCUMENT if field.name not in ("Digits", "FinishedOnKey")),
    *RECORDED,
    Field("RecordingStatus", "in-progress|completed"),
    Field("RecordingChannels", "1|2"),
    Field("RecordingSource", "RecordVerb|DialVerb|OutBoundApi|StartCallRecordingApi"),
)


def check_recordings(told: list[Asked], profile: str, source: str) -> None:
    """A recording's callbacks: it began, it is complete."""
    assert column(told, "RecordingStatus") == ["in-progress", "completed"]
    assert column(told, "RecordingSource") == [source, source]
    for asked in told:
        if profile == "signalwire":
            check(asked, SIGNALWIRE_RECORDING, (profile,))
            continue
        begun = asked.fields["RecordingStatus"] == "in-progress"
        late = ("RecordingUrl", "RecordingDuration")
        check(asked, [f for f in TWILIO_RECORDING if not begun or f.name not in late], (profile,))


@pytest.mark.parametrize("profile", LAML)
async def test_a_message_is_recorded_and_fetched(world: World, profile: str) -> None:
    case = Case(world, profile, "message")
    document = (
        f"<Response><Record action='{case.paths['done']}' playBeep='false' trim='do-not-trim' "
        f"recordingStatusCallback='{case.paths['recorded']}' "
        "recordingStatusCallbackEvent='in-progress completed'/></Response>"
    )
    async with world.server.phone() as phone:
        call = await phone.call(world.number(profile, document))
        await call.answered()
        await world.told(case.paths["recorded"], RecordingStatus="in-progress")
        await call.hears(1.0)
        await call.press("#")
        await call.ended()
        await world.server.settled()
    (action,) = world.requests(case.paths["done"])
    check(action, RECORD_ACTION, (profile, "inbound", "device"))
    assert action.fields["Digits"] == "#"
    told = world.requests(case.paths["recorded"])
    check_recordings(told, profile, "RecordVerb")
    same([action, *told], "RecordingSid", "CallSid")
    url = told[-1].fields["RecordingUrl"]
    assert url == action.fields["RecordingUrl"]
    async with world.http.get(url) as reply:
        assert (reply.status, reply.headers["content-type"]) == (200, "audio/x-wav")
        with wave.open(io.BytesIO(await reply.read())) as audio:
            assert audio.getnchannels() == 1
            assert 0.8 < audio.getnframes() / audio.getframerate() < 5.0
    async with world.http.get(f"{url}.mp3", headers={"Range": "bytes=0-1"}) as reply:
        assert (reply.status, reply.headers["content-type"]) == (206, "audio/mpeg")
    rest = world.rest(profile)
    path = f"{rest.base}/Recordings/{action.fields['RecordingSid']}.json"
    shown = await rest.get(path)
    assert (shown["status"], shown["call_sid"], shown["source"]) == (
        "completed",
        action.fields["CallSid"],
        "RecordVerb",
    )
    listed = await rest.get(f"{rest.base}/Recordings.json", CallSid=action.fields["CallSid"])
    assert listed["recordings"] == [shown]
    assert (await rest.request("DELETE", path)).status == 204
    async with world.http.get(url) as reply:
        assert reply.status == 404


@pytest.mark.parametrize("profile", LAML)
async def test_a_caller_who_hangs_up_has_left_a_message(world: World, profile: str) -> None:
    case = Case(world, profile, "left")
    document = f"<Response><Record action='{case.paths['done']}' trim='do-not-trim'/></Response>"
    async with world.server.phone() as phone:
        call = await phone.call(world.number(profile, document))
        await call.answered()
        await call.hears(1.0)
        call.hang_up()
        await world.server.settled()
    (action,) = world.requests(case.paths["done"])
    check(action, RECORD_ACTION, (profile, "inbound", "device"))
    assert (action.fields["Digits"], action.fields["CallStatus"]) == ("hangup", "completed")


@pytest.mark.parametrize("profile", LAML)
async def test_a_dial_is_recorded(world: World, profile: str) -> None:
    case = Case(world, profile, "recorded")
    attributes = (
        f"record='record-from-answer-dual' recordingStatusCallback='{case.paths['recorded']}' "
        "recordingStatusCallbackEvent='in-progress completed'"
    )
    async with AsyncExitStack() as stack:
        phone, bob = await phones(stack, world, "bob")
        call = await phone.call(world.number(profile, case.dial(bob, attributes=attributes)))
        callee = await bob.incoming()
        callee.answer()
        await world.told(case.paths["recorded"], RecordingStatus="in-progress")
        await call.hears(1.0)
        callee.hang_up()
        await call.ended()
        await world.server.settled()
    told = world.requests(case.paths["recorded"])
    check_recordings(told, profile, "DialVerb")
    assert column(told, "RecordingChannels") == ["2", "2"]
    (action,) = world.requests(case.paths["done"])
    check(action, [*ACTION, *RECORDED], (profile, "inbound", "device"))
    same([action, *told], "RecordingSid", "CallSid")
    (ended,) = world.requests(f"/status/{profile}", CallSid=action.fields["CallSid"])
    assert ended.fields["RecordingUrl"] == action.fields["RecordingUrl"]


# -- who answered


@pytest.mark.parametrize("profile", LAML)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["before", "beside"])
async def test_nobody_speaks(world: World, profile: str, asynchronous: bool) -> None:
    """Silence is nobody's: the verdict comes with the first question, or beside the call."""
    name = f"{profile}/{'beside' if asynchronous else 'before'}"
    world.app.reply(f"/answered/{name}", "<Response><Pause length='60'/></Response>")
    more = {"AsyncAmd": "true", "AsyncAmdStatusCallback": f"{world.app.url}/amd/{name}"}
    async with Softphone("bob", server=world.server.sip_address) as bob:
        sid = await world.rest(profile).place(
            uri_of(bob),
            f"{world.app.url}/answered/{name}",
            MachineDetection="Enable",
            MachineDetectionSilenceTimeout="2000",
            **(more if asynchronous else {}),
        )
        call = await bob.incoming()
        call.answer()
        asked = await world.told(f"/answered/{name}")
        told = await world.told(f"/amd/{name}") if asynchronous else asked
        call.hang_up()
        await world.server.settled()
    found = {field: told.fields[field] for field in ("CallSid", "AnsweredBy")}
    assert found == {"CallSid": sid, "AnsweredBy": "unknown"}
    assert 1500 < int(told.fields["MachineDetectionDuration"]) < 10_000
    if asynchronous:
        assert "AnsweredBy" not in asked.fields
        assert told.fields.keys() == {"CallSid", "AccountSid", "AnsweredBy", "MachineDetectionDuration"}
    assert (await world.rest(profile).get(world.rest(profile).call(sid)))["answered_by"] is None
