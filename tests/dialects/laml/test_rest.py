"""The REST surface over real HTTP, in both profiles: who may, what is not there, what else there is."""

from __future__ import annotations

import io

import pytest
from tests.dialects.laml.conftest import Api, Log
from tests.dialects.laml.making import (
    AC_SID,
    APP,
    BARE_NUMBER,
    CA_SID,
    CALL_ID,
    JAMBONZ_APP,
    NOBODYS,
    NOON,
    NUMBER,
    OTHER,
    OTHERS_APP,
    OTHERS_NUMBER,
    SW,
    TW,
    UUID_SID,
    record,
)
from tests.dialects.memory import MemoryCalls

from ringback.calls.events import Noted, encode, kind_of
from ringback.calls.verbs import Note
from ringback.store import StoredEvent

LARGE = 10 * 1024 * 1024 + 1


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


async def test_another_accounts_call_is_unknown(api: Api, calls: MemoryCalls) -> None:
    calls.add(record(account_id=OTHER.id))
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


async def test_a_failure_inside_is_500(
    api: Api, calls: MemoryCalls, caplog: pytest.LogCaptureFixture
) -> None:
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


async def test_what_there_is_none_of(api: Api, calls: MemoryCalls) -> None:
    calls.add(record())
    for kind in ("Recordings", "Conferences", "Queues", "Transcriptions"):
        status, body = await api("GET", f"{SW}/{kind}", UUID_SID)
        assert (status, body[kind.lower()]) == (200, [])
    _, body = await api("GET", f"{TW}/Calls/{CA_SID}/Recordings.json", AC_SID)
    assert body["recordings"] == []
    for kind in ("Streams", "Siprec", "Payments"):
        status, body = await api("POST", f"{TW}/Calls/{CA_SID}/{kind}.json", AC_SID)
        assert (status, body["code"]) == (400, 20422)
        assert f"{kind} on a call is not supported" in body["message"]


async def test_warnings_and_errors_are_notifications(api: Api, calls: MemoryCalls, log: Log) -> None:
    calls.add(record())
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
