"""How soon the caller who interrupts has silence: `ringback bench barge-in --calls 20 --legs 200 --runs 3`.

A prompt loops; the caller presses a key, or speaks; what is measured is when the last audible packet arrived,
by the kernel's time stamp (0 where that was before). `key`: a telephone event (RFC 4733), from the moment in
which its first packet was sent. `tone`: the key's tones in the audio, at any place of a packet, from the
moment in which the tone began at the caller: a packet's first sample is 20 ms old when it is sent. These are
whole calls of the whole server. `speech`: talk after silence, on the media plane directly with the prompt
told to stop on it, from the moment in which the control side hears that the detector has decided; for
information also from the first packet of talk.

The server has one core, the load another. `--legs` calls more are up meanwhile, with silence both ways.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Sequence

import msgspec
import numpy as np
from rich.table import Table

from bench import options as common
from bench.application import RATE, VOICE, Application
from bench.callers import Caller
from bench.ear import SAMPLES, Ear, Line, frames, key_tone
from bench.load import LiveEnds
from bench.machine import busy, cpu, on_core
from bench.media import prompt, settled
from bench.results import Figure
from bench.session import Session, doing
from bench.system import NUMBERS, System, system
from bench.visits import IDLE, PATIENCE, STAYING, Visits, quantile
from ringback.media.plane import (
    MediaEvent,
    MediaPlane,
    RemoteMedia,
    SpeechDetection,
    SpeechStarted,
    StopOn,
)

AIMS_MS = {"key": 40.0, "tone": 80.0, "speech": 40.0}
"""What is to be kept, by the 99th percentile."""
CALLS = 20
"""Calls of each way, fewer of which say nothing of a percentile."""
OFFERS = {"key": ("PCMU", "telephone-event"), "tone": ("PCMU",)}
"""Keys are listened for in the audio where no telephone events are offered."""
HEARD = 0.3, 0.5
"""Seconds of prompt before the caller interrupts, at least and at most."""
SILENCE = 0.3
"""Seconds without sound after which it has stopped."""
TONE_MS = 120
TALK = 0.5
"""Seconds."""
FRAME_NS = 20_000_000
XML = "application/xml"
DOCUMENTS = {
    f"laml/{VOICE}": (
        XML,
        '<Response><Gather input="dtmf" numDigits="1" timeout="60" action="{url}/laml/later">'
        '<Play loop="0">{url}/prompt.wav</Play></Gather></Response>',
    ),
    "laml/later": (XML, '<Response><Pause length="60"/></Response>'),
    "laml/idle": (XML, f"<Response>{STAYING}</Response>"),
}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was waited for silence, in ms, in each call."""

    what: str
    """`key`, `tone` or `speech`."""
    legs: int
    waits: list[float]
    talked: list[float] = []
    """Speech: the same from the first packet of talk on."""
    unstopped: int
    """Calls in which the prompt went on."""
    others: float
    """The share of the server's core that went to others."""


class Interruptions:
    """Callers who interrupt the prompt, one after the other."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.waits: list[float] = []
        self.unstopped = 0

    async def by_key(self, visits: Visits, number: int) -> None:
        """One call in which a key is pressed."""
        try:
            async with visits.visit(number) as visit:
                line = visit.line
                await line.sounds(PATIENCE)
                await asyncio.sleep(random.uniform(*HEARD))
                late = 0
                if self._what == "key":
                    line.press("5")
                else:
                    lead = random.randrange(SAMPLES)
                    line.say(key_tone("5", TONE_MS, lead))
                    late = FRAME_NS - lead * FRAME_NS // SAMPLES
                await self._stops(line, late)
        except TimeoutError:
            self.unstopped += 1

    async def _stops(self, line: Line, late: int) -> None:
        async with asyncio.timeout(PATIENCE):
            last = await line.falls_silent(SILENCE)
        self.waits.append(max(0.0, (last - line.spoke + late) / 1e6))


async def measure(what: str, calls: int, legs: int, cores: tuple[int, int]) -> Run:
    """A server of its own, and calls one after another."""
    application = Application(DOCUMENTS, 10.0)
    application.which = lambda caller: "idle" if Caller.number_of(caller) >= IDLE else VOICE
    await application.start()
    far = LiveEnds(cores[1])
    await far.start()
    try:
        async with system(application.url, cores[0]) as server:
            visits = Visits(server.sip, NUMBERS["laml"], far, OFFERS[what])
            await visits.fill(legs)
            run = await _measured(server, visits, what, calls, legs, cores[0])
            visits.empty()
            await server.idle()
            visits.close()
            return run
    finally:
        await application.stop()
        await far.stop()


async def _measured(server: System, visits: Visits, what: str, calls: int, legs: int, core: int) -> Run:
    began, usage, others = time.monotonic(), server.usage(), busy(core)
    interruptions = Interruptions(what)
    for number in range(calls):
        await interruptions.by_key(visits, number)
    others = busy(core) - others - sum(server.usage().since(usage).values())
    return Run(
        what=what,
        legs=legs,
        waits=interruptions.waits,
        unstopped=interruptions.unstopped,
        others=others / (time.monotonic() - began),
    )


async def measure_speech(calls: int, cores: tuple[int, int]) -> Run:
    """Legs of a media plane one after another, whose prompt stops when somebody speaks."""
    plane = MediaPlane(port_range=(20000, 29999), cores=(cores[0],))
    await plane.start()
    pid = (await settled(plane)).pid
    ear = Ear()
    began, used, others = time.monotonic(), cpu(pid), busy(cores[0])
    waits: list[float] = []
    talked: list[float] = []
    unstopped = 0
    for _ in range(calls):
        try:
            decided, spoke, last = await _interrupted(plane, ear)
        except TimeoutError:
            unstopped += 1
            continue
        waits.append(max(0.0, (last - decided) / 1e6))
        talked.append((last - spoke) / 1e6)
    others = busy(cores[0]) - others - (cpu(pid) - used)
    ear.close()
    await plane.stop()
    elapsed = time.monotonic() - began
    return Run(
        what="speech", legs=0, waits=waits, talked=talked, unstopped=unstopped, others=others / elapsed
    )


async def _interrupted(plane: MediaPlane, ear: Ear) -> tuple[int, int, int]:
    """One leg: when the detector's word came, the talk's first packet left, and the last sound came."""
    decided: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def on_event(event: MediaEvent) -> None:
        if isinstance(event, SpeechStarted) and not decided.done():
            decided.set_result(time.time_ns())

    leg = plane.open_leg(on_event)
    line = ear.line(leg.address[1])
    try:
        leg.set_remote(RemoteMedia("127.0.0.1", ear.port))
        leg.listen(speech=SpeechDetection())
        leg.play([prompt(10)], loop=0, stop_on=StopOn(speech=True))
        await line.sounds(PATIENCE)
        await asyncio.sleep(random.uniform(*HEARD))
        line.say(talk(TALK))
        async with asyncio.timeout(PATIENCE):
            return await decided, line.spoke, await line.falls_silent(SILENCE)
    finally:
        line.close()
        await leg.close()


def talk(seconds: float) -> list[bytes]:
    """Something like a voice, as packets of µ-law: harmonics of 140 Hz."""
    time = np.arange(int(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * 140 * h * time + h) / h for h in range(1, 12))
    return frames(3000 * np.asarray(wave))


def table(runs: Sequence[Run]) -> Table:
    """A line a run."""
    shown = Table(title="From the interruption to the last sound, ms")
    for heading in ("by", "legs", "calls", "p50", "p95", "p99", "max", "aim", "went on"):
        shown.add_column(heading, justify="right" if heading != "by" else "left")
    for run in runs:
        for name, values, aim in (
            (run.what, run.waits, f"{AIMS_MS[run.what]:.0f}"),
            ("  from the first talk", run.talked, ""),
        ):
            if values:
                numbers = [f"{quantile(values, part):.1f}" for part in (0.5, 0.95, 0.99, 1.0)]
                shown.add_row(name, str(run.legs), str(len(values)), *numbers, aim, str(run.unstopped))
    return shown


def figure(runs: Sequence[Run]) -> Figure:
    """The result: of each way the median over the runs."""
    values = {
        f"{what}_p{part * 100:.0f}_ms": statistics.median(
            quantile(run.waits, part) for run in runs if run.what == what
        )
        for what in dict.fromkeys(run.what for run in runs)
        for part in (0.5, 0.99)
    }
    ways = [name.removesuffix("_p50_ms") for name in values if name.endswith("_p50_ms")]
    words = ", ".join(
        f"{way} {values[f'{way}_p50_ms']:.0f} ms (p99 {values[f'{way}_p99_ms']:.0f})" for way in ways
    )
    unstopped = sum(run.unstopped for run in runs)
    if unstopped:
        words += f"; {unstopped} PROMPTS WENT ON"
    quick = all(values[f"{way}_p99_ms"] <= AIMS_MS[way] for way in ways)
    enough = min(len(run.waits) + run.unstopped for run in runs) >= CALLS
    reached = quick and not unstopped and (True if enough else None)
    return Figure("barge-in", words, reached, values=values)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("barge-in", __doc__, runs=1)
    parser.add_argument("--calls", type=common.positive, default=CALLS, help="of each way, one after another")
    parser.add_argument("--legs", type=common.natural, default=0, help="calls that are up meanwhile")
    return parser


def main() -> None:
    """Read the command line and measure."""
    session = Session(arguments(), width=100)
    options, cores = session.options, session.cores
    runs = []
    with on_core(cores[1]):
        for number in range(1, options.runs + 1):
            doing(f"run {number} of {options.runs}")
            runs += [asyncio.run(measure(what, options.calls, options.legs, cores)) for what in OFFERS]
            runs.append(asyncio.run(measure_speech(options.calls, cores)))
    session.console.print(table(runs))
    session.conclude([figure(runs)], runs)


if __name__ == "__main__":
    main()
