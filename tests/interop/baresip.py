"""baresip as a telephone: a process with a configuration directory of its own, told what to do over TCP."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from tests.patience import PATIENCE
from tests.ports import free_ports
from tests.processes import bound

from ringback.testing.phone_audio import Samples

BARESIP = shutil.which("baresip")
needs_baresip = pytest.mark.skipif(BARESIP is None, reason="baresip is not installed (Debian: baresip-core)")

_MODULES = next(iter(Path("/usr").glob("lib*/**/baresip/modules")), Path("/usr/lib/baresip/modules"))
_RTP_PORTS = 20
_CONFIG = """\
sip_listen {host}:0
net_interface {host}
audio_source aufile,{directory}/mouth.wav
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
rtp_ports {rtp}-{last_rtp}
snd_path {directory}
module_path {modules}
module g711.so
module g722.so
module aufile.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{port}
"""


class Baresip:
    """A running baresip."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.events: list[str] = []
        """The types of what happened, in order."""
        self._came: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def connect(self, port: int) -> None:
        """Reach the process, as soon as it listens. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while self._writer is None:
                try:
                    self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def close(self) -> None:
        """Stop listening to it."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        if self._writer is not None:
            self._writer.close()
            await self._writer.wait_closed()

    async def register(self, server: str, username: str, password: str, codecs: str = "PCMU") -> None:
        """Have an account that answers calls by itself, and register it. Raises TimeoutError."""
        await self.do(
            "uanew",
            f"<sip:{username}@{server}>;auth_user={username};auth_pass={password}"
            f";regint=600;answermode=auto;audio_codecs={codecs}",
        )
        await self.until("REGISTER_OK")

    async def do(self, command: str, parameters: str = "") -> str:
        """Give a command, and return what it says."""
        assert self._writer is not None
        text = json.dumps({"command": command, "params": parameters})
        self._writer.write(f"{len(text)}:{text},".encode())
        reply = await asyncio.wait_for(self._replies.get(), PATIENCE)
        assert reply["ok"], reply
        return str(reply["data"])

    async def until(self, kind: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait for the next event of this type. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while True:
                event = await self._came.get()
                if event["type"] == kind:
                    return event

    def heard(self) -> Samples:
        """What came out of the receiver of the latest call, at 8 kHz."""
        path = max(self.directory.glob("*-dec.wav"), key=lambda each: each.stat().st_mtime_ns)
        samples, rate = soundfile.read(path, dtype="int16")
        return np.asarray(samples if rate == 8000 else soxr.resample(samples, rate, 8000))

    async def _listen(self) -> None:
        while True:
            length = await self._reader.readuntil(b":")
            message = json.loads(await self._reader.readexactly(int(length[:-1])))
            await self._reader.readexactly(1)
            if message.get("event"):
                self.events.append(message["type"])
                self._came.put_nowait(message)
            else:
                self._replies.put_nowait(message)


@asynccontextmanager
async def running_baresip(directory: Path, port: int, says: Samples | None = None) -> AsyncIterator[Baresip]:
    """baresip without an account, its control at this TCP port. It says this again and again, or nothing."""
    assert BARESIP is not None
    _furnish(directory, port, np.zeros(8000, np.int16) if says is None else says)
    process = await asyncio.create_subprocess_exec(
        *bound(BARESIP, "-4", "-s", "-f", str(directory)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    phone = Baresip(directory)
    try:
        await phone.connect(port)
        yield phone
    finally:
        await phone.close()
        process.terminate()
        await process.wait()


def _furnish(directory: Path, port: int, says: Samples) -> None:
    """The configuration, and a minute to speak."""
    directory.mkdir(parents=True)
    rtp = free_ports(_RTP_PORTS)
    config = _CONFIG.format(
        host="127.0.0.1",
        directory=directory,
        modules=_MODULES,
        port=port,
        rtp=rtp,
        last_rtp=rtp + _RTP_PORTS,
    )
    (directory / "config").write_text(config)
    (directory / "accounts").write_text("")
    (directory / "contacts").write_text("")
    soundfile.write(directory / "mouth.wav", np.resize(says, 60 * 8000), 8000)
