"""The transcriptions resources over real HTTP, in both profiles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from tests.dialects.laml.conftest import Api
from tests.dialects.laml.making import (
    AC_SID,
    CALL_ID,
    NOBODYS,
    NOON,
    RE_SID,
    RECORDING_ID,
    SW,
    TW,
    UUID_SID,
    recording,
)
from tests.dialects.memory import MemoryRecordings

from ringback.calls.verbs import Hook, RecordingPlan
from ringback.dialects.laml.transcriptions import counterpart

PLAN = RecordingPlan(source="record-verb", transcription=Hook(url="http://app.test/text"))
TEXT_ID = counterpart(RECORDING_ID)
TR_SID = f"TR{TEXT_ID.hex}"
COMMON: dict[str, Any] = {
    "api_version": "2010-04-01",
    "date_created": "Sun, 01 Mar 2026 12:00:05 +0000",
    "date_updated": "Sun, 01 Mar 2026 12:00:06 +0000",
    "price": None,
    "price_unit": "USD",
    "status": "failed",
    "transcription_text": "",
    "type": "fast",
}
TWILIO = COMMON | {
    "sid": TR_SID,
    "account_sid": AC_SID,
    "recording_sid": RE_SID,
    "duration": "4",
    "uri": f"{TW}/Transcriptions/{TR_SID}.json",
}
SIGNALWIRE = COMMON | {
    "sid": str(TEXT_ID),
    "account_sid": UUID_SID,
    "recording_sid": str(RECORDING_ID),
    "duration": 4,
    "uri": f"{SW}/Transcriptions/{TEXT_ID}.json",
}
BOTH = pytest.mark.parametrize(
    ("base", "account", "recording_sid", "sid", "shown"),
    [
        (TW, AC_SID, RE_SID, TR_SID, TWILIO),
        (SW, UUID_SID, str(RECORDING_ID), str(TEXT_ID), SIGNALWIRE),
    ],
)


@pytest.fixture(autouse=True)
def made(recordings: MemoryRecordings) -> None:
    """One that a text was wanted of, one that none was, and one that goes on."""
    recordings.add(
        recording(PLAN, location="a.wav"),
        recording(id=UUID(int=70), location="b.wav"),
        recording(PLAN, id=UUID(int=72)),
    )


@BOTH
async def test_they_are_shown(
    api: Api, base: str, account: str, recording_sid: str, sid: str, shown: dict[str, Any]
) -> None:
    for path in (f"Transcriptions/{sid}", f"Transcriptions/{sid}.json"):
        assert await api("GET", f"{base}/{path}", account) == (200, shown)
    for path in ("Transcriptions", "Transcriptions.json"):
        status, body = await api("GET", f"{base}/{path}", account)
        assert (status, body["transcriptions"]) == (200, [shown])
    below = f"{base}/Recordings/{recording_sid}/Transcriptions"
    if base == TW:
        shown = shown | {"uri": f"{below}/{sid}.json"}
    assert (await api("GET", f"{below}.json", account))[1]["transcriptions"] == [shown]
    assert await api("GET", f"{below}/{sid}.json", account) == (200, shown)


@BOTH
async def test_what_there_is_not(
    api: Api, base: str, account: str, recording_sid: str, sid: str, shown: dict[str, Any]
) -> None:
    other = counterpart(UUID(int=70))
    for path in (
        f"Transcriptions/{NOBODYS}",
        "Transcriptions/nonsense",
        f"Transcriptions/{other}",  # no text was wanted
        f"Transcriptions/{counterpart(UUID(int=72))}",  # not ended
        f"Transcriptions/{RECORDING_ID}",
        f"Recordings/{UUID(int=70)}/Transcriptions/{sid}",
        f"Recordings/{CALL_ID}/Transcriptions",
    ):
        assert (await api("GET", f"{base}/{path}", account))[0] == 404
    assert (await api("POST", f"{base}/Transcriptions/{sid}", account))[0] == 405


@BOTH
async def test_they_are_forgotten(
    api: Api,
    recordings: MemoryRecordings,
    base: str,
    account: str,
    recording_sid: str,
    sid: str,
    shown: dict[str, Any],
) -> None:
    for above in ("", f"/Recordings/{recording_sid}"):
        path = f"{base}{above}/Transcriptions/{sid}.json"
        assert (await api("DELETE", path, account))[0] == 204
        assert (await api("GET", path, account))[0] == 404
        assert (await api("DELETE", path, account))[0] == 404
        assert RECORDING_ID in recordings.records
        recordings.add(recording(PLAN, location="a.wav"))


async def test_the_text_alone(base_url: str) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth(AC_SID, "secret")}
    async with aiohttp.ClientSession(base_url, headers=headers) as rest:
        for above in ("", f"/Recordings/{RE_SID}"):
            async with rest.get(f"{TW}{above}/Transcriptions/{TR_SID}.txt") as response:
                assert (response.status, response.content_type) == (200, "text/plain")
                assert await response.text() == ""


async def test_they_come_in_pages(api: Api, recordings: MemoryRecordings) -> None:
    for number in (80, 82, 84):
        at = NOON + timedelta(minutes=number)
        recordings.add(recording(PLAN, id=UUID(int=number), location="c.wav", created_at=at))
    _, body = await api("GET", f"{TW}/Transcriptions.json?PageSize=3", AC_SID)
    assert [each["sid"] for each in body["transcriptions"]] == [
        f"TR{counterpart(UUID(int=number)).hex}" for number in (84, 82, 80)
    ]
    _, body = await api("GET", body["next_page_uri"], AC_SID)
    assert [each["sid"] for each in body["transcriptions"]] == [TR_SID]
    assert body["next_page_uri"] is None
