"""The sample application, served beside the server where nothing else is configured."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from ringback.cli.ports import next_free
from ringback.config import SAMPLE_APPLICATION
from ringback.sip.flow import join_host_port, split_address
from ringback.testing.sample_app import build


@contextlib.asynccontextmanager
async def sample_application() -> AsyncIterator[str]:
    """Serve it on its usual port or the next free one, for the length of a block; its URL."""
    runner = web.AppRunner(build(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    place = next_free(f"tcp:{SAMPLE_APPLICATION.partition('//')[2]}").partition(":")[2]
    host, port = split_address(place)
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:  # taken since we looked
            await web.TCPSite(runner, host, 0).start()
        yield f"http://{join_host_port(*runner.addresses[0][:2])}"
    finally:
        await runner.cleanup()
