"""`ringback doctor` on the services that settings name: a speech server, and an object store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from tests.calls.recordings.object_store import OPTIONS, object_store

from ringback.calls.recordings.storage import ObjectStorage, StorageError
from ringback.cli import doctor_services
from ringback.cli.doctor import findings
from ringback.cli.doctor_services import services
from ringback.cli.finding import Finding
from ringback.config import Settings
from ringback.config.tables import RecordingsSection, SpeechSection
from ringback.testing.kit import Asked, WebApp


async def speech(url: str, key: str = "") -> Finding:
    section = SpeechSection(provider="openai", base_url=url, api_key=key)
    (finding,) = await services(Settings(source="here", speech=section))
    return finding


async def storage(url: str, **options: str) -> Finding:
    section = RecordingsSection(storage=url, storage_options=OPTIONS | options)
    (finding,) = await services(Settings(source="here", recordings=section))
    return finding


async def test_what_is_not_configured_is_not_asked() -> None:
    assert await services(Settings(source="here")) == []


@pytest.mark.parametrize(
    ("status", "level", "words"),
    [
        (200, "ok", "answers and takes the key"),
        (404, "ok", "answers"),
        (401, "error", "does not let us in (401)"),
        (403, "error", "does not let us in (403)"),
        (502, "warning", "is not well: it answered 502"),
    ],
)
async def test_a_speech_service_that_answers(app: WebApp, status: int, level: str, words: str) -> None:
    app.reply("/v1/models", lambda _: web.Response(status=status))
    found = await speech(f"{app.url}/v1/", "secret")
    assert (found.level, found.what.endswith(words)) == (level, True), found
    assert (await app.request("/v1/models")).headers["authorization"] == "Bearer secret"


async def test_a_speech_service_that_wants_no_key_is_given_none(app: WebApp) -> None:
    app.reply("/v1/models", {"data": []})
    assert (await speech(f"{app.url}/v1")).what == f"speech: the service at {app.url}/v1 answers"
    assert "authorization" not in (await app.request("/v1/models")).headers


async def test_a_speech_service_that_is_not_there(free_port: Callable[..., int]) -> None:
    found = await speech(f"http://127.0.0.1:{free_port()}/v1")
    assert (found.level, "does not answer" in found.what) == ("error", True)
    assert "the built-in voice speaks" in found.advice


async def test_a_speech_service_that_says_nothing(app: WebApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_services, "_SPEECH_SECONDS", 0.05)
    over = asyncio.Event()

    async def never(_: Asked) -> str:
        await over.wait()
        return ""

    app.reply("/v1/models", never)
    found = await speech(f"{app.url}/v1")
    over.set()
    assert (found.level, "does not answer" in found.what) == ("error", True)


async def test_an_object_store_that_takes_recordings() -> None:
    async with object_store() as s3:
        found = await storage("s3://calls/here", endpoint=s3.url)
        assert found == Finding("ok", "recordings: an object was stored in s3://calls/here, and removed")
        assert await s3.objects() == {}


async def test_an_object_store_without_that_bucket() -> None:
    async with object_store() as s3:
        found = await storage("s3://other", endpoint=s3.url)
    assert found.level == "error"
    assert found.what.startswith("recordings cannot be stored: s3://other: ")
    assert "NoSuchBucket" in found.what
    assert "until then recordings wait in the data directory" in found.advice


async def test_an_object_store_that_is_not_there(free_port: Callable[..., int]) -> None:
    found = await storage("s3://calls", endpoint=f"http://127.0.0.1:{free_port()}")
    assert (found.level, found.what.startswith("recordings cannot be stored: s3://calls: ")) == (
        "error",
        True,
    )


async def test_an_object_store_that_removes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise StorageError("access denied")

    monkeypatch.setattr(ObjectStorage, "remove", refuse)
    async with object_store() as s3:
        found = await storage("s3://calls", endpoint=s3.url)
        (name,) = await s3.objects()
    assert found.level == "error"
    assert found.what == f"s3://calls/{name} was stored, but cannot be removed: access denied"


async def test_it_is_part_of_the_whole(config: Path, app: WebApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app.reply("/v1/models", {"data": []})
    monkeypatch.setenv("RINGBACK_SPEECH__PROVIDER", "openai")
    monkeypatch.setenv("RINGBACK_SPEECH__BASE_URL", f"{app.url}/v1")
    found = [finding.what async for finding in findings(config)]
    assert f"speech: the service at {app.url}/v1 answers" in found
