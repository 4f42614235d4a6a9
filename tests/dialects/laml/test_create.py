"""Making calls over REST and real HTTP: every parameter, default and error of both profiles."""

from __future__ import annotations

from uuid import UUID

import pytest
from tests.dialects.laml.conftest import Api
from tests.dialects.laml.making import (
    AC_SID,
    APP,
    JAMBONZ_APP,
    NOBODYS,
    OTHERS_APP,
    SW,
    TW,
    UUID_SID,
)
from tests.dialects.memory import MemoryCalls

from ringback.calls.control import CallerNotOwned, LimitReached, Overloaded, Unroutable
from ringback.calls.verbs import Hook, MachineDetection, RecordingPlan, Say
from ringback.dialects.laml.settings import Settings
from ringback.dialects.laml.webhook import LamlApplication

CALL = {"To": "+14155550123", "From": "+14155550100", "Url": "http://app.test/voice"}


def settings_of(calls: MemoryCalls) -> Settings:
    application = calls.requests[-1].application
    assert isinstance(application, LamlApplication)
    return application.settings


async def test_a_call_is_created_with_signalwires_shape(api: Api, calls: MemoryCalls) -> None:
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


async def test_a_call_is_created_with_twilios_shape(api: Api, calls: MemoryCalls) -> None:
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


async def test_every_parameter_of_a_call(api: Api, calls: MemoryCalls) -> None:
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


async def test_events_may_be_words_in_one_value(api: Api, calls: MemoryCalls) -> None:
    data = CALL | {"StatusCallbackEvent": "initiated ringing", "StatusCallback": "http://app.test/s"}
    await api("POST", f"{TW}/Calls", AC_SID, data=data)
    assert settings_of(calls).events == ("initiated", "ringing")


async def test_unknown_events_alone_leave_the_default(api: Api, calls: MemoryCalls) -> None:
    data = CALL | {"StatusCallbackEvent": "complete hangup", "StatusCallback": "http://app.test/s"}
    await api("POST", f"{TW}/Calls", AC_SID, data=data)
    assert settings_of(calls).events == ("completed",)


@pytest.mark.parametrize("name", ["Twiml", "Laml"])
async def test_a_call_with_a_document(api: Api, calls: MemoryCalls, name: str) -> None:
    data = {"To": "client:alice", "From": "shop", name: "<Response><Say>Hi</Say></Response>"}
    status, _ = await api("POST", f"{TW}/Calls.json", AC_SID, data=data)
    assert status == 201
    document = calls.requests[-1].document
    assert document is not None
    assert isinstance(document.verbs[0], Say)
    assert document.application is calls.requests[-1].application
    await api("POST", f"{TW}/Calls.json", AC_SID, data=data | CALL)
    assert calls.requests[-1].document is None  # Url wins


async def test_a_call_with_an_application(api: Api, calls: MemoryCalls) -> None:
    data = {"To": "+1", "From": "+2", "ApplicationSid": f"AP{APP.id.hex}", "Url": "http://ignored.test"}
    status, _ = await api("POST", f"{SW}/Calls.json", UUID_SID, data=data)
    assert status == 200
    assert calls.requests[-1].application_id == APP.id
    settings = settings_of(calls)
    assert settings.profile == "signalwire"
    assert (settings.voice_url, settings.voice_method) == ("http://app.test/voice", "GET")
    assert settings.status_callback == "http://app.test/status"


RECORDED = {
    "Record": "true",
    "RecordingChannels": "dual",
    "RecordingTrack": "inbound",
    "RecordingStatusCallback": "http://app.test/r",
    "RecordingStatusCallbackMethod": "GET",
    "RecordingStatusCallbackEvent": "in-progress absent",
    "Trim": "do-not-trim",
}


async def test_a_call_is_recorded(api: Api, calls: MemoryCalls) -> None:
    for base, sid in ((TW, AC_SID), (SW, UUID_SID)):
        assert (await api("POST", f"{base}/Calls", sid, data=CALL | {"Record": "true"}))[0] in (200, 201)
        assert calls.requests[-1].recording == RecordingPlan(
            source="outbound-api", trim=True, events=("completed", "failed", "absent")
        )
        await api("POST", f"{base}/Calls", sid, data=CALL | RECORDED)
        assert calls.requests[-1].recording == RecordingPlan(
            source="outbound-api",
            channels=2,
            track="inbound",
            trim=False,
            report=Hook(url="http://app.test/r", method="GET"),
            events=("in-progress", "absent"),
        )
        await api("POST", f"{base}/Calls", sid, data=CALL | RECORDED | {"Record": "false"})
        assert calls.requests[-1].recording is None


DETECTED = {
    "MachineDetection": "DetectMessageEnd",
    "MachineDetectionTimeout": "20",
    "MachineDetectionSpeechThreshold": "2000",
    "MachineDetectionSpeechEndThreshold": "1000",
    "MachineDetectionSilenceTimeout": "4000",
    "MachineWordsThreshold": "9",
    "AsyncAmd": "true",
    "AsyncAmdStatusCallback": "http://app.test/amd",
    "AsyncAmdStatusCallbackMethod": "GET",
    "AsyncAmdPartialResults": "true",
}


async def test_who_answers_is_found_out(api: Api, calls: MemoryCalls) -> None:
    for base, sid, words in ((TW, AC_SID, None), (SW, UUID_SID, 6)):
        await api("POST", f"{base}/Calls", sid, data=CALL | {"MachineDetection": "Enable"})
        assert calls.requests[-1].detection == MachineDetection(
            timeout_ms=30_000,
            speech_threshold_ms=2400,
            speech_end_ms=1200,
            silence_timeout_ms=5000,
            words_threshold=words,
            tone_timeout_ms=30_000,
        )
        await api("POST", f"{base}/Calls", sid, data=CALL | DETECTED)
        assert calls.requests[-1].detection == MachineDetection(
            wait_for_end=True,
            asynchronous=True,
            report=Hook(url="http://app.test/amd", method="GET"),
            timeout_ms=20_000,
            speech_threshold_ms=2000,
            speech_end_ms=1000,
            silence_timeout_ms=4000,
            words_threshold=words and 9,
            tone_timeout_ms=20_000,
            partial_results=True,
        )
        for off in ("none", "", "disable"):
            await api("POST", f"{base}/Calls", sid, data=CALL | {"MachineDetection": off})
            assert calls.requests[-1].detection is None


async def test_twilio_does_not_listen_while_it_presses_keys(api: Api, calls: MemoryCalls) -> None:
    data = CALL | {"MachineDetection": "Enable", "SendDigits": "1"}
    for base, sid, listens in ((TW, AC_SID, False), (SW, UUID_SID, True)):
        await api("POST", f"{base}/Calls", sid, data=data)
        assert (calls.requests[-1].detection is not None) == listens


async def test_what_is_odd_is_noted_with_the_first_document(api: Api, calls: MemoryCalls) -> None:
    data = CALL | {
        "Url": "",
        "Twiml": "<Response/>",
        "Record": "true",
        "RecordingStatusCallbackEvent": "done",
        "MachineDetection": "Enable",
        "AsyncAmd": "true",
    }
    await api("POST", f"{TW}/Calls", AC_SID, data=data)
    document = calls.requests[-1].document
    assert document is not None
    assert [note.code for note in document.notes] == ["13621", "21262"]


LONG = "x" * 4001


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
        ({"Record": "perhaps"}, 20422, 20422),
        ({"MachineDetection": "Guess"}, 21234, 21234),
        ({"MachineDetectionTimeout": "500"}, 21234, 21234),
        ({"RecordingChannels": "three"}, 20422, 20422),
        ({"RecordingTrack": "x"}, 20422, 20422),
        ({"Trim": "x"}, 20422, 20422),
        ({"RecordingStatusCallback": "x"}, 21609, 21609),
        ({"RecordingStatusCallbackMethod": "PUT"}, 21209, 21209),
        ({"AsyncAmdStatusCallback": "x"}, 21609, 21609),
        ({"AsyncAmdStatusCallbackMethod": "PUT"}, 21209, 21209),
        ({"AsyncAmdPartialResults": "x"}, 20422, 20422),
        ({"MachineDetectionSpeechThreshold": "999"}, 21234, 21234),
        ({"MachineDetectionSpeechEndThreshold": "5001"}, 21234, 21234),
        ({"MachineDetectionSilenceTimeout": "1"}, 21234, 21234),
        ({"MachineWordsThreshold": "0"}, 21234, 21234),
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
    api: Api, calls: MemoryCalls, changes: dict[str, str | None], twilio: int, signalwire: int
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


async def test_nothing_leads_there_and_not_now(api: Api, calls: MemoryCalls) -> None:
    calls.fail = Unroutable("no trunk")
    status, body = await api("POST", f"{TW}/Calls.json", AC_SID, data=CALL)
    assert (status, body["code"]) == (400, 21214)
    assert "no trunk" in body["message"]
    status, body = await api("POST", f"{SW}/Calls.json", UUID_SID, data=CALL)
    assert (status, body["errors"][0]["code"]) == (400, "21214")
    calls.fail = CallerNotOwned("not yours")
    status, body = await api("POST", f"{TW}/Calls.json", AC_SID, data=CALL)
    assert (status, body["code"]) == (400, 21210)
    calls.fail = LimitReached("two calls at a time")
    status, body = await api("POST", f"{TW}/Calls.json", AC_SID, data=CALL)
    assert (status, body["code"]) == (429, 10004)
    status, body = await api("POST", f"{SW}/Calls.json", UUID_SID, data=CALL)
    assert (status, body["errors"][0]["code"]) == (400, "21611")
    calls.fail = Overloaded("shutting down")
    status, body = await api("POST", f"{SW}/Calls.json", UUID_SID, data=CALL)
    assert (status, body["code"]) == (503, 20503)
