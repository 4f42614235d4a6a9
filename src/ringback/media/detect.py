"""Speech detection by energy above an adaptive noise floor, for all rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.model import SpeechDetection
from ringback.media.rows import Listeners
from ringback.media.tones import FULL_SCALE_DBM0

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

FRAME_MS = 20
FULL_SCALE = 10 * np.log10(32767.0**2 / 2) - FULL_SCALE_DBM0
LOWEST, HIGHEST = -65.0, -42.0
"""dBm0 between which the floor begins, whatever is heard first."""
CEILING = -30.0
DEAD = -80.0
"""dBm0 below which there is no sound at all: a line without even noise."""
DEAD_FRAMES = 20
"""How long a dead line is taken for one on which nothing has come yet: it says nothing of the noise to come.
"""
FALL = 0.3
"""Share of the way that the floor goes down in a frame when it is quieter."""
RISE, RISE_WHILE_SPEAKING = 0.1, 0.02
"""dB that it goes up in a frame: 5 and 1 dB a second."""


def level(energy: Float32, samples: int) -> Float32:
    """Sums of squares over `samples` as dBm0; digital silence is about -90."""
    decibels: Float32 = 10 * np.log10(energy / samples + 0.01) - np.float32(FULL_SCALE)
    return decibels


class SpeechDetectors(Listeners):
    """Rows are off until `configure`d."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.speaking = self.column(np.bool_)
        self._start = self.column(np.int64)
        self._stop = self.column(np.int64)
        self._threshold = self.column(np.float32)
        self._minimum = self.column(np.float32)
        self._floor = self.column(np.float32)
        self._learnt = self.column(np.bool_)
        self._age = self.column(np.int64)
        self._run = self.column(np.int64)
        self._spoken = self.column(np.int64)

    def configure(self, row: int, detection: SpeechDetection | None) -> None:
        """Begin to listen, or stop. What is known of the noise floor is kept."""
        self.enable(row, detection is not None)
        self.speaking[row] = False
        self._run[row] = 0
        if detection is not None:
            self._start[row] = max(1, -(-detection.start_ms // FRAME_MS))
            self._stop[row] = max(1, -(-detection.stop_ms // FRAME_MS))
            self._threshold[row] = detection.threshold_db
            self._minimum[row] = detection.minimum_level

    def listen(self, count: int, levels: Float32, ignore: Bool, begun: Bool) -> tuple[Int64, Int64]:
        """One frame of rows 0 to `count`: its level, whether it is something else (a key), and whether there
        is any media yet.

        Returns the rows in which speech began, and in which it ended.
        """
        enabled = self.enabled[:count]
        self._learn(count, levels, begun)
        loud = levels > np.maximum(self._floor[:count] + self._threshold[:count], self._minimum[:count])
        loud &= enabled & ~ignore
        speaking = self.speaking[:count]
        run = self._run[:count]
        # `run` counts frames that speak against the present state.
        np.multiply(run + 1, loud ^ speaking, out=run)
        started = np.nonzero(~speaking & enabled & (run >= self._start[:count]))[0]
        ended = np.nonzero(speaking & (run >= self._stop[:count]))[0]
        self._spoken[:count] += speaking
        for rows, state in ((started, True), (ended, False)):
            speaking[rows] = state
            run[rows] = 0
        self._spoken[started] = self._start[started]
        return started, ended

    def certainty_ms(self, row: int) -> int:
        """How long speech lasts before its start is reported."""
        return int(self._start[row]) * FRAME_MS

    def spoken_ms(self, row: int) -> int:
        """The length of the speech that just ended, without the quiet at its end."""
        return int(max(0, self._spoken[row] - self._stop[row])) * FRAME_MS

    def _learn(self, count: int, levels: Float32, begun: Bool) -> None:
        age = self._age[:count]
        age += begun
        floor = self._floor[:count]
        rise = np.where(self.speaking[:count], RISE_WHILE_SPEAKING, RISE).astype(np.float32)
        step = np.where(levels < floor, FALL * (levels - floor), np.minimum(rise, levels - floor))
        learnt = self._learnt[:count]
        begin = np.clip(levels, LOWEST, HIGHEST)
        floor[:] = np.clip(np.where(learnt, floor + step, begin), -90.0, CEILING)
        learnt |= self.enabled[:count] & begun & ((levels > DEAD) | (age > DEAD_FRAMES))
