"""What memory the server takes at rest, and for a leg: `ringback bench memory --legs 500 --runs 3`.

Memory is the proportional set size of all the server's processes together: pages that they share count once.
A leg is an IVR call as `ringback bench ivr` holds them, with media both ways.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

import msgspec
from rich.table import Table

from bench import ivr
from bench import options as common
from bench.results import Figure
from bench.session import Session

LEGS = 500
IDLE_MB, LEG_KB = 150.0, 250.0
SECONDS = 3.0
"""How long the calls are up before their memory is looked at."""


class Taken(msgspec.Struct, frozen=True):
    """One run's figures, in octets."""

    idle: dict[str, int]
    leg: float
    answered: int
    others: float

    @property
    def at_rest(self) -> int:
        """All processes together."""
        return sum(self.idle.values())


async def taken(legs: int, cores: tuple[int, int]) -> Taken:
    """Start a server, hold so many calls, and look."""
    run = await ivr.measure(legs, SECONDS, cores, None)
    return Taken(run.idle_memory, run.memory_per_leg, run.answered, run.others)


def table(runs: Sequence[Taken], legs: int) -> Table:
    """A line a run."""
    shown = Table(title=f"Memory (sum of PSS), at rest and of a leg at {legs} of them")
    roles = sorted(runs[0].idle)
    for heading in ("legs", "idle MB", *roles, "KB a leg"):
        shown.add_column(heading, justify="right")
    for run in runs:
        parts = [f"{run.idle.get(role, 0) / 2**20:.1f}" for role in roles]
        shown.add_row(str(run.answered), f"{run.at_rest / 2**20:.1f}", *parts, f"{run.leg / 1024:.0f}")
    return shown


def figures(runs: Sequence[Taken], legs: int) -> list[Figure]:
    """Both rows."""
    rest = statistics.median(run.at_rest for run in runs) / 2**20
    leg = statistics.median(run.leg for run in runs) / 1024
    enough = legs >= LEGS and all(run.answered == legs for run in runs)
    roles = ", ".join(f"{role} {size / 2**20:.0f}" for role, size in sorted(runs[-1].idle.items()))
    return [
        Figure("memory-idle", f"{rest:.0f} MB ({roles})", rest <= IDLE_MB, values={"idle_mb": rest}),
        Figure(
            "memory-leg",
            f"{leg:.0f} KB a leg at {legs}",
            leg <= LEG_KB and (True if enough else None),
            values={"leg_kb": leg, "legs": legs},
        ),
    ]


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("memory", __doc__, runs=3)
    parser.add_argument("--legs", type=common.positive, default=LEGS, help="how many calls are held")
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when no more is taken than may be."""
    session = Session(arguments())
    options = session.options
    legs = ivr.affordable(options.legs, session)
    runs = session.repeat(lambda: taken(legs, session.cores))
    session.console.print(table(runs, legs))
    session.conclude(figures(runs, legs), runs)


if __name__ == "__main__":
    main()
