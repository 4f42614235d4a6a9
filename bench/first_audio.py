"""How long the caller waits for sound after the application has replied: `ringback bench first-audio
--calls 100 --legs 200 --dialect laml --runs 3`.

From the moment in which the application writes its reply to the arrival of the first audible packet at the
telephone, by the kernel's time stamp; both are in the load, on one clock. Calls come one after another, each
with two replies: its first document (a Gather with a prompt, which has the call answered), and a later one
(a Play, in answer to a key pressed after the prompt). The application thinks for up to 20 ms, so that its
replies come at any moment of a tick. The prompts are in the cache. `--fresh` calls play a
prompt whose URL is new each time, for information. `--legs` calls more are up meanwhile, with silence both
ways.

The whole server (control, media, speech, store) shares one core, the load has another.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence

import msgspec
from rich.table import Table

from bench import options as common
from bench.application import VOICE, Application
from bench.callers import Caller
from bench.load import LiveEnds, compiled
from bench.machine import busy
from bench.results import Figure
from bench.session import SLOW_ENDS, Session
from bench.system import NUMBERS, System, system
from bench.visits import IDLE, PATIENCE, STAYING, Visit, Visits, quantile

CALLS = 20
"""Calls, fewer of which say nothing of a percentile."""
P50_MS, P95_MS = 20.0, 40.0
"""What is to be kept, with the source in the cache."""
PROMPT = 0.2
"""Seconds of prompt."""
PAUSE = 0.05, 0.09
"""Seconds of silence, at least and at most, before the key is pressed: at any moment of a tick."""
THINKING = 0.020
"""Seconds, at most: a frame."""
WARM_UP = 2
FRESH = 1_000_000
"""From this on the numbers of calls are of those whose prompt is fetched anew."""

XML, JSON = "application/xml", "application/json"
PLAY = {
    XML: "<Play>{url}/prompt.wav%s</Play>",
    JSON: '{"verb":"play","url":"{url}/prompt.wav%s"}',
}
GATHER = {
    XML: '<Gather input="dtmf" numDigits="1" timeout="30" action="{url}/%s/later">%s</Gather>',
    JSON: '{"verb":"gather","input":["digits"],"numDigits":1,"timeout":30,'
    '"actionHook":"{url}/%s/later","play":%s}',
}
IDLENESS = {
    XML: STAYING,
    JSON: '{"verb":"answer"},{"verb":"pause","length":3600}',
}
WHOLE = {XML: "<Response>%s</Response>", JSON: "[%s]"}


def documents(dialect: str) -> dict[str, tuple[str, str]]:
    """What the application answers."""
    kind = JSON if dialect == "jambonz" else XML
    play = PLAY[kind] % ""
    verbs = {
        VOICE: GATHER[kind] % (dialect, play),
        "later": play,
        "fresh": PLAY[kind] % "?{count}",
        "idle": IDLENESS[kind],
    }
    return {f"{dialect}/{name}": (kind, WHOLE[kind] % text) for name, text in verbs.items()}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run's figures: what was waited in each call, in ms."""

    dialect: str
    legs: int = 0
    first: list[float]
    """After the first document."""
    answered: list[float]
    """Of that, until the 200 came."""
    later: list[float]
    fresh: list[float]
    unheard: int
    """Calls in which something was not heard at all."""
    core: float
    """The share of its core that the server took."""
    others: float


class Waits:
    """What callers of one server wait for, in ms."""

    def __init__(self, application: Application, visits: Visits) -> None:
        self._visits = visits
        self._asked: defaultdict[int, list[int]] = defaultdict(list)
        application.on_asked = lambda caller: self._asked[Caller.number_of(caller)].append(time.time_ns())
        self.forget()

    def forget(self) -> None:
        """What was measured so far does not count."""
        self.first: list[float] = []
        self.answered: list[float] = []
        self.later: list[float] = []
        self.unheard = 0

    async def call(self, number: int, *, later: bool = True) -> None:
        """One call: hear the first document, and the one after a key."""
        try:
            async with self._visits.visit(number) as visit:
                await self._listen(visit, later)
        except TimeoutError:
            self.unheard += 1

    async def _listen(self, visit: Visit, later: bool) -> None:
        asked, line = self._asked[visit.call.number], visit.line
        self.first.append((await line.sounds(PATIENCE) - asked[0]) / 1e6)
        self.answered.append((visit.answered - asked[0]) / 1e6)
        if later:
            await line.falls_silent(random.uniform(*PAUSE))
            line.listen()
            line.press("1")
            self.later.append((await line.sounds(PATIENCE) - asked[1]) / 1e6)


def which(caller: str) -> str:
    """The document that a caller gets, by its number."""
    number = Caller.number_of(caller)
    return "idle" if number >= IDLE else "fresh" if number >= FRESH else VOICE


async def measure(
    dialects: Sequence[str], calls: int, fresh: int, legs: int, cores: tuple[int, int]
) -> list[Run]:
    """A server of its own, and calls one after another, in one dialect after the other."""
    application = Application(
        {path: answer for dialect in dialects for path, answer in documents(dialect).items()}, PROMPT
    )
    application.which = which
    application.thinking = lambda: random.uniform(0.0, THINKING)
    await application.start()
    far = LiveEnds(cores[1])
    await far.start()
    try:
        async with system(application.url, cores[0]) as server:
            visits = {
                dialect: Visits(server.sip, NUMBERS[dialect], far, ("PCMU", "telephone-event"))
                for dialect in dialects
            }
            staying = visits[dialects[0]]
            await staying.fill(legs)
            runs = [
                await _measured(server, Waits(application, visits[dialect]), dialect, calls, fresh, cores[0])
                for dialect in dialects
            ]
            staying.empty()
            await server.idle()
            for each in visits.values():
                each.close()
            return [msgspec.structs.replace(run, legs=legs) for run in runs]
    finally:
        await application.stop()
        await far.stop()


async def _measured(server: System, waits: Waits, dialect: str, calls: int, fresh: int, core: int) -> Run:
    for number in range(WARM_UP):
        await waits.call(number)
    waits.forget()
    began, usage, others = time.monotonic(), server.usage(), busy(core)
    for number in range(calls):
        await waits.call(WARM_UP + number)
    used = sum(server.usage().since(usage).values())
    elapsed, others = time.monotonic() - began, busy(core) - others - used
    first, answered, later, unheard = waits.first, waits.answered, waits.later, waits.unheard
    waits.forget()
    for number in range(fresh):
        await waits.call(FRESH + number, later=False)
    return Run(
        dialect=dialect,
        first=first,
        answered=answered,
        later=later,
        fresh=waits.first,
        unheard=unheard + waits.unheard,
        core=used / elapsed,
        others=others / elapsed,
    )


def table(runs: Sequence[Run]) -> Table:
    """Four lines a run."""
    shown = Table(title="From the application's reply to the first sound at the telephone, ms")
    for heading in ("dialect", "legs", "", "calls", "p50", "p95", "p99", "max", "aim p50/p95", "core"):
        shown.add_column(heading, justify="right" if heading not in ("dialect", "") else "left")
    for run in runs:
        aim = f"{P50_MS:.0f}/{P95_MS:.0f}"
        for name, values, wanted in (
            ("first document", run.first, aim),
            ("  until the 200", run.answered, ""),
            ("later document", run.later, aim),
            ("first fetch of the prompt", run.fresh, ""),
        ):
            if values:
                figures = [f"{quantile(values, part):.1f}" for part in (0.5, 0.95, 0.99, 1.0)]
                shown.add_row(
                    run.dialect, str(run.legs), name, str(len(values)), *figures, wanted, f"{run.core:.0%}"
                )
        shown.add_section()
    return shown


def figures(runs: Sequence[Run]) -> list[Figure]:
    """The result of each dialect."""
    return [
        _figure([run for run in runs if run.dialect == dialect])
        for dialect in dict.fromkeys(run.dialect for run in runs)
    ]


def _figure(same: Sequence[Run]) -> Figure:
    values = {
        f"{name}_p{part * 100:.0f}_ms": statistics.median(quantile(each, part) for each in waits)
        for name, waits in (
            ("first", [run.first for run in same]),
            ("later", [run.later for run in same]),
        )
        for part in (0.5, 0.95)
    }
    words = (
        f"{same[0].dialect}, {same[0].legs} other legs: "
        f"first document {values['first_p50_ms']:.1f}/{values['first_p95_ms']:.1f} ms, "
        f"later {values['later_p50_ms']:.1f}/{values['later_p95_ms']:.1f} ms"
    )
    unheard = sum(run.unheard for run in same)
    if unheard:
        words += f"; NOTHING HEARD in {unheard} calls"
    quick = all(value <= (P50_MS if "p50" in name else P95_MS) for name, value in values.items())
    enough = min(len(run.first) + run.unheard for run in same) >= CALLS
    return Figure("first-audio", words, quick and not unheard and (True if enough else None), values=values)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("first-audio", __doc__, runs=1)
    parser.add_argument("--calls", type=common.positive, default=100, help="one after another")
    parser.add_argument(
        "--fresh", type=common.natural, default=20, help="calls whose prompt is not in the cache"
    )
    parser.add_argument("--legs", type=common.natural, default=0, help="calls that are up meanwhile")
    parser.add_argument(
        "--dialect", choices=(*NUMBERS, "all"), default="all", help="what the application speaks"
    )
    return parser


def main() -> None:
    """Read the command line and measure."""
    session = Session(arguments())
    options = session.options
    if not compiled() and options.legs:
        session.console.print(SLOW_ENDS)
    dialects = list(NUMBERS) if options.dialect == "all" else [options.dialect]
    measured = session.repeat(
        lambda: measure(dialects, options.calls, options.fresh, options.legs, session.cores)
    )
    runs = [run for each in measured for run in each]
    session.console.print(table(runs))
    session.conclude(figures(runs), runs)


if __name__ == "__main__":
    main()
