"""Every field of every request to an application, in both profiles: name, format, presence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.dialects.laml.making import ACCOUNT, APP, CALL_ID, MEDIA, NOON, ended, record

from ringback.calls.events import MediaStatistics
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.dialects.laml.addresses import BadAddress, address, caller_of, formatted, target_of
from ringback.dialects.laml.fields import callback_fields, request_fields
from ringback.dialects.laml.profiles import SIGNALWIRE, TWILIO, Profile
from ringback.dialects.laml.quality import mean_opinion_score
from ringback.dialects.laml.statuses import REST_STATUSES, rest_status, webhook_status

TWILIO_IDS = {"CallSid": f"CA{CALL_ID.hex}", "AccountSid": f"AC{ACCOUNT.id.hex}"}
SIGNALWIRE_IDS = {"CallSid": str(CALL_ID), "AccountSid": str(ACCOUNT.id)}
NUMBERS = {"From": "+14155550111", "To": "+14155550100"}
DOUBLES = {"Caller": "+14155550111", "Called": "+14155550100"}
SIP = {"SipCallId": "abc@carrier.test"}
SOURCE = {"SipDomain": "127.0.0.1", "SipSourceIp": "192.0.2.7"}
INBOUND = {"ApiVersion": "2010-04-01", "Direction": "inbound"}


def outbound(**changes: Any) -> CallRecord:
    fields: dict[str, Any] = {"direction": Direction.OUTBOUND_API, "source": ""}
    return record(**(fields | changes))


@pytest.mark.parametrize(
    ("call", "profile", "expected"),
    [
        pytest.param(
            record(application_id=APP.id),
            TWILIO,
            TWILIO_IDS
            | NUMBERS
            | DOUBLES
            | INBOUND
            | SIP
            | SOURCE
            | {"CallStatus": "ringing", "ApplicationSid": f"AP{APP.id.hex}"},
            id="a new inbound call, twilio",
        ),
        pytest.param(
            record(application_id=APP.id),
            SIGNALWIRE,
            SIGNALWIRE_IDS | NUMBERS | DOUBLES | INBOUND | SIP | {"CallStatus": "ringing"},
            id="a new inbound call, signalwire",
        ),
        pytest.param(
            record(status=CallStatus.INITIATED),
            SIGNALWIRE,
            SIGNALWIRE_IDS | NUMBERS | DOUBLES | INBOUND | SIP | {"CallStatus": "ringing"},
            id="before 180 went out",
        ),
        pytest.param(
            record(status=CallStatus.IN_PROGRESS, caller_name="Jane", forwarded_from="+14155550122"),
            SIGNALWIRE,
            SIGNALWIRE_IDS
            | NUMBERS
            | DOUBLES
            | INBOUND
            | SIP
            | {"CallStatus": "in-progress", "CallerName": "Jane", "ForwardedFrom": "+14155550122"},
            id="answered, with a name and a forwarder",
        ),
        pytest.param(
            outbound(status=CallStatus.IN_PROGRESS, parent_id=CALL_ID),
            TWILIO,
            TWILIO_IDS
            | NUMBERS
            | DOUBLES
            | SIP
            | {
                "ApiVersion": "2010-04-01",
                "Direction": "outbound-api",
                "CallStatus": "in-progress",
                "ParentCallSid": f"CA{CALL_ID.hex}",
            },
            id="an outbound call answered",
        ),
        pytest.param(
            record(
                from_="alice",
                from_uri="sip:alice@example.test:5070;transport=tcp",
                client="alice",
                to="1000",
                to_uri="sip:1000@[::1]",
                source="tcp:[2001:db8::1]:5061",
                invite_headers=(("X-Trace", "7"), ("x-trace", "8"), ("User-to-User", "u"), ("Via", "v")),
            ),
            TWILIO,
            TWILIO_IDS
            | INBOUND
            | SIP
            | {
                "From": "sip:alice@example.test:5070",
                "Caller": "sip:alice@example.test:5070",
                "To": "1000",
                "Called": "1000",
                "CallStatus": "ringing",
                "SipDomain": "::1",
                "SipUsername": "alice",
                "SipSourceIp": "2001:db8::1",
                "SipHeader_X-Trace": "7",
                "SipHeader_x-trace": "8",
                "SipHeader_User-to-User": "u",
            },
            id="a device calls",
        ),
    ],
)
def test_document_requests(call: CallRecord, profile: Profile, expected: dict[str, str]) -> None:
    fields = request_fields(call, profile)
    assert dict(fields) == expected
    assert len(fields) == len(expected)


CORE = {
    "ApiVersion": "2010-04-01",
    "CallbackSource": "call-progress-events",
    "Timestamp": "Sun, 01 Mar 2026 12:00:00 +0000",
} | NUMBERS
END = {"Timestamp": "Sun, 01 Mar 2026 12:01:04 +0000", "CallDuration": "62"}
AUDIO = {
    "AudioInMos": "4.4",
    "AudioInAveragePtime": "20",
    "AudioInMediaPacketCount": "1842",
    "AudioInDtmfPacketCount": "4",
    "AudioInFlushPacketCount": "2",
    "AudioInSkipPacketCount": "1",
    "AudioInLargestJbSize": "6",
    "AudioInJitterMinVariance": "1",
    "AudioInJitterMaxVariance": "8",
    "AudioOutMediaPacketCount": "1840",
    "AudioOutDtmfPacketCount": "5",
}
SILENT = dict.fromkeys(AUDIO, "0") | {"AudioInMos": "0.0", "AudioInAveragePtime": "20"}


def status(call: CallRecord, number: int) -> dict[str, str]:
    return {
        "CallStatus": webhook_status(call),
        "SequenceNumber": str(number),
        "Direction": str(call.direction),
    }


def failed(status: CallStatus, sip_status: int, reason: str, by: EndedBy) -> CallRecord:
    return outbound(
        status=status, sip_status=sip_status, sip_reason=reason, ended_at=NOON, ended_by=by, progress=2
    )


INITIATED = outbound(status=CallStatus.INITIATED, progress=1)
RINGING = outbound(status=CallStatus.EARLY_MEDIA, progress=2)
ANSWERED = outbound(status=CallStatus.IN_PROGRESS, progress=3, answered_at=NOON)
COMPLETED = ended(direction=Direction.OUTBOUND_API, ended_by=EndedBy.REMOTE)
BUSY = failed(CallStatus.BUSY, 486, "Busy Here", EndedBy.REMOTE)
NO_ANSWER = failed(CallStatus.NO_ANSWER, 487, "Request Terminated", EndedBy.SERVER)
FAILED = failed(CallStatus.FAILED, 404, "Not Found", EndedBy.REMOTE)
CANCELED = failed(CallStatus.CANCELED, 487, "Request Terminated", EndedBy.CONTROL)
OURS = {"HangupBy": "+14155550111", "HangupDirection": "outbound"}
THEIRS = {"HangupBy": "+14155550100", "HangupDirection": "inbound"}
NEVER = {"CallDuration": "0"}


def phrase(code: str, words: str) -> dict[str, str]:
    return {"SipResultCode": code, "SipInviteResultPhrase": words}


@pytest.mark.parametrize(
    ("call", "word", "number", "twilio", "signalwire"),
    [
        pytest.param(INITIATED, "initiated", 0, {}, {}, id="initiated"),
        pytest.param(RINGING, "ringing", 1, {}, {}, id="ringing"),
        pytest.param(ANSWERED, "in-progress", 2, {}, {}, id="answered"),
        pytest.param(
            COMPLETED,
            "completed",
            3,
            END | {"Duration": "2", "SipResponseCode": "200"},
            END | AUDIO | THEIRS | phrase("200", "OK"),
            id="completed",
        ),
        pytest.param(
            BUSY,
            "busy",
            1,
            NEVER | {"Duration": "0", "SipResponseCode": "486"},
            NEVER | SILENT | THEIRS | phrase("486", "Busy Here"),
            id="busy",
        ),
        pytest.param(
            NO_ANSWER,
            "no-answer",
            1,
            NEVER | {"Duration": "0", "SipResponseCode": "487"},
            NEVER | SILENT | OURS | phrase("487", "Request Terminated"),
            id="no answer",
        ),
        pytest.param(
            FAILED,
            "failed",
            1,
            NEVER | {"Duration": "0", "SipResponseCode": "404"},
            NEVER | SILENT | THEIRS | phrase("404", "Not Found"),
            id="failed",
        ),
        pytest.param(
            CANCELED,
            "canceled",
            1,
            NEVER | {"Duration": "0", "SipResponseCode": "487"},
            NEVER | SILENT | OURS | phrase("487", "Request Terminated"),
            id="canceled",
        ),
        pytest.param(
            ended(ended_by=EndedBy.APPLICATION),
            "completed",
            3,
            END | {"Duration": "2", "SipResponseCode": "200"},
            END | AUDIO | {"HangupBy": "+14155550100", "HangupDirection": "outbound"} | phrase("200", "OK"),
            id="an inbound call that we ended",
        ),
    ],
)
def test_status_callbacks(
    call: CallRecord, word: str, number: int, twilio: dict[str, str], signalwire: dict[str, str]
) -> None:
    assert webhook_status(call) == word
    expected = CORE | status(call, number)
    fields = callback_fields(call, TWILIO)
    assert dict(fields) == expected | TWILIO_IDS | DOUBLES | twilio
    assert len(fields) == len(dict(fields))
    fields = callback_fields(call, SIGNALWIRE)
    assert dict(fields) == expected | SIGNALWIRE_IDS | signalwire
    assert len(fields) == len(dict(fields))


def test_the_sample_payload_of_signalwires_page_is_covered() -> None:
    names = (
        "AccountSid ApiVersion AudioInAveragePtime AudioInDtmfPacketCount AudioInFlushPacketCount "
        "AudioInJitterMaxVariance AudioInJitterMinVariance AudioInLargestJbSize AudioInMos "
        "AudioInMediaPacketCount AudioInSkipPacketCount AudioOutDtmfPacketCount AudioOutMediaPacketCount "
        "CallbackSource CallSid CallStatus Direction From SequenceNumber Timestamp To"
    )
    fields = dict(callback_fields(COMPLETED, SIGNALWIRE))
    assert set(names.split()) <= set(fields)
    for name in names.split():
        if name.startswith("Audio") and name != "AudioInMos":
            assert fields[name].isdigit()


def test_statuses_have_a_word_each_and_filters_cover_them() -> None:
    for neutral in CallStatus:
        call = record(status=neutral, direction=Direction.OUTBOUND_API)
        assert neutral in REST_STATUSES[rest_status(call)]
    assert sum(len(found) for found in REST_STATUSES.values()) == len(CallStatus)


@pytest.mark.parametrize(
    ("given", "uri", "shown"),
    [
        ("+14155550111", "sip:+14155550111@c.test", "+14155550111"),
        ("1000", "sip:1000@c.test", "1000"),
        ("alice", "sip:alice@c.test;x=1", "sip:alice@c.test"),
        ("alice", "sips:alice@c.test", "sips:alice@c.test"),
        ("alice", "garbage", "alice"),
        ("anonymous", "sip:anonymous@anonymous.invalid", "anonymous"),
        ("client:bob", "sip:bob@c.test", "client:bob"),
        ("sip:bob@c.test", "", "sip:bob@c.test"),
        ("", "sip:c.test", ""),
    ],
)
def test_addresses_as_shown(given: str, uri: str, shown: str) -> None:
    assert address(given, uri) == shown


def test_formatted_numbers() -> None:
    assert (
        formatted("+13105678901") == formatted("3105678901") == formatted("13105678901") == "(310) 567-8901"
    )
    for other in ("+442071838750", "1000", "sip:a@b", "+11105678901"):
        assert formatted(other) == other


def test_targets() -> None:
    assert (target_of("+14155550100").kind, target_of(" 1000 ").address) == ("number", "1000")
    assert (target_of("client:bob").kind, target_of("client:bob").address) == ("client", "bob")
    target = target_of("sip:bob@b.test:5070;transport=tcp?X-A=1%202&User-to-User=u&Via=no")
    assert (target.kind, target.address) == ("sip", "sip:bob@b.test:5070;transport=tcp")
    assert target.headers == (("X-A", "1 2"), ("User-to-User", "u"))
    for bad, code in (
        ("bob", 21211),
        ("sip:", 21211),
        ("client:", 21211),
        ("sip:a@b?X-A=" + "1" * 1024, 21227),
        ("sip:a@b?X A=1", 21228),
        ("sip:a@b?X-A=1%0d%0aVia:x", 21229),
    ):
        with pytest.raises(BadAddress) as caught:
            target_of(bad)
        assert caught.value.code == code


def test_callers() -> None:
    assert caller_of("+14155550100") == ("+14155550100", None)
    assert caller_of("client:bob") == ("bob", None)
    assert caller_of("sip:bob@b.test:5070") == ("bob", "b.test:5070")
    assert caller_of("Alice_1.x") == ("Alice_1.x", None)
    for bad in ("a b", "sip:b.test", "sip:", "x" * 129, "a<b>"):
        with pytest.raises(BadAddress):
            caller_of(bad)


def test_opinion_scores() -> None:
    assert mean_opinion_score(MediaStatistics()) == 0.0
    good = mean_opinion_score(MEDIA)
    assert 4.3 < good < 4.5
    lossy = mean_opinion_score(msgspec.structs.replace(MEDIA, lost_in=200))
    awful = mean_opinion_score(MediaStatistics(packets_in=1, lost_in=99, rtt_avg=3000.0))
    assert 1.0 <= awful < lossy < good
