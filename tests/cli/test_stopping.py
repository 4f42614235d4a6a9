"""Stopping while a call is up: it gets its time, unless somebody insists."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from pathlib import Path

import msgspec
from rich.console import Console
from tests.patience import PATIENCE

from ringback.cli.serve import stop_calmly
from ringback.config.tables import CallsSection
from ringback.testing.kit import NUMBER, WebApp
from ringback.testing.kit import RunningServer as Server


async def test_a_second_signal_ends_what_is_up(data: Path) -> None:
    said = io.StringIO()
    async with WebApp() as app:
        app.reply("/voice", "<Response><Gather timeout='600'/></Response>")
        settings = msgspec.structs.replace(
            app.settings("laml", data), calls=CallsSection(shutdown_seconds=600)
        )
        server = Server(settings)
        await server.start()
        async with server.phone() as phone:
            call = await phone.call(NUMBER)
            await call.answered()
            stopping = asyncio.create_task(stop_calmly(server, Console(file=said).print))
            while "Ctrl-C again" not in said.getvalue():  # noqa: ASYNC110 - the console tells nobody
                await asyncio.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
            assert await call.ended() == "remote"
            await asyncio.wait_for(stopping, PATIENCE)
    assert "1 call is up and may take 600 s" in " ".join(said.getvalue().split())
