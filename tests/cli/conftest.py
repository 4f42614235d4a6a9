"""Settings in a file, as the commands read them, and commands as processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import ClassVar

import pytest
from tests.patience import PATIENCE
from tests.ports import rtp_range
from tests.processes import bound

from ringback.config import load
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, NUMBER, TOKEN, RunningServer, WebApp

SETTINGS = """
[server]
http = "127.0.0.1:{http}"
sip = ["udp:127.0.0.1:{sip}"]
rtp = "{rtp}"
data = "{data}"

[calls]
shutdown_seconds = 0

[[account]]
name = "test"
token = "{token}"

[[application]]
name = "app"
dialect = "laml"
voice_url = "{app}/voice"
status_callback = "{app}/status"

[[number]]
number = "{number}"
application = "app"

[[trunk]]
name = "local"
inbound_from = ["127.0.0.0/8"]

[[client]]
username = "{device}"
password = "{password}"
"""


@pytest.fixture
async def app() -> AsyncIterator[WebApp]:
    """The application that the settings name."""
    async with WebApp() as app:
        yield app


@pytest.fixture
def config(app: WebApp, data: Path, free_port: Callable[..., int]) -> Path:
    """A file of settings."""
    file = data.parent / "ringback.toml"
    file.write_text(
        SETTINGS.format(
            http=free_port(), sip=free_port("udp"), rtp=rtp_range(), data=data, token=TOKEN, app=app.url,
            number=NUMBER, device=DEVICE, password=DEVICE_PASSWORD,
        )
    )  # fmt: skip
    return file


@pytest.fixture
async def server(config: Path) -> AsyncIterator[RunningServer]:
    """A server that runs on those settings."""
    async with RunningServer(load(config)) as server:
        yield server


class Command:
    """`ringback …` as a process."""

    started: ClassVar[list[Command]] = []

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""
        self.started.append(self)

    @classmethod
    async def start(cls, *arguments: str, cwd: Path, **environment: str) -> Command:
        """Start it, with nothing of our own environment that it would read."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
        return cls(
            await asyncio.create_subprocess_exec(
                *bound(sys.executable, "-m", "ringback", *arguments),
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                cwd=cwd, env={**clean, **environment, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
            )
        )  # fmt: skip

    async def says(self, text: str, timeout: float = PATIENCE) -> None:
        """Wait until it has said that. Raises TimeoutError; EOFError where it ended first."""
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout):
            while text not in self.said:
                more = await self.process.stdout.read(4096)
                if not more:
                    raise EOFError(self.said)
                self.said += more.decode()

    async def ends(self, timeout: float = 2 * PATIENCE) -> int:
        """Wait for its end; the exit code."""
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout):
            self.said += (await self.process.stdout.read()).decode()
            return await self.process.wait()


@pytest.fixture(autouse=True)
async def none_stays() -> AsyncIterator[None]:
    """A test that fails halfway leaves no command behind."""
    yield
    while Command.started:
        process = Command.started.pop().process
        if process.returncode is None:
            process.kill()
            await process.communicate()
