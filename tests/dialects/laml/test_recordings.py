"""The recordings resources over real HTTP, in both profiles: every key, filter, change, and the audio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from tests.dialects.laml.conftest import Api
from tests.dialects.laml.making import (
    AC_SID,
    CA_SID,
    CALL_ID,
    NOBODYS,
    NOON,
    OTHER,
    RE_SID,
    RECORDING_ID,
    SW,
    TW,
    UUID_SID,
    ended,
    record,
    recording,
)
from tests.dialects.memory import MemoryCalls, MemoryRecordings

from ringback.calls.control import CallIsOver, WrongState
from ringback.calls.recordings.control import NoSuchRecording, RecordingFile
from ringback.calls.recordings.recording import NOT_STORED, RecordingStatus
from ringback.calls.status import CallStatus
from ringback.calls.verbs import Hook, RecordingPlan

LIVE = record(status=CallStatus.IN_PROGRESS, answered_at=NOON)
WHEN = {
    "date_created": "Sun, 01 Mar 2026 12:00:00 +0000",
    "date_updated": "Sun, 01 Mar 2026 12:00:06 +0000",
    "start_time": "Sun, 01 Mar 2026 12:00:01 +0000",
}
TWILIO_RECORDING: dict[str, Any] = WHEN | {
    "sid": RE_SID,
    "account_sid": AC_SID,
    "api_version": "2010-04-01",
    "call_sid": CA_SID,
    "conference_sid": None,
    "channels": 1,
    "duration": "4",
    "price": None,
    "price_unit": "USD",
    "source": "DialVerb",
    "status": "completed",
    "error_code": None,
    "encryption_details": None,
    "uri": f"{TW}/Recordings/{RE_SID}.json",
    "subresource_uris": {
        "add_on_results": f"{TW}/Recordings/{RE_SID}/AddOnResults.json",
        "transcriptions": f"{TW}/Recordings/{RE_SID}/Transcriptions.json",
    },
    "media_url": f"http://127.0.0.1:8080{TW}/Recordings/{RE_SID}",
}
TWILIO_CALL_RECORDING: dict[str, Any] = {
    name: value for name, value in TWILIO_RECORDING.items() if name not in ("subresource_uris", "media_url")
} | {"price_unit": None, "track": "both", "uri": f"{TW}/Calls/{CA_SID}/Recordings/{RE_SID}.json"}
SIGNALWIRE_RECORDING: dict[str, Any] = WHEN | {
    "sid": str(RECORDING_ID),
    "account_sid": UUID_SID,
    "api_version": "2010-04-01",
    "call_sid": str(CALL_ID),
    "conference_sid": None,
    "channel": "1",
    "channels": "1",
    "end_time": "Sun, 01 Mar 2026 12:00:05 +0000",
    "duration": 4,
    "price": None,
    "price_unit": "USD",
    "source": "DialVerb",
    "status": "completed",
    "error_code": None,
    "uri": f"{SW}/Recordings/{RECORDING_ID}.json",
    "subresource_uris": {"transcriptions": f"{SW}/Recordings/{RECORDING_ID}/Transcriptions.json"},
    "encryption_details": None,
    "trim": "do-not-trim",
}


# -- one, and lists


async def test_a_recording(api: Api, recordings: MemoryRecordings) -> None:
    recordings.add(recording())
    assert await api("GET", f"{TW}/Recordings/{RE_SID}.json", AC_SID) == (200, TWILIO_RECORDING)
    status, body = await api("GET", f"{SW}/Recordings/{RECORDING_ID}.json", UUID_SID)
    assert (status, body) == (200, SIGNALWIRE_RECORDING)
    status, body = await api(
        "GET", f"{SW}/Recordings/{RECORDING_ID}", UUID_SID, headers={"Accept": "application/json"}
    )
    assert (status, body["sid"]) == (200, str(RECORDING_ID))


async def test_a_recording_below_its_call(api: Api, calls: MemoryCalls, recordings: MemoryRecordings) -> None:
    calls.add(LIVE)
    recordings.add(recording())
    for path in (f"{TW}/Calls/{CA_SID}/Recordings/{RE_SID}.json", f"{TW}/Calls/{CA_SID}/Recordings/{RE_SID}"):
        assert await api("GET", path, AC_SID) == (200, TWILIO_CALL_RECORDING)
    path = f"{SW}/Calls/{CALL_ID}/Recordings/{RECORDING_ID}"
    assert await api("GET", path, UUID_SID) == (200, SIGNALWIRE_RECORDING)
    _, body = await api("GET", f"{TW}/Calls/{CA_SID}/Recordings.json", AC_SID)
    assert body["recordings"] == [TWILIO_CALL_RECORDING]
    assert body["uri"].startswith(f"{TW}/Calls/{CA_SID}/Recordings.json?")
    assert recordings.filters[-1].call_ids == frozenset({CALL_ID})


@pytest.mark.parametrize(
    ("status", "twilio", "signalwire"),
    [
        (RecordingStatus.IN_PROGRESS, "in-progress", "in-progress"),
        (RecordingStatus.PAUSED, "paused", "paused"),
        (RecordingStatus.PROCESSING, "processing", "stopped"),
        (RecordingStatus.ABSENT, "absent", "absent"),
        (RecordingStatus.FAILED, "absent", "absent"),
    ],
)
async def test_statuses(
    api: Api, recordings: MemoryRecordings, status: RecordingStatus, twilio: str, signalwire: str
) -> None:
    plan = RecordingPlan(source="outbound-api", channels=2, trim=True)
    recordings.add(recording(plan, status=status, started_at=None, ended_at=None, duration=0.0))
    _, body = await api("GET", f"{TW}/Recordings/{RE_SID}.json", AC_SID)
    assert (body["status"], body["channels"], body["source"]) == (twilio, 2, "OutboundAPI")
    assert (body["start_time"], body["duration"]) == (None, "0" if status.final else None)
    _, body = await api("GET", f"{SW}/Recordings/{RECORDING_ID}.json", UUID_SID)
    assert (body["status"], body["channels"], body["source"]) == (signalwire, "2", "OutBoundApi")
    assert (body["end_time"], body["duration"], body["trim"]) == (None, 0, "trim-silence")


@pytest.mark.parametrize(
    ("status", "trim", "error", "code"),
    [
        (RecordingStatus.COMPLETED, True, None, None),
        (RecordingStatus.ABSENT, True, None, 16102),
        (RecordingStatus.ABSENT, False, None, 16101),
        (RecordingStatus.FAILED, False, f"{NOT_STORED}: access denied", 16111),
        (RecordingStatus.FAILED, False, "No space left on device", 15009),
    ],
)
async def test_why_there_is_none(
    api: Api,
    recordings: MemoryRecordings,
    status: RecordingStatus,
    trim: bool,
    error: str | None,
    code: int | None,
) -> None:
    plan = RecordingPlan(source="outbound-api", trim=trim)
    recordings.add(recording(plan, status=status, error=error))
    _, body = await api("GET", f"{TW}/Recordings/{RE_SID}.json", AC_SID)
    assert body["error_code"] == code
    _, body = await api("GET", f"{SW}/Recordings/{RECORDING_ID}.json", UUID_SID)
    assert body["error_code"] == (None if code is None else str(code))


async def test_lists_and_filters(api: Api, recordings: MemoryRecordings) -> None:
    made = [
        recording(id=UUID(int=n + 1), call_id=UUID(int=n % 2 + 100), created_at=NOON + timedelta(seconds=n))
        for n in range(5)
    ]
    recordings.add(*made, recording(id=UUID(int=99), account_id=OTHER.id))
    _, body = await api("GET", f"{SW}/Recordings?PageSize=2", UUID_SID)
    assert [each["sid"] for each in body["recordings"]] == [str(UUID(int=5)), str(UUID(int=4))]
    _, body = await api("GET", body["next_page_uri"], UUID_SID)
    assert [each["sid"] for each in body["recordings"]] == [str(UUID(int=3)), str(UUID(int=2))]
    assert recordings.filters[-1].created_before is not None
    path = f"{TW}/Recordings.json"
    _, body = await api("GET", f"{path}?CallSid=CA{UUID(int=100).hex}&IncludeSoftDeleted=true", AC_SID)
    assert len(body["recordings"]) == 3
    assert (body["start"], body["end"]) == (0, 2)
    for query, found in (
        ("DateCreated=2026-03-01", 5),
        ("DateCreated%3E=2026-03-01T12:00:03Z", 2),
        ("DateCreated%3C=2026-03-01T12:00:01Z", 2),
        ("ConferenceSid=CF1", 0),
    ):
        _, body = await api("GET", f"{path}?{query}", AC_SID)
        assert len(body["recordings"]) == found, query
    for query in ("CallSid=nonsense", "DateCreated=soon"):
        status, body = await api("GET", f"{path}?{query}", AC_SID)
        assert (status, body["code"]) == (400, 20422)


async def test_no_text_was_wanted(api: Api, recordings: MemoryRecordings) -> None:
    recordings.add(recording())
    for base, sid, id in ((TW, AC_SID, RE_SID), (SW, UUID_SID, str(RECORDING_ID))):
        status, body = await api("GET", f"{base}/Recordings/{id}/Transcriptions.json", sid)
        assert (status, body["transcriptions"]) == (200, [])
        assert (await api("GET", f"{base}/Recordings/{NOBODYS}/Transcriptions", sid))[0] == 404


async def test_recordings_are_deleted(api: Api, calls: MemoryCalls, recordings: MemoryRecordings) -> None:
    calls.add(ended())
    for base, sid, call, id in ((TW, AC_SID, CA_SID, RE_SID), (SW, UUID_SID, CALL_ID, RECORDING_ID)):
        for path in (f"{base}/Recordings/{id}.json", f"{base}/Calls/{call}/Recordings/{id}.json"):
            recordings.add(recording(status=RecordingStatus.IN_PROGRESS))
            status, body = await api("DELETE", path, sid)
            assert (status, body["code"]) == (409, 20009)
            recordings.add(recording())
            assert await api("DELETE", path, sid) == (204, None)
            status, body = await api("DELETE", path, sid)
            assert (status, body["code"]) == (404, 20404)


async def test_recordings_of_others_are_unknown(
    api: Api, calls: MemoryCalls, recordings: MemoryRecordings
) -> None:
    calls.add(LIVE)
    recordings.add(recording(account_id=OTHER.id), recording(id=UUID(int=5), call_id=NOBODYS))
    for base, sid, call, id in ((TW, AC_SID, CA_SID, RE_SID), (SW, UUID_SID, CALL_ID, RECORDING_ID)):
        for path in (
            f"{base}/Recordings/{id}.json",
            f"{base}/Recordings/nonsense.json",
            f"{base}/Calls/{call}/Recordings/{id}.json",
            f"{base}/Calls/{call}/Recordings/{UUID(int=5)}.json",
            f"{base}/Calls/{NOBODYS}/Recordings.json",
        ):
            status, body = await api("GET", path, sid)
            assert (status, body["code"]) == (404, 20404), path
        status, body = await api("POST", f"{base}/Recordings/{id}.json", sid)
        assert (status, body["code"]) == (405, 20004)


# -- a live call


async def test_a_live_call_is_recorded(api: Api, calls: MemoryCalls) -> None:
    calls.add(LIVE)
    calls.found["start_recording"] = recording(
        RecordingPlan(source="control"), status=RecordingStatus.IN_PROGRESS, duration=0.0
    )
    status, body = await api("POST", f"{TW}/Calls/{CA_SID}/Recordings.json", AC_SID)
    assert (status, body["status"], body["source"], body["duration"]) == (
        201,
        "in-progress",
        "StartCallRecordingAPI",
        None,
    )
    given = {
        "RecordingChannels": "dual",
        "RecordingTrack": "outbound",
        "Trim": "trim-silence",
        "RecordingStatusCallback": "http://app.test/r",
        "RecordingStatusCallbackMethod": "GET",
        "RecordingStatusCallbackEvent": ["in-progress", "absent"],
    }
    status, body = await api("POST", f"{SW}/Calls/{CALL_ID}/Recordings", UUID_SID, json=given)
    assert (status, body["sid"], body["source"]) == (200, str(RECORDING_ID), "StartCallRecordingApi")
    assert [plan for _, plan in calls.done] == [
        RecordingPlan(source="control", events=("completed", "failed", "absent")),
        RecordingPlan(
            source="control",
            channels=2,
            track="outbound",
            trim=True,
            report=Hook(url="http://app.test/r", method="GET"),
            events=("in-progress", "absent"),
        ),
    ]


@pytest.mark.parametrize("sid", ["Twilio.CURRENT", RE_SID, str(RECORDING_ID)])
async def test_a_recording_is_paused_continued_and_ended(
    api: Api, calls: MemoryCalls, recordings: MemoryRecordings, sid: str
) -> None:
    calls.add(LIVE)
    live = recording(RecordingPlan(source="control"), status=RecordingStatus.PAUSED)
    recordings.add(live)
    calls.found["change_recording"] = live
    id = None if sid.startswith("Twilio") else RECORDING_ID
    for data, what, silence in (
        ({"Status": "paused"}, "pause", True),
        ({"Status": "paused", "PauseBehavior": "skip"}, "pause", False),
        ({"Status": "in-progress"}, "resume", True),
        ({"Status": "stopped"}, "stop", True),
    ):
        for base, user, call in ((TW, AC_SID, CA_SID), (SW, UUID_SID, str(CALL_ID))):
            path = f"{base}/Calls/{call}/Recordings/{sid}.json"
            status, body = await api("POST", path, user, data=data)
            assert (status, body["status"]) == (200, "paused")
            assert calls.done[-1] == ("change_recording", what, {"recording_id": id, "silence": silence})


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (CallIsOver("it has ended"), 400, 21220),
        (WrongState("it rings"), 400, 21220),
        (NoSuchRecording("there is none"), 404, 20404),
    ],
)
async def test_calls_that_cannot_be_recorded(
    api: Api, calls: MemoryCalls, problem: Exception, status: int, code: int
) -> None:
    calls.add(LIVE)
    calls.found |= {"start_recording": problem, "change_recording": problem}
    for base, user, call in ((TW, AC_SID, CA_SID), (SW, UUID_SID, str(CALL_ID))):
        path = f"{base}/Calls/{call}/Recordings"
        found, body = await api("POST", path, user)
        assert (found, body["code"]) == (status, code)
        found, body = await api("POST", f"{path}/Twilio.CURRENT", user, data={"Status": "stopped"})
        assert (found, body["code"]) == (status, code)


@pytest.mark.parametrize(
    ("data", "twilio", "signalwire"),
    [
        ({}, 20422, 10000),
        ({"Status": "completed"}, 20422, 10000),
        ({"Status": "paused", "PauseBehavior": "music"}, 20422, 20422),
    ],
)
async def test_changes_that_are_refused(
    api: Api, calls: MemoryCalls, data: dict[str, str], twilio: int, signalwire: int
) -> None:
    calls.add(LIVE)
    for base, user, call, code in ((TW, AC_SID, CA_SID, twilio), (SW, UUID_SID, CALL_ID, signalwire)):
        path = f"{base}/Calls/{call}/Recordings/Twilio.CURRENT"
        status, body = await api("POST", path, user, data=data)
        assert (status, body["code"]) == (400, code)
    status, body = await api("POST", f"{TW}/Calls/{CA_SID}/Recordings", AC_SID, data={"Trim": "hair"})
    assert (status, body["code"]) == (400, 20422)


# -- the audio


@pytest.fixture
async def web(base_url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(base_url) as session:
        yield session


@pytest.fixture
def audio(recordings: MemoryRecordings, tmp_path: Path) -> bytes:
    """What the recording's file holds."""
    content = bytes(range(256)) * 40
    recordings.add(recording(RecordingPlan(source="dial-verb", channels=2)))
    recordings.files[RECORDING_ID] = tmp_path / "recording.wav"
    recordings.files[RECORDING_ID].write_bytes(content)
    return content


PATHS = [f"{TW}/Recordings/{RE_SID}", f"{SW}/Recordings/{RECORDING_ID}"]


@pytest.mark.parametrize("path", PATHS)
async def test_audio_needs_no_credentials(
    web: aiohttp.ClientSession, recordings: MemoryRecordings, audio: bytes, path: str
) -> None:
    for suffix, form, media_type in (
        ("", "wav", "audio/x-wav"),
        (".wav", "wav", "audio/x-wav"),
        (".mp3", "mp3", "audio/mpeg"),
    ):
        async with web.get(path + suffix) as response:
            assert (response.status, response.headers["Content-Type"]) == (200, media_type)
            assert await response.read() == audio
        assert recordings.asked[-1] == (form, None)
    async with web.get(path, headers={"Accept": "application/json, text/plain, */*"}) as response:
        assert await response.read() == audio


@pytest.mark.parametrize("path", PATHS)
async def test_a_part_of_the_audio(web: aiohttp.ClientSession, audio: bytes, path: str) -> None:
    async with web.get(path, headers={"Range": "bytes=100-199"}) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes 100-199/{len(audio)}"
        assert await response.read() == audio[100:200]
    async with web.get(path, headers={"Range": f"bytes={len(audio)}-"}) as response:
        assert response.status == 416


@pytest.mark.parametrize("path", PATHS)
async def test_the_head_of_the_audio(web: aiohttp.ClientSession, audio: bytes, path: str) -> None:
    async with web.head(f"{path}.mp3") as response:
        assert response.status == 200
        assert response.headers["Content-Length"] == str(len(audio))
        assert response.headers["Accept-Ranges"] == "bytes"
        assert await response.read() == b""


@pytest.mark.parametrize("path", PATHS)
async def test_channels(
    web: aiohttp.ClientSession, recordings: MemoryRecordings, audio: bytes, path: str
) -> None:
    for given in (1, 2):
        async with web.get(f"{path}?RequestedChannels={given}") as response:
            assert response.status == 200
            assert await response.read() == audio
        assert recordings.asked[-1] == ("wav", given)
    async with web.get(f"{path}?RequestedChannels=3") as response:
        assert (response.status, (await response.json())["code"]) == (400, 20422)
    recordings.add(recording())
    async with web.get(f"{path}?RequestedChannels=2") as response:
        assert (response.status, (await response.json())["code"]) == (400, 16113)


@pytest.mark.parametrize("path", PATHS)
async def test_audio_that_cannot_be_made_now(
    web: aiohttp.ClientSession, recordings: MemoryRecordings, audio: bytes, path: str
) -> None:
    recordings.busy = True
    async with web.get(f"{path}.mp3") as response:
        assert (response.status, (await response.json())["code"]) == (503, 20503)


async def test_audio_that_is_not_there(
    web: aiohttp.ClientSession, recordings: MemoryRecordings, audio: bytes
) -> None:
    for path in (
        f"{TW}/Recordings/RE{NOBODYS.hex}",
        f"{TW}/Recordings/RE{NOBODYS.hex}.mp3",
        f"{TW}/Recordings/nonsense",
        f"/2010-04-01/Accounts/AC{OTHER.id.hex}/Recordings/{RE_SID}",
        f"/2010-04-01/Accounts/nonsense/Recordings/{RE_SID}",
    ):
        async with web.get(path) as response:
            assert (response.status, (await response.json())["code"]) == (404, 20404), path
    recordings.files.clear()
    async with web.get(PATHS[0]) as response:
        assert response.status == 404


async def test_everything_else_needs_credentials(web: aiohttp.ClientSession, audio: bytes) -> None:
    for path in PATHS:
        for suffix in (".json", ".ogg", "/Transcriptions"):
            async with web.get(path + suffix) as response:
                assert response.status == 401
        async with web.delete(path) as response:
            assert response.status == 401


async def test_audio_stored_elsewhere(
    web: aiohttp.ClientSession, recordings: MemoryRecordings, audio: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def elsewhere(*_: Any, **__: Any) -> RecordingFile:
        return RecordingFile(media_type="audio/x-wav", url="https://store.test/recording.wav?sig=1")

    monkeypatch.setattr(recordings, "file", elsewhere)
    async with web.get(PATHS[0], allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Location"] == "https://store.test/recording.wav?sig=1"
