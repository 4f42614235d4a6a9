"""Keys pressed by us: telephone events (RFC 4733) or tones, one step a tick."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media import tones
from ringback.media.model import DTMF_KEYS, DigitMethod

FRAME_MS = 20
FRAME_SAMPLES = 160
VOLUME = 10
"""-dBm0, in the event packets (RFC 4733, 2.3)."""
END_PACKETS = 3
"""The final packet is sent this often (RFC 4733, 2.5.1.4)."""
PAUSES = {"w": 500, "W": 1000}


class EventPacket(NamedTuple):
    """One packet of a key; `first` begins it: marker set, the timestamp taken."""

    payload: bytes
    first: bool


class Finished(NamedTuple):
    """The request with this id is done; takes no time."""

    id: int
    method: DigitMethod


Frame = npt.NDArray[np.int16]
Step = EventPacket | Frame | Finished | None
"""What to do in a tick: send a packet, a frame of tone, nothing (None)."""


class Keyer:
    """The keys that one row still has to press."""

    def __init__(self) -> None:
        self._queue: deque[Iterator[Step]] = deque()

    def press(self, id: int, digits: str, duration_ms: int, gap_ms: int, method: DigitMethod) -> None:
        """Queue a request. Tones are made here, not in the tick."""
        frames = -(-duration_ms // FRAME_MS)
        gap = -(-gap_ms // FRAME_MS)
        if method == "rfc4733":
            self._queue.append(_events(id, digits, frames, gap))
        else:
            waves = {key: _tone(key, frames) for key in set(digits) - set(PAUSES)}
            self._queue.append(_waves(id, digits, waves, gap))

    @property
    def busy(self) -> bool:
        return bool(self._queue)

    def step(self) -> tuple[Step, list[Finished]]:
        """This tick's doing, and the requests that ended before it."""
        finished: list[Finished] = []
        while self._queue:
            for step in self._queue[0]:
                if not isinstance(step, Finished):
                    return step, finished
                finished.append(step)
            self._queue.popleft()
        return None, finished


def _events(id: int, digits: str, frames: int, gap: int) -> Iterator[Step]:
    for digit in digits:
        if digit in PAUSES:
            yield from [None] * (PAUSES[digit] // FRAME_MS)
            continue
        code = DTMF_KEYS.index(digit)
        for number in range(1, frames + 1):
            yield EventPacket(_payload(code, number == frames, number), number == 1)
        for _ in range(END_PACKETS - 1):
            yield EventPacket(_payload(code, True, frames), False)
        yield from [None] * max(0, gap - END_PACKETS + 1)
    yield Finished(id, "rfc4733")


def _payload(code: int, end: bool, frames: int) -> bytes:
    duration = min(0xFFFF, frames * FRAME_SAMPLES)
    return bytes((code, (0x80 if end else 0) | VOLUME)) + duration.to_bytes(2, "big")


def _waves(id: int, digits: str, waves: dict[str, Frame], gap: int) -> Iterator[Step]:
    for digit in digits:
        if digit in PAUSES:
            yield from [None] * (PAUSES[digit] // FRAME_MS)
            continue
        yield from waves[digit]
        yield from [None] * gap
    yield Finished(id, "inband")


def _tone(key: str, frames: int) -> Frame:
    source = tones.source(tones.dtmf(key, frames * FRAME_MS))
    return np.frombuffer(source.pcm, np.int16).reshape(frames, FRAME_SAMPLES)
