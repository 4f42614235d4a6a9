"""CallAPI, "Incoming Calls": both lists of POST fields, their formats, and the sample document."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from tests.server.neutral import talk
from tests.server.test_detection import syllables
from tests.world import HANG_UP, WAIT, World, uri_of

from ringback.config import Settings
from ringback.testing.kit import Asked
from ringback.testing.softphone import Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUS = (
    "completed|failed|ringing|in-progress|no-answer|queued|wait-for-answer|initiated"  # the page's
    "|busy|canceled"  # of status callbacks, on the page "Making Calls"
)

# field: (form, the page's sample): both the sample and what is sent have that form
INCOMING: dict[str, tuple[str, str]] = {
    "CallSid": (
        r"ID\w+(-C\w+)?-CA[\w-]+",
        "IDfbf7e812ere32hfhfg6e10-Cd5dacca0c-CA9d3572be-9f7a-11ea-97f4-5ffeb3239325",
    ),
    "InstanceId": (r"ID\w+", "ID242258723hHds8fh29G4569b66e10"),
    "AccountSid": (r"AC\w+", "AC06bc1hjh293hFH9edjJ23539a9ddb1"),
    "From": (r"\d{10,11}", "3035550000"),
    "To": (r"\d{10,11}|[a-z]+", "8044731212"),
    "CallStatus": (STATUS, "ringing"),
    "ApiVersion": (r"2012-04-24", "2012-04-24"),
    "Direction": (r"inbound", "inbound"),
    "CallerName": (r"\d{10,11}", "3035550000"),
    "ForwardedFrom": (r"null", "null"),
    "CallTimestamp": (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "2020-05-26T17:59:16.555Z"),
    "PostStatus": (r"new|callback", "new"),
}

OUTBOUND: dict[str, tuple[str, str]] = {
    **{name: form for name, form in INCOMING.items() if name != "PostStatus"},
    "CallSid": (r"ID\w+-CA\w+", "ID242253601re32hfhfg6e10-CAceda56a709534034ae7c0e3a304b4d96"),
    "CallStatus": (STATUS, "in-progress"),
    "Direction": (r"outbound-api", "outbound-api"),
    "CallTimestamp": (INCOMING["CallTimestamp"][0], "2020-05-26T17:29:55.125Z"),
    "VoicemailDetector": (r"voicemail|person_found", "voicemail"),
}

SAMPLE = """<?xml version="1.0" encoding="UTF-8"?>
<Response>
    <Say voice="woman">Please hold while your call is connceted</Say>
    <Dial>18004444444</Dial>
</Response>"""


def check(asked: Asked, table: dict[str, tuple[str, str]]) -> None:
    """Normal POST variables, every field of the list, in its form."""
    assert asked.method == "POST"
    assert asked.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert table.keys() <= asked.fields.keys()
    for name, (form, sample) in table.items():
        assert re.fullmatch(form, sample), name
        assert re.fullmatch(form, asked.fields[name]), (name, asked.fields[name])


async def test_a_new_incoming_call(world: World) -> None:
    before = datetime.now(UTC)
    number = world.number("callapi", WAIT["callapi"])
    async with Softphone("3035550000", server=world.server.sip_address) as phone:
        call = await phone.call(number)
        await call.answered()
        call.hang_up()
        await world.server.settled()
    to = number.removeprefix("+")
    (asked,) = world.requests("/voice/callapi", To=to)
    check(asked, INCOMING)
    assert asked.fields["From"] == asked.fields["CallerName"] == "3035550000"
    assert asked.fields["CallStatus"] == "ringing"
    assert asked.fields["PostStatus"] == "new"
    began = datetime.fromisoformat(asked.fields["CallTimestamp"])
    assert before.replace(microsecond=0) <= began <= datetime.now(UTC)
    callbacks = world.requests("/status/callapi", To=to)
    assert [each.fields["CallStatus"] for each in callbacks] == ["ringing", "in-progress", "completed"]
    for callback in callbacks:
        check(callback, INCOMING)
        assert callback.fields["PostStatus"] == "callback"
        assert callback.fields["CallTimestamp"] == asked.fields["CallTimestamp"]


@pytest.mark.parametrize(("seconds", "word"), [(0.6, "person_found"), (4.0, "voicemail")])
async def test_a_status_update_from_an_outbound_call(world: World, seconds: float, word: str) -> None:
    """Who says hello is a person; who goes on talking is a machine."""
    world.app.reply("/update", HANG_UP["callapi"])
    async with Softphone("callee", server=world.server.sip_address) as phone:
        sid = await world.rest("callapi").place(
            uri_of(phone), f"{world.app.url}/update", DetectVoicemail="yes"
        )
        call = await phone.incoming()
        call.answer()
        call.audio.say(syllables(seconds))
        await call.ended()
        await world.server.settled()
    (asked,) = world.requests("/update", CallSid=sid)
    check(asked, OUTBOUND)
    assert asked.fields["VoicemailDetector"] == word
    assert asked.fields["CallStatus"] == "in-progress"


async def test_the_sample_document(tmp_path: Path) -> None:
    """The words are spoken, then the number is called through the carrier, and the two are connected."""
    async with Softphone("carrier", server="127.0.0.1:9") as carrier:

        def with_carrier(settings: Settings) -> Settings:
            trunk = msgspec.structs.replace(settings.trunk[0], host=carrier.listening.partition(":")[2])
            return msgspec.structs.replace(settings, trunk=(trunk,))

        async with World.running(tmp_path / "data", with_carrier) as world:
            number = world.number("callapi", SAMPLE)
            async with world.server.phone() as phone:
                call = await phone.call(number)
                called = await carrier.incoming()
                assert len(call.heard()) > 8000  # the sentence
                called.answer()
                await talk(call, called)
                called.hang_up()
                assert await call.ended() == "remote"
                await world.server.settled()
                leg, record = await world.records()
    assert (leg.parent_id, leg.to, leg.status) == (record.id, "18004444444", "completed")
    assert record.status == "completed"
