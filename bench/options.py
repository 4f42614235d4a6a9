"""What the benches' command lines have in common, and what each does first."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import os

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
    given.add_argument(
        "--server-core",
        type=core,
        default=server,
        metavar="N",
        help=f"the server runs on it; default: {server}",
    )
    given.add_argument(
        "--load-core",
        type=core,
        default=load,
        metavar="N",
        help=f"what calls and answers does; default: {load}",
    )
    return given


def parser(mode: str, about: str | None, *, runs: int) -> argparse.ArgumentParser:
    """A command line with the number of runs, the cores, and where the result is written."""
    given = bare_parser(mode, about)
    given.add_argument("--runs", type=positive, default=runs, help=f"the medians count; default: {runs}")
    results.add_option(given)
    return given


def core(text: str) -> int:
    """A core that we may run on. Raises ArgumentTypeError."""
    there = sorted(os.sched_getaffinity(0))
    number = natural(text)
    if number not in there:
        raise argparse.ArgumentTypeError(f"no such core {number}: there are {', '.join(map(str, there))}")
    return number


def natural(text: str) -> int:
    """A whole number from 0. Raises ArgumentTypeError."""
    return _whole(text, 0)


def positive(text: str) -> int:
    """A whole number from 1. Raises ArgumentTypeError."""
    return _whole(text, 1)


def seconds(text: str) -> float:
    """A time above 0. Raises ArgumentTypeError."""
    return _above_zero(text, f"expected seconds, such as 5 or 0.5, got {text!r}")


def rate(text: str) -> float:
    """Calls a second. Raises ArgumentTypeError."""
    return _above_zero(text, f"expected calls a second, such as 50, got {text!r}")


def rates(text: str) -> list[float]:
    """`20,50` as numbers. Raises ArgumentTypeError."""
    wanted = f"expected calls a second with commas, such as 20,50, got {text!r}"
    return [_above_zero(part, wanted) for part in text.split(",")]


def counts(text: str) -> list[int]:
    """`100,400` as numbers from 1. Raises ArgumentTypeError."""
    try:
        return [positive(part) for part in text.split(",")]
    except argparse.ArgumentTypeError:
        wanted = f"expected whole numbers from 1 with commas, such as 100,400, got {text!r}"
        raise argparse.ArgumentTypeError(wanted) from None


def _whole(text: str, least: int) -> int:
    with contextlib.suppress(ValueError):
        if int(text) >= least:
            return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text!r}")


def _above_zero(text: str, wanted: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(wanted)


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
