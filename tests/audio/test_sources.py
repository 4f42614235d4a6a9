from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.patience import PATIENCE

from ringback.audio.cache import AudioCache
from ringback.audio.errors import AudioError
from ringback.audio.sources import AudioLibrary
from ringback.net.clock import ManualClock
from ringback.net.guard import AddressPolicy
from ringback.net.http import HttpLimits, HttpPool
from ringback.speech.protocol import Pcm, SpeechError, SpeechRequest, Voice
from ringback.speech.speaker import Speaker


def wav(value: float = 0.25, seconds: float = 0.5) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.full(int(8000 * seconds), value), 8000, format="WAV", subtype="PCM_16")
    return out.getvalue()


class Website:
    """Serves one sound with settable headers; answers conditional requests."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.headers: dict[str, str] = {}
        self.sound = wav()
        self.status = 200
        self.pause: asyncio.Event | None = None
        self.arrived = asyncio.Semaphore(0)

    async def sound_file(self, request: web.Request) -> web.Response:
        self.requests.append({name.lower(): value for name, value in request.headers.items()})
        self.arrived.release()
        if self.pause is not None:
            await self.pause.wait()
        etag = self.headers.get("ETag")
        if etag is not None and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=self.headers)
        return web.Response(
            status=self.status, body=self.sound, headers={"Content-Type": "audio/wav", **self.headers}
        )


class Counting:
    """A provider that counts, and can be out of order."""

    name = "counting"

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.broken = False

    def identity(self, request: SpeechRequest) -> str:
        return f"{self.name} {request.voice}"

    async def synthesize(self, request: SpeechRequest) -> Pcm:
        await asyncio.sleep(0)
        if self.broken:
            raise SpeechError("unavailable", "out of order")
        self.spoken.append(request.text)
        return Pcm(request.text.encode() * 80, 8000)

    def voices(self) -> list[Voice]:
        return []

    async def close(self) -> None:
        pass


class Spare(Counting):
    name = "spare"


@pytest.fixture
async def site() -> Website:
    return Website()


@pytest.fixture
async def base(site: Website) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", site.sound_file)
    async with TestServer(app) as server:
        yield str(server.make_url("/sounds/"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_800_000_000.0)


@pytest.fixture
def providers() -> list[Counting]:
    return [Counting(), Spare()]


@pytest.fixture
async def make(
    tmp_path: Path, clock: ManualClock, providers: list[Counting]
) -> AsyncIterator[Callable[[], AudioLibrary]]:
    http = HttpPool(AddressPolicy(allow_private=True))
    made: list[AudioLibrary] = []

    def build() -> AudioLibrary:
        library = AudioLibrary(
            http,
            Speaker(providers),
            cache=AudioCache(tmp_path / "cache"),
            clock=clock,
            limits=HttpLimits(read_timeout=2.0, max_body=100_000),
            max_seconds=5.0,
        )
        made.append(library)
        return library

    yield build
    for library in made:
        await library.close()
    await http.close()


@pytest.fixture
def library(make: Callable[[], AudioLibrary]) -> AudioLibrary:
    return make()


async def test_a_url_becomes_frames(library: AudioLibrary, base: str) -> None:
    source = await library.url("hello.wav#rt=1000", base=base)
    assert (source.rate, len(source.pcm)) == (8000, 8000)
    assert np.frombuffer(source.pcm, "<i2").max() == pytest.approx(8192, abs=1)


async def test_without_cache_headers_it_is_fetched_each_time(
    library: AudioLibrary, base: str, site: Website
) -> None:
    first, second = [await library.url(f"{base}a.wav") for _ in range(2)]
    assert len(site.requests) == 2
    assert first.key == second.key


async def test_max_age_and_revalidation(
    library: AudioLibrary, base: str, site: Website, clock: ManualClock
) -> None:
    site.headers = {"Cache-Control": "max-age=60", "ETag": '"1"'}
    first = await library.url(f"{base}a.wav")
    assert await library.url(f"{base}a.wav") is first
    assert len(site.requests) == 1
    clock.advance(61)
    assert (await library.url(f"{base}a.wav")) is first
    assert site.requests[1]["if-none-match"] == '"1"'
    assert await library.url(f"{base}a.wav") is first
    assert len(site.requests) == 2
    clock.advance(61)
    site.sound, site.headers = wav(0.5), {"ETag": '"2"'}
    changed = await library.url(f"{base}a.wav")
    assert changed.key != first.key


async def test_no_store_is_not_kept(
    library: AudioLibrary, base: str, site: Website, tmp_path: Path, clock: ManualClock
) -> None:
    site.headers = {"Cache-Control": "no-store"}
    await library.url(f"{base}a.wav")
    assert list((tmp_path / "cache").glob("*/*")) == []
    site.headers = {"Cache-Control": "max-age=1", "ETag": '"1"'}
    await library.url(f"{base}a.wav")
    clock.advance(2)
    site.headers = {"Cache-Control": "no-store", "ETag": '"1"'}
    await library.url(f"{base}a.wav")
    assert list((tmp_path / "cache").glob("*/*")) == []


async def test_it_survives_a_restart(
    make: Callable[[], AudioLibrary], base: str, site: Website, tmp_path: Path
) -> None:
    site.headers = {"Cache-Control": "max-age=60"}
    first = await make().url(f"{base}a.wav")
    again = await make().url(f"{base}a.wav")
    assert again == first
    assert len(site.requests) == 1
    for path in (tmp_path / "cache").glob("*/*.audio"):
        path.write_bytes(path.read_bytes()[:-1])
    assert await make().url(f"{base}a.wav") == first
    assert len(site.requests) == 2


async def test_two_calls_fetch_once(library: AudioLibrary, base: str, site: Website) -> None:
    site.pause = asyncio.Event()
    tasks = [asyncio.create_task(library.url(f"{base}a.wav")) for _ in range(10)]
    while not site.requests:  # noqa: ASYNC110 - the server has no event of its own
        await asyncio.sleep(0.001)
    site.pause.set()
    assert len({id(await task) for task in tasks}) == 1
    assert len(site.requests) == 1


async def test_a_slow_origin_keeps_no_other_waiting(library: AudioLibrary, base: str, site: Website) -> None:
    site.pause = asyncio.Event()
    slow = [asyncio.create_task(library.url(f"{base}{number}.wav")) for number in range(100)]
    async with asyncio.timeout(PATIENCE):
        for _ in range(32):
            await site.arrived.acquire()
    other = Website()
    app = web.Application()
    app.router.add_get("/a.wav", other.sound_file)
    async with TestServer(app) as elsewhere, asyncio.timeout(PATIENCE):
        assert (await library.url(str(elsewhere.make_url("/a.wav")))).pcm
    assert len(site.requests) == 32
    site.pause.set()
    await asyncio.gather(*slow)


async def test_accounts_and_credentials_do_not_share(library: AudioLibrary, base: str, site: Website) -> None:
    site.headers = {"Cache-Control": "max-age=60"}
    with_user = base.replace("http://", "http://u:p@")
    for url, account in ((base, "a"), (base, "b"), (with_user, "a"), (base, "a"), (with_user, "a")):
        await library.url(f"{url}a.wav", account=account)
    await library.url(f"{base}a.wav", account="a", auth=("u", "p"))
    await library.url(f"{base}a.wav", account="a", headers=[("X-Key", "1")])
    assert [request.get("authorization", "")[:5] for request in site.requests] == [
        "",
        "",
        "Basic",
        "Basic",
        "",
    ]


async def test_post_is_not_cached(library: AudioLibrary, base: str, site: Website) -> None:
    site.headers = {"Cache-Control": "max-age=60"}
    for _ in range(2):
        await library.url(f"{base}a.wav", method="post")
    assert len(site.requests) == 2


@pytest.mark.parametrize(
    ("status", "kind"), [(404, "not-found"), (410, "not-found"), (403, "http-status"), (500, "http-status")]
)
async def test_statuses(library: AudioLibrary, base: str, site: Website, status: int, kind: str) -> None:
    site.status = status
    with pytest.raises(AudioError, match=str(status)) as failed:
        await library.url(f"{base}a.wav")
    assert (failed.value.kind, failed.value.status) == (kind, status)


async def test_other_failures(library: AudioLibrary, base: str, site: Website) -> None:
    failures = []
    for sound, url in (
        (b"x" * 100_001, f"{base}big.wav"),
        (wav(seconds=5.5), f"{base}long.wav"),
        (b"<html/>", f"{base}page.wav"),
        (b"", "http://127.0.0.1:1/a.wav"),
        (b"", "rtmp://127.0.0.1/live"),
    ):
        site.sound = sound
        with pytest.raises(AudioError) as failed:
            await library.url(url)
        failures.append(failed.value.kind)
    assert failures == ["too-large", "too-large", "unsupported", "fetch", "fetch"]


async def test_files(library: AudioLibrary, tmp_path: Path) -> None:
    path = tmp_path / "prompt.wav"
    path.write_bytes(wav())
    first = await library.file(path)
    assert await library.file(path) is first
    path.write_bytes(wav(0.5, 0.25))
    assert (await library.file(path)).key != first.key
    path.write_bytes(bytes(100_001))
    for bad, kind in ((path, "too-large"), (tmp_path / "absent.wav", "not-found"), (tmp_path, "not-found")):
        with pytest.raises(AudioError) as failed:
            await library.file(bad)
        assert failed.value.kind == kind


async def test_speech_is_spoken_once(make: Callable[[], AudioLibrary], providers: list[Counting]) -> None:
    library, request = make(), SpeechRequest("Hello")
    sources = await asyncio.gather(*(library.speech(request) for _ in range(5)))
    assert len({source.key for source in sources}) == 1
    assert await make().speech(request) == sources[0]
    assert providers[0].spoken == ["Hello"]
    await library.speech(SpeechRequest("Hello", voice="other"))
    await library.speech(SpeechRequest("Hello", ssml=True))
    await library.speech(request, cached=False)
    assert providers[0].spoken == ["Hello"] * 4


async def test_a_spare_voice_is_noted_and_not_kept(library: AudioLibrary, providers: list[Counting]) -> None:
    notes: list[str] = []
    providers[0].broken = True
    await library.speech(SpeechRequest("Hello", vendor="google"), on_note=notes.append)
    assert notes == [
        "the speech vendor google is not configured: counting speaks",
        "counting failed (out of order): spare speaks",
    ]
    providers[0].broken = False
    await library.speech(SpeechRequest("Hello", vendor="google"))
    assert (providers[0].spoken, providers[1].spoken) == (["Hello"], ["Hello"])


async def test_speech_that_fails(library: AudioLibrary, providers: list[Counting]) -> None:
    for provider in providers:
        provider.broken = True
    with pytest.raises(SpeechError):
        await library.speech(SpeechRequest("Hello"))
