"""What `kill -9` costs: `ringback bench crash --calls 20 --runs 3`.

Calls are brought to four moments, as many to each: their application is still asked; a prompt plays; they are
recorded; they are over, and the callback that says so has come but is not answered yet. Then all the server's
processes are killed at once, and it is started again on the same data. The clock runs from that start to the
moment in which the application has taken word of every call's end: once, and with the token that it had come
with before. Afterwards the store is looked at: each call in one final state, no callback due. What a
recording lost is what its file lacks of the time from the answer to the kill; until it began is part of that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import soundfile
from aiohttp import web
from rich.table import Table

from bench import options as common
from bench.application import wav
from bench.callers import Caller, Callers
from bench.load import LiveEnds, compiled
from bench.machine import busy
from bench.results import Figure
from bench.session import SLOW_ENDS, Session
from bench.system import System, system
from ringback.store import Store
from ringback.store.records import CallFilter

NUMBER = "+14155550109"
SETTINGS = """
[[application]]
name = "crash"
dialect = "laml"
profile = "twilio"
voice_url = "{url}/voice"
status_callback = "{url}/status"

[[number]]
number = "{number}"
application = "crash"
"""
"""In this profile callbacks carry a token that stays the same when they are repeated."""
TOKEN = "I-Twilio-Idempotency-Token"
DOCUMENTS = {
    "playing": '<Response><Gather timeout="600"><Play loop="0">{url}/prompt.wav</Play></Gather></Response>',
    "recorded": '<Response><Record playBeep="false" trim="do-not-trim" timeout="600"/></Response>',
    "over": "<Response><Hangup/></Response>",
}
MOMENTS = ("asked", *DOCUMENTS)
TALK = 3.0
"""Seconds for which the recorded ones are recorded at least."""
PATIENCE = 60.0
LIMIT, LOST = 5.0, 1.0
CALLS = 20
"""What the aim speaks of, at least."""
SETUP_RATE = 50.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run's figures."""

    calls: int
    settled: float | None
    """Seconds from the start of the second server; None where it took too long."""
    repeats: int
    """Callbacks that were taken although one of that call had been, or with another token than before."""
    open: int
    """Calls that the store has in no final state, and callbacks that are still due."""
    lost: float
    """Of the recording that lost most, seconds."""
    others: float
    """The share of the server's core that went to others."""

    @property
    def good(self) -> bool:
        """All that the aim asks for."""
        in_time = self.settled is not None and self.settled <= LIMIT
        return in_time and not self.repeats and not self.open and self.lost <= LOST


class Application:
    """Has each caller do what its number says; leaves callbacks without an answer until it `accepts` them."""

    def __init__(self) -> None:
        self.url = ""
        self.accepts = False
        self.asked: set[str] = set()
        self.left: dict[str, str] = {}
        """Callers of whose end it was told, and did not answer: the token."""
        self.taken: dict[str, Counter[str]] = {}
        """By caller: how often each token was taken."""
        self._prompt = wav(10.0)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve on a free port of the loopback interface."""
        app = web.Application()
        app.router.add_post("/voice", self._voice)
        app.router.add_post("/status", self._status)
        app.router.add_get("/prompt.wav", self._audio)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield
        finally:
            await runner.cleanup()

    async def _voice(self, request: web.Request) -> web.Response:
        caller = str((await request.post())["From"])
        self.asked.add(caller)
        moment = moment_of(Caller.number_of(caller))
        if moment == "asked":
            await asyncio.sleep(PATIENCE)
        text = DOCUMENTS.get(moment, DOCUMENTS["over"]).format(url=self.url)
        return web.Response(text=text, content_type="application/xml")

    async def _status(self, request: web.Request) -> web.Response:
        caller = str((await request.post())["From"])
        if not self.accepts:
            self.left[caller] = request.headers[TOKEN]
            await asyncio.sleep(PATIENCE)
        self.taken.setdefault(caller, Counter())[request.headers[TOKEN]] += 1
        return web.Response(status=204)

    @property
    def repeats(self) -> int:
        """How many callbacks were taken of which one had been, or whose token had been another before."""
        twice = sum(tokens.total() - 1 for tokens in self.taken.values())
        known = {caller: token for caller, token in self.left.items() if caller in self.taken}
        return twice + sum(token not in self.taken[caller] for caller, token in known.items())

    async def _audio(self, _: web.Request) -> web.Response:
        return web.Response(body=self._prompt, content_type="audio/wav")


def moment_of(number: int) -> str:
    """To which moment a caller is brought."""
    return MOMENTS[number % len(MOMENTS)]


async def measure(calls: int, cores: tuple[int, int]) -> Run:
    """One server killed and started again. Raises TimeoutError where calls do not come to their moments."""
    application, far = Application(), LiveEnds(cores[1])
    await far.start()
    try:
        async with application.serving():
            settings = SETTINGS.format(url=application.url, number=NUMBER)
            async with system(application.url, cores[0], settings=settings) as server:
                return await _measured(server, application, far, calls)
    finally:
        await far.stop()


async def _measured(server: System, application: Application, far: LiveEnds, calls: int) -> Run:
    callers = Callers(server.sip, NUMBER, far.port)
    callers.on_answered = lambda call: far.add(call.port)
    await _come(callers, application, calls)
    await server.kill()
    killed = time.monotonic()
    lost = _lost(server.data, callers.calls, killed)
    application.accepts = True
    began, before = time.monotonic(), busy(server.core)
    await server.start()
    settled: float | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while len(application.taken) < calls:  # noqa: ASYNC110 - looking is cheaper
                await asyncio.sleep(0.005)
        settled = time.monotonic() - began
    used, elapsed = sum(server.usage().cpu.values()), time.monotonic() - began
    others = (busy(server.core) - before - used) / elapsed
    await server.stop()
    callers.close()
    return Run(
        calls=calls,
        settled=settled,
        repeats=application.repeats,
        open=await _open(server.data, calls),
        lost=lost,
        others=others,
    )


async def _come(callers: Callers, application: Application, calls: int) -> None:
    """Place the calls, and wait until each is at its moment."""
    for number in range(calls):
        callers.call(number)
        await asyncio.sleep(1 / SETUP_RATE)
    over = sum(moment_of(number) == "over" for number in range(calls))
    up = sum(moment_of(number) in ("playing", "recorded") for number in range(calls))
    async with asyncio.timeout(PATIENCE):
        while (  # noqa: ASYNC110 - looking is cheaper
            len(application.asked) < calls
            or len(application.left) < over
            or sum(call.answered > 0 for call in callers.calls) < up
        ):
            await asyncio.sleep(0.02)
    await asyncio.sleep(TALK)


def _lost(data: Path, calls: Sequence[Caller], killed: float) -> float:
    """What the recording lost that lost most. Files are in the order of their calls' answers."""
    answered = sorted(call.answered for call in calls if moment_of(call.number) == "recorded")
    files = sorted((data / "recordings").rglob("*.wav"), key=lambda path: -soundfile.info(path).duration)
    if len(files) < len(answered):
        return killed - answered[0]
    pairs = zip(answered, files, strict=False)
    return max((killed - moment - soundfile.info(path).duration for moment, path in pairs), default=0.0)


async def _open(data: Path, calls: int) -> int:
    """How much the store has that is not settled, calls that it does not have among it."""
    async with await Store.open("sqlite", data) as store:
        rows = await store.calls(CallFilter(), limit=calls)
        return calls - sum(row.ended_at is not None for row in rows) + len(await store.pending())


def table(runs: Sequence[Run]) -> Table:
    """A line a run."""
    shown = Table(title="kill -9 amid calls, and the next start")
    for heading in ("calls", "all settled s", "taken twice", "left open", "lost of a recording s"):
        shown.add_column(heading, justify="right")
    for run in runs:
        settled = "-" if run.settled is None else f"{run.settled:.2f}"
        shown.add_row(str(run.calls), settled, str(run.repeats), str(run.open), f"{run.lost:.2f}")
    return shown


def figure(runs: Sequence[Run]) -> Figure:
    """The result: the median time, and the worst of all else, which must be so in every run."""
    calls, lost = runs[0].calls, max(run.lost for run in runs)
    repeats, left = max(run.repeats for run in runs), max(run.open for run in runs)
    settled = [PATIENCE if run.settled is None else run.settled for run in runs]
    middle = statistics.median(settled)
    return Figure(
        "crash",
        f"{calls} calls settled {middle:.2f} s after the next start, {repeats} callbacks taken twice, "
        f"{left} calls or callbacks left open, {lost:.2f} s of a recording lost at the most",
        all(run.good for run in runs) and (True if calls >= CALLS else None),
        values={"settled_s": middle, "repeats": repeats, "open": left, "lost_s": lost},
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("crash", __doc__, runs=1)
    parser.add_argument("--calls", type=common.positive, default=CALLS, help="that are up, or just over")
    return parser


def main() -> None:
    """Read the command line and measure."""
    session = Session(arguments())
    if not compiled():
        session.console.print(SLOW_ENDS)
    runs = session.repeat(lambda: measure(session.options.calls, session.cores))
    session.console.print(table(runs))
    session.conclude([figure(runs)], runs)


if __name__ == "__main__":
    main()
