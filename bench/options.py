"""What the benches' command lines have in common."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
from pathlib import Path

from bench import results
from bench.documents import PLAY
from bench.machine import default_cores


class Help(argparse.RawDescriptionHelpFormatter):
    """A help that says what holds where nothing is given."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        given = action.default
        if (
            action.help is None
            or given in (None, argparse.SUPPRESS)
            or given is False
            or "default: " in action.help
        ):
            return action.help
        said = ",".join(f"{each:g}" for each in given) if isinstance(given, list) else given
        return (
            f"{action.help}; default: {said:g}"
            if isinstance(said, float)
            else f"{action.help}; default: {said}"
        )


def plain_parser(mode: str, about: str | None) -> argparse.ArgumentParser:
    """A command line with nothing on it yet. No name of an option may be cut short: `--rate` might be taken
    for `--rates`."""
    return argparse.ArgumentParser(
        prog=f"ringback bench {mode}", description=about, formatter_class=Help, allow_abbrev=False
    )


def bare_parser(mode: str, about: str | None) -> argparse.ArgumentParser:
    """A command line with the cores."""
    given = plain_parser(mode, about)
    server, load = default_cores()
    given.add_argument(
        "--server-core",
        type=core,
        default=server,
        metavar="N",
        help="the core that the server runs on",
    )
    given.add_argument(
        "--load-core",
        type=core,
        default=load,
        metavar="N",
        help="the core of what calls it and answers it",
    )
    return given


def parser(mode: str, about: str | None, *, runs: int) -> argparse.ArgumentParser:
    """A command line with the number of runs, the cores, and where the result is written."""
    given = bare_parser(mode, about)
    given.add_argument(
        "--runs", type=positive, default=runs, help="how often all is measured; the medians count"
    )
    results.add_option(given)
    return given


def add_legs(given: argparse.ArgumentParser) -> None:
    """How many legs, one number after the other, and for how long."""
    given.add_argument(
        "--legs", type=counts, default=[400], metavar="N,N", help="how many legs at once; one after the other"
    )
    add_seconds(given, 20.0, "how long each number of them is measured")


def add_seconds(given: argparse.ArgumentParser, default: float, what: str) -> None:
    """How long something is measured."""
    given.add_argument("--seconds", type=seconds, default=default, metavar="SECONDS", help=what)


def add_transport(given: argparse.ArgumentParser) -> None:
    """How a media worker asks the kernel for packets: two machines, or a container, may differ in that."""
    given.add_argument(
        "--transport",
        choices=("auto", "io_uring", "sockets"),
        default="auto",
        help="auto: io_uring where the kernel lets it; sockets: a system call for each packet",
    )


def add_rates(given: argparse.ArgumentParser, default: str, length: float) -> None:
    """Which rates, for how many seconds each, and in which dialect."""
    given.add_argument(
        "--rates",
        type=rates,
        default=rates(default),
        metavar="N,N",
        help="calls a second; one rate after the other, until one is not held",
    )
    add_seconds(given, length, "how long calls come at each rate")
    add_dialect(given)


def add_dialect(given: argparse.ArgumentParser) -> None:
    """In which dialect the application speaks."""
    given.add_argument("--dialect", choices=tuple(PLAY), default="laml", help="what the application speaks")


def core(text: str) -> int:
    """A core that we may run on. Raises ArgumentTypeError."""
    there = sorted(os.sched_getaffinity(0))
    number = natural(text)
    if number not in there:
        raise argparse.ArgumentTypeError(f"no such core {number}: there are {', '.join(map(str, there))}")
    return number


def folder(text: str) -> Path:
    """A folder, made if need be. Raises ArgumentTypeError."""
    there = Path(text)
    try:
        there.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"no folder {there}: {error.strerror}") from None
    return there


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


def share(text: str) -> float:
    """A number from 0 to 1. Raises ArgumentTypeError."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, such as 0.6, got {text!r}")


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
