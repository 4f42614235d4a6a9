"""One tiny run of a bench, as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import results

CHECKOUT = Path(__file__).resolve().parents[2]


def ran(module: str, folder: Path, *arguments: str, warned: bool = False) -> tuple[results.Report, str]:
    """The result of a module of `bench`, and what it printed; its aim may be missed in so short a time.
    `warned`: the server may have something to say, too."""
    file = folder / "result.json"
    said = said_by(["-m", "bench", module, *arguments, "--json", str(file)], warned=warned)
    return results.read(file), said


def said_by(command: Sequence[str], *, warned: bool = False) -> str:
    """What Python prints with these arguments, in the checkout."""
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        timeout=600,
        env={
            **os.environ,
            "COLUMNS": "200",
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")]),
        },
        check=False,
    )
    assert done.returncode in (0, 1, 3), done.stderr
    assert warned or not _BUSY.sub("", done.stderr), done.stderr
    return done.stdout


_BUSY = re.compile(r"^\S+ \S+ WARNING ringback\.calls\.capacity: .*\n", re.MULTILINE)
"""What the server says of a machine that has more to do than the tests."""
