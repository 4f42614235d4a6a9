"""`ringback devices`: who is registered at the running server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ringback.cli.printable import printable
from ringback.cli.steering import NotSteered, problems_of, steer
from ringback.config import ConfigError, load

_UNLIMITED = 10_000
"""Columns of what is no terminal."""


async def devices(config: Path | None, *, as_json: bool = False) -> int:
    """Print a table, or JSON; 0, or 1 when the server does not say, 2 when none runs."""
    try:
        found = await steer(load(config, look_only=True), "GET", "/console/devices")
    except (ConfigError, NotSteered) as error:
        problems, status = problems_of(error)
        for problem in problems:
            Console(stderr=True, highlight=False).print(problem, style="red", markup=False, soft_wrap=True)
        return status
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_UNLIMITED)
    found.sort(key=lambda device: (device["username"], device["contact"]))
    if as_json:
        shown = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
        console.print(shown, markup=False, soft_wrap=True)
    elif not found:
        console.print("no device is registered")
    else:
        console.print(_table(found))
    return 0


def _table(found: list[dict[str, Any]]) -> Table:
    """Long addresses go on in the next line, for they are there to be copied."""
    table = Table()
    for title in ("client", "contact", "address", "NAT", "user agent", "expires in"):
        table.add_column(title, overflow="fold")
    for device in found:
        table.add_row(*_cells(device))
    return table


def _cells(device: dict[str, Any]) -> list[str]:
    left = max(0, round(device["expires_at"] - time.time()))
    nat = "yes" if device["nat"] else ""
    return [
        *(escape(printable(device[key])) for key in ("username", "contact", "source")),
        nat,
        escape(printable(device["user_agent"])),
        f"{left} s",
    ]
