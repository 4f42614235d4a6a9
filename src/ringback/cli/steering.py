"""Asking the server that runs here to do something, or to say how it is."""

from __future__ import annotations

from typing import Any

import aiohttp

from ringback.config import ConfigError, Settings
from ringback.running import out_of_reach, running_server


class NotSteered(Exception):
    """The server did not do it; `problems` says why, one line each, `status` is the command's exit code."""

    def __init__(self, problems: list[str], status: int = 1) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.status = status


async def steer(settings: Settings, method: str, path: str) -> Any:
    """The JSON that the server on the configured data directory replies. Raises NotSteered."""
    running = running_server(settings.server.data_path)
    if running is None:
        raise NotSteered([no_server(settings)], 2)
    url = f"{running.http}{path}"
    headers = {"Authorization": f"Bearer {running.key}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            session.request(method, url, headers=headers) as reply,
        ):
            said = await reply.json(content_type=None)
            if reply.status == 200:
                return said
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NotSteered([f"{url} does not answer: {error}"]) from error
    problems = said.get("problems") if isinstance(said, dict) else None
    raise NotSteered([str(p) for p in problems or [f"{url} answered with status {reply.status}"]])


def no_server(settings: Settings) -> str:
    """Why there is none to be found, and what to do."""
    data = settings.server.data_path
    if out_of_reach(data):
        return f"{data} is another user's: run this as the one that the server runs as (sudo -u ringback …)"
    return f"no server runs on {data}: start one with ringback serve"


def problems_of(error: ConfigError | NotSteered) -> tuple[list[str], int]:
    """What to say, and the exit code."""
    if isinstance(error, NotSteered):
        return error.problems, error.status
    return list(error.problems), 2
