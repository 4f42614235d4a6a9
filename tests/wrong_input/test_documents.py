"""Documents that cannot be used: what the caller gets, what the call's record and time line say."""

from __future__ import annotations

import pytest
from tests.world import FLAVOURS, World
from tests.wrong_input.failures import Outcome, json, outcomes, reply, spoken_to

from ringback.calls.timeline import lines_of
from ringback.testing.kit import Answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENTITIES = "".join(
    f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in zip("abcdefghi", "bcdefghij", strict=True)
)
BOMB = f'<!DOCTYPE r [<!ENTITY a "ha">{ENTITIES}]><Response><Say>&j;</Say></Response>'
EXTERNAL = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Response><Say>&x;</Say></Response>'
PARAMETER = '<!DOCTYPE r SYSTEM "http://169.254.169.254/x.dtd"><Response/>'

DOCUMENTS: dict[str, Answer] = {
    "not well formed": reply("<Response><Say>"),
    "entity bomb": reply(BOMB),
    "external entity": reply(EXTERNAL),
    "external document type": reply(PARAMETER),
    "wrong root": reply("<Answer/>"),
    "65 KB": reply(f"<Response><!-- {'x' * 65 * 1024} --></Response>"),
    "too deep": reply("<a>" * 5000),
    "too many": reply(f"<Response>{'<Pause/>' * 5000}</Response>"),
    "no characters": reply(b"\xff\xfe<"),
    "wrong charset": reply(b"<Response>\xe9</Response>", "text/xml; charset=utf-8"),
    "made up charset": reply("<Response/>", "text/xml; charset=klingon"),
    "nothing": reply(),
    "spaces": reply("  \n "),
    "json": json("{}"),
    "no type": reply("<Response/>", ""),
    "image": reply(b"\x89PNG", "image/png"),
    "says nothing": reply("<Response/>"),
    "unknown verb": reply("<Response><Sing/></Response>"),
    "unknown attribute": reply('<Response><Reject loudness="11"/></Response>'),
    "verb not built": reply("<Response><Enqueue>support</Enqueue></Response>"),
    "address that is none": reply("<Response><Redirect>http://[::1</Redirect></Response>"),
    "address that is forbidden": reply("<Response><Redirect>http://169.254.169.254/</Redirect></Response>"),
}

FAILED = "failed"

SIGNALWIRE = {
    **dict.fromkeys(DOCUMENTS, Outcome(500, FAILED, "12100")),
    "65 KB": Outcome(500, FAILED, "11750"),
    "nothing": Outcome(500, FAILED, "11770"),
    "spaces": Outcome(500, FAILED, "11770"),
    "json": Outcome(500, FAILED, "12300"),
    "no type": Outcome(500, FAILED, "12300"),
    "image": Outcome(500, FAILED, "12300"),
    "says nothing": Outcome(603, "rejected", ""),
    "verb not built": Outcome(500, FAILED, "13750"),
    "address that is none": Outcome(500, FAILED, "11100"),
    "address that is forbidden": Outcome(500, FAILED, "11200"),
}

TWILIO = {
    **SIGNALWIRE,
    "wrong root": Outcome(500, FAILED, "12102"),
    "unknown verb": Outcome(603, "rejected", "12200"),
    "unknown attribute": Outcome(603, "rejected", "12200"),
}

CALLAPI = {
    **dict.fromkeys(DOCUMENTS, Outcome(500, FAILED, "12100")),
    "65 KB": Outcome(500, FAILED, "11200"),
    "json": Outcome(500, FAILED, "12300"),
    "no type": Outcome(500, FAILED, "12300"),
    "image": Outcome(500, FAILED, "12300"),
    "unknown attribute": Outcome(603, "rejected", "12200"),
    "verb not built": Outcome(500, FAILED, "13750"),
    "address that is none": Outcome(500, FAILED, "11100"),
    "address that is forbidden": Outcome(200, FAILED, "11200"),  # Redirect answers first
}


@pytest.mark.parametrize(
    ("flavour", "expected"), [("signalwire", SIGNALWIRE), ("twilio", TWILIO), ("callapi", CALLAPI)]
)
async def test_xml(world: World, flavour: str, expected: dict[str, Outcome]) -> None:
    assert await outcomes(world, flavour, DOCUMENTS) == expected
    await world.works(flavour)


ARRAYS: dict[str, Answer] = {
    "not json": json("{"),
    "an object": json('{"verb": "say", "text": "hello"}'),
    "a text": json('"say"'),
    "nonsense": json('[1, "x", null, [[]]]'),
    "empty": json("[]"),
    "null": json("null"),
    "nothing": json(""),
    "markup": reply("<Response/>"),
    "unknown verb": json('[{"verb": "sing"}]'),
    "no verb": json('[{"text": "hello"}]'),
    "wrong type": json('[{"verb": "say", "text": 5}]'),
    "missing property": json('[{"verb": "play"}]'),
    "unknown property": json('[{"verb": "answer", "loudness": 11}]'),
    "wrong word": json('[{"verb": "gather", "input": ["smell"], "actionHook": "/x"}]'),
    "too many": [{"verb": "pause", "length": 0}] * 501,
    "too deep": json("[" * 100_000),
    "too large": [{"verb": "say", "text": "x" * 600 * 1024}],
    "header injection": json('[{"verb": "sip:decline", "status": 486, "headers": {"X-A": "1\\r\\nB: 2"}}]'),
    "header of the protocol": json('[{"verb": "sip:decline", "status": 486, "headers": {"Via": "x"}}]'),
    "impossible status": json('[{"verb": "sip:decline", "status": 200}]'),
    "no target": json('[{"verb": "dial", "target": []}]'),
    "wrong target": json('[{"verb": "dial", "target": [{"type": "sip", "sipUri": "bob"}]}]'),
    "keys without hook": json(
        '[{"verb": "dial", "target": [{"type": "phone", "number": "1"}], "dtmfCapture": ["*1"]}]'
    ),
    "method of the dialog": json('[{"verb": "sip:request", "method": "BYE"}]'),
    "wrong refer": json('[{"verb": "sip:refer", "referTo": "sip:"}]'),
    "wrong recording": json('[{"verb": "config", "record": {"action": "begin"}}]'),
    "verb not built": json('[{"verb": "conference", "name": "room"}]'),
    "part not built": json(
        '[{"verb": "dial", "target": [{"type": "phone", "number": "1"}], "listen": {"url": "wss://x/"}}]'
    ),
}

JAMBONZ = {
    **dict.fromkeys(ARRAYS, Outcome(480, FAILED, "invalid-app-payload")),
    "too large": Outcome(480, FAILED, "webhook-connection-failure"),
    "verb not built": Outcome(603, "rejected", "not-supported"),
    "part not built": Outcome(603, "rejected", "not-supported"),
}


async def test_json(world: World) -> None:
    assert await outcomes(world, "jambonz", ARRAYS) == JAMBONZ
    await world.works("jambonz")


@pytest.mark.parametrize(
    ("flavour", "header"),
    [("jambonz", "X-Reason: malformed"), ("callapi", "Reason: Problem_to_parse_downloaded_RCML")],
)
async def test_the_caller_is_told_why(world: World, flavour: str, header: str) -> None:
    number = world.number(flavour, json("<Response>") if flavour == "jambonz" else reply("<Response>"))
    async with world.server.phone() as phone:
        call = await phone.call(number)
        await call.ended()
        await world.server.settled()
    record = await world.record(call)
    lines = await lines_of(world.server.store, str(record.id))
    assert any(header in str(line.data.get("message")) for line in lines if line.kind == "sip")


# -- later documents: the call is answered, and ends with a BYE

GATHER = '<Response><Gather numDigits="1" timeout="10" action="/later"/><Pause length="1"/></Response>'
LATER: dict[str, Answer] = {
    "signalwire": GATHER,
    "twilio": GATHER,
    "callapi": GATHER,
    "jambonz": [{"verb": "gather", "input": ["digits"], "numDigits": 1, "actionHook": "/later"}],
}
LATER_OUTCOMES = {
    "signalwire": Outcome(200, "completed", "12100"),
    "twilio": Outcome(200, "completed", "12100"),
    "callapi": Outcome(200, FAILED, "12100"),
    "jambonz": Outcome(200, "completed", "invalid-app-payload"),
}


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_an_action_that_answers_nonsense(world: World, flavour: str) -> None:
    """jambonz goes on with what is left of the document; Twilio apologises first."""
    world.app.reply("/later", json("[5]") if flavour == "jambonz" else reply("<Response>"))
    number = world.number(flavour, LATER[flavour])
    async with world.server.phone() as phone:
        call = await phone.call(number)
        await call.answered()
        await call.press("1")
        if flavour == "twilio":
            await spoken_to(call)
            call.hang_up()
        assert await call.ended() in ("remote", "local")
        await world.server.settled()
    record = await world.record(call)
    (note,) = await world.notes(record.id)
    assert Outcome(call.status, str(record.status), note.code) == LATER_OUTCOMES[flavour]
    await world.works(flavour)
