"""The whole server as a process of its own, on a core of its own, with a temporary configuration. Its data is
where temporary files go (`TMPDIR`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from bench.machine import Usage, family, lives, on_core
from bench.ticks import Ticks
from ringback.running import Running, running_server

ACCOUNT, TOKEN = "5d3c8f0a-1b7e-4c55-9d6e-2f8a4e1b9c70", "bench"
NUMBERS = {"laml": "+14155550100", "jambonz": "+14155550101", "callapi": "+14155550102"}
SERVE = ("ringback", "serve")
"""What a server is started with."""
START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
_SHED = re.compile(r"^ringback_overload_refusals_total (\S+)$", re.MULTILINE)

_CONFIG = """
[server]
http = "127.0.0.1:0"
sip = ["udp:127.0.0.1:0"]
rtp = "127.0.0.1:10000-19999"
data = "{data}"

[calls]
shutdown_seconds = 0

[log]
level = "warning"

[[account]]
name = "bench"
sid = "{account}"
token = "{token}"

[[trunk]]
name = "load"
inbound_from = ["127.0.0.0/8"]
"""
_APPLICATION = """
[[application]]
name = "{dialect}"
dialect = "{dialect}"
voice_url = "{url}/{dialect}/voice"
status_callback = "{url}/{dialect}/status"

[[number]]
number = "{number}"
application = "{dialect}"
"""


class System:
    """A running server, from outside."""

    def __init__(self, command: Sequence[str], data: Path, core: int) -> None:
        self._command = command
        self.data = data
        self.core = core
        self._process: asyncio.subprocess.Process
        self._running: Running

    async def start(self) -> None:
        """Start it, or start it again on the same data. Raises RuntimeError when it does not start."""
        with on_core(self.core):
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdout=asyncio.subprocess.DEVNULL,
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": _path()},
            )
        try:
            self._running = await _running(self._process, self.data)
        except asyncio.CancelledError:
            await self.stop()
            raise

    async def kill(self) -> None:
        """`kill -9` of all its processes at once."""
        members = family(self.pid)
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self._process.wait()
        while any(lives(pid) for pid in members):  # noqa: ASYNC110 - nobody tells of others' children
            await asyncio.sleep(0.005)

    @property
    def pid(self) -> int:
        """The control process."""
        return self._process.pid

    @property
    def http(self) -> str:
        """Where its HTTP listens."""
        return self._running.http

    @property
    def sip(self) -> tuple[str, int]:
        """Host and port of its UDP listening point."""
        host, _, port = self._running.sip[0].removeprefix("udp:").rpartition(":")
        return host, int(port)

    def usage(self) -> Usage:
        """What it and its processes use."""
        return Usage.of(self.pid)

    async def health(self) -> dict[str, Any]:
        """What `/health` says."""
        async with aiohttp.ClientSession() as session, session.get(f"{self._running.http}/health") as reply:
            body: dict[str, Any] = await reply.json()
            return body

    async def ticks(self) -> Ticks:
        """How its media workers have kept time so far, by `/health`."""
        return Ticks.together(Ticks.of(worker) for worker in (await self.health())["media"])

    async def shed(self) -> int:
        """How many calls it has refused so far for want of time, by `/metrics`."""
        async with aiohttp.ClientSession() as session, session.get(f"{self._running.http}/metrics") as reply:
            found = _SHED.search(await reply.text())
            return int(float(found[1])) if found is not None else 0

    async def idle(self, timeout: float = 20.0, calls: int = 0) -> dict[str, Any]:
        """Wait until no more than so many calls are up and no callback is due, or the time is over; the last
        health."""
        until = time.monotonic() + timeout
        while True:
            health = await self.health()
            done = health["calls"] <= calls and not health["callbacks_queued"]
            if done or time.monotonic() > until:
                return health
            await asyncio.sleep(0.1)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self) -> None:
        """End it."""
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def system(
    application_url: str,
    core: int,
    *,
    module: Sequence[str] = SERVE,
    settings: str = "",
    prepare: Callable[[Path], Awaitable[None]] | None = None,
) -> AsyncIterator[System]:
    """Run a server with an application in each dialect under `application_url`. `module`: what to run, with
    its arguments; `--config` and the file's name follow. `settings`: more tables for that file. `prepare`
    fills the data directory before the start. Raises RuntimeError when it does not start."""
    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as place:
        data = Path(place, "data")
        config = Path(place, "ringback.toml")
        applications = (
            _APPLICATION.format(dialect=dialect, url=application_url, number=number)
            for dialect, number in NUMBERS.items()
        )
        common = _CONFIG.format(data=data, account=ACCOUNT, token=TOKEN)
        config.write_text(common + "".join(applications) + settings)  # noqa: ASYNC240 - a tiny file
        if prepare is not None:
            await prepare(data)
        running = System((sys.executable, "-m", *module, "--config", str(config)), data, core)
        await running.start()
        try:
            yield running
        finally:
            await running.stop()


async def _running(process: asyncio.subprocess.Process, data: Path) -> Running:
    loop = asyncio.get_running_loop()
    until = loop.time() + START_TIMEOUT
    while process.returncode is None and loop.time() < until:
        running = running_server(data)
        if running is not None:
            return running
        await asyncio.sleep(0.05)
    if process.returncode is None:
        process.kill()
    await process.wait()
    raise RuntimeError("the server did not start; it says why above")


def _path() -> str:
    """Where modules are found: the benches, whatever is installed."""
    here = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join(part for part in (here, os.environ.get("PYTHONPATH", "")) if part)
