"""Every field of CallAPI's webhooks, as they go over the wire."""

from __future__ import annotations

import pytest
from tests.fields import scenarios
from tests.fields.scenarios import CALLER, CALLER_NAME, DIVERTED_FROM, Heard, Scenario, method_of, name_of
from tests.fields.table import COUNT, HEX, ISO_8601, RFC_2822, Field, check, column, same
from tests.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUS = "ringing|in-progress|initiated|completed|busy|failed|no-answer|canceled"

VOICE = (
    Field("CallSid", f"ID{HEX}-CA{HEX}"),
    Field("InstanceId", f"ID{HEX}"),
    Field("AccountSid", f"AC{HEX}"),
    Field("From", r"\d{11}|[a-z]+"),
    Field("To", r"\d{11}|[a-z]+"),
    Field("CallStatus", STATUS),
    Field("ApiVersion", "2012-04-24"),
    Field("Direction", "inbound|outbound-api"),
    Field("CallerName", rf"{CALLER_NAME}|\d{{11}}|[a-z]+"),
    Field("ForwardedFrom", r"null", "-trunk"),
    Field("ForwardedFrom", r"\+18005550199", "trunk"),
    Field("CallTimestamp", ISO_8601),
    Field("PostStatus", "new|callback"),
    Field("SipHeader_X-Customer", "7", "trunk"),
    Field("SipHeader_Diversion", r"<sip:\+18005550199@example\.com>;reason=no-answer", "trunk"),
    Field("Digits", "7", "action"),
)

CALLBACK = (
    *VOICE,
    Field("CallDuration", COUNT, "ended"),
    Field("Timestamp", RFC_2822),
    Field("CallbackSource", "call-progress-events"),
    Field("SequenceNumber", "[0-3]"),
)


def check_all(heard: Heard, *tags: str) -> None:
    """Every request against its table, and what all have in common."""
    for asked in heard.voice:
        check(asked, VOICE, tags)
    for asked in heard.action:
        check(asked, VOICE, (*tags, "action"))
    for asked in heard.status:
        ended = asked.fields["CallStatus"] not in ("initiated", "ringing", "in-progress")
        check(asked, CALLBACK, (*tags, "ended") if ended else tags)
    everything = [*heard.voice, *heard.action, *heard.status]
    same(everything, "CallSid", "InstanceId", "AccountSid", "From", "To", "Direction", "CallTimestamp")
    assert column(heard.voice, "PostStatus") == ["new"] * len(heard.voice)
    for asked in [*heard.action, *heard.status]:
        assert asked.fields["PostStatus"] == "callback"
    for asked in everything:
        if "get" in tags:
            assert (asked.method, asked.body) == ("GET", b"")
            continue
        assert asked.method == "POST"
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded; charset=UTF-8"
        assert not [name for name in asked.headers if "signature" in name]


async def test_a_device_calls(world: World) -> None:
    heard = await scenarios.from_device(world, "callapi")
    check_all(heard, "inbound", "device")
    assert column(heard.voice, "CallStatus") == ["ringing"]
    assert column(heard.voice, "CallerName") == ["alice"]
    assert column(heard.action, "CallStatus") == ["in-progress"]
    assert column(heard.status, "CallStatus") == ["ringing", "in-progress", "completed"]
    assert column(heard.status, "SequenceNumber") == ["1", "2", "3"]


async def test_a_carrier_calls(world: World) -> None:
    heard = await scenarios.from_trunk(world, "callapi")
    check_all(heard, "inbound", "trunk")
    assert column(heard.voice, "From") == [CALLER.removeprefix("+")]
    assert column(heard.voice, "CallerName") == [CALLER_NAME]
    assert column(heard.voice, "ForwardedFrom") == [DIVERTED_FROM]


# scenario: the statuses called back of an inbound call, and their numbers
ENDINGS: list[tuple[Scenario, list[str], list[str]]] = [
    (scenarios.left_by_caller, ["ringing", "in-progress", "completed"], ["1", "2", "3"]),
    (scenarios.abandoned, ["ringing", "canceled"], ["1", "2"]),
    (scenarios.rejected, ["ringing", "busy"], ["1", "2"]),
]


@pytest.mark.parametrize(("scenario", "statuses", "numbers"), ENDINGS, ids=name_of)
async def test_an_inbound_call_ends(
    world: World, scenario: Scenario, statuses: list[str], numbers: list[str]
) -> None:
    heard = await scenario(world, "callapi")
    check_all(heard, "inbound", "device")
    assert column(heard.status, "CallStatus") == statuses
    assert column(heard.status, "SequenceNumber") == numbers


# scenario: the statuses called back, in order
OUTCOMES: list[tuple[Scenario, list[str]]] = [
    (scenarios.answered, ["initiated", "ringing", "in-progress", "completed"]),
    (scenarios.answered_by_get, ["initiated", "ringing", "in-progress", "completed"]),
    (scenarios.busy, ["initiated", "ringing", "busy"]),
    (scenarios.failed, ["initiated", "failed"]),
    (scenarios.unanswered, ["initiated", "ringing", "no-answer"]),
    (scenarios.cancelled, ["initiated", "ringing", "canceled"]),
]


@pytest.mark.parametrize(("scenario", "statuses"), OUTCOMES, ids=name_of)
async def test_a_call_is_placed(world: World, scenario: Scenario, statuses: list[str]) -> None:
    heard = await scenario(world, "callapi")
    check_all(heard, "outbound", *method_of(scenario))
    assert column(heard.voice, "CallStatus") == (["in-progress"] if "in-progress" in statuses else [])
    assert column(heard.status, "CallStatus") == statuses
    assert column(heard.status, "SequenceNumber") == [str(number) for number in range(len(statuses))]
    assert heard.status[-1].fields["CallDuration"] == "0"
    assert heard.status[-1].fields["CallerName"] == "14155550100"
