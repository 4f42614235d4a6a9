"""Everything that can be played, as sources: speech, URLs and files, each made once and then kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin

from ringback.audio.cache import AudioCache, Entry, cache_key, source_of
from ringback.audio.decode import MAX_SECONDS, decode
from ringback.audio.errors import AudioError, AudioErrorKind
from ringback.audio.flight import Flights
from ringback.audio.freshness import Freshness, freshness_of, refreshed
from ringback.media.source import Source
from ringback.net.clock import Clock, SystemClock
from ringback.net.guard import origin_of
from ringback.net.http import HttpFailure, HttpLimits, HttpPool, HttpReply, Redirects, Sign
from ringback.net.turns import Turns
from ringback.speech.protocol import SpeechRequest
from ringback.speech.speaker import Speaker

_LIMITS = HttpLimits(connect_timeout=5.0, read_timeout=15.0, total_timeout=60.0, max_body=64 * 1024 * 1024)
_REDIRECTS = Redirects(limit=5)
_AT_ONCE = 32  # fetches under way from one origin; decoding has two threads
_GONE = (404, 410)


class AudioLibrary:
    """Turns what can be played into sources. Two who ask for the same thing at once share the work."""

    def __init__(
        self,
        http: HttpPool,
        speaker: Speaker,
        *,
        cache: AudioCache,
        clock: Clock | None = None,
        limits: HttpLimits = _LIMITS,
        max_seconds: float = MAX_SECONDS,
    ) -> None:
        self._http = http
        self._speaker = speaker
        self._cache = cache
        self._clock = clock if clock is not None else SystemClock()
        self._limits = limits
        self._max_seconds = max_seconds
        self._flights: Flights[Source] = Flights()
        self._turns = Turns(_AT_ONCE)
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="audio-decode")

    async def close(self) -> None:
        """End the threads and close the cache; pool and speaker belong to the caller."""
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._cache.close)

    async def speech(
        self, request: SpeechRequest, *, cached: bool = True, on_note: Callable[[str], None] | None = None
    ) -> Source:
        """A text, spoken; raises `ringback.speech.protocol.SpeechError`.

        `on_note` gets a sentence for each replacement (a voice, a language, a provider that failed).
        With `cached` false the text is spoken anew, and not kept.
        """
        key = cache_key("speech", self._speaker.identity(request), str(request.ssml), request.text)
        if on_note is not None:
            for note in self._speaker.notes(request):
                on_note(note)
        if not cached:
            return await self._speak(key, request, keep=False, on_note=on_note)
        entry = await self._cache.get(key)
        if entry is not None:
            return entry.source
        return await self._flights.join(key, lambda: self._speak(key, request, keep=True, on_note=on_note))

    async def url(
        self,
        url: str,
        *,
        method: str = "GET",
        base: str = "",
        account: str = "",
        headers: Sequence[tuple[str, str]] = (),
        auth: tuple[str, str] | None = None,
        sign: Sign | None = None,
    ) -> Source:
        """A sound file fetched over HTTP; raises `AudioError`.

        A relative `url` is resolved against `base`. What is kept is kept per `account` and credentials, for
        as long as the server's cache headers allow. Only GET is cached.
        """
        absolute = urljoin(base, url.strip()) if base else url.strip()
        verb = method.upper()
        if verb != "GET":
            return await self._fetch("", verb, absolute, None, headers, auth, sign)
        key = cache_key("url", account, absolute.partition("#")[0], repr(auth), repr(sorted(headers)))
        entry = await self._cache.get(key)
        if entry is not None and _usable(entry, self._clock.now()):
            return entry.source
        return await self._flights.join(
            key, lambda: self._fetch(key, verb, absolute, entry, headers, auth, sign)
        )

    async def file(self, path: Path) -> Source:
        """A sound file of this machine; raises `AudioError`. Kept until the file changes."""
        try:
            absolute, status = await asyncio.to_thread(lambda: (path.absolute(), path.stat()))
        except OSError as error:
            raise AudioError("not-found", f"{path} cannot be read: {error.strerror}") from None
        key = cache_key("file", str(absolute), str(status.st_mtime_ns), str(status.st_size))
        entry = await self._cache.get(key)
        if entry is not None:
            return entry.source
        return await self._flights.join(key, lambda: self._load(key, path, status.st_size))

    async def _speak(
        self, key: str, request: SpeechRequest, *, keep: bool, on_note: Callable[[str], None] | None
    ) -> Source:
        spoken = await self._speaker.speak(request)
        source = await asyncio.to_thread(source_of, spoken.pcm.samples, spoken.pcm.rate)
        if spoken.spare and on_note is not None:
            on_note(spoken.notes[-1])
        if keep and not spoken.spare:  # a replacement must not outlive the trouble that caused it
            await self._cache.put(key, Entry(source))
        return source

    async def _fetch(
        self,
        key: str,
        method: str,
        url: str,
        known: Entry | None,
        headers: Sequence[tuple[str, str]],
        auth: tuple[str, str] | None,
        sign: Sign | None,
    ) -> Source:
        freshness = known.freshness if known is not None else None
        asked = (*headers, *freshness.conditions()) if freshness is not None else tuple(headers)
        async with self._turns.of(_origin(url)):
            try:
                reply = await self._http.request(
                    method,
                    url,
                    headers=asked,
                    limits=self._limits,
                    redirects=_REDIRECTS,
                    auth=auth,
                    sign=sign,
                )
            except HttpFailure as failure:
                kind: AudioErrorKind = "too-large" if failure.kind == "too-large" else "fetch"
                raise AudioError(kind, f"{url}: {failure.message}", failure.status) from failure
        if reply.status == 304 and known is not None and freshness is not None:
            return await self._still_good(key, known.source, freshness, reply)
        if reply.status != 200:
            raise AudioError(
                "not-found" if reply.status in _GONE else "http-status",
                f"{url} answered with status {reply.status}",
                reply.status,
            )
        source = await self._decoded(reply.body, reply.header("Content-Type") or "", reply.url)
        allowed = freshness_of(reply.headers, self._clock.now())
        if key and allowed is not None and allowed.is_useful(self._clock.now()):
            await self._cache.put(key, Entry(source, allowed))
        return source

    async def _still_good(self, key: str, source: Source, old: Freshness, reply: HttpReply) -> Source:
        allowed = refreshed(old, reply.headers, self._clock.now())
        if allowed is None:
            await self._cache.remove(key)
        else:
            await self._cache.put(key, Entry(source, allowed))
        return source

    async def _load(self, key: str, path: Path, size: int) -> Source:
        if size > self._limits.max_body:
            raise AudioError("too-large", f"{path} is larger than {self._limits.max_body} bytes")
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise AudioError("not-found", f"{path} cannot be read: {error.strerror}") from None
        source = await self._decoded(data, "", path.name)
        await self._cache.put(key, Entry(source))
        return source

    async def _decoded(self, data: bytes, content_type: str, name: str) -> Source:
        def work() -> Source:
            samples = decode(data, content_type=content_type, name=name, max_seconds=self._max_seconds)
            return source_of(samples)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _origin(url: str) -> Hashable:
    try:
        return origin_of(url)
    except ValueError:
        return url  # fetching it says what is wrong


def _usable(entry: Entry, now: float) -> bool:
    return entry.freshness is None or entry.freshness.is_fresh(now)
