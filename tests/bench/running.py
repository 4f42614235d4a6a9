"""One tiny run of a bench, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench import results

CHECKOUT = Path(__file__).resolve().parents[2]


def ran(module: str, folder: Path, *arguments: str) -> tuple[results.Report, str]:
    """Its result and what it printed; what it measures may be missed in so short a time."""
    file = folder / "result.json"
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{module}", *arguments, "--json", str(file)],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        timeout=90,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    assert not done.stderr
    return results.read(file), done.stdout
