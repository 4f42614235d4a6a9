"""The sample application, served beside the server where nothing else is configured."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web
from rich.console import Console

from ringback.cli.ports import next_free
from ringback.config import SAMPLE_APPLICATION
from ringback.sip.flow import join_host_port, split_address
from ringback.testing.sample_app import build


@contextlib.asynccontextmanager
async def sample_application(console: Console) -> AsyncIterator[str]:
    """Serve it for a block, on its usual port or (it says so on the console) the next free one; its URL."""
    runner = web.AppRunner(build(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    place = next_free(f"tcp:{SAMPLE_APPLICATION.partition('//')[2]}").partition(":")[2]
    host, port = split_address(place)
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:  # taken since we looked
            await web.TCPSite(runner, host, 0).start()
        url = f"http://{join_host_port(*runner.addresses[0][:2])}"
        if url != SAMPLE_APPLICATION:
            console.print(f"[yellow]{SAMPLE_APPLICATION} is taken: the sample application is at {url}")
        yield url
    finally:
        await runner.cleanup()
