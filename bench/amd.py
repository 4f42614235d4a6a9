"""How often answering-machine detection is right: `python -m bench.amd`.

Synthesised greetings (`bench.greetings`) go as RTP through the media plane's own tick, and what that hears
through the detector, all in virtual time; out comes a table of what was heard against what was found.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.greetings import Heard, corpus
from ringback.calls.amd import Finding
from ringback.calls.detection import SPEECH, Ears
from ringback.calls.verbs import MachineDetection
from ringback.media import addresses, codecs
from ringback.media.model import RemoteMedia, SpeechStarted, SpeechStopped, ToneEnded, ToneStarted
from ringback.media.playout import Arena
from ringback.media.rtp import Batch
from ringback.media.tick import Phase

FRAME = 160
PEER = ("192.0.2.10", 40000)
MODES = {
    "as soon as known": MachineDetection(),
    "at the end of the greeting": MachineDetection(wait_for_end=True),
}


class Line:
    """A row of the phase, and what is found on it."""

    def __init__(self, wanted: MachineDetection) -> None:
        self.ears = Ears(wanted)
        self.verdict = Finding(what="none", at=0)

    def hear(self, sound: object, now: int) -> None:
        """Something was told, or (None) nothing."""
        if self.ears.over:
            return
        if isinstance(sound, SpeechStarted | SpeechStopped | ToneStarted | ToneEnded):
            found = self.ears.hear(sound, now)
        else:
            found = self.ears.wait(now)
        for each in found:
            if each.verdict and not each.partial:
                self.verdict = each


def detect(lines: Sequence[Heard], wanted: MachineDetection) -> list[Finding]:
    """The verdict on each line."""
    count = len(lines)
    phase = Phase(count, Arena(1 << 16), socket.AF_INET)
    for row in range(count):
        phase.prepare(row)
        phase.open(row, 1, "bench", 0.0)
        phase.set_remote(row, RemoteMedia(*PEER, receive_dtmf_pts=frozenset({101})), 0.0)
        phase.listen(row, None, SPEECH, True)
    found = [Line(wanted) for _ in lines]
    payloads = codecs.encode(np.ascontiguousarray([line.audio for line in lines]), codecs.PCMU)
    for tick in range(payloads.shape[1] // FRAME):
        now = tick * 20
        phase.begin(now / 1000)
        phase.receive(_packets(payloads[:, tick * FRAME : (tick + 1) * FRAME], tick), now / 1000)
        phase.tick(now / 1000)
        for row, _, event in phase.events:
            found[row].hear(event, now)
        phase.events.clear()
        for line in found:
            line.hear(None, now)
        if all(line.ears.over for line in found):
            break
    return [line.verdict for line in found]


def _packets(payloads: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], tick: int) -> Batch:
    count = len(payloads)
    data = np.zeros((count, 1500), np.uint8)
    data[:, 0] = 0x80
    data[:, 2:4] = np.frombuffer(tick.to_bytes(2, "big"), np.uint8)
    data[:, 4:8] = np.frombuffer((tick * FRAME).to_bytes(4, "big"), np.uint8)
    data[:, 12 : 12 + FRAME] = payloads
    rows = np.arange(count)
    sources = np.tile(addresses.pack(*PEER, socket.AF_INET), (count, 1))
    return Batch(data, rows, rows, np.full(count, 12 + FRAME), sources, np.full(count, tick / 50))


def confusion(lines: Sequence[Heard], verdicts: Sequence[Finding]) -> dict[str, Counter[str]]:
    """How often each verdict was found, by what was heard."""
    table: dict[str, Counter[str]] = {}
    for line, verdict in zip(lines, verdicts, strict=True):
        table.setdefault(line.kind, Counter())[verdict.what] += 1
    return table


def show(title: str, lines: Sequence[Heard], verdicts: Sequence[Finding]) -> Table:
    """The confusion table, with the median time to the verdict."""
    found = confusion(lines, verdicts)
    columns = sorted({what for counts in found.values() for what in counts})
    table = Table(title=f"Told {title}", caption=f"{len(lines)} lines")
    for heading in ("heard", *columns, "median, s"):
        table.add_column(heading, justify="left" if heading == "heard" else "right")
    for kind, counts in found.items():
        times = [each.at for line, each in zip(lines, verdicts, strict=True) if line.kind == kind]
        cells = [str(counts[what] or "") for what in columns]
        table.add_row(kind, *cells, f"{np.median(times) / 1000:.1f}")
    return table


def main() -> None:
    """Listen to everything, in both modes."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    console = Console(width=max(120, Console().width), highlight=False)
    lines = asyncio.run(corpus())
    for title, wanted in MODES.items():
        console.print(show(title, lines, detect(lines, wanted)))


if __name__ == "__main__":
    main()
