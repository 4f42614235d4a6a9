"""Every field of jambonz's webhooks, as they go over the wire; in JSON each with its type."""

from __future__ import annotations

import json

import pytest
from tests.fields import scenarios
from tests.fields.scenarios import CALLER, CALLER_NAME, Heard, Scenario, name_of
from tests.fields.table import COUNT, HEX, HOST_PORT, UUID, Field, check, column, same
from tests.world import TRUNK, World

from ringback.testing.kit import Asked

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUS = "trying|ringing|early-media|in-progress|completed|failed|busy|no-answer"

CALL_INFO = (
    Field("call_sid", UUID),
    Field("account_sid", UUID),
    Field("application_sid", UUID),
    Field("direction", "inbound|outbound"),
    Field("from", r"\+\d{11}|alice"),
    Field("to", r"\+\d{11}|sip:\w+@127\.0\.0\.1:\d+"),
    Field("caller_name", f"|{CALLER_NAME}"),
    Field("call_id", r"\S+"),
    Field("sbc_callid", r"\S+"),
    Field("sip_status", r"[1-6]\d\d", type=int),
    Field("sip_reason", r"[A-Z][A-Za-z ]+"),
    Field("call_status", STATUS),
    Field("trace_id", HEX),
    Field("api_base_url", r"http://127\.0\.0\.1:\d+/v1"),
    Field("fs_sip_address", HOST_PORT, "inbound"),
    Field("originating_sip_ip", r"127\.0\.0\.1", "inbound"),
    Field("originating_sip_trunk_name", TRUNK, "trunk"),
)

NEW_CALL = (
    *CALL_INFO,
    Field("has_recording", "false", type=bool),
    Field("service_provider_sid", UUID),
    Field("local_sip_address", HOST_PORT, "inbound"),
    Field("defaults", "", "json", type=dict),
    Field("env_vars", "", "json configured", type=dict),
    Field("sip", "", "json inbound", type=dict),
)

ACTION = (
    *CALL_INFO,
    Field("digits", "7"),
    Field("reason", "dtmfDetected"),
)

CALLBACK = (
    *CALL_INFO,
    Field("duration", COUNT, "ended", type=int),
    Field("call_termination_by", "caller|jambonz", "ended"),
    Field("headers", "", "ended by-caller", type=dict),
)

SIP_REQUEST = {
    "headers": dict,
    "raw": str,
    "body": str,
    "method": str,
    "version": str,
    "uri": str,
    "payload": list,
    "type": str,
    "source": str,
    "source_address": str,
    "source_port": str,
    "protocol": str,
    "calledNumber": str,
    "callingNumber": str,
}


def check_all(heard: Heard, *tags: str) -> None:
    """Every request against its table, and what all have in common."""
    for asked in heard.voice:
        check(asked, NEW_CALL, (*tags, "json") if asked.method == "POST" else tags)
    for asked in heard.action:
        check(asked, ACTION, tags)
    for asked in heard.status:
        ended = asked.fields["call_status"] not in ("trying", "ringing", "early-media", "in-progress")
        check(asked, CALLBACK, (*tags, "ended") if ended else tags)
    for asked in [asked for asked in heard.status if "headers" in asked.fields]:
        # of the BYE or CANCEL, without what proves who sent it
        assert {"call_id", "cseq", "via"} <= asked.fields["headers"].keys()
        assert not [name for name in asked.fields["headers"] if "authorization" in name]
    everything = [*heard.voice, *heard.action, *heard.status]
    same(everything, "call_sid", "account_sid", "application_sid", "from", "to", "direction", "call_id")
    for asked in everything:
        assert asked.headers["user-agent"] == "jambonz"
        assert asked.headers["jambonz-signature"]


async def test_a_device_calls(world: World) -> None:
    heard = await scenarios.from_device(world, "jambonz")
    check_all(heard, "inbound", "device", "configured")
    assert column(heard.voice, "call_status") == ["trying"]
    assert column(heard.voice, "env_vars") == [{"GREETING": "hello"}]
    sip = heard.voice[0].fields["sip"]
    assert "proxy-authorization" not in sip["headers"]  # the device's own business
    assert "response=" not in sip["raw"]
    assert column(heard.action, "call_status") == ["in-progress"]
    assert column(heard.status, "call_status") == ["trying", "in-progress", "completed"]
    assert column(heard.status, "sip_status") == [100, 200, 200]
    assert column(heard.status, "sip_reason") == ["Trying", "OK", "OK"]


async def test_a_carrier_calls(world: World) -> None:
    heard = await scenarios.from_trunk(world, "jambonz")
    check_all(heard, "inbound", "trunk", "configured")
    assert column(heard.voice, "from") == [CALLER]
    assert column(heard.voice, "caller_name") == [CALLER_NAME]
    check_sip_request(heard.voice[0])


def check_sip_request(asked: Asked) -> None:
    """The INVITE as it came, each part with its type."""
    sip = asked.fields["sip"]
    assert {name: type(value) for name, value in sip.items()} == SIP_REQUEST
    assert sip["method"] == "INVITE"
    assert sip["raw"].startswith(f"INVITE {sip['uri']} SIP/2.0\r\n")
    assert sip["raw"].endswith(sip["body"])
    assert sip["headers"]["x-customer"] == "7"
    assert sip["headers"]["call-id"] == asked.fields["call_id"]
    assert sip["payload"] == [{"type": "application/sdp", "content": sip["body"]}]
    assert (sip["calledNumber"], sip["callingNumber"]) == (asked.fields["to"], CALLER)
    assert sip["protocol"] == "udp"
    json.dumps(sip)


# scenario: the statuses told of an inbound call, the final SIP status, who ended it
ENDINGS: list[tuple[Scenario, list[str], int, str]] = [
    (scenarios.left_by_caller, ["trying", "in-progress", "completed"], 200, "caller"),
    (scenarios.abandoned, ["trying", "no-answer"], 487, "caller"),
    (scenarios.rejected, ["trying", "failed"], 486, "jambonz"),
]


@pytest.mark.parametrize(("scenario", "statuses", "sip_status", "by"), ENDINGS, ids=name_of)
async def test_an_inbound_call_ends(
    world: World, scenario: Scenario, statuses: list[str], sip_status: int, by: str
) -> None:
    heard = await scenario(world, "jambonz")
    by_caller = ("by-caller",) if by == "caller" else ()
    check_all(heard, "inbound", "device", "configured", *by_caller)
    assert column(heard.status, "call_status") == statuses
    last = heard.status[-1].fields
    assert (last["sip_status"], last["call_termination_by"]) == (sip_status, by)


# scenario: the statuses told, the final SIP status, who ended it
OUTCOMES: list[tuple[Scenario, list[str], int, str]] = [
    (scenarios.answered, ["trying", "ringing", "in-progress", "completed"], 200, "jambonz"),
    (scenarios.answered_by_get, ["trying", "ringing", "in-progress", "completed"], 200, "jambonz"),
    (scenarios.busy, ["trying", "ringing", "busy"], 486, "caller"),
    (scenarios.failed, ["trying", "failed"], 404, "caller"),
    (scenarios.unanswered, ["trying", "ringing", "no-answer"], 487, "jambonz"),
    (scenarios.cancelled, ["trying", "ringing", "no-answer"], 487, "jambonz"),
]


@pytest.mark.parametrize(("scenario", "statuses", "sip_status", "by"), OUTCOMES, ids=name_of)
async def test_a_call_is_placed(
    world: World, scenario: Scenario, statuses: list[str], sip_status: int, by: str
) -> None:
    heard = await scenario(world, "jambonz")
    check_all(heard, "outbound")
    assert column(heard.voice, "call_status") == (["in-progress"] if "in-progress" in statuses else [])
    assert column(heard.status, "call_status") == statuses
    last = heard.status[-1].fields
    assert str(last["sip_status"]) == str(sip_status)
    assert last["call_termination_by"] == by
    assert str(last["duration"]) == "0"
