"""Recordings over REST, through ASGI: lists, one, by call, the audio, deleting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from lxml import etree
from tests.dialects.callapi.conftest import AC, CALL, CREATED, OTHER, SID, Make
from tests.dialects.callapi.making import RECORDING, recording

from ringback.calls.recordings.control import RecordingFile, RecordingIsLive
from ringback.calls.recordings.recording import Recording, RecordingStatus

RE = f"RE{RECORDING.hex}"
ONE = {
    "sid": RE,
    "date_created": "Tue, 26 May 2020 17:59:16 +0000",
    "date_updated": "Tue, 26 May 2020 17:59:16 +0000",
    "account_sid": AC,
    "call_sid": SID,
    "duration": "14.703",
    "api_version": "2012-04-24",
    "uri": f"/2012-04-24/Accounts/{AC}/Recordings/{RE}.json",
    "file_uri": f"http://127.0.0.1:8080/call/2012-04-24/Accounts/{AC}/Recordings/{RE}.wav",
}
NOT_THERE = [
    RecordingStatus.IN_PROGRESS,
    RecordingStatus.PAUSED,
    RecordingStatus.ABSENT,
    RecordingStatus.FAILED,
]


def several(count: int, **fields: Any) -> list[Recording]:
    return [recording(id=uuid4(), created_at=CREATED + timedelta(seconds=n), **fields) for n in range(count)]


@pytest.mark.parametrize(
    "path", [f"Recordings/{RE}.json", f"Recordings.json/{RE}", f"Recordings/{RECORDING}.json"]
)
async def test_one(rest: Any, services: Any, path: str) -> None:
    services.recordings.add(recording())
    reply = await rest("GET", path)
    assert (reply.status, list(reply.json.items())) == (200, list(ONE.items()))


async def test_one_in_xml(rest: Any, services: Any) -> None:
    services.recordings.add(recording())
    root = etree.fromstring((await rest("GET", f"Recordings/{RE}")).text.encode())
    assert (root.tag, root[0].tag) == ("RestcommResponse", "Recording")
    assert {child.tag: child.text for child in root[0]} == {
        "Sid": RE,
        "DateCreated": ONE["date_created"],
        "DateUpdated": ONE["date_updated"],
        "AccountSid": AC,
        "CallSid": SID,
        "Duration": "14.703",
        "ApiVersion": "2012-04-24",
        "Uri": ONE["uri"],
        "FileUri": ONE["file_uri"],
    }


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("path", ["Recordings/nonsense.json", f"Recordings/RE{'f' * 32}.json"])
async def test_one_that_does_not_exist(rest: Any, method: str, path: str) -> None:
    assert (await rest(method, path)).status == 404


@pytest.mark.parametrize("status", NOT_THERE)
async def test_what_has_not_ended_with_something_in_it_is_not_there(
    rest: Any, calls: Any, services: Any, record: Make, status: RecordingStatus, tmp_path: Path
) -> None:
    calls.add(record())
    services.recordings.add(recording(status=status))
    services.recordings.files[RECORDING] = tmp_path
    for method, path in [("GET", f"{RE}.json"), ("DELETE", f"{RE}.json"), ("GET", f"{RE}.wav")]:
        assert (await rest(method, f"Recordings/{path}")).status == 404
    assert (await rest("GET", "Recordings.json")).json["recordings"] == []
    assert (await rest("GET", f"Calls/{SID}/Recordings.json")).json == []


async def test_another_accounts_recordings_do_not_exist(rest: Any, services: Any, tmp_path: Path) -> None:
    services.recordings.add(recording(account_id=OTHER.id))
    services.recordings.files[RECORDING] = tmp_path
    for method, path in [("GET", f"{RE}.json"), ("DELETE", f"{RE}.json"), ("GET", f"{RE}.wav")]:
        assert (await rest(method, f"Recordings/{path}")).status == 404
    assert (await rest("GET", "Recordings.json")).json["total"] == 0


async def test_those_of_a_call_are_a_bare_array(rest: Any, calls: Any, services: Any, record: Make) -> None:
    calls.add(record())
    first, second = several(2)
    services.recordings.add(second, first, *several(1, call_id=uuid4()))
    listed = (await rest("GET", f"Calls/{SID}/Recordings.json")).json
    assert [one["sid"] for one in listed] == [f"RE{first.id.hex}", f"RE{second.id.hex}"]
    root = etree.fromstring((await rest("GET", f"Calls/{SID}/Recordings")).text.encode())
    assert [child.tag for child in root[0]] == ["Recording", "Recording"]
    assert not root[0].attrib


async def test_pages(rest: Any, services: Any) -> None:
    made = several(5)
    services.recordings.add(*made)
    first = (await rest("GET", f"Recordings.json?PageSize=2&CallSid={SID}")).json
    uri = f"/2012-04-24/Accounts/{AC}/Recordings.json"
    assert list(first.items())[:-1] == [
        ("page", 0),
        ("num_pages", 2),
        ("page_size", 2),
        ("total", 5),
        ("start", "0"),
        ("end", "2"),
        ("uri", uri),
        ("first_page_uri", f"{uri}?Page=0&PageSize=2&CallSid={SID}"),
        ("previous_page_uri", "null"),
        ("next_page_uri", f"{uri}?Page=1&PageSize=2&CallSid={SID}&AfterSid=RE{made[3].id.hex}"),
        ("last_page_uri", f"{uri}?Page=2&PageSize=2&CallSid={SID}"),
    ]
    seen, link = [], first["first_page_uri"]
    while link != "null":
        page = (await rest("GET", "", base=link)).json
        seen += [one["sid"] for one in page["recordings"]]
        link = page["next_page_uri"]
    assert seen == [f"RE{one.id.hex}" for one in reversed(made)]
    root = etree.fromstring((await rest("GET", "Recordings?PageSize=0")).text.encode())
    assert (root[0].tag, root[0].get("total"), len(root[0])) == ("Recordings", "5", 0)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"order": "newest", "call_ids": None}),
        (f"CallSid={SID}", {"call_ids": frozenset({CALL})}),
        ("CallSid=x", {"call_ids": frozenset({UUID(int=0)})}),
        ("StartTime=2020-05-26", {"created_from": datetime(2020, 5, 26, tzinfo=UTC)}),
        ("EndTime=2020-05-26", {"created_before": datetime(2020, 5, 27, tzinfo=UTC)}),
        ("SortBy=DateCreated", {"order": "created_at"}),
        ("SortBy=Duration:desc", {"order": "-duration"}),
        ("SortBy=CallSid:asc", {"order": "call_id"}),
    ],
)
async def test_filters(rest: Any, services: Any, query: str, expected: dict[str, Any]) -> None:
    services.recordings.add(recording())
    assert (await rest("GET", f"Recordings.json?{query}")).status == 200
    (which,) = services.recordings.filters
    assert {name: getattr(which, name) for name in expected} == expected


@pytest.mark.parametrize("query", ["StartTime=soon", "Page=x", "Page=1", "PageSize=2001", "SortBy=Price"])
async def test_wrong_filters(rest: Any, query: str) -> None:
    assert (await rest("GET", f"Recordings.json?{query}")).status == 400


async def test_deleting(rest: Any, services: Any) -> None:
    services.recordings.add(recording())
    reply = await rest("DELETE", f"Recordings/{RE}.json")
    assert (reply.status, reply.text) == (200, "")
    assert not services.recordings.records
    assert (await rest("DELETE", f"Recordings/{RE}.json")).status == 404


async def test_deleting_one_that_is_being_finished(rest: Any, services: Any) -> None:
    async def delete(*_: Any) -> None:
        raise RecordingIsLive("it is being stored")

    services.recordings.add(recording(status=RecordingStatus.PROCESSING))
    services.recordings.delete = delete
    reply = await rest("DELETE", f"Recordings/{RE}.json")
    assert (reply.status, reply.text) == (409, "it is being stored")


# -- the audio


@pytest.mark.parametrize(("form", "kind"), [("wav", "audio/x-wav"), ("mp3", "audio/mpeg")])
@pytest.mark.parametrize("base", ["/call", "/restcomm", ""])
async def test_the_audio_needs_no_credentials(
    rest: Any, services: Any, tmp_path: Path, base: str, form: str, kind: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0123456789")
    services.recordings.add(recording())
    services.recordings.files[RECORDING] = file
    where = {"auth": None, "base": f"{base}/2012-04-24/Accounts/{AC}/"}
    reply = await rest("GET", f"Recordings/{RE}.{form}", **where)
    assert (reply.status, reply.headers["content-type"], reply.text) == (200, kind, "0123456789")
    part = await rest("GET", f"Recordings/{RE}.{form}", headers={"range": "bytes=2-4"}, **where)
    assert (part.status, part.headers["content-range"], part.text) == (206, "bytes 2-4/10", "234")
    head = await rest("HEAD", f"Recordings/{RE}.{form}", **where)
    assert (head.status, head.headers["content-length"], head.text) == (200, "10", "")
    assert {asked for asked, _ in services.recordings.asked} == {form}


@pytest.mark.parametrize("name", [f"RE{'f' * 32}.wav", "nonsense.wav", f"{RE}.wav"])
async def test_audio_that_is_not_there(rest: Any, services: Any, name: str) -> None:
    services.recordings.add(recording())  # but there is no file
    assert (await rest("GET", f"Recordings/{name}", auth=None)).status == 404


async def test_audio_that_cannot_be_made_now(rest: Any, services: Any) -> None:
    services.recordings.add(recording())
    services.recordings.busy = True
    reply = await rest("GET", f"Recordings/{RE}.mp3", auth=None)
    assert (reply.status, "Retry-After".lower() in reply.headers) == (503, True)


async def test_only_the_audio_is_for_everybody(rest: Any, services: Any) -> None:
    services.recordings.add(recording())
    assert (await rest("GET", f"Recordings/{RE}.json", auth=None)).status == 401
    assert (await rest("DELETE", f"Recordings/{RE}.wav", auth=None)).status == 401
    assert (await rest("GET", f"Recordings/{RE}.mp4", auth=None)).status == 401


async def test_audio_that_is_stored_elsewhere(rest: Any, services: Any) -> None:
    async def elsewhere(*_: Any, **__: Any) -> RecordingFile:
        return RecordingFile(media_type="audio/x-wav", url="https://bucket.example/a.wav")

    services.recordings.add(recording())
    services.recordings.file = elsewhere
    reply = await rest("GET", f"Recordings/{RE}.wav", auth=None)
    assert (reply.status, reply.headers["location"]) == (307, "https://bucket.example/a.wav")
