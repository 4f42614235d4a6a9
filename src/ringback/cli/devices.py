"""`ringback devices`: who is registered at the running server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ringback.cli.steering import NotSteered, problems_of, steer
from ringback.config import ConfigError, load


async def devices(config: Path | None) -> int:
    """Print a table; 0, or 1 when the server does not say, 2 when none runs."""
    try:
        found = await steer(load(config), "GET", "/console/devices")
    except (ConfigError, NotSteered) as error:
        problems, status = problems_of(error)
        for problem in problems:
            Console(stderr=True, highlight=False).print(problem, style="red", markup=False, soft_wrap=True)
        return status
    console = Console(highlight=False)
    if not found:
        console.print("no device is registered")
        return 0
    table = Table("client", "contact", "address", "NAT", "user agent", "expires in")
    for device in sorted(found, key=lambda device: (device["username"], device["contact"])):
        table.add_row(*_cells(device))
    console.print(table)
    return 0


def _cells(device: dict[str, Any]) -> list[str]:
    left = max(0, round(device["expires_at"] - time.time()))
    nat = "yes" if device["nat"] else ""
    return [
        device["username"],
        device["contact"],
        device["source"],
        nat,
        device["user_agent"],
        f"{left} s",
    ]
