"""The phone that answers: what is left of it when it is ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.patience import PATIENCE
from tests.processes import bound

from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, RunningServer, WebApp

PHONE = Path(__file__).parents[2] / "examples" / "answering_phone.py"


async def test_it_signs_off_when_it_is_ended(data: Path) -> None:
    async with WebApp() as app, RunningServer(app.settings("laml", data)) as server:
        options = ("--password", DEVICE_PASSWORD, "--server", server.sip_address)
        phone = await asyncio.create_subprocess_exec(
            *bound(sys.executable, str(PHONE), DEVICE, *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert phone.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert b"alice is registered" in await phone.stdout.readline()
            assert server.telephony.contacts(DEVICE)
            phone.send_signal(signal.SIGTERM)
            assert await phone.stdout.read() == b"", "it ends without a word"
            assert await phone.wait() == 0
        assert not server.telephony.contacts(DEVICE)
