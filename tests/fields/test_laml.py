"""Every field of LaML's webhooks, in both profiles, as they go over the wire."""

from __future__ import annotations

import pytest
from tests.fields import scenarios
from tests.fields.scenarios import CALLER, CALLER_NAME, DIVERTED_FROM, Heard, Scenario, method_of, name_of
from tests.fields.table import COUNT, HEX, RFC_2822, SIP_URI, UUID, Field, check, column, same
from tests.world import LAML, World

from ringback.testing.kit import Asked

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUS = "ringing|in-progress|initiated|completed|busy|failed|no-answer|canceled"
DIRECTION = "inbound|outbound-api"
ADDRESS = rf"{SIP_URI}|\+\d{{11}}"

CORE = (
    Field("CallSid", UUID, "signalwire"),
    Field("CallSid", f"CA{HEX}", "twilio"),
    Field("AccountSid", UUID, "signalwire"),
    Field("AccountSid", f"AC{HEX}", "twilio"),
    Field("ApiVersion", r"2010-04-01"),
    Field("From", ADDRESS),
    Field("To", ADDRESS),
    Field("CallStatus", STATUS),
    Field("Direction", DIRECTION),
    Field("ForwardedFrom", r"\+18005550199", "trunk"),
    Field("CallerName", CALLER_NAME, "trunk"),
)

DOCUMENT = (
    *CORE,
    Field("Caller", ADDRESS),
    Field("Called", ADDRESS),
    Field("SipCallId", r"\S+"),
    Field("SipHeader_X-Customer", "7", "trunk"),
    Field("ApplicationSid", f"AP{HEX}", "twilio inbound"),
    Field("SipDomain", r"127\.0\.0\.1", "twilio inbound"),
    Field("SipSourceIp", r"127\.0\.0\.1", "twilio inbound"),
    Field("SipUsername", "alice", "twilio device"),
    Field("Digits", "7", "action"),
    Field("FinishedOnKey", "#", "twilio action"),
)

CALLBACK = (
    *CORE,
    Field("Caller", ADDRESS, "twilio"),
    Field("Called", ADDRESS, "twilio"),
    Field("Timestamp", RFC_2822),
    Field("CallbackSource", "call-progress-events"),
    Field("SequenceNumber", COUNT),
    Field("CallDuration", COUNT, "ended"),
    Field("Duration", COUNT, "ended twilio"),
    Field("SipResponseCode", r"\d{3}", "ended twilio"),
    Field("SipResultCode", r"\d{3}", "ended signalwire"),
    Field("SipInviteResultPhrase", r"[A-Z][A-Za-z ]+", "ended signalwire"),
    Field("HangupBy", rf"{ADDRESS}|sip:\S+", "ended signalwire"),
    Field("HangupDirection", "inbound|outbound", "ended signalwire"),
    Field("AudioInMos", r"0\.0|[1-4]\.\d", "ended signalwire"),
    Field("AudioInAveragePtime", "20", "ended signalwire"),
    Field("AudioInMediaPacketCount", COUNT, "ended signalwire"),
    Field("AudioInDtmfPacketCount", COUNT, "ended signalwire"),
    Field("AudioInFlushPacketCount", COUNT, "ended signalwire"),
    Field("AudioInSkipPacketCount", COUNT, "ended signalwire"),
    Field("AudioInLargestJbSize", COUNT, "ended signalwire"),
    Field("AudioInJitterMinVariance", COUNT, "ended signalwire"),
    Field("AudioInJitterMaxVariance", COUNT, "ended signalwire"),
    Field("AudioOutMediaPacketCount", COUNT, "ended signalwire"),
    Field("AudioOutDtmfPacketCount", COUNT, "ended signalwire"),
)


def check_all(heard: Heard, *tags: str) -> None:
    """Every request against its table, and what all have in common."""
    for asked in heard.voice:
        check(asked, DOCUMENT, tags)
    for asked in heard.action:
        check(asked, DOCUMENT, (*tags, "action"))
    for asked in heard.status:
        ended = asked.fields["CallStatus"] not in ("initiated", "ringing", "in-progress")
        check(asked, CALLBACK, (*tags, "ended") if ended else tags)
    same(everything(heard), "CallSid", "AccountSid", "From", "To", "Direction")
    for asked in everything(heard):
        if "get" in tags:
            assert (asked.method, asked.body) == ("GET", b"")
            continue
        assert asked.method == "POST"
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded; charset=UTF-8"


def everything(heard: Heard) -> list[Asked]:
    """All requests of a call."""
    return [*heard.voice, *heard.action, *heard.status]


@pytest.mark.parametrize("profile", LAML)
async def test_a_device_calls(world: World, profile: str) -> None:
    heard = await scenarios.from_device(world, profile)
    check_all(heard, profile, "inbound", "device")
    assert column(heard.voice, "CallStatus") == ["ringing"]
    assert column(heard.action, "CallStatus") == ["in-progress"]
    assert column(heard.status, "CallStatus") == ["completed"]
    assert column(heard.status, "SequenceNumber") == ["3"]
    assert heard.voice[0].fields["From"].startswith("sip:alice@")


@pytest.mark.parametrize("profile", LAML)
async def test_a_carrier_calls(world: World, profile: str) -> None:
    heard = await scenarios.from_trunk(world, profile)
    check_all(heard, profile, "inbound", "trunk")
    assert heard.voice[0].fields["From"] == CALLER
    assert heard.voice[0].fields["ForwardedFrom"] == DIVERTED_FROM


# scenario: how an inbound call ended, in both profiles, and the SIP status
ENDINGS: list[tuple[Scenario, str, str, str]] = [
    (scenarios.left_by_caller, "completed", "200", "inbound"),
    (scenarios.abandoned, "no-answer", "487", "inbound"),
    (scenarios.rejected, "busy", "486", "outbound"),
]


@pytest.mark.parametrize("profile", LAML)
@pytest.mark.parametrize(("scenario", "status", "sip_status", "way"), ENDINGS, ids=name_of)
async def test_an_inbound_call_ends(
    world: World, profile: str, scenario: Scenario, status: str, sip_status: str, way: str
) -> None:
    heard = await scenario(world, profile)
    check_all(heard, profile, "inbound", "device")
    assert column(heard.status, "CallStatus") == [status]
    last = heard.status[-1].fields
    assert last["SipResultCode" if profile == "signalwire" else "SipResponseCode"] == sip_status
    if profile == "signalwire":
        assert last["HangupDirection"] == way
        assert last["HangupBy"] == last["From" if way == "inbound" else "To"]


# scenario: the statuses called back, in order, and the final SIP status
OUTCOMES: list[tuple[Scenario, list[str], str]] = [
    (scenarios.answered, ["initiated", "ringing", "in-progress", "completed"], "200"),
    (scenarios.answered_by_get, ["initiated", "ringing", "in-progress", "completed"], "200"),
    (scenarios.busy, ["initiated", "ringing", "busy"], "486"),
    (scenarios.failed, ["initiated", "failed"], "404"),
    (scenarios.unanswered, ["initiated", "ringing", "no-answer"], "487"),
    (scenarios.cancelled, ["initiated", "ringing", "canceled"], "487"),
]


@pytest.mark.parametrize("profile", LAML)
@pytest.mark.parametrize(("scenario", "statuses", "sip_status"), OUTCOMES, ids=name_of)
async def test_a_call_is_placed(
    world: World, profile: str, scenario: Scenario, statuses: list[str], sip_status: str
) -> None:
    heard = await scenario(world, profile)
    check_all(heard, profile, "outbound", *method_of(scenario))
    assert column(heard.voice, "CallStatus") == (["in-progress"] if "in-progress" in statuses else [])
    assert column(heard.status, "CallStatus") == statuses
    assert column(heard.status, "SequenceNumber") == [str(number) for number in range(len(statuses))]
    last = heard.status[-1].fields
    assert last["Direction"] == "outbound-api"
    assert last["CallDuration"] == "0"
    assert last["SipResultCode" if profile == "signalwire" else "SipResponseCode"] == sip_status
