"""IVR calls and connected calls at once: `ringback bench mixed --legs 1000 --pairs 100 --runs 3`.

Whole calls of the whole server on one core: the IVR calls of `ringback bench ivr` and the connected calls
of `ringback bench relay-delay`. How long the server keeps the packets of the latter, and how punctual it is
with the former. The load has another core.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

from bench import options as common
from bench.relay_delay import WAYS, Run, load_of, measure, middle, table
from bench.results import Figure
from bench.session import Session

MEDIAN_MS, P99_MS = 1.0, 5.0
"""What is to be kept by the connected calls."""
ENOUGH = 0.99
"""The share of its packets that the worst IVR leg must have on time."""
LEGS, PAIRS = 1000, 100
"""What the aim speaks of."""


def figure(runs: Sequence[Run]) -> Figure:
    """The result."""
    median, p99 = middle(runs, "delay_median_ms"), middle(runs, "delay_p99_ms")
    worst = min(run.heard.worst_leg for run in runs)
    core, ratio = (statistics.median(getattr(run, what) for run in runs) for what in ("core", "ratio"))
    words = (
        f"{runs[0].legs} legs, {runs[0].pairs} pairs: {median:.2f} ms median, {p99:.2f} ms p99, "
        f"worst leg of all runs {worst:.2%} on time, {core:.0%} of the core"
    )
    complete = all(run.complete for run in runs)
    if not complete:
        words += "; LEGS OR PACKETS MISSING"
    kept = 2 * sum(run.ticks.kept for run in runs) > len(runs)
    if not kept:
        words += "; TICKS OVER 20 MS OR LEFT OUT"
    punctual = 2 * sum(run.heard.worst_leg >= ENOUGH for run in runs) > len(runs)
    reached: bool | None = complete and kept and punctual and median <= MEDIAN_MS and p99 <= P99_MS
    if reached and (runs[0].legs < LEGS or runs[0].pairs < PAIRS):
        reached = None
    values = {"median_ms": median, "p99_ms": p99, "worst_leg": worst, "core": core}
    return Figure("mixed", words, reached, ratio, values)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("mixed", __doc__, runs=1)
    parser.add_argument("--legs", type=common.positive, default=LEGS, help="IVR calls")
    parser.add_argument("--pairs", type=common.positive, default=PAIRS, help="connected calls")
    parser.add_argument("--way", choices=tuple(WAYS), default="plain", help="what is done with the latter")
    common.add_seconds(parser, 10.0, "how long it is measured")
    return parser


def main() -> None:
    """Read the command line and measure."""
    session = Session(arguments(), width=150, compiler=True)
    options = session.options
    runs = session.repeat(
        lambda: measure(options.way, options.pairs, options.legs, options.seconds, session.cores)
    )
    session.console.print(table("IVR calls and connected calls, the whole server on one core", runs))
    session.console.print(load_of(runs))
    session.conclude([figure(runs)], runs)


if __name__ == "__main__":
    main()
