"""What is left of speech after a bad network: `ringback bench quality`.

Sentences of the built-in voice go as PCMU through the media plane's own tick, in virtual time, over networks
that lose and delay packets; what the tick hears is compared with what was said. Beside it stand what would
be heard with silence or the packet before in place of each that is lost, and with none lost, all of them
without jitter.

The likeness is PESQ's where that is installed (`pip install pesq`, which needs a C compiler), else a
log-spectral distance.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soxr
from rich.console import Console
from rich.table import Table

from bench.impaired import INTERVAL, Network
from bench.likeness import FRAME, MEASURE, PERCEPTUAL, RATE, likeness
from bench.options import plain_parser, positive
from bench.results import Figure, add_option, conclude
from bench.session import doing
from ringback.media import addresses, codecs
from ringback.media.conceal import BLOCK
from ringback.media.model import RemoteMedia
from ringback.media.playout import Arena
from ringback.media.rtp import Batch
from ringback.media.tick import Phase
from ringback.speech.espeak import Espeak
from ringback.speech.protocol import Gender, SpeechRequest

Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

PEER = ("192.0.2.10", 40000)
GENDERS: tuple[Gender, ...] = ("female", "male")
TEXTS = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "It is easy to tell the depth of a well.",
    "Rice is often served in round bowls. The juice of lemons makes fine punch. "
    "The box was thrown beside the parked truck.",
)
"""From the Harvard sentences (IEEE 297-1969)."""
TAIL = 30
"""Frames of silence after what is said, in which the last of it is still heard."""
NETWORKS = (
    Network(),
    *(Network(loss=loss) for loss in (0.01, 0.03, 0.05, 0.10)),
    *(Network(loss=loss, burst=2.5) for loss in (0.01, 0.03, 0.05, 0.10)),
    *(Network(jitter=30, loss=loss) for loss in (0.0, 0.01, 0.03, 0.05)),
    Network(jitter=30, ordered=True),
    Network(jitter=30, shape="normal"),
    Network(jitter=30, shape="normal", ordered=True),
    Network(jitter=100, shape="spells"),
)
LOSSY, SHAKY = Network(loss=0.05), Network(jitter=30)
"""Those that say whether the aim is reached."""
BETTER, AS_GOOD, DELAY_P95 = 0.5, 0.1, 70.0
"""How much better than repetition (MOS) the one is to be; how little worse than without jitter the other,
and its delay (ms).
"""


class Journey(NamedTuple):
    """One row: what was said, and what came of it."""

    said: Int16
    heard: Int16
    places: Int64
    """The sample of `said` at which each heard frame belongs."""
    delays: Float
    """Seconds by which each heard frame came later than it could have over the best of networks."""
    lost: Bool
    concealed: int
    late: int

    @property
    def coded(self) -> Int16:
        """What was said, as PCMU leaves it."""
        coded: Int16 = codecs.decode(codecs.encode(self.said[None, :], codecs.PCMU), codecs.PCMU)[0]
        return coded

    @property
    def straight(self) -> Int64:
        """The places of a buffer that neither waits nor skips."""
        return np.arange(len(self.said) // FRAME) * FRAME

    def replaced(self, repeating: bool) -> Int16:
        """What was said, with silence or the packet before in place of lost ones."""
        frames = self.coded.reshape(-1, FRAME).copy()
        for number in np.nonzero(self.lost)[0].tolist():
            frames[number] = frames[number - 1] if repeating and number else 0
        return frames.reshape(-1)


async def speech() -> list[Int16]:
    """The texts in each voice, at 8 kHz, a whole number of frames each."""
    speak, spoken = Espeak(), []
    try:
        for gender in GENDERS:
            for text in TEXTS:
                pcm = await speak.synthesize(SpeechRequest(text, language="en-US", gender=gender))
                wave = soxr.resample(np.frombuffer(pcm.samples, "<i2"), pcm.rate, RATE)
                spoken.append(np.pad(wave, (0, -len(wave) % FRAME + TAIL * FRAME)).astype(np.int16))
    finally:
        await speak.close()
    return spoken


def carry(network: Network, sounds: Sequence[Int16], seeds: int) -> list[Journey]:
    """Send each sound so many times over the network."""
    said = [sound for sound in sounds for _ in range(seeds)]
    chances = [np.random.default_rng(seed) for seed in range(len(said))]
    phase = _phase(len(said))
    jitter, count = phase.intake.jitter, len(said)
    packets = [codecs.encode(sound.reshape(-1, FRAME), codecs.PCMU) for sound in said]
    begun = [chance.uniform(0.0, INTERVAL) for chance in chances]
    lost = [network.lost(len(each), chance) for each, chance in zip(packets, chances, strict=True)]
    arrivals = []
    for row, chance in enumerate(chances):
        held = network.held_up(len(packets[row]), chance)
        at = begun[row] + np.arange(len(held)) * INTERVAL + held
        arrivals += [(when, row, n) for n, when in enumerate(at.tolist()) if not lost[row][n]]
    arrivals.sort(reverse=True)
    heard: list[Int16] = []
    places: list[Int64] = []
    for tick in range(max(map(len, packets)) + TAIL):
        now = tick * INTERVAL
        phase.begin(now)
        while arrivals and arrivals[-1][0] <= now:
            when, row, number = arrivals.pop()
            phase.receive(_packet(row, number, packets[row][number], when), now)
        phase.tick(now)
        assert phase.tapped is not None
        heard.append(phase.tapped.frames[:, 0].copy())
        # The tick has just read the frame before this place.
        places.append(jitter.play[:count] * BLOCK - FRAME)
    audio, at = np.stack(heard, 1), np.stack(places, 1)
    return [
        _journey(said[row], audio[row], at[row], begun[row], lost[row], jitter.concealed, jitter.late, row)
        for row in range(count)
    ]


def _journey(
    said: Int16, audio: Int16, at: Int64, begun: float, lost: Bool, concealed: Int64, late: Int64, row: int
) -> Journey:
    # From the first sample on, until the last but for what the tail was for.
    within = (at > -FRAME) & (at <= len(said) - FRAME) & (np.cumsum(at > -FRAME) > 0)
    frames, places = audio[within], at[within]
    ready = begun + places / RATE
    delays = np.nonzero(within)[0] * INTERVAL - ready
    return Journey(said, frames.reshape(-1), places, delays, lost, int(concealed[row]), int(late[row]))


def _phase(count: int) -> Phase:
    """Rows that are listened to."""
    phase = Phase(count, Arena(1 << 16), socket.AF_INET)
    for row in range(count):
        phase.prepare(row)
        phase.open(row, 1, "bench", 0.0)
        phase.set_remote(row, RemoteMedia(*PEER), 0.0)
        phase.taps.add(row, 1)
    return phase


def _packet(row: int, number: int, payload: npt.NDArray[np.uint8], at: float) -> Batch:
    data = np.zeros((1, 1500), np.uint8)
    data[0, 0] = 0x80
    data[0, 2:4] = np.frombuffer(number.to_bytes(2, "big"), np.uint8)
    data[0, 4:8] = np.frombuffer((number * FRAME).to_bytes(4, "big"), np.uint8)
    data[0, 12 : 12 + FRAME] = payload
    source = addresses.pack(*PEER, socket.AF_INET)[None, :]
    return Batch(data, np.array([0]), np.array([row]), np.array([12 + FRAME]), source, np.array([at]))


class Score(NamedTuple):
    """The means over all journeys over a network."""

    network: Network
    delay: float
    delay_p95: float
    concealed: float
    late: float
    ours: float
    silence: float
    repetition: float
    ideal: float


def score(network: Network, sounds: Sequence[Int16], seeds: int) -> Score:
    """Send, listen and compare."""
    journeys = carry(network, sounds, seeds)
    delays = np.concatenate([journey.delays for journey in journeys]) * 1000
    sent = sum(len(journey.lost) for journey in journeys)
    return Score(
        network,
        float(delays.mean()),
        float(np.percentile(delays, 95)),
        sum(journey.concealed for journey in journeys) / sent,
        sum(journey.late for journey in journeys) / sent,
        float(np.mean([likeness(each.said, each.heard, each.places) for each in journeys])),
        float(np.mean([likeness(each.said, each.replaced(False), each.straight) for each in journeys])),
        float(np.mean([likeness(each.said, each.replaced(True), each.straight) for each in journeys])),
        float(np.mean([likeness(each.said, each.coded, each.straight) for each in journeys[::seeds]])),
    )


def show(scores: Sequence[Score]) -> Table:
    """A line for each network."""
    table = Table(title=f"Speech after the network: {MEASURE}")
    headings = ("network", "delay, ms", "p95", "concealed", "late")
    for heading in (*headings, "Ringback", "silence", "repetition", "none lost"):
        table.add_column(heading, justify="left" if heading == "network" else "right")
    for each in scores:
        table.add_row(
            str(each.network),
            f"{each.delay:.0f}",
            f"{each.delay_p95:.0f}",
            f"{each.concealed:.1%}",
            f"{each.late:.1%}",
            *(f"{value:.2f}" for value in (each.ours, each.silence, each.repetition, each.ideal)),
        )
    return table


def figure(scores: Sequence[Score]) -> Figure:
    """Against the aim."""
    by = {each.network: each for each in scores}
    lossy, shaky = by[LOSSY], by[SHAKY]
    reached = (
        lossy.ours >= lossy.repetition + BETTER
        and shaky.ours >= shaky.ideal - AS_GOOD
        and shaky.delay_p95 <= DELAY_P95
    )
    values = {f"{each.network}: {MEASURE}": round(each.ours, 2) for each in scores}
    values |= {f"{each.network}: delay p95, ms": round(each.delay_p95) for each in scores}
    return Figure(
        "quality",
        f"{MEASURE} {lossy.ours:.2f} at 5 % loss (repetition {lossy.repetition:.2f}, "
        f"silence {lossy.silence:.2f}); "
        f"{shaky.ours:.2f} at 30 ms jitter (without {shaky.ideal:.2f}), delay p95 {shaky.delay_p95:.0f} ms",
        reached=reached if PERCEPTUAL else None,
        values=values,
    )


def arguments() -> argparse.ArgumentParser:
    """The command line: no cores, for nothing depends on the machine's speed."""
    parser = plain_parser("quality", __doc__)
    parser.add_argument(
        "--seeds", type=positive, default=3, help="how often each sound is sent over a network"
    )
    add_option(parser)
    return parser


def main() -> None:
    """Send everything over every network."""
    options = arguments().parse_args()
    console = Console(width=max(120, Console().width), highlight=False)
    sounds = asyncio.run(speech())
    scores = []
    for network in NETWORKS:
        doing(str(network))
        scores.append(score(network, sounds, options.seeds))
    console.print(show(scores))
    # In virtual time it does not matter who else is at work.
    sys.exit(conclude(console, options.json, "quality", [figure(scores)], runs=options.seeds, others=0.0))


if __name__ == "__main__":
    main()
