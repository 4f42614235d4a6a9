"""SignalWire, "Calls": every key of the call object, every status, the status callback's payload."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.fields.table import RFC_2822, UUID
from tests.world import HANG_UP, WAIT, World, uri_of

from ringback.testing.softphone import PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = r"\+\d{11}"
FORMATTED = r"\(\d{3}\) \d{3}-\d{4}"
PATH = rf"/api/laml/2010-04-01/Accounts/{UUID}/Calls/{UUID}"

STATUSES = {"queued", "ringing", "in-progress", "canceled", "completed", "busy", "failed"}
"""The page's; `no-answer` is the eighth."""

# key: form of a text, or type; "or null" as the page says
KEYS: dict[str, tuple[str | type, bool]] = {
    "sid": (UUID, False),
    "account_sid": (UUID, False),
    "date_created": (RFC_2822, False),
    "date_updated": (RFC_2822, False),
    "parent_call_sid": (UUID, True),
    "to": (NUMBER, False),
    "formatted_to": (FORMATTED, False),
    "to_formatted": (FORMATTED, False),
    "from": (NUMBER, False),
    "formatted_from": (FORMATTED, False),
    "from_formatted": (FORMATTED, False),
    "phone_number_sid": (UUID, True),
    "status": ("|".join(STATUSES | {"no-answer"}), False),
    "start_time": (RFC_2822, True),
    "end_time": (RFC_2822, True),
    "duration": (int, False),
    "price": (float, True),
    "price_unit": ("USD", False),
    "direction": ("inbound|outbound", False),
    "answered_by": ("human|machine", True),
    "api_version": ("2010-04-01", False),
    "forwarded_from": (str, True),
    "caller_name": (str, True),
    "uri": (rf"{PATH}\.json", False),
    "subresource_uris": (dict, False),
    "annotation": (str, True),
    "group_sid": (str, True),
    "audio_in_mos": (float, True),
    "sip_result_code": (r"\d{3}", True),
    "audio_rtt_avg": (int, True),
    "audio_rtt_min": (int, True),
    "audio_rtt_max": (int, True),
    "audio_out_jitter_min": (int, True),
    "audio_out_jitter_max": (int, True),
    "audio_out_jitter_avg": (int, True),
    "audio_out_lost": (int, True),
}

ALWAYS_NULL = ("forwarded_from", "caller_name", "annotation", "group_sid")
KNOWN_AT_THE_END = ("end_time", "audio_in_mos", "sip_result_code", "audio_out_lost")

# The sample's payload: a number is a number in a form, too.
PAYLOAD: dict[str, str | int] = {
    "AccountSid": "b3877c40-da60-4998-90ad-b792e98472af",
    "ApiVersion": "2010-04-01",
    "AudioInAveragePtime": 20,
    "AudioInDtmfPacketCount": 0,
    "AudioInFlushPacketCount": 2,
    "AudioInJitterMaxVariance": 8,
    "AudioInJitterMinVariance": 1,
    "AudioInLargestJbSize": 4,
    "AudioInMos": "4.3",
    "AudioInMediaPacketCount": 1842,
    "AudioInSkipPacketCount": 1,
    "AudioOutDtmfPacketCount": 0,
    "AudioOutMediaPacketCount": 1840,
    "CallbackSource": "call-progress-events",
    "CallSid": "b3877c40-da60-4998-90ad-b792e98472ca",
    "CallStatus": "completed",
    "Direction": "outbound-api",
    "From": "+15551234567",
    "SequenceNumber": 4,
    "Timestamp": "Thu, 04 Apr 2024 18:32:15 +0000",
    "To": "+15559876543",
}

FORMS = {
    "AccountSid": UUID,
    "AudioInMos": r"[1-5]\.\d",
    "CallSid": UUID,
    "From": NUMBER,
    "Timestamp": RFC_2822,
    "To": rf"{NUMBER}|sip:callee@\S+",
}


def check(shown: dict[str, Any]) -> None:
    """Exactly the page's keys, each of its type."""
    assert shown.keys() == KEYS.keys()
    for name, (kind, nullable) in KEYS.items():
        value = shown[name]
        if value is None:
            assert nullable, name
        elif isinstance(kind, str):
            assert isinstance(value, str), name
            assert re.fullmatch(kind, value), (name, value)
        else:
            assert type(value) is kind, name
    assert all(shown[name] is None for name in ALWAYS_NULL)
    assert shown["formatted_to"] == shown["to_formatted"]
    assert shown["formatted_from"] == shown["from_formatted"]
    assert shown["subresource_uris"].keys() == {"notifications", "recordings"}


async def test_the_call_object_while_the_call_is_up_and_after(world: World) -> None:
    number = world.number("signalwire", WAIT["signalwire"])
    async with Softphone("+13035551234", server=world.server.sip_address) as phone:
        call = await phone.call(number)
        await call.answered()
        await call.hears(0.3)
        sid = str((await world.record(call)).id)
        shown = await shown_everywhere(world, sid)
        assert shown["status"] == "in-progress"
        assert (shown["from"], shown["to"]) == ("+13035551234", number)
        assert shown["formatted_from"] == "(303) 555-1234"
        assert shown["direction"] == "inbound"
        assert shown["duration"] == 0
        assert all(shown[name] is None for name in KNOWN_AT_THE_END)
        call.hang_up()
    await world.server.settled()
    shown = await shown_everywhere(world, sid)
    assert shown["status"] == "completed"
    assert shown["sip_result_code"] == "200"
    assert all(shown[name] is not None for name in (*KNOWN_AT_THE_END, "phone_number_sid", "start_time"))


async def shown_everywhere(world: World, sid: str) -> dict[str, Any]:
    """The call by itself, checked."""
    rest = world.rest("signalwire")
    shown: dict[str, Any] = await rest.get(rest.call(sid))
    check(shown)
    assert shown["uri"] == f"{rest.call(sid)}.json"
    assert await rest.get(shown["uri"]) == shown
    recordings = await rest.get(shown["subresource_uris"]["recordings"])
    assert recordings["recordings"] == []
    return shown


async def test_the_list_holds_the_same_objects(world: World) -> None:
    rest = world.rest("signalwire")
    number = world.number("signalwire", HANG_UP["signalwire"])
    async with Softphone("+13035551234", server=world.server.sip_address) as phone:
        await (await phone.call(number)).ended()
    await world.server.settled()
    listed = await rest.get(rest.calls, To=number)
    (shown,) = listed["calls"]
    check(shown)
    assert shown == await rest.get(rest.call(shown["sid"]))


async def test_the_statuses_of_a_call_that_goes_well(world: World) -> None:
    """queued, ringing, in-progress, completed: at the creation, and after each callback."""
    rest = world.rest("signalwire")
    world.app.reply("/well", WAIT["signalwire"])
    seen = []
    async with Softphone("callee", server=world.server.sip_address) as phone:
        body = rest.creation(uri_of(phone), f"{world.app.url}/well", f"{world.app.url}/status/well")
        created = await rest.request("POST", rest.calls, **body)
        assert created.status == 200
        seen.append(created.json["status"])
        sid = created.json["sid"]
        call = await phone.incoming()
        for event, act in (("ringing", call.ring), ("in-progress", call.answer), ("completed", call.hang_up)):
            act()
            await world.told("/status/well", CallSid=sid, CallStatus=event)
            seen.append((await rest.get(rest.call(sid)))["status"])
        await world.server.settled()
    assert seen == ["queued", "ringing", "in-progress", "completed"]


@pytest.mark.parametrize(
    ("sip_status", "status"), [(486, "busy"), (404, "failed"), (500, "failed"), (480, "no-answer")]
)
async def test_the_status_of_a_call_that_is_refused(world: World, sip_status: int, status: str) -> None:
    shown = await placed(world, lambda call: call.reject(sip_status))
    assert (shown["status"], shown["sip_result_code"]) == (status, str(sip_status))


async def test_the_status_of_a_call_that_is_cancelled(world: World) -> None:
    rest = world.rest("signalwire")
    async with Softphone("callee", server=world.server.sip_address) as phone:
        sid = await rest.place(uri_of(phone), f"{world.app.url}/never")
        call = await phone.incoming()
        call.ring()
        reply = await rest.request("POST", rest.call(sid), data={"Status": "canceled"})
        assert (reply.status, reply.json["status"]) == (200, "canceled")
        assert await call.ended() == "remote"
        await world.server.settled()


async def placed(world: World, far_end: Any) -> dict[str, Any]:
    """A call that is placed and comes to its end; the object."""
    rest = world.rest("signalwire")
    async with Softphone("callee", server=world.server.sip_address) as phone:
        sid = await rest.place(uri_of(phone), f"{world.app.url}/never")
        far_end(await phone.incoming())
        await world.server.settled()
    shown: dict[str, Any] = await rest.get(rest.call(sid))
    return shown


async def test_the_status_callback_payload(world: World) -> None:
    """Every key of the sample, each with its type."""
    rest = world.rest("signalwire")
    world.app.reply("/payload", WAIT["signalwire"])
    async with Softphone("callee", server=world.server.sip_address) as phone:
        sid = await rest.place(uri_of(phone), f"{world.app.url}/payload", f"{world.app.url}/status/payload")
        call: PhoneCall = await phone.incoming()
        call.answer()
        await call.press("5")
        await call.hears(0.3)
        call.hang_up()
        told = await world.told("/status/payload", CallStatus="completed")
        await world.server.settled()
    fields = told.fields
    assert PAYLOAD.keys() <= fields.keys()
    for name, sample in PAYLOAD.items():
        form = FORMS.get(name, r"\d+" if isinstance(sample, int) else re.escape(sample))
        assert re.fullmatch(form, str(sample)), name
        assert re.fullmatch(form, fields[name]), (name, fields[name])
    assert fields["CallSid"] == sid
    assert fields["AccountSid"] == rest.account_sid
    assert int(fields["AudioInMediaPacketCount"]) > 0
    assert int(fields["AudioOutMediaPacketCount"]) > 0
    assert int(fields["AudioInDtmfPacketCount"]) > 0


RECORDING_PAYLOAD: dict[str, Any] = {
    "AccountSid": "b3877c40-da60-4998-90ad-b792e98472af",
    "CallSid": "b3877c40-da60-4998-90ad-b792e98472ca",
    "RecordingSid": "b3877c40-da60-4998-90ad-b792e984re01",
    "RecordingUrl": (
        "https://example.signalwire.com/api/laml/2010-04-01/Accounts/b3877c40-da60-4998-90ad-b792e98472af"
        "/Recordings/b3877c40-da60-4998-90ad-b792e984re01"
    ),
    "RecordingStatus": "completed",
    "RecordingDuration": 94,
    "RecordingChannels": 1,
    "RecordingSource": "RecordVerb",
}


async def test_the_payload_of_the_recording_status_callback(world: World) -> None:
    """The page's parameters beside the standard ones of every request."""
    document = (
        '<Response><Record trim="do-not-trim" recordingStatusCallback="/recorded" action="/recorded/done" '
        'recordingStatusCallbackEvent="in-progress completed"/></Response>'
    )
    world.app.reply("/recorded/done", HANG_UP["signalwire"])
    async with world.server.phone() as phone:
        call = await phone.call(world.number("signalwire", document))
        await call.answered()
        assert (await world.told("/recorded", RecordingStatus="in-progress")).fields.keys() >= {
            "RecordingSid"
        }
        await call.hears(1.0)
        await call.press("#")
        told = await world.told("/recorded", RecordingStatus="completed")
        await call.ended()
        await world.server.settled()
    fields = told.fields
    assert fields.keys() >= RECORDING_PAYLOAD.keys()
    rest = world.rest("signalwire")
    for name in ("AccountSid", "CallSid", "RecordingSid"):
        assert re.fullmatch(UUID, fields[name]), name
    assert fields["RecordingUrl"] == f"{world.server.http_url}{rest.base}/Recordings/{fields['RecordingSid']}"
    assert fields["RecordingDuration"].isdigit()
    for name in ("RecordingStatus", "RecordingChannels", "RecordingSource"):
        assert fields[name] == str(RECORDING_PAYLOAD[name])
    assert fields.keys() >= {"ApiVersion", "From", "To", "CallStatus", "Direction"}
