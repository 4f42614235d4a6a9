"""One run of a bench, from its command line to how it ends: what every `main` has in common."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

from rich.console import Console

from bench import results
from bench.floor import bare
from bench.load import compiled
from bench.machine import ONE_CORE, durability, on_core
from bench.results import Figure

BARE_LEGS, BARE_SECONDS = 400, 2.0
NO_COMPILER = "no C compiler (cc, gcc, clang): no bare C loop to compare with"
SLOW_ENDS = "no C compiler (cc, gcc, clang): the far ends of RTP are a slow stand-in in Python"
STOPPED = 130
"""What a program exits with that Ctrl-C has stopped."""
NEEDED = "This bench needs a C compiler (cc, gcc or clang) for its far ends."

Run = TypeVar("Run")


def doing(what: str) -> None:
    """Say what takes its time now."""
    sys.stdout.write(f"{what} …\n")
    sys.stdout.flush()


class Measured(Protocol):
    """Anything that was measured on a core."""

    @property
    def others(self) -> float:
        """The share of the server's core that others had meanwhile."""


class Session:
    """Reads the command line. `width`: columns that the tables need. `compiler`: nothing goes without one."""

    def __init__(self, parser: argparse.ArgumentParser, *, width: int = 120, compiler: bool = False) -> None:
        self.options = parser.parse_args()
        self.console = Console(width=max(width, Console().width), highlight=False)
        self._mode = parser.prog.rpartition(" ")[2]
        if compiler and not compiled():
            self.console.print(NEEDED)
            sys.exit(2)
        self.cores: tuple[int, int] = (self.options.server_core, self.options.load_core)
        """The server's, and the load's."""
        if self.cores[0] == self.cores[1]:
            self.console.print(ONE_CORE)
        if warning := durability(Path(tempfile.gettempdir())):
            self.console.print(warning, soft_wrap=True)

    def floor(self, legs: int = BARE_LEGS, seconds: float = BARE_SECONDS) -> float | None:
        """Microseconds in which a C loop on the server's core receives and sends one packet, now: what work
        is measured against. None without a C compiler, which is said."""
        if not compiled():
            self.console.print(NO_COMPILER)
            return None
        found = asyncio.run(bare(legs, seconds, self.cores))
        self.console.print(
            f"bare C loop, receive and send only, just before: {found:.1f} µs a packet each way"
        )
        return found

    def repeat(self, work: Callable[[], Coroutine[Any, Any, Run]]) -> list[Run]:
        """The same on the load's core, `--runs` times over."""
        with on_core(self.cores[1]):
            return [self._run(number, work) for number in range(1, self.options.runs + 1)]

    def _run(self, number: int, work: Callable[[], Coroutine[Any, Any, Run]]) -> Run:
        doing(f"run {number} of {self.options.runs}")
        return asyncio.run(work())

    def conclude(self, figures: Sequence[Figure], measured: Iterable[Measured]) -> NoReturn:
        """Say what was found, write it where it is wanted, and exit with `results.code`."""
        others = max(each.others for each in measured)
        options = self.options
        code = results.conclude(
            self.console, options.json, self._mode, figures, runs=options.runs, others=others
        )
        sys.exit(code)
