"""The REST surface over real HTTP: every parameter, filter and error of both profiles."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from tests.dialects.laml.conftest import Api, Log
from tests.dialects.laml.making import (
    AC_SID,
    ACCOUNT,
    APP,
    BARE_NUMBER,
    CALL_ID,
    JAMBONZ_APP,
    NOON,
    NUMBER,
    OTHER,
    OTHERS_APP,
    OTHERS_NUMBER,
    UUID_SID,
    FakeCalls,
    ended,
    record,
)

from ringback.calls.control import CallerNotOwned, Overloaded, Unroutable
from ringback.calls.events import Noted, encode, kind_of
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import HangUp, Hook, Note, Say
from ringback.dialects.laml.settings import Settings
from ringback.dialects.laml.webhook import LamlApplication
from ringback.store import StoredEvent

SW = f"/api/laml/2010-04-01/Accounts/{UUID_SID}"
TW = f"/2010-04-01/Accounts/{AC_SID}"
CALL = {"To": "+14155550123", "From": "+14155550100", "Url": "http://app.test/voice"}
CA_SID = f"CA{CALL_ID.hex}"

NOBODYS = UUID("00000000-0000-4000-8000-00000000dead")
"""A SID that nothing has; the same in every process, since names of test cases are made of it."""


def settings_of(calls: FakeCalls) -> Settings:
    application = calls.requests[-1].application
    assert isinstance(application, LamlApplication)
    return application.settings


# -- creating


async def test_a_call_is_created_with_signalwires_shape(api: Api, calls: FakeCalls) -> None:
    status, body = await api("POST", f"{SW}/Calls", UUID_SID, data=CALL)
    assert status == 200
    (request,) = calls.requests
    assert (request.to.kind, request.to.address) == ("number", "+14155550123")
    assert (request.from_, request.caller_id, request.from_host) == ("+14155550100", None, None)
    assert (request.ring_timeout, request.time_limit, request.send_digits) == (60.0, 14400.0, None)
    assert request.document is None
    assert settings_of(calls) == Settings(profile="signalwire", voice_url="http://app.test/voice")
    assert body == {
        "sid": body["sid"],
        "account_sid": UUID_SID,
        "date_created": "Sun, 01 Mar 2026 12:00:00 +0000",
        "date_updated": "Sun, 01 Mar 2026 12:00:00 +0000",
        "parent_call_sid": None,
        "to": "+14155550123",
        "formatted_to": "(415) 555-0123",
        "to_formatted": "(415) 555-0123",
        "from": "+14155550100",
        "formatted_from": "(415) 555-0100",
        "from_formatted": "(415) 555-0100",
        "phone_number_sid": None,
        "status": "queued",
        "start_time": None,
        "end_time": None,
        "duration": 0,
        "price": None,
        "price_unit": "USD",
        "direction": "outbound",
        "answered_by": None,
        "api_version": "2010-04-01",
        "forwarded_from": None,
        "caller_name": None,
        "uri": f"{SW}/Calls/{body['sid']}.json",
        "subresource_uris": {"notifications": None, "recordings": f"{SW}/Calls/{body['sid']}/Recordings"},
        "annotation": None,
        "group_sid": None,
        "audio_in_mos": None,
        "sip_result_code": None,
        "audio_rtt_avg": None,
        "audio_rtt_min": None,
        "audio_rtt_max": None,
        "audio_out_jitter_min": None,
        "audio_out_jitter_max": None,
        "audio_out_jitter_avg": None,
        "audio_out_lost": None,
    }
    assert UUID(body["sid"]) in calls.records


async def test_a_call_is_created_with_twilios_shape(api: Api, calls: FakeCalls) -> None:
    status, body = await api("POST", f"{TW}/Calls.json", AC_SID, data=CALL)
    assert status == 201
    assert settings_of(calls).profile == "twilio"
    sid = body["sid"]
    assert sid.startswith("CA")
    assert body["account_sid"] == AC_SID
    assert (body["status"], body["direction"], body["duration"], body["price"]) == (
        "queued",
        "outbound-api",
        None,
        None,
    )
    assert (body["date_created"], body["queue_time"], body["trunk_sid"]) == (None, "0", None)
    assert body["uri"] == f"{TW}/Calls/{sid}.json"
    assert body["subresource_uris"]["notifications"] == f"{TW}/Calls/{sid}/Notifications.json"
    assert len(body["subresource_uris"]) == 9
    assert "formatted_to" not in body
    assert "audio_in_mos" not in body


async def test_every_parameter_of_a_call(api: Api, calls: FakeCalls) -> None:
    given = {
        "To": "sip:bob@example.test?X-Order=7",
        "From": "client:shop",
        "Url": "http://app.test/voice",
        "Method": "get",
        "FallbackUrl": "http://app.test/fallback",
        "FallbackMethod": "GET",
        "StatusCallback": "http://app.test/status",
        "StatusCallbackMethod": "GET",
        "StatusCallbackEvent": ["initiated", "answered", "nonsense"],
        "SendDigits": "1w2W#",
        "Timeout": "30",
        "TimeLimit": "600",
        "CallerId": "+14155550100",
        "Record": "false",
        "RecordingChannels": "dual",
        "RecordingTrack": "both",
        "RecordingStatusCallback": "http://app.test/r",
        "RecordingStatusCallbackMethod": "POST",
        "RecordingStatusCallbackEvent": "completed",
        "Trim": "do-not-trim",
        "SipAuthUsername": "u",
        "SipAuthPassword": "p",
        "MachineDetection": "none",
        "MachineDetectionTimeout": "30",
        "MachineWordsThreshold": "6",
        "AsyncAmd": "false",
        "MaxPricePerMinute": "0.0075",
        "CallReason": "x",
        "Unknown": "ignored",
    }
    for more in (
        {"data": [(k, v) for k, vs in given.items() for v in ([vs] if isinstance(vs, str) else vs)]},
        {"json": given},
    ):
        status, body = await api("POST", f"{SW}/Calls.json", UUID_SID, **more)
        assert (status, body["from"]) == (200, "client:shop")
        request = calls.requests[-1]
        assert (request.to.kind, request.to.address) == ("sip", "sip:bob@example.test")
        assert request.to.headers == (("X-Order", "7"),)
        assert (request.to.username, request.to.password) == ("u", "p")
        assert request.to_shown == "sip:bob@example.test?X-Order=7"
        assert request.caller_id == "+14155550100"
        assert (request.ring_timeout, request.time_limit, request.send_digits) == (30.0, 600.0, "1w2W#")
        assert settings_of(calls) == Settings(
            profile="signalwire",
            voice_url="http://app.test/voice",
            voice_method="GET",
            fallback_url="http://app.test/fallback",
            fallback_method="GET",
            status_callback="http://app.test/status",
            status_callback_method="GET",
            events=("initiated", "answered"),
        )


async def test_events_may_be_words_in_one_value(api: Api, calls: FakeCalls) -> None:
    data = CALL | {"StatusCallbackEvent": "initiated ringing", "StatusCallback": "http://app.test/s"}
    await api("POST", f"{TW}/Calls", AC_SID, data=data)
    assert settings_of(calls).events == ("initiated", "ringing")


async def test_unknown_events_alone_leave_the_default(api: Api, calls: FakeCalls) -> None:
    data = CALL | {"StatusCallbackEvent": "complete hangup", "StatusCallback": "http://app.test/s"}
    await api("POST", f"{TW}/Calls", AC_SID, data=data)
    assert settings_of(calls).events == ("completed",)


@pytest.mark.parametrize("name", ["Twiml", "Laml"])
async def test_a_call_with_a_document(api: Api, calls: FakeCalls, name: str) -> None:
    data = {"To": "client:alice", "From": "shop", name: "<Response><Say>Hi</Say></Response>"}
    status, _ = await api("POST", f"{TW}/Calls.json", AC_SID, data=data)
    assert status == 201
    document = calls.requests[-1].document
    assert document is not None
    assert isinstance(document.verbs[0], Say)
    assert document.application is calls.requests[-1].application
    await api("POST", f"{TW}/Calls.json", AC_SID, data=data | CALL)
    assert calls.requests[-1].document is None  # Url wins


async def test_a_call_with_an_application(api: Api, calls: FakeCalls) -> None:
    data = {"To": "+1", "From": "+2", "ApplicationSid": f"AP{APP.id.hex}", "Url": "http://ignored.test"}
    status, _ = await api("POST", f"{SW}/Calls.json", UUID_SID, data=data)
    assert status == 200
    assert calls.requests[-1].application_id == APP.id
    settings = settings_of(calls)
    assert settings.profile == "signalwire"
    assert (settings.voice_url, settings.voice_method) == ("http://app.test/voice", "GET")
    assert settings.status_callback == "http://app.test/status"


LONG = "x" * 4001
LARGE = 10 * 1024 * 1024 + 1


@pytest.mark.parametrize(
    ("changes", "twilio", "signalwire"),
    [
        ({"To": None}, 21201, 21211),
        ({"To": " ", "Url": None, "From": None}, 21201, 21211),
        ({"To": "nobody at all"}, 21211, 21211),
        ({"To": "sip:@@"}, 21211, 21211),
        ({"Url": None, "From": None}, 21205, 21205),
        ({"Url": "/relative"}, 21205, 21205),
        ({"Url": "ftp://x.test/"}, 21205, 21205),
        ({"From": None}, 21213, 21213),
        ({"From": "a b"}, 21212, 21212),
        ({"CallerId": "a b"}, 21212, 21212),
        ({"Method": "PUT"}, 21209, 21209),
        ({"FallbackMethod": "PUT"}, 21209, 21209),
        ({"FallbackUrl": "x"}, 21205, 21205),
        ({"StatusCallback": "x"}, 21609, 21609),
        ({"StatusCallbackMethod": "x"}, 21209, 21209),
        ({"Timeout": "0"}, 21208, 21208),
        ({"Timeout": "601"}, 21208, 21208),
        ({"Timeout": "soon"}, 21208, 21208),
        ({"TimeLimit": "0"}, 20422, 20422),
        ({"SendDigits": "call me"}, 21206, 21206),
        ({"SendDigits": "1" * 33}, 21206, 21206),
        ({"SipAuthUsername": "u" * 256}, 21221, 21221),
        ({"SipAuthPassword": "u" * 256}, 21223, 21223),
        ({"SipAuthUsername": "u"}, 21225, 21225),
        ({"Record": "true"}, 20422, 20422),
        ({"Record": "perhaps"}, 20422, 20422),
        ({"MachineDetection": "Enable"}, 21234, 21234),
        ({"MachineDetection": "Guess"}, 21234, 21234),
        ({"MachineDetectionTimeout": "500"}, 21234, 21234),
        ({"RecordingChannels": "three"}, 20422, 20422),
        ({"RecordingTrack": "x"}, 20422, 20422),
        ({"Trim": "x"}, 20422, 20422),
        ({"AsyncAmd": "x"}, 20422, 20422),
        ({"MaxPricePerMinute": "cheap"}, 20422, 20422),
        ({"CallReason": "x" * 51}, 20422, 20422),
        ({"ApplicationSid": "nonsense"}, 21218, 21218),
        ({"ApplicationSid": str(NOBODYS)}, 21218, 21218),
        ({"ApplicationSid": str(JAMBONZ_APP.id)}, 21218, 21218),
        ({"ApplicationSid": str(OTHERS_APP.id)}, 21218, 21218),
        ({"Url": None, "Twiml": "<Response>"}, 12100, 20422),
        ({"Url": None, "Twiml": "words"}, 12100, 20422),
    ],
)
async def test_calls_that_are_refused(
    api: Api, calls: FakeCalls, changes: dict[str, str | None], twilio: int, signalwire: int
) -> None:
    data = {name: value for name, value in (CALL | changes).items() if value is not None}
    status, body = await api("POST", f"{TW}/Calls.json", AC_SID, data=data)
    assert (status, body["code"], body["status"]) == (400, twilio, 400)
    assert body["more_info"] == f"https://www.twilio.com/docs/errors/{twilio}"
    assert body["message"]
    status, body = await api("POST", f"{SW}/Calls", UUID_SID, data=data)
    assert status == 400
    (error,) = body["errors"]
    assert (error["code"], sorted(error)) == (str(signalwire), ["code", "message", "more_info"])
    assert calls.requests == []


async def test_twilio_bounds_the_length_of_a_document(api: Api) -> None:
    data = {"To": "+1", "From": "+2", "Twiml": f"<Response><Say>{LONG}</Say></Response>"}
    status, body = await api("POST", f"{TW}/Calls.json", AC_SID, data=data)
    assert (status, body["code"]) == (400, 20422)
    status, body = await api("POST", f"{SW}/Calls.json", UUID_SID, data=data)
    assert status == 200


async def test_nothing_leads_there_and_not_now(api: Api, calls: FakeCalls) -> None:
    calls.refuse = Unroutable("no trunk")
    status, body = await api("POST", f"{TW}/Calls.json", AC_SID, data=CALL)
    assert (status, body["code"]) == (400, 21214)
    assert "no trunk" in body["message"]
    status, body = await api("POST", f"{SW}/Calls.json", UUID_SID, data=CALL)
    assert (status, body["errors"][0]["code"]) == (400, "21214")
    calls.refuse = CallerNotOwned("not yours")
    status, body = await api("POST", f"{TW}/Calls.json", AC_SID, data=CALL)
    assert (status, body["code"]) == (400, 21210)
    calls.refuse = Overloaded("shutting down")
    status, body = await api("POST", f"{SW}/Calls.json", UUID_SID, data=CALL)
    assert (status, body["code"]) == (503, 20503)


# -- reading


async def test_an_ended_call_in_both_shapes(api: Api, calls: FakeCalls) -> None:
    calls.put(
        ended(caller_name="Jane", forwarded_from="+1", number_id=NUMBER.id, answered_by="machine_start")
    )
    status, body = await api("GET", f"{SW}/Calls/{CALL_ID}", UUID_SID)
    assert status == 200
    assert {name: body[name] for name in ("status", "duration", "direction", "answered_by")} == {
        "status": "completed",
        "duration": 62,
        "direction": "inbound",
        "answered_by": "machine",
    }
    assert body["start_time"] == "Sun, 01 Mar 2026 12:00:02 +0000"
    assert body["end_time"] == "Sun, 01 Mar 2026 12:01:04 +0000"
    assert (body["forwarded_from"], body["caller_name"]) == (None, None)
    assert body["phone_number_sid"] == str(NUMBER.id)
    assert {name: value for name, value in body.items() if name.startswith(("audio", "sip"))} == {
        "audio_in_mos": 4.4,
        "sip_result_code": "200",
        "audio_rtt_avg": 20,
        "audio_rtt_min": 10,
        "audio_rtt_max": 31,
        "audio_out_jitter_min": 1,
        "audio_out_jitter_max": 10,
        "audio_out_jitter_avg": 2,
        "audio_out_lost": 3,
    }
    status, body = await api("GET", f"{TW}/Calls/{CA_SID}.json", AC_SID)
    assert (status, body["duration"], body["direction"]) == (200, "62", "inbound")
    assert (body["forwarded_from"], body["caller_name"]) == ("+1", "Jane")
    assert body["phone_number_sid"] == f"PN{NUMBER.id.hex}"
    assert body["date_created"] == "Sun, 01 Mar 2026 12:00:00 +0000"


@pytest.mark.parametrize("sid", [str(CALL_ID), CA_SID, CALL_ID.hex, f"ID{'a' * 32}-{CA_SID}"])
async def test_every_spelling_of_a_call_is_found(api: Api, calls: FakeCalls, sid: str) -> None:
    calls.put(record())
    for path, user in ((TW, UUID_SID), (SW, AC_SID)):
        for suffix in ("", ".json"):
            status, body = await api("GET", f"{path}/Calls/{sid}{suffix}", user)
            assert (status, body["sid"]) == (200, CA_SID if path == TW else str(CALL_ID))


async def test_the_accounts_spelling_chooses_the_profile_whatever_the_prefix(
    api: Api, calls: FakeCalls
) -> None:
    calls.put(record())
    _, body = await api("GET", f"/2010-04-01/Accounts/{UUID_SID}/Calls/{CALL_ID}.json", UUID_SID)
    assert "audio_in_mos" in body
    assert body["uri"] == f"/2010-04-01/Accounts/{UUID_SID}/Calls/{CALL_ID}.json"
    _, body = await api("GET", f"/api/laml/2010-04-01/Accounts/{AC_SID}/Calls/{CA_SID}", AC_SID)
    assert body["uri"] == f"/api/laml/2010-04-01/Accounts/{AC_SID}/Calls/{CA_SID}.json"


# -- listing


async def test_pages(api: Api, calls: FakeCalls) -> None:
    made = [record(id=uuid4(), created_at=NOON + timedelta(seconds=n)) for n in range(5)]
    calls.put(*made)
    newest = [str(call.id) for call in reversed(made)]
    query = {"PageSize": "2", "To": "+14155550100"}
    _, body = await api("GET", f"{SW}/Calls", UUID_SID, params=query)
    assert sorted(body) == sorted(
        ["uri", "first_page_uri", "next_page_uri", "previous_page_uri", "page", "page_size", "calls"]
    )
    assert body["uri"] == body["first_page_uri"] == f"{SW}/Calls?To=%2B14155550100&PageSize=2&Page=0"
    assert (body["page"], body["page_size"], body["previous_page_uri"]) == (0, 2, None)
    seen = [call["sid"] for call in body["calls"]]
    # A call that arrives between two pages shifts nothing.
    anchor = calls.filters[-1]
    assert anchor.started_before is None
    pages = [body]
    while body["next_page_uri"]:
        _, body = await api("GET", body["next_page_uri"], UUID_SID)
        pages.append(body)
        seen += [call["sid"] for call in body["calls"]]
        assert calls.filters[-1].started_before is not None
    assert seen == newest
    assert [page["page"] for page in pages] == [0, 1, 2]
    _, back = await api("GET", pages[2]["previous_page_uri"], UUID_SID)
    assert back["calls"] == pages[1]["calls"]
    _, again = await api("GET", pages[1]["uri"], UUID_SID)
    assert again["calls"] == pages[1]["calls"]


async def test_twilio_counts_items(api: Api, calls: FakeCalls) -> None:
    calls.put(*(record(id=uuid4()) for _ in range(3)))
    _, body = await api("GET", f"{TW}/Calls.json?PageSize=2", AC_SID)
    assert (body["start"], body["end"]) == (0, 1)
    assert body["next_page_uri"].startswith(f"{TW}/Calls.json?PageSize=2&Page=1&PageToken=PA")
    _, body = await api("GET", body["next_page_uri"], AC_SID)
    assert (body["start"], body["end"], len(body["calls"]), body["next_page_uri"]) == (2, 2, 1, None)
    _, body = await api("GET", f"{TW}/Calls.json?Status=busy&PageSize=5000", AC_SID)
    assert (body["start"], body["end"], body["calls"], body["page_size"]) == (0, 0, [], 1000)


@pytest.mark.parametrize(
    ("query", "twilio", "signalwire"),
    [
        ("PageSize=0", 20007, 54454),
        ("PageSize=x", 20007, 54454),
        ("Page=-1", 21481, 54453),
        ("Page=1", 21481, 54453),
        ("Page=1&PageToken=zzz", 21481, 54453),
        ("Page=1&PageToken=PAzzz", 21481, 54453),
        ("Page=1&PageToken=PAOTk5OTk5OTk5OTk5OTk5OTk5LjE", 21481, 54453),
        ("Status=asleep", 20422, 20422),
        ("StartTime=yesterday", 20422, 20422),
        ("EndTime%3C=x", 20422, 20422),
        ("ParentCallSid=x", 20422, 20422),
    ],
)
async def test_lists_that_are_refused(api: Api, query: str, twilio: int, signalwire: int) -> None:
    for base, sid, code in ((TW, AC_SID, twilio), (SW, UUID_SID, signalwire)):
        status, body = await api("GET", f"{base}/Calls?{query}", sid)
        assert (status, body["code"]) == (400, code)


async def test_filters(api: Api, calls: FakeCalls) -> None:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    path = (
        f"{TW}/Calls.json?From=+14155550111&To=%2B14155550100&Status=queued&ParentCallSid={CA_SID}"
        "&StartTime%3E=2026-03-01&StartTime%3C=2026-03-02&EndTime=2026-03-01"
    )
    status, _ = await api("GET", path, AC_SID)
    assert status == 200
    which = calls.filters[-1]
    assert (which.from_, which.to, which.parent_id) == ("+14155550111", "+14155550100", CALL_ID)
    assert which.statuses == frozenset({CallStatus.QUEUED, CallStatus.INITIATED})
    assert (which.started_from, which.started_before) == (day, day + timedelta(days=2))
    assert (which.ended_from, which.ended_before) == (day, day + timedelta(days=1))
    assert which.account_id == ACCOUNT.id
    assert which.order == "newest"


# -- changing


IN_PROGRESS = record(
    status=CallStatus.IN_PROGRESS,
    answered_at=NOON,
    application_state=msgspec.to_builtins(
        Settings(
            profile="signalwire",
            voice_url="http://app.test/voice",
            status_callback="http://app.test/status",
            events=("answered", "completed"),
        )
    ),
)


async def test_a_live_call_is_sent_elsewhere(api: Api, calls: FakeCalls) -> None:
    calls.put(IN_PROGRESS)
    data = {"Url": "http://app.test/next", "Method": "GET"}
    status, body = await api("POST", f"{SW}/Calls/{CALL_ID}", UUID_SID, data=data)
    assert (status, body["sid"]) == (200, str(CALL_ID))
    ((what, how),) = calls.done
    assert (what, how["hook"]) == ("redirect", Hook(url="http://app.test/next", method="GET"))
    assert how["application"] is None  # the present one goes on, with its cookies


async def test_a_live_call_gets_a_document(api: Api, calls: FakeCalls) -> None:
    calls.put(IN_PROGRESS)
    data = {"Twiml": "<Response><Hangup/></Response>", "StatusCallback": "http://app.test/other"}
    status, _ = await api("POST", f"{TW}/Calls/{CA_SID}.json", AC_SID, data=data)
    assert status == 200
    how = calls.done[0][1]
    assert isinstance(how["document"].verbs[0], HangUp)
    settings = how["application"].settings
    assert settings.profile == "signalwire"  # the call keeps its creator's
    assert (settings.status_callback, settings.events) == ("http://app.test/other", ("answered", "completed"))
    assert settings.voice_url == "http://app.test/voice"


async def test_only_the_callbacks_change(api: Api, calls: FakeCalls) -> None:
    calls.put(IN_PROGRESS)
    data = {"StatusCallback": "http://app.test/other", "FallbackUrl": "http://app.test/f"}
    status, _ = await api("POST", f"{SW}/Calls/{CALL_ID}", UUID_SID, data=data)
    assert status == 200
    ((what, how),) = calls.done
    assert (what, how["application"].settings.fallback_url) == ("set_application", "http://app.test/f")


async def test_a_call_of_another_dialect_can_be_taken_over(api: Api, calls: FakeCalls) -> None:
    calls.put(msgspec.structs.replace(IN_PROGRESS, dialect="jambonz", application_state={"x": 1}))
    status, _ = await api("POST", f"{TW}/Calls/{CA_SID}", AC_SID, data={"Url": "http://app.test/next"})
    assert status == 200
    settings = calls.done[0][1]["application"].settings
    assert (settings.profile, settings.voice_url) == ("twilio", "http://app.test/next")


async def test_a_change_of_nothing_changes_nothing(api: Api, calls: FakeCalls) -> None:
    calls.put(IN_PROGRESS)
    status, body = await api("POST", f"{SW}/Calls/{CALL_ID}", UUID_SID, data={})
    assert (status, body["status"], calls.done) == (200, "in-progress", [])


async def test_calls_are_ended(api: Api, calls: FakeCalls) -> None:
    calls.put(IN_PROGRESS)
    status, body = await api("POST", f"{SW}/Calls/{CALL_ID}", UUID_SID, data={"Status": "completed"})
    assert (status, body["status"]) == (200, "completed")
    calls.put(record(direction=Direction.OUTBOUND_API))
    status, body = await api("POST", f"{TW}/Calls/{CA_SID}.json", AC_SID, data={"Status": "canceled"})
    assert (status, body["status"]) == (200, "canceled")


@pytest.mark.parametrize(
    ("call", "data", "twilio", "signalwire"),
    [
        (record(), {"Url": "http://a.test"}, 21220, 21220),
        (ended(), {"Url": "http://a.test"}, 21220, 10000),
        (ended(), {"StatusCallback": "http://a.test"}, 21220, 10000),
        (ended(), {"Status": "completed"}, 21220, 10000),
        (ended(), {"Status": "canceled"}, 21220, 10000),
        (IN_PROGRESS, {"Status": "canceled"}, None, 10000),
        (IN_PROGRESS, {"Status": "paused"}, 20422, 10000),
        (IN_PROGRESS, {"Url": "nonsense"}, 21205, 21205),
        (IN_PROGRESS, {"Url": "http://a.test", "Method": "PUT"}, 21209, 21209),
        (IN_PROGRESS, {"Twiml": "<Response>"}, 12100, 20422),
        (IN_PROGRESS, {"TimeLimit": "10"}, 20422, 20422),
    ],
)
async def test_changes_that_are_refused(
    api: Api, calls: FakeCalls, call: Any, data: dict[str, str], twilio: int | None, signalwire: int
) -> None:
    for base, sid, code in (
        (f"{TW}/Calls/{CA_SID}", AC_SID, twilio),
        (f"{SW}/Calls/{CALL_ID}", UUID_SID, signalwire),
    ):
        calls.put(call)
        status, body = await api("POST", base, sid, data=data)
        if code is None:
            assert (status, body["status"]) == (200, "in-progress")
        else:
            assert (status, body["code"], body["status"]) == (400, code, 400)


async def test_ended_calls_are_forgotten(api: Api, calls: FakeCalls) -> None:
    calls.put(record())
    status, body = await api("DELETE", f"{SW}/Calls/{CALL_ID}", UUID_SID)
    assert (status, body["code"]) == (409, 20009)
    calls.put(ended())
    assert await api("DELETE", f"{TW}/Calls/{CA_SID}.json", AC_SID) == (204, None)
    assert (await api("DELETE", f"{TW}/Calls/{CA_SID}.json", AC_SID))[0] == 404


# -- who may, and what is not there


@pytest.mark.parametrize("base", [SW, TW])
async def test_credentials(api: Api, base: str) -> None:
    message = "Authenticate" if base == TW else "Authentication failed"
    for user, password in (
        (None, ""),
        (UUID_SID, "wrong"),
        (UUID_SID, OTHER.token),
        (str(OTHER.id), OTHER.token),
        (str(NOBODYS), "secret"),
        ("nobody", "secret"),
    ):
        status, body = await api("GET", f"{base}/Calls", user, password)
        assert (status, body["code"], body["status"], body["message"]) == (401, 20003, 401, message)


async def test_another_accounts_call_is_unknown(api: Api, calls: FakeCalls) -> None:
    calls.put(record(account_id=OTHER.id))
    for method in ("GET", "POST", "DELETE"):
        for base, sid, call in ((SW, UUID_SID, str(CALL_ID)), (TW, AC_SID, CA_SID)):
            status, body = await api(method, f"{base}/Calls/{call}", sid)
            assert (status, body["code"]) == (404, 20404)
            assert f"{base}/Calls/{call} was not found" in body["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/Nothing",
        "/Calls/not-a-sid",
        f"/Calls/{NOBODYS}",
        f"/Calls/{NOBODYS}/Recordings",
        f"/Calls/{NOBODYS}/Nothing",
        f"/Calls/{NOBODYS}/Recordings/RE1/x",
        f"/Applications/{NOBODYS}",
        f"/Applications/{OTHERS_APP.id}",
        f"/Applications/{JAMBONZ_APP.id}",
        f"/IncomingPhoneNumbers/{OTHERS_NUMBER.id}",
        "/IncomingPhoneNumbers/x",
        "/Nothing/at/all/here",
    ],
)
async def test_paths_that_are_not_there(api: Api, path: str) -> None:
    for base, sid in ((SW, UUID_SID), (TW, AC_SID)):
        status, body = await api("GET", base + path, sid)
        assert (status, body["code"], body["status"]) == (404, 20404, 404)


async def test_paths_outside_of_accounts(api: Api) -> None:
    for path in ("/2010-04-01/Nothing", "/2010-04-01/", "/api/laml/2010-04-01/x/y"):
        assert (await api("GET", path, UUID_SID))[0] == 404
        assert (await api("GET", path, None))[0] == 401


async def test_methods_that_are_not_there(api: Api) -> None:
    for method, path in (
        ("PUT", "/Calls"),
        ("DELETE", "/Calls"),
        ("PATCH", f"/Calls/{CALL_ID}"),
        ("POST", "/Applications"),
    ):
        for base, sid in ((SW, UUID_SID), (TW, AC_SID)):
            status, body = await api(method, base + path, sid)
            assert (status, body["code"], body["status"]) == (405, 20004, 405)


async def test_bodies_that_cannot_be_read(api: Api) -> None:
    json_type = {"Content-Type": "application/json"}
    for base, sid in ((SW, UUID_SID), (TW, AC_SID)):
        status, body = await api("POST", f"{base}/Calls/", sid, data=io.BytesIO(b"x" * LARGE))
        assert (status, body["code"]) == (413, 20413)
        status, body = await api("POST", f"{base}/Calls", sid, data=b"{", headers=json_type)
        assert status == 400
        assert "not JSON" in str(body)
        status, body = await api("POST", f"{base}/Calls", sid, data=b"[]", headers=json_type)
        assert status == 400


async def test_a_failure_inside_is_500(api: Api, calls: FakeCalls, caplog: pytest.LogCaptureFixture) -> None:
    calls.records = None  # type: ignore[assignment]
    status, body = await api("GET", f"{TW}/Calls.json", AC_SID)
    assert (status, body["code"]) == (500, 20500)
    assert "failed" in caplog.text


# -- everything else


async def test_accounts(api: Api) -> None:
    status, body = await api("GET", f"{TW}.json", AC_SID)
    assert status == 200
    assert (body["sid"], body["friendly_name"], body["status"], body["type"]) == (
        AC_SID,
        "demo",
        "active",
        "Full",
    )
    assert body["subresource_uris"]["calls"] == f"{TW}/Calls.json"
    status, body = await api("GET", SW, UUID_SID)
    assert (body["sid"], body["owner_account_sid"], body["uri"]) == (UUID_SID, UUID_SID, SW)
    assert body["subresource_uris"]["incoming_phone_numbers"] == f"{SW}/IncomingPhoneNumbers"
    assert body["subresource_uris"]["sip"] is None
    for path, user in (("/2010-04-01/Accounts.json", AC_SID), ("/api/laml/2010-04-01/Accounts", UUID_SID)):
        status, body = await api("GET", path, user)
        assert [each["sid"] for each in body["accounts"]] == [user]
        assert body["uri"].startswith(path)
    _, body = await api("GET", "/2010-04-01/Accounts.json?Status=closed", AC_SID)
    assert body["accounts"] == []


async def test_applications(api: Api) -> None:
    _, body = await api("GET", f"{SW}/Applications", UUID_SID)
    assert [each["sid"] for each in body["applications"]] == [str(APP.id)]
    _, body = await api("GET", f"{TW}/Applications.json?FriendlyName=other", AC_SID)
    assert body["applications"] == []
    status, body = await api("GET", f"{TW}/Applications/AP{APP.id.hex}.json", AC_SID)
    assert (status, body["friendly_name"], body["voice_url"]) == (200, "ivr", "http://app.test/voice")
    assert (body["voice_method"], body["voice_fallback_method"]) == ("GET", "POST")


async def test_numbers(api: Api) -> None:
    _, body = await api("GET", f"{SW}/IncomingPhoneNumbers", UUID_SID)
    assert [each["phone_number"] for each in body["incoming_phone_numbers"]] == [
        "+14155550100",
        "+442071838750",
    ]
    _, body = await api("GET", f"{TW}/IncomingPhoneNumbers.json?PhoneNumber=%2B44*", AC_SID)
    (number,) = body["incoming_phone_numbers"]
    assert (number["voice_url"], number["voice_application_sid"]) == (None, None)
    status, number = await api("GET", f"{TW}/IncomingPhoneNumbers/PN{NUMBER.id.hex}.json", AC_SID)
    assert (status, number["friendly_name"]) == (200, "(415) 555-0100")
    assert number["voice_application_sid"] == f"AP{APP.id.hex}"
    assert number["voice_url"] == "http://app.test/voice"
    _, number = await api("GET", f"{SW}/IncomingPhoneNumbers/{BARE_NUMBER.id}", UUID_SID)
    assert number["account_id"] == UUID_SID


async def test_what_there_is_none_of(api: Api, calls: FakeCalls) -> None:
    calls.put(record())
    for kind in ("Recordings", "Conferences", "Queues", "Transcriptions"):
        status, body = await api("GET", f"{SW}/{kind}", UUID_SID)
        assert (status, body[kind.lower()]) == (200, [])
    _, body = await api("GET", f"{TW}/Calls/{CA_SID}/Recordings.json", AC_SID)
    assert body["recordings"] == []
    for kind in ("Recordings", "Streams", "Siprec", "Payments"):
        status, body = await api("POST", f"{TW}/Calls/{CA_SID}/{kind}.json", AC_SID)
        assert (status, body["code"]) == (400, 20422)
        assert f"{kind} on a call is not supported" in body["message"]


async def test_warnings_and_errors_are_notifications(api: Api, calls: FakeCalls, log: Log) -> None:
    calls.put(record())
    notes = [
        Note(level="warning", code="12200", message="odd"),
        Note(level="info", code="x", message="fine"),
        Note(level="error", code="11200", message="bad", detail={"url": "http://app.test/voice"}),
    ]
    for number, note in enumerate(notes):
        event = Noted(note=note)
        at = NOON.timestamp() + number
        log.stored.append(StoredEvent(str(CALL_ID), number, kind_of(event), at, encode(event)))
    log.stored.append(StoredEvent(str(CALL_ID), 8, kind_of(event), 0.0, b"unreadable"))
    log.stored.append(StoredEvent(str(CALL_ID), 9, "call.ringing", 0.0, b"{}"))
    path = f"{TW}/Calls/{CA_SID}/Notifications.json"
    _, body = await api("GET", path, AC_SID)
    shown = body["notifications"]
    assert [(each["error_code"], each["log"], each["message_text"]) for each in shown] == [
        ("11200", "0", "bad"),
        ("12200", "1", "odd"),
    ]
    assert shown[0]["request_url"] == "http://app.test/voice"
    assert shown[0]["message_date"] == "Sun, 01 Mar 2026 12:00:02 +0000"
    _, body = await api("GET", f"{path}?Log=1", AC_SID)
    assert len(body["notifications"]) == 1
    status, one = await api("GET", shown[0]["uri"], AC_SID)
    assert (status, one["sid"], one["response_body"]) == (200, shown[0]["sid"], "")
    assert (await api("GET", path.replace(".json", "/NO" + "0" * 32), AC_SID))[0] == 404
    assert (await api("GET", f"{SW}/Calls/{CALL_ID}/Notifications", UUID_SID))[0] == 404
