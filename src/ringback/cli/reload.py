"""`ringback reload`: the running server takes over the configuration as it is now."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console

from ringback.cli.steering import NotSteered, problems_of, steer
from ringback.config import ConfigError, load
from ringback.reloading import Changes


async def reload(config: Path | None) -> int:
    """0 when it was taken over; 1 when the server refuses, 2 when the file is wrong or no server runs."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        # Read here first: a file that is wrong is said at once, and it names the data directory.
        changed = await steer(load(config, look_only=True), "POST", "/console/reload")
    except (ConfigError, NotSteered) as error:
        problems, status = problems_of(error)
        for problem in problems:
            errors.print(problem, style="red", markup=False, soft_wrap=True)
        errors.print("nothing was changed", soft_wrap=True)
        return status
    for line in msgspec.convert(changed, Changes).lines() or ["nothing has changed"]:
        console.print(line, markup=False, soft_wrap=True)
    return 0
