"""`ringback bench`: runs the benches of a source checkout, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import ringback

DIRECTORY = "bench"


def checkout() -> Path | None:
    """The source checkout that this is installed from, else the one that we stand in; None without one."""
    installed = Path(ringback.__file__).resolve().parents[2]
    for place in (installed, Path.cwd()):
        if (place / DIRECTORY / "ivr.py").is_file():
            return place
    return None


def bench(name: str, arguments: Sequence[str]) -> int:
    """Run one bench; its exit code: 0 when what it measures is reached."""
    place = checkout()
    if place is None:
        Console(stderr=True, highlight=False).print(
            f"The benches are not installed: they are in the directory {DIRECTORY}/ of a source checkout. "
            "Get one, make it ready with `make`, and run `ringback bench` there."
        )
        return 2
    command = [sys.executable, "-m", f"{DIRECTORY}.{name}", *arguments]
    return subprocess.run(command, cwd=place, check=False).returncode
