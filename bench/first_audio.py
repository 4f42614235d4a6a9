"""How long the caller waits for sound after the application has replied: `python -m bench.first_audio --calls 100
--legs 200 --dialect laml --runs 3`.

From the moment in which the application writes its reply to the arrival of the first audible packet at the
telephone, by the kernel's time stamp; both are in the load, on one clock. Calls come one after another, each
with two replies: its first document (a Gather with a prompt, so the call is answered, too), and a later one (a
Play, as the answer to a key pressed after the prompt). The prompts are in the cache. `--fresh` calls play a
prompt whose URL is new each time, for information. `--legs` calls more are up meanwhile, with silence both
ways.

The whole server (control, media, speech, store) shares one core, the load has another.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from bench.application import VOICE, Application
from bench.callers import Caller, Callers
from bench.ear import Ear
from bench.load import LiveEnds, compiled
from bench.machine import ONE_CORE, busy, default_cores, on_core, quietness
from bench.system import NUMBERS, System, system

P50_MS, P95_MS = 20.0, 40.0
"""What is to be kept, with the source in the cache."""
PROMPT = 0.2
"""Seconds of prompt."""
PAUSE = 0.05, 0.09
"""Seconds of silence, at least and at most, before the key is pressed: at any moment of a tick."""
PATIENCE = 5.0
SETUP_RATE = 50.0
SETTLE = 1.0
WARM_UP = 5
FRESH, IDLE = 1_000_000, 2_000_000
"""From these on the numbers of calls say what they are for."""

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
    XML: '<Pause length="3600"/>',
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
    legs: int
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

    @property
    def good(self) -> bool:
        """Everything was heard in time."""
        waits = (self.first, self.later)
        return not self.unheard and all(
            share(each, 0.5) <= P50_MS and share(each, 0.95) <= P95_MS for each in waits
        )


def share(values: Sequence[float], part: float) -> float:
    """The value that this part of them does not exceed; 0 for nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class Load:
    """Callers and application of one server, brought together."""

    def __init__(self, server: System, application: Application, dialect: str, far: LiveEnds) -> None:
        self.first: list[float] = []
        self.answered: list[float] = []
        self.later: list[float] = []
        self.unheard = 0
        number = NUMBERS[dialect]
        self._ear = Ear()
        self._callers = Callers(server.sip, number, self._ear.port, ("PCMU", "telephone-event"))
        self._callers.on_answered = lambda call: self._answered[call].set_result(time.time_ns())
        self._callers.on_ended = self._ended
        self._idle = Callers(server.sip, number, far.port)
        self._idle.on_answered = lambda call: far.add(call.port)
        self._answered: dict[Caller, asyncio.Future[int]] = {}
        self._over: dict[Caller, asyncio.Event] = {}
        self._asked: defaultdict[int, list[int]] = defaultdict(list)
        application.on_asked = lambda caller: self._asked[Caller.number_of(caller)].append(time.time_ns())
        application.which = which

    def close(self) -> None:
        """No more calls."""
        self._callers.close()
        self._idle.close()
        self._ear.close()

    async def idle(self, legs: int) -> None:
        """So many calls that stay."""
        for number in range(legs):
            self._idle.call(IDLE + number)
            await asyncio.sleep(1 / SETUP_RATE)
        await asyncio.sleep(SETTLE)

    def end_idle(self) -> None:
        """Hang them up."""
        for call in self._idle.calls:
            self._idle.hang_up(call)

    def forget(self) -> None:
        """What was measured so far does not count."""
        self.first, self.answered, self.later, self.unheard = [], [], [], 0

    async def call(self, number: int, *, later: bool = True) -> None:
        """One call: hear the first document, and the one after a key."""
        call = self._callers.call(number)
        answered = self._answered[call] = asyncio.get_running_loop().create_future()
        over = self._over[call] = asyncio.Event()
        try:
            async with asyncio.timeout(PATIENCE):
                await answered
            await self._listen(call, later)
        except TimeoutError:
            self.unheard += 1
        self._callers.hang_up(call)
        await over.wait()

    async def _listen(self, call: Caller, later: bool) -> None:
        asked = self._asked[call.number]
        line = self._ear.line(call.port)
        try:
            self.first.append((await line.sounds(PATIENCE) - asked[0]) / 1e6)
            self.answered.append((self._answered[call].result() - asked[0]) / 1e6)
            if later:
                await line.falls_silent(random.uniform(*PAUSE))
                line.listen()
                line.press("1")
                self.later.append((await line.sounds(PATIENCE) - asked[1]) / 1e6)
        finally:
            line.close()

    def _ended(self, call: Caller) -> None:
        answered = self._answered[call]
        if not answered.done():
            answered.set_exception(TimeoutError())
        self._over[call].set()


def which(caller: str) -> str:
    """The document that a caller gets, by its number."""
    number = Caller.number_of(caller)
    return "idle" if number >= IDLE else "fresh" if number >= FRESH else VOICE


async def measure(dialect: str, calls: int, fresh: int, legs: int, cores: tuple[int, int]) -> Run:
    """A server of its own, and calls one after another."""
    application = Application(documents(dialect), PROMPT)
    await application.start()
    far = LiveEnds(cores[1])
    await far.start()
    try:
        async with system(application.url, cores[0]) as server:
            load = Load(server, application, dialect, far)
            await load.idle(legs)
            for number in range(WARM_UP):
                await load.call(number)
            load.forget()
            return await _measured(server, load, dialect, calls, fresh, legs, cores[0])
    finally:
        await application.stop()
        await far.stop()


async def _measured(
    server: System, load: Load, dialect: str, calls: int, fresh: int, legs: int, core: int
) -> Run:
    began, usage, others = time.monotonic(), server.usage(), busy(core)
    for number in range(calls):
        await load.call(WARM_UP + number)
    used = sum(server.usage().since(usage).values())
    elapsed, others = time.monotonic() - began, busy(core) - others - used
    first, answered, later, unheard = load.first, load.answered, load.later, load.unheard
    load.forget()
    for number in range(fresh):
        await load.call(FRESH + number, later=False)
    load.end_idle()
    await server.idle()
    load.close()
    return Run(
        dialect=dialect,
        legs=legs,
        first=first,
        answered=answered,
        later=later,
        fresh=load.first,
        unheard=unheard + load.unheard,
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
                figures = [f"{share(values, part):.1f}" for part in (0.5, 0.95, 0.99, 1.0)]
                shown.add_row(
                    run.dialect, str(run.legs), name, str(len(values)), *figures, wanted, f"{run.core:.0%}"
                )
        shown.add_section()
    return shown


def remarks(runs: Sequence[Run]) -> list[str]:
    """The result, and what one must know to believe it."""
    said = []
    for dialect in dict.fromkeys(run.dialect for run in runs):
        same = [run for run in runs if run.dialect == dialect]
        for name, waits in (
            ("first document", [run.first for run in same]),
            ("later document", [run.later for run in same]),
        ):
            p50, p95 = (statistics.median(share(each, part) for each in waits) for part in (0.5, 0.95))
            verdict = "reached" if p50 <= P50_MS and p95 <= P95_MS else "NOT REACHED"
            said.append(f"{dialect}, {name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms: {verdict}")
    unheard = sum(run.unheard for run in runs)
    if unheard:
        said.append(f"NOT REACHED: {unheard} calls in which nothing was heard")
    said.append(quietness(max(run.others for run in runs)))
    return said


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    server_core, load_core = default_cores()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100, help="one after another")
    parser.add_argument("--fresh", type=int, default=20, help="calls whose prompt is not in the cache")
    parser.add_argument("--legs", type=int, default=0, help="calls that are up meanwhile")
    parser.add_argument("--dialect", choices=(*NUMBERS, "all"), default="all")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--server-core", type=int, default=server_core)
    parser.add_argument("--load-core", type=int, default=load_core)
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when sound came in time."""
    options = arguments().parse_args()
    console = Console(width=max(120, Console().width), highlight=False)
    cores = (options.server_core, options.load_core)
    if cores[0] == cores[1]:
        console.print(ONE_CORE)
    if not compiled() and options.legs:
        console.print("no C compiler: the far ends of the other calls are slow ones in Python")
    dialects = list(NUMBERS) if options.dialect == "all" else [options.dialect]
    runs = []
    with on_core(cores[1]):
        for dialect in dialects:
            for _ in range(options.runs):
                run = measure(dialect, options.calls, options.fresh, options.legs, cores)
                runs.append(asyncio.run(run))
    console.print(table(runs))
    for remark in remarks(runs):
        console.print(remark)
    sys.exit(0 if all(run.good for run in runs) else 1)


if __name__ == "__main__":
    main()
