"""`ringback serve` as a process of its own, to be killed and started again on the same data."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from tests.patience import PATIENCE
from tests.ports import free_port, rtp_range
from tests.processes import bound
from tests.server.site import NUMBERS, basic

from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, TOKEN, WebApp

ACCOUNT = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
SID = "AC" + ACCOUNT.replace("-", "")

SETTINGS = """
[server]
http = "127.0.0.1:{http}"
sip = ["udp:127.0.0.1:{sip}"]
rtp = "{rtp}"
data = "{data}"

[[account]]
name = "test"
sid = "{sid}"
token = "{token}"

[[application]]
name = "laml"
dialect = "laml"
profile = "twilio"
voice_url = "{app}/laml/voice"
status_callback = "{app}/status/laml"

[[number]]
number = "{number}"
application = "laml"

[[trunk]]
name = "local"
inbound_from = ["127.0.0.0/8"]

[[client]]
username = "{device}"
password = "{password}"
"""


class Process:
    """`ringback serve` as a process, to be killed and started again on the same data and ports."""

    def __init__(self, config: Path, data: Path, sip: int, http: int) -> None:
        self.data = data
        self.sip, self.http = f"127.0.0.1:{sip}", f"http://127.0.0.1:{http}"
        self._config = config
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it takes calls."""
        self._process = await asyncio.create_subprocess_exec(
            *bound(sys.executable, "-m", "ringback", "serve", "--config", str(self._config)),
            stdout=asyncio.subprocess.DEVNULL, cwd=self.data.parent,
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as client:
            while not await self._serves(client):
                assert self._process.returncode is None, "it did not start"
                await asyncio.sleep(0.05)

    async def _serves(self, client: aiohttp.ClientSession) -> bool:
        try:
            async with client.get(f"{self.http}/health") as reply:
                return reply.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        """As the kernel would when memory is short."""
        await self._end(signal.SIGKILL)

    async def lose_power(self) -> None:
        """It ends at once, and whatever it started with it."""
        assert self._process is not None
        server = self._process.pid
        children = _children(server)
        for pid in map(int, children):
            os.kill(pid, signal.SIGKILL)
        await self.kill()
        async with asyncio.timeout(PATIENCE):
            while any(_runs(pid) for pid in children):  # noqa: ASYNC110 - nobody tells of other's children
                await asyncio.sleep(0.01)

    async def stop(self) -> int:
        """As `systemctl stop` would; its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(number)
        self._process = None
        return await asyncio.wait_for(process.wait(), PATIENCE)

    async def create(self, caller: str, to: str, app: WebApp) -> None:
        """Place a call over REST."""
        events = ["initiated", "ringing", "answered", "completed"]
        fields = [("From", caller), ("To", to), ("Url", f"{app.url}/laml/voice")]
        fields += [("StatusCallback", f"{app.url}/status/laml")]
        fields += [("StatusCallbackEvent", event) for event in events]
        url = f"{self.http}/2010-04-01/Accounts/{SID}/Calls.json"
        async with (
            aiohttp.ClientSession() as client,
            client.post(url, data=fields, headers=basic(SID, TOKEN)) as reply,
        ):
            assert reply.status == 201, await reply.text()

    async def holds(self, calls: int) -> None:
        """Wait until so many calls are durable."""
        url = f"{self.http}/2010-04-01/Accounts/{SID}/Calls.json"
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession(headers=basic(SID, TOKEN)) as client:
            while True:
                async with client.get(url) as reply:
                    if len((await reply.json())["calls"]) >= calls:
                        return


@asynccontextmanager
async def running(app: WebApp, data: Path) -> AsyncIterator[Process]:
    sip, http = free_port("udp"), free_port()
    config = data.parent / "ringback.toml"
    config.write_text(
        SETTINGS.format(
            http=http, sip=sip, rtp=rtp_range(), data=data, sid=ACCOUNT, token=TOKEN, app=app.url,
            number=NUMBERS["laml"], device=DEVICE, password=DEVICE_PASSWORD,
        )
    )  # fmt: skip
    process = Process(config, data, sip, http)
    try:
        await process.start()
        yield process
    finally:
        await process.kill()


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _runs(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
