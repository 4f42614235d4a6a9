"""SIPp as the far end: one scenario, run as a process of its own, and what it saw on the wire."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest
from tests.patience import PATIENCE
from tests.ports import free_port, free_ports, taken
from tests.processes import bound

SIPP = shutil.which("sipp")
SCENARIOS = Path(__file__).parent / "scenarios"
needs_sipp = pytest.mark.skipif(SIPP is None, reason="SIPp is not installed (Debian: sip-tester)")

_TIMEOUT = 60  # seconds, for a whole scenario
_MEDIA_PORTS = 4  # audio, and video two above it
_TRACED = re.compile(
    r"^-{20,} .*\n(?:.*message (?:(sent) \(\d+ bytes\)|(received) \[\d+\] bytes ?):\n\n)?", re.M
)


class Seen(msgspec.Struct, frozen=True):
    """One SIP message at SIPp."""

    direction: Literal["sent", "received"]
    text: str

    @property
    def start_line(self) -> str:
        return self.text.partition("\n")[0].strip()

    def header(self, name: str) -> str:
        """The value of a header field, empty where there is none."""
        found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", self.text, re.M | re.I)
        return found[1] if found else ""


class Finished(msgspec.Struct, frozen=True):
    """How a scenario went: `failed` says why it did not succeed."""

    failed: str
    seen: tuple[Seen, ...]

    def received(self, start: str) -> list[Seen]:
        """What came whose first line begins like this."""
        return [
            seen for seen in self.seen if seen.direction == "received" and seen.start_line.startswith(start)
        ]

    @property
    def statuses(self) -> list[int]:
        """The status codes that came, in order."""
        return [int(seen.start_line.split()[1]) for seen in self.received("SIP/2.0")]


class Sipp:
    """A SIPp process with a scenario."""

    def __init__(
        self,
        scenario: str,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        replace: tuple[str, str] = ("", ""),
        transport: str = "udp",
        scene: str = "",
        port: int = 0,
    ) -> None:
        """`replace`: a text of the scenario, and what stands there this time. `scene`: the scenario itself,
        where it is no file."""
        self.port = port or free_port("udp", host)
        self._transport = transport
        self._scenario = scene or (SCENARIOS / f"{scenario}.xml").read_text().replace(*replace)
        self._host = host
        self._directory = directory / f"{scenario}-{self.port}"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def uri(self) -> str:
        """Where it is called."""
        return f"sip:callee@{self._host}:{self.port};transport={self._transport}"

    @property
    def seen(self) -> tuple[Seen, ...]:
        """What it has sent and received so far."""
        return tuple(_read(self._directory / "messages"))

    @property
    def running(self) -> bool:
        """Whether its scenario goes on."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *arguments: str) -> None:
        """Start it."""
        assert SIPP is not None
        self._directory.mkdir(parents=True)
        (self._directory / "scenario.xml").write_text(self._scenario)
        (self._directory / "sound.ulaw").write_bytes(_sound())
        self._process = await asyncio.create_subprocess_exec(
            *bound(SIPP),
            *("-sf", "scenario.xml", "-nostdin", "-m", "1", "-watchdog_interval", "0"),
            *(
                "-i",
                self._host,
                "-mi",
                self._host,
                "-p",
                str(self.port),
                "-mp",
                str(free_ports(_MEDIA_PORTS)),
            ),
            *("-trace_msg", "-message_file", "messages", "-trace_err", "-error_file", "errors"),
            *("-timeout", f"{_TIMEOUT}s", "-timeout_error"),
            *("-t", "t1" if self._transport == "tcp" else "u1", *arguments),
            cwd=self._directory,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def finished(self) -> Finished:
        """Wait for the end of the scenario."""
        assert self._process is not None
        output, _ = await asyncio.wait_for(self._process.communicate(), _TIMEOUT + 5)
        seen = self.seen
        if self._process.returncode == 0:
            return Finished("", seen)
        said = self._directory / "errors"
        wrong = said.read_text(errors="replace") if said.exists() else output[-2000:].decode(errors="replace")
        return Finished(f"SIPp ended with {self._process.returncode}: {wrong}", seen)

    async def listening(self) -> None:
        """Wait until it has its port. Raises TimeoutError, RuntimeError when it ended instead."""
        async with asyncio.timeout(PATIENCE):
            while not taken(self._transport, self._host, self.port):
                if self._process is not None and self._process.returncode is not None:
                    raise RuntimeError((await self.finished()).failed)
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """End it, if it has not ended."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


async def call_with_sipp(
    scenario: str,
    server: str,
    called: str,
    directory: Path,
    *arguments: str,
    host: str = "127.0.0.1",
    transport: str = "udp",
) -> Finished:
    """Let SIPp call `called` at the server (`host:port`) as the scenario says."""
    sipp = Sipp(scenario, directory, host=host, transport=transport)
    try:
        await sipp.start("-s", called, *arguments, server)
        return await sipp.finished()
    finally:
        await sipp.stop()


@asynccontextmanager
async def answering_sipp(
    scenario: str,
    directory: Path,
    replace: tuple[str, str] = ("", ""),
    transport: str = "udp",
    *,
    scene: str = "",
    port: int = 0,
) -> AsyncIterator[Sipp]:
    """SIPp that waits for a call, ready to take it."""
    sipp = Sipp(scenario, directory, replace=replace, transport=transport, scene=scene, port=port)
    try:
        await sipp.start()
        await sipp.listening()
        yield sipp
    finally:
        await sipp.stop()


def _sound() -> bytes:
    """A second of PCMU: what SIPp streams."""
    return np.random.default_rng(1).integers(0, 256, 8000, np.uint8).tobytes()


def _read(path: Path) -> list[Seen]:
    """SIPp's message trace: a line of dashes, a line that says which way, the message."""
    if not path.exists():
        return []
    text = path.read_text(errors="replace")
    seen = []
    marks = list(_TRACED.finditer(text))
    ends = [mark.start() for mark in marks] + [len(text)]
    for mark, end in zip(marks, ends[1:], strict=True):
        if mark[1] or mark[2]:
            seen.append(Seen("sent" if mark[1] else "received", text[mark.end() : end]))
    return seen
