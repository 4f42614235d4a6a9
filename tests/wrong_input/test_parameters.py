"""REST with wrong parameters: each refused with what was expected, and no call made of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.world import LAML, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = "00000000-0000-4000-8000-000000000000"
TARGET = "sip:callee@127.0.0.1:9"

# given, code at Twilio
LAML_CALLS: list[tuple[dict[str, str], int]] = [
    ({"To": ""}, 21201),
    ({"From": ""}, 21213),
    ({"Url": ""}, 21205),
    ({"To": "not a number"}, 21211),
    ({"To": "\U0001f600"}, 21211),
    ({"To": "+1" + "5" * 100}, 21211),
    ({"To": "sip:"}, 21211),
    ({"To": "sip:a@[::1"}, 21211),
    ({"To": "sip:a@host:99999"}, 21211),
    ({"To": "sip:a@host\r\nEvil: 1"}, 21211),
    ({"To": f"{TARGET}?X-A=1%0d%0aEvil:%201"}, 21229),
    ({"To": f"{TARGET}?X A=1"}, 21228),
    ({"To": f"{TARGET}?X-A={'1' * 2000}"}, 21227),
    ({"To": "client:nobody"}, 21214),
    ({"To": "+14155559999"}, 21214),
    ({"To": "sip:a@169.254.169.254"}, 21214),
    ({"From": "a\r\nEvil: 1"}, 21212),
    ({"From": "x" * 10_000}, 21212),
    ({"From": "<script>"}, 21212),
    ({"Url": "/relative"}, 21205),
    ({"Url": "ftp://example.com/"}, 21205),
    ({"Url": "http://[::1"}, 21205),
    ({"Url": "http://example.com:99999/"}, 21205),
    ({"Method": "PUT"}, 21209),
    ({"FallbackUrl": "nowhere"}, 21205),
    ({"FallbackMethod": "FETCH"}, 21209),
    ({"StatusCallback": "nowhere"}, 21609),
    ({"StatusCallbackMethod": "FETCH"}, 21209),
    ({"Timeout": "-1"}, 21208),
    ({"Timeout": "601"}, 21208),
    ({"Timeout": "soon"}, 21208),
    ({"Timeout": "9" * 40}, 21208),
    ({"TimeLimit": "0"}, 20422),
    ({"SendDigits": "abc!"}, 21206),
    ({"SendDigits": "1" * 33}, 21206),
    ({"SipAuthUsername": "x"}, 21225),
    ({"SipAuthUsername": "x" * 300, "SipAuthPassword": "y"}, 21221),
    ({"SipAuthUsername": "x", "SipAuthPassword": "y" * 300}, 21223),
    ({"MachineDetection": "Perhaps"}, 21234),
    ({"MachineDetectionTimeout": "1000"}, 21234),
    ({"MachineDetection": "Enable", "AsyncAmdStatusCallback": "nowhere"}, 21609),
    ({"AsyncAmd": "perhaps"}, 20422),
    ({"Record": "perhaps"}, 20422),
    ({"Record": "true", "RecordingStatusCallback": "nowhere"}, 21609),
    ({"Record": "true", "RecordingStatusCallbackMethod": "FETCH"}, 21209),
    ({"Record": "true", "RecordingChannels": "5.1"}, 20422),
    ({"Record": "true", "RecordingTrack": "middle"}, 20422),
    ({"Record": "true", "Trim": "beard"}, 20422),
    ({"ApplicationSid": "nobody"}, 21218),
    ({"ApplicationSid": f"AP{'0' * 32}"}, 21218),
    ({"Url": "", "Twiml": "<Response>"}, 12100),
    ({"Url": "", "Twiml": "<Answer/>"}, 12102),
    ({"Url": "", "Twiml": "<!DOCTYPE a [<!ENTITY b 'c'>]><Response/>"}, 12100),
    ({"Url": "", "Twiml": f"<Response>{'x' * 4000}</Response>"}, 20422),
]


@pytest.mark.parametrize(("given", "code"), LAML_CALLS, ids=lambda value: str(value)[:60])
async def test_a_laml_call(world: World, given: dict[str, str], code: int) -> None:
    before = len(await world.records())
    rest = world.rest("twilio")
    form = {"To": TARGET, "From": "+14155550100", "Url": f"{world.app.url}/never", **given}
    reply = await rest.request("POST", rest.calls, data=form)
    assert (reply.status, reply.json["code"]) == (400, code), reply.json
    if len(form.get("Twiml", "")) <= 4000:  # SignalWire's limit is that of any document
        signalwire = world.rest("signalwire")
        reply = await signalwire.request("POST", signalwire.calls, data=form)
        assert reply.status == 400
        assert reply.json["errors"][0]["message"]
    assert len(await world.records()) == before


# given, what the answer says, its status
CALLAPI_CALLS: list[tuple[dict[str, str], str, int]] = [
    ({"To": ""}, "To can not be null.", 400),
    ({"From": ""}, "From can not be null.", 400),
    ({"Url": ""}, "Url can not be null.", 400),
    ({"To": "not a number"}, "To must be a number", 400),
    ({"To": "\U0001f600"}, "To must be a number", 400),
    ({"To": "client:"}, "To names no client.", 400),
    ({"To": "a@[::1"}, "To is not a SIP URI.", 400),
    ({"To": "sip:a@b@c"}, "To is not a SIP URI.", 400),
    ({"To": "sip:a@host\r\nEvil: 1"}, "control characters", 400),
    ({"To": f"{TARGET}?A=1%0d%0aEvil:%201"}, "control characters", 400),
    ({"To": f"{TARGET}?A b=1"}, "not a header name", 400),
    ({"To": f"sip:{'a' * 300}@host"}, "longer than 255", 400),
    ({"To": "client:nobody"}, "nobody", 500),
    ({"To": "8044735555"}, "no trunk", 500),
    ({"To": "sip:a@169.254.169.254"}, "must not be called", 500),
    ({"From": "a\r\nEvil: 1"}, "control characters", 400),
    ({"From": "x" * 10_000}, "longer than 255", 400),
    ({"From": "sip:a@b c"}, "From is not a SIP URI.", 400),
    ({"Url": "/relative"}, "Url is not a valid URL", 400),
    ({"Method": "PUT"}, "Method must be GET or POST.", 400),
    ({"FallbackUrl": "ftp://x/"}, "FallbackUrl is not a valid URL", 400),
    ({"FallbackMethod": "PUT"}, "FallbackMethod must be GET or POST.", 400),
    ({"StatusCallback": "nowhere"}, "StatusCallback is not a valid URL", 400),
    ({"StatusCallbackMethod": "PUT"}, "StatusCallbackMethod must be GET or POST.", 400),
    ({"StatusCallbackEvent": "asleep"}, "asleep is not a StatusCallbackEvent", 400),
    ({"Timeout": "-1"}, "Timeout must be a number", 400),
    ({"Timeout": "soon"}, "Timeout must be a number", 400),
    ({"Username": "a\r\nb"}, "control characters", 400),
]


@pytest.mark.parametrize(("given", "says", "status"), CALLAPI_CALLS, ids=lambda value: str(value)[:60])
async def test_a_callapi_call(world: World, given: dict[str, str], says: str, status: int) -> None:
    before = len(await world.records())
    rest = world.rest("callapi")
    form = {"To": TARGET, "From": "8044735555", "Url": f"{world.app.url}/never", **given}
    reply = await rest.request("POST", rest.calls, data=form)
    assert reply.status == status
    assert says in reply.text
    assert reply.headers["content-type"].startswith("text/plain")
    assert len(await world.records()) == before


def to(**target: Any) -> dict[str, Any]:
    """A body whose target is this."""
    return {"to": target}


# given, what the answer says, its status
JAMBONZ_CALLS: list[tuple[dict[str, Any], str, int]] = [
    ({"from": None}, "missing from parameter", 400),
    ({"from": 5}, "missing from parameter", 400),
    ({"from": "a\r\nEvil: 1"}, "missing from parameter", 400),
    ({"from": "x" * 300}, "missing from parameter", 400),
    ({"to": None}, "missing or invalid to property", 400),
    ({"to": "+14155550100"}, "missing or invalid to property", 400),
    (to(type="phone"), "missing or invalid to property", 400),
    (to(type="phone", number=5), "missing or invalid to property", 400),
    (to(type="pigeon", number="1"), "missing or invalid to property", 400),
    (to(type="teams", number="1"), "teams is not supported", 400),
    (to(type="sip", sipUri="nowhere"), "missing or invalid to property", 400),
    (to(type="sip", sipUri="sip:a@[::1"), "missing or invalid to property", 400),
    (to(type="sip", sipUri="sip:a@host\r\nEvil: 1"), "missing or invalid to property", 400),
    (to(type="user", name="nobody"), "nobody", 422),
    (to(type="phone", number="+14155559999"), "no trunk", 422),
    (to(type="phone", number="+14155559999", trunk="none"), "no trunk 'none'", 422),
    (to(type="sip", sipUri="sip:a@169.254.169.254"), "must not be called", 422),
    (to(type="sip", sipUri=TARGET, headers=5), "invalid headers", 400),
    ({"headers": {"X\r\nEvil": "1"}}, "invalid header", 400),
    ({"headers": {"X-A": "1\r\nEvil: 1"}}, "invalid header 'X-A'", 400),
    ({"headers": {"Via": "SIP/2.0/UDP elsewhere"}}, "invalid header 'Via'", 400),
    ({"call_hook": None}, "either application_sid or call_hook required", 400),
    ({"call_hook": 5}, "call_hook must be a string or an object", 400),
    ({"call_hook": "/relative"}, "call_hook url be an absolute url", 400),
    ({"call_hook": {"url": "http://x/", "method": "PUT"}}, "must be one of GET,POST", 400),
    ({"call_status_hook": "nowhere"}, "call_status_hook url be an absolute url", 400),
    ({"speech_synthesis_voice": None}, "either application_sid or set of", 400),
    ({"application_sid": "nobody"}, "application_sid not found", 400),
    ({"application_sid": NOBODY}, "application_sid not found", 400),
    ({"timeout": "soon"}, "invalid timeout", 400),
    ({"timeout": -1}, "invalid timeout", 400),
    ({"timeout": True}, "invalid timeout", 400),
    ({"timeLimit": 0}, "invalid timeLimit", 400),
    ({"tag": 5}, "invalid tag data", 400),
    ({"callerName": 5}, "invalid callerName", 400),
    ({"callerName": "a\r\nEvil: 1"}, "invalid callerName", 400),
    ({"fromHost": "a b"}, "invalid fromHost", 400),
    ({"fromHost": "a>;b=<c"}, "invalid fromHost", 400),
    ({"app_json": "{"}, "invalid app_json", 400),
    ({"app_json": "{}"}, "must be array", 400),
    ({"app_json": [{"verb": "sing"}]}, "invalid instruction: sing", 400),
    ({"amd": {}}, "amd: missing value for actionHook", 400),
    ({"amd": 5}, "invalid amd", 400),
    ({"referHook": 5}, "referHook must be a string or an object", 400),
    ({"transcribe": {}, "record": {"action": "startCallRecording"}}, "record is not supported", 400),
    (to(type="sip", sipUri=TARGET, proxy="<"), "invalid proxy", 400),
    (to(type="sip", sipUri=TARGET, confirmHook="/x"), "confirmHook is not supported", 400),
]


@pytest.mark.parametrize(("given", "says", "status"), JAMBONZ_CALLS, ids=lambda value: str(value)[:60])
async def test_a_jambonz_call(world: World, given: dict[str, Any], says: str, status: int) -> None:
    before = len(await world.records())
    rest = world.rest("jambonz")
    body = rest.creation(TARGET, f"{world.app.url}/never")["json"] | given
    wanted = {name: value for name, value in body.items() if value is not None}
    reply = await rest.request("POST", rest.calls, json=wanted)
    assert reply.status == status, reply.text
    assert says in reply.json["msg"]
    assert len(await world.records()) == before


# -- lists


@pytest.mark.parametrize("flavour", LAML)
@pytest.mark.parametrize(
    "query",
    [
        *("Page=-1", "Page=x", "Page=3", "PageSize=0", "PageSize=x", "PageToken=nonsense"),
        *("Status=asleep", "StartTime=yesterday", "StartTime=2024-99-99", "StartTime%3C=x", "EndTime%3E=x"),
        "ParentCallSid=x",
    ],
)
async def test_a_laml_list(world: World, flavour: str, query: str) -> None:
    rest = world.rest(flavour)
    reply = await rest.request("GET", f"{rest.calls}?{query}")
    assert reply.status == 400
    assert reply.json["message"].startswith("Invalid ")


@pytest.mark.parametrize(
    "query",
    [
        *("Page=-1", "Page=x", "Page=3", "PageSize=-1", "PageSize=2001", "StartTime=yesterday"),
        *("EndTime=2024-99-99", "SortBy=Colour", "SortBy=From:sideways"),
    ],
)
async def test_a_callapi_list(world: World, query: str) -> None:
    rest = world.rest("callapi")
    reply = await rest.request("GET", f"{rest.calls}?{query}")
    assert reply.status == 400


@pytest.mark.parametrize("query", ["direction=sideways", "callStatus=asleep"])
async def test_a_jambonz_list(world: World, query: str) -> None:
    rest = world.rest("jambonz")
    reply = await rest.request("GET", f"{rest.calls}?{query}")
    assert reply.status == 400
    assert reply.json["msg"].startswith("invalid ")


@pytest.mark.parametrize("flavour", ["signalwire", "twilio", "jambonz", "callapi"])
@pytest.mark.parametrize("text", ["%00", "%25", "%27%20OR%201=1--", "%F0%9F%98%80", "_", "x" * 5000])
async def test_a_filter_that_names_nobody_finds_nobody(world: World, flavour: str, text: str) -> None:
    await world.works(flavour)
    await world.server.settled()
    rest = world.rest(flavour)
    name = "from" if flavour == "jambonz" else "From"
    found = await rest.get(f"{rest.calls}?{name}={text}")
    assert (found if flavour == "jambonz" else found["calls"]) == []


# -- changes


@pytest.mark.parametrize("flavour", ["signalwire", "twilio", "jambonz", "callapi"])
async def test_a_call_that_is_over_cannot_be_changed(world: World, flavour: str) -> None:
    await world.works(flavour)
    await world.server.settled()
    sid = str((await world.records())[0].id)
    rest = world.rest(flavour)
    hook = f"{world.app.url}/never"
    if flavour == "jambonz":
        reply = await rest.request("PUT", rest.call(sid), json={"call_hook": hook})
    else:
        reply = await rest.request("POST", rest.call(sid), data={"Url": hook})
    assert reply.status == {"jambonz": 422, "callapi": 410}.get(flavour, 400)
    assert world.requests("/never") == []


@pytest.mark.parametrize(
    ("flavour", "change", "status"),
    [
        ("twilio", {"Status": "paused"}, 400),
        ("twilio", {"Url": "nowhere"}, 400),
        ("twilio", {"Twiml": "<Response>"}, 400),
        ("signalwire", {"Status": "paused"}, 400),
        ("callapi", {"Status": "paused"}, 400),
        ("callapi", {"Mute": "perhaps"}, 400),
        ("callapi", {"Url": "nowhere"}, 400),
        ("callapi", {}, 409),
        ("jambonz", {}, 400),
        ("jambonz", {"call_status": "paused"}, 400),
        ("jambonz", {"call_hook": 5}, 400),
        ("jambonz", {"mute_status": "mute", "tag": {}}, 400),
        ("jambonz", {"tag": "text"}, 400),
        ("jambonz", {"dtmf": {"digit": "x"}}, 400),
        ("jambonz", {"whisper": {"verb": "say"}}, 400),
        ("jambonz", {"whisper": {"verb": "gather"}}, 400),
        ("jambonz", {"record": {"action": "begin"}}, 400),
        ("jambonz", {"record": {"action": "startCallRecording"}}, 400),
        ("jambonz", {"sip_request": {"method": "BYE", "content_type": "a/b", "content": "c"}}, 400),
        ("jambonz", {"boostAudioSignal": "loud"}, 400),
        ("jambonz", {"dub": {"action": "addTrack", "track": "a"}}, 400),
        ("jambonz", {"listen_status": "pause"}, 422),
        ("jambonz", {"conf_mute_status": "mute"}, 422),
        ("jambonz", {"child_call_hook": "http://app.example/child"}, 422),
    ],
    ids=str,
)
async def test_a_change_that_makes_no_sense(
    world: World, flavour: str, change: dict[str, Any], status: int
) -> None:
    """The call goes on as if nothing had been said."""
    number = world.number("twilio", '<Response><Gather timeout="60"/></Response>')
    rest = world.rest(flavour)
    async with world.server.phone() as phone:
        call = await phone.call(number)
        await call.answered()
        sid = str((await world.record(call)).id)
        body: dict[str, Any] = {"json": change} if flavour == "jambonz" else {"data": change}
        method = "PUT" if flavour == "jambonz" else "POST"
        reply = await rest.request(method, rest.call(sid), **body)
        assert reply.status == status, reply.text
        assert (await world.record(call)).status == "in-progress"
