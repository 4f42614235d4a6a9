"""The far ends of RTP legs for the benches: a small C program, compiled on demand; without a compiler a slow
stand-in in Python."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.machine import on_core

HOST = "127.0.0.1"
"""Where all of it happens."""
COMPILERS = ("cc", "gcc", "clang")
STAND_IN = (sys.executable, str(Path(__file__).with_name("far.py")))
SOURCE = Path(__file__).with_name("rtp_load.c")
HEADER = SOURCE.with_name("rtp_stamp.h")


class Punctuality(msgspec.Struct, frozen=True):
    """What the far ends got.

    Punctual is within 5 ms of the leg's own 20 ms schedule; what is missing is not.
    """

    expected: int
    received: int
    punctual: int
    silent_legs: int
    worst_leg: float
    largest_deviation_ms: float
    load_cpu_seconds: float


def program() -> Path:
    """The compiled program of the far ends. Raises FileNotFoundError where there is no C compiler."""
    return build(SOURCE, HEADER)


def build(source: Path, *headers: Path) -> Path:
    """A C program, compiled when it is not yet. Raises FileNotFoundError where there is no C compiler."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise FileNotFoundError("the load generator needs a C compiler (cc, gcc or clang)")
    name = hashlib.sha256(b"".join(part.read_bytes() for part in (source, *headers))).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"ringback-{source.stem.replace('_', '-')}-{name}"
    if not path.exists():
        half = path.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, "-O2", "-o", str(half), str(source), "-lm"], check=True, timeout=60)
        half.replace(path)
    return path


class Delays(msgspec.Struct, frozen=True):
    """What became of the packets from leg to leg, and how long the server had those that came through."""

    sent: int
    received: int
    delay_median_ms: float
    delay_p99_ms: float
    delay_max_ms: float
    load_late_ms: float
    """How far behind its own schedule the load was at its worst."""
    load_cpu_seconds: float


class Heard(Punctuality, frozen=True):
    """What legs got that are not bridged, and what became of the packets of those that are."""

    relay: Delays


def compiled() -> bool:
    """Whether the far ends are the C program."""
    return any(shutil.which(name) for name in COMPILERS)


class Far:
    """A running program of far ends with one socket, at `port`. It runs on the given core."""

    def __init__(self, mode: str, core: int, *arguments: str) -> None:
        self._command = [*([str(program())] if compiled() else STAND_IN), mode, HOST, *arguments]
        self._core = core
        self._process: asyncio.subprocess.Process | None = None
        self.port = 0

    @property
    def pid(self) -> int:
        """The program's process."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start the program."""
        pipe = asyncio.subprocess.PIPE
        with on_core(self._core):
            self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        assert self._process.stdout is not None
        self.port = int(await self._process.stdout.readline())

    async def stop(self) -> bytes:
        """End it; what it had to say."""
        return await self._told(b"")

    async def _told(self, last: bytes | None) -> bytes:
        """What it says until it ends, after the last that there is to tell; None keeps its ear open."""
        assert self._process is not None
        return (await self._process.communicate(last))[0]

    def tell(self, line: str) -> None:
        """A line for its standard input."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())


class FarEnds(Far):
    """Exchanges media for some seconds with legs that are all there at once. `speech`: for which share of the
    time they speak; there is a line's noise in between. Needs the C program."""

    def __init__(self, seconds: float, core: int, speech: float = 1.0) -> None:
        super().__init__("far", core, str(seconds), str(speech))

    async def run(self, ports: Sequence[int]) -> Punctuality:
        """Exchange media with these ports until the time is over."""
        return msgspec.json.decode(await self._told(_lines(ports)), type=Punctuality)


class Pairs(Far):
    """The same with legs of which the first are bridged, two and two. Needs the C program."""

    def __init__(self, seconds: float, pairs: int, core: int) -> None:
        super().__init__("pairs", core, str(seconds), str(pairs))

    async def run(self, ports: Sequence[int]) -> Delays:
        """Exchange media with these ports until the time is over."""
        return msgspec.json.decode(await self._told(_lines(ports)), type=Heard).relay


class Echo(Far):
    """Sends every packet back where it came from, until stopped."""

    def __init__(self, core: int) -> None:
        super().__init__("echo", core)


class LiveEnds(Far):
    """Talks to legs that come one by one, without a pause, and measures when all are there."""

    def __init__(self, core: int) -> None:
        super().__init__("live", core)

    def add(self, port: int) -> None:
        """Exchange media with a leg from now on."""
        self.tell(f"add {port}")

    def add_bridged(self, port: int, payload_type: int) -> None:
        """The same with a leg that the server has bridged with another one of ours. Needs the C program."""
        self.tell(f"bridged {port} {payload_type}")

    async def measure(self, seconds: float) -> Punctuality:
        """Count what comes in that time to legs that are not bridged; then it is over."""
        return msgspec.json.decode(await self._measure(seconds), type=Punctuality)

    async def measure_all(self, seconds: float) -> Heard:
        """The same with the bridged ones. Needs the C program."""
        return msgspec.json.decode(await self._measure(seconds), type=Heard)

    async def _measure(self, seconds: float) -> bytes:
        self.tell(f"measure {seconds}")
        return await self._told(None)


def _lines(ports: Sequence[int]) -> bytes:
    return "\n".join(map(str, ports)).encode()
