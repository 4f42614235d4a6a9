"""A server with what it needs around it: an application that answers, and far ends of RTP that echo."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from bench.application import Application
from bench.documents import PLAY
from bench.load import Echo
from bench.system import SERVE, System, system


class Scene(msgspec.Struct, frozen=True):
    """All of it, running."""

    server: System
    application: Application
    far: Echo


@contextlib.asynccontextmanager
async def scene(
    cores: tuple[int, int],
    *,
    documents: Mapping[str, tuple[str, str]] = PLAY,
    module: Sequence[str] = SERVE,
    settings: str = "",
    prepare: Callable[[Path], Awaitable[None]] | None = None,
) -> AsyncIterator[Scene]:
    """The server on the first core, its far ends on the second; the rest as `bench.system.system` has it.
    Prompts are a second long."""
    application = Application(dict(documents), prompt_seconds=1.0)
    await application.start()
    far = Echo(cores[1])
    await far.start()
    try:
        async with system(
            application.url, cores[0], module=module, settings=settings, prepare=prepare
        ) as server:
            yield Scene(server, application, far)
    finally:
        await application.stop()
        await far.stop()
