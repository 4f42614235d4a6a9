"""What the benches' command lines have in common, and what each does first."""

from __future__ import annotations

import argparse
import asyncio

from rich.console import Console

from bench import results
from bench.floor import bare
from bench.load import compiled
from bench.machine import ONE_CORE, default_cores

BARE_LEGS, BARE_SECONDS = 400, 2.0
NO_COMPILER = "no C compiler (cc, gcc, clang): no bare C loop to compare with"


def bare_parser(mode: str, about: str | None) -> argparse.ArgumentParser:
    """A command line with the cores."""
    given = argparse.ArgumentParser(
        prog=f"ringback bench {mode}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    server, load = default_cores()
    given.add_argument("--server-core", type=int, default=server)
    given.add_argument("--load-core", type=int, default=load)
    return given


def parser(mode: str, about: str | None, *, runs: int) -> argparse.ArgumentParser:
    """A command line with the number of runs, the cores, and where the result is written."""
    given = bare_parser(mode, about)
    given.add_argument("--runs", type=positive, default=runs, help=f"the medians count; default: {runs}")
    results.add_option(given)
    return given


def positive(text: str) -> int:
    """A number from 1. Raises ValueError, which argparse makes an error of."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def cores_of(options: argparse.Namespace, console: Console) -> tuple[int, int]:
    """The server's core and the load's; says so when they are one."""
    cores = options.server_core, options.load_core
    if cores[0] == cores[1]:
        console.print(ONE_CORE)
    return cores


def floor(cores: tuple[int, int], console: Console, *, seconds: float = BARE_SECONDS) -> float | None:
    """Microseconds in which a C loop on the server's core receives and sends one packet, now: what work is
    measured against. None without a C compiler, which is said."""
    if not compiled():
        console.print(NO_COMPILER)
        return None
    found = asyncio.run(bare(BARE_LEGS, seconds, cores))
    console.print(f"bare C loop, receive and send only, just before: {found:.1f} µs a packet each way")
    return found
