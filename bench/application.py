"""The web application of the load: answers every question at once, and notes when what was asked.

HTTP by httptools on a bare protocol: what answers must cost next to nothing beside what is measured.
"""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httptools
import msgspec
import numpy as np
import soundfile

RATE = 8000
VOICE = "voice"
Handler = Callable[[str, bytes], tuple[str, bytes]]


class Application:
    """`documents` maps a dialect to what its `/<dialect>/voice` answers, and `dialect/name` to what
    `/<dialect>/<name>` does; `{url}` is where we are, `{count}` a number that grows.

    `on_asked(caller)` is called with the calling number of a question, before its answer is written;
    `on_told(caller, status)` with that of a status callback. `which(caller)` names the document that a new
    call gets. Answers are written `thinking()` seconds after the question, or at once.
    """

    def __init__(self, documents: dict[str, tuple[str, str]], prompt_seconds: float) -> None:
        self.url = ""
        self.on_asked: Callable[[str], None] = _ignore
        self.on_told: Callable[[str, str], None] = _ignore
        self.which: Callable[[str], str] = _voice
        self.thinking: Callable[[], float] | None = None
        self._count = itertools.count()
        self._documents = documents
        self._prompt = wav(prompt_seconds)
        self._server: asyncio.Server | None = None
        self._answers: dict[str, tuple[str, bytes]] = {}

    async def start(self) -> None:
        """Serve on a free port of the loopback interface."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._answer, self._wait), "127.0.0.1", 0, backlog=1024
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        for name, (kind, text) in self._documents.items():
            dialect, _, place = name.partition("/")
            self._answers[f"/{dialect}/{place or VOICE}"] = kind, text.replace("{url}", self.url).encode()

    async def stop(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.close()

    def _wait(self) -> float:
        return self.thinking() if self.thinking is not None else 0.0

    def _answer(self, path: str, body: bytes) -> tuple[str, bytes]:
        if path == "/prompt.wav":
            return "audio/wav", self._prompt
        caller, status = _caller(body)
        dialect, _, place = path[1:].partition("/")
        if place == VOICE:
            path = f"/{dialect}/{self.which(caller)}"
        kind, text = self._answers.get(path, ("", b""))
        if not kind:
            self.on_told(caller, status)
            return kind, text
        if b"{count}" in text:
            text = text.replace(b"{count}", str(next(self._count)).encode())
        self.on_asked(caller)
        return kind, text


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection, kept alive."""

    def __init__(self, answer: Handler, wait: Callable[[], float]) -> None:
        self._answer = answer
        self._wait = wait
        self._transport: asyncio.Transport | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser: Any = httptools.HttpRequestParser(self)
        self._url = b""
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """A part of the request's target."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """A part of the request's body."""
        self._body += body

    def on_message_complete(self) -> None:
        """The request is whole."""
        path, body = self._url.partition(b"?")[0].decode(), bytes(self._body)
        self._url, self._body = b"", bytearray()
        wait = self._wait()
        if wait:
            asyncio.get_running_loop().call_later(wait, self._reply, path, body)
        else:
            self._reply(path, body)

    def _reply(self, path: str, request: bytes) -> None:
        kind, body = self._answer(path, request)
        status = "200 OK" if kind else "204 No Content"
        # Spoken and fetched audio is cached by what HTTP says of it.
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nCache-Control: max-age=3600\r\n"
        length = f"Content-Length: {len(body)}\r\n\r\n" if kind else "\r\n"
        if self._transport is not None:
            self._transport.write(head.encode() + length.encode() + body)


def _caller(body: bytes) -> tuple[str, str]:
    """The calling number and the call's status: of a form, or of a JSON object."""
    if body.startswith(b"{"):
        told = msgspec.json.decode(body)
        return str(told.get("from", "")), str(told.get("call_status", ""))
    fields = parse_qs(body.decode())
    return fields.get("From", [""])[0], fields.get("CallStatus", [""])[0]


def _ignore(*_: str) -> None:
    """Nobody wants to know."""


def _voice(_: str) -> str:
    return VOICE


def wav(seconds: float) -> bytes:
    """A prompt that is no simple tone, as a WAV file: G.711's rate, 16 bits."""
    time = np.arange(int(seconds * RATE)) / RATE
    wave = 8000 * np.sin(2 * np.pi * 300 * time) * np.sin(2 * np.pi * 2 * time)
    file = io.BytesIO()
    soundfile.write(file, wave.astype("<i2"), RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()
