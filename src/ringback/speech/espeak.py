"""The built-in voice: the control side of the espeak-ng worker process."""

from __future__ import annotations

import asyncio
import logging
import struct
import sys
from pathlib import Path

import msgspec

from ringback.speech.languages import INSTALLED
from ringback.speech.protocol import MAX_TEXT, Gender, Pcm, SpeechError, SpeechRequest, Voice
from ringback.speech.ssml import sanitise
from ringback.speech.voices import VARIANTS, resolve_voice

log = logging.getLogger(__name__)

_WORKER = Path(__file__).with_name("espeak_worker.py")
_MOST_WAITING = 200


class _Reply(msgspec.Struct):
    ok: bool
    rate: int
    bytes: int
    cut: bool
    error: str


class Espeak:
    """Speaks through one worker, which is started when first needed and replaced when it dies.

    Requests are answered one at a time, each within `timeout` seconds; a worker that takes longer is killed.
    Cancelling a caller leaves the worker in step: its answer is read and dropped.
    """

    name = "espeak"

    def __init__(self, *, timeout: float = 15.0, max_seconds: float = 1200.0) -> None:
        self._timeout = timeout
        self._max_seconds = max_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting: set[asyncio.Task[Pcm]] = set()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The worker's process id while one is up."""
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if alive and self._process is not None else None

    def identity(self, request: SpeechRequest) -> str:
        voice = resolve_voice(request.voice, request.language, request.gender).voice
        return f"espeak {voice.name} {request.rate:g}"

    def voices(self) -> list[Voice]:
        genders: tuple[Gender, ...] = ("female", "male")
        return [
            Voice(f"{language}{VARIANTS[gender]}", language, gender)
            for language in sorted(INSTALLED)
            for gender in genders
        ]

    async def warm(self) -> None:
        """Start the worker ahead of the first request."""
        async with self._turn:
            await self._running()

    async def synthesize(self, request: SpeechRequest) -> Pcm:
        """Speak with the nearest voice; raises `SpeechError`."""
        if len(request.text) > MAX_TEXT:
            raise SpeechError(
                "too-long", f"expected at most {MAX_TEXT} characters to say, got {len(request.text)}"
            )
        if not request.text.strip():
            raise SpeechError("empty", "there is nothing to say")
        if len(self._waiting) >= _MOST_WAITING:
            raise SpeechError("unavailable", "too many texts are waiting to be spoken")
        voice = resolve_voice(request.voice, request.language, request.gender).voice
        message = msgspec.json.encode(
            {
                "text": sanitise(request.text) if request.ssml else request.text,
                "ssml": request.ssml,
                "voice": voice.name,
                "rate": request.rate,
                "max_seconds": self._max_seconds,
            }
        )
        task = asyncio.create_task(self._take_turn(message), name="espeak request")
        self._waiting.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the worker."""
        self._closed = True
        for task in list(self._waiting):
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        await self._end()

    def _done(self, task: asyncio.Task[Pcm]) -> None:
        self._waiting.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits any more

    async def _take_turn(self, message: bytes) -> Pcm:
        async with self._turn:
            for attempt in (1, 2):
                process = await self._running()
                try:
                    async with asyncio.timeout(self._timeout):
                        return await _exchange(process, message)
                except TimeoutError:
                    await self._end()
                    text = f"the speech worker took more than {self._timeout:g} s"
                    raise SpeechError("timeout", text) from None
                except (OSError, asyncio.IncompleteReadError):
                    log.warning("the speech worker ended unexpectedly (attempt %d)", attempt)
                    await self._end()
                except asyncio.CancelledError:
                    await self._end()  # half a reply may be in the pipe
                    raise
            raise SpeechError("unavailable", "the speech worker cannot be kept running")

    async def _running(self) -> asyncio.subprocess.Process:
        if self._closed:
            raise SpeechError("unavailable", "speech has been shut down")
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self._end()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(_WORKER),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 20,
            )
        except OSError as error:
            raise SpeechError("unavailable", f"the speech worker cannot be started: {error}") from error
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def _exchange(process: asyncio.subprocess.Process, message: bytes) -> Pcm:
    sink, source = process.stdin, process.stdout
    if sink is None or source is None:
        raise ConnectionError("the speech worker has no pipes")
    sink.write(struct.pack(">I", len(message)) + message)
    await sink.drain()
    (size,) = struct.unpack(">I", await source.readexactly(4))
    reply = msgspec.json.decode(await source.readexactly(size), type=_Reply)
    samples = await source.readexactly(reply.bytes)
    if not reply.ok:
        raise SpeechError("provider", reply.error)
    if reply.cut:
        log.warning("a text was cut after %g s of speech", len(samples) / 2 / reply.rate)
    return Pcm(samples, reply.rate)
