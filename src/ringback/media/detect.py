"""Speech detection by energy above an adaptive noise floor, for all rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.model import SpeechDetection
from ringback.media.rows import Rows
from ringback.media.tones import FULL_SCALE_DBM0

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

FRAME_MS = 20
FULL_SCALE = 10 * np.log10(32767.0**2 / 2) - FULL_SCALE_DBM0
LOWEST, HIGHEST = -65.0, -42.0
"""dBm0 between which the floor begins, whatever is heard first."""
CEILING = -30.0
FALL = 0.3
"""Share of the way that the floor goes down in a frame when it is quieter."""
RISE, RISE_WHILE_SPEAKING = 0.1, 0.02
"""dB that it goes up in a frame: 5 and 1 dB a second."""


def level(energy: Float32, samples: int) -> Float32:
    """Sums of squares over `samples` as dBm0; digital silence is about -90."""
    decibels: Float32 = 10 * np.log10(energy / samples + 0.01) - np.float32(FULL_SCALE)
    return decibels


class SpeechDetectors(Rows):
    """Rows are off until `configure`d."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.enabled = self.column(np.bool_)
        self.speaking = self.column(np.bool_)
        self._start = self.column(np.int64)
        self._stop = self.column(np.int64)
        self._threshold = self.column(np.float32)
        self._minimum = self.column(np.float32)
        self._floor = self.column(np.float32)
        self._learnt = self.column(np.bool_)
        self._run = self.column(np.int64)
        self._spoken = self.column(np.int64)

    def configure(self, row: int, detection: SpeechDetection | None) -> None:
        """Begin to listen, or stop. What is known of the noise floor is kept."""
        self.enabled[row] = detection is not None
        self.speaking[row] = False
        self._run[row] = 0
        if detection is not None:
            self._start[row] = max(1, -(-detection.start_ms // FRAME_MS))
            self._stop[row] = max(1, -(-detection.stop_ms // FRAME_MS))
            self._threshold[row] = detection.threshold_db
            self._minimum[row] = detection.minimum_level

    def listen(self, count: int, levels: Float32, ignore: Bool) -> tuple[Int64, Int64]:
        """One frame of rows 0 to `count`: its level, and whether it is something else (a key).

        Returns the rows in which speech began, and in which it ended.
        """
        enabled = self.enabled[:count]
        self._learn(count, levels)
        loud = levels > np.maximum(self._floor[:count] + self._threshold[:count], self._minimum[:count])
        loud &= enabled & ~ignore
        speaking = self.speaking[:count]
        run = self._run[:count]
        # `run` counts frames that speak against the present state.
        np.multiply(run + 1, loud ^ speaking, out=run)
        begun = np.nonzero(~speaking & enabled & (run >= self._start[:count]))[0]
        ended = np.nonzero(speaking & (run >= self._stop[:count]))[0]
        self._spoken[:count] += speaking
        for rows, state in ((begun, True), (ended, False)):
            speaking[rows] = state
            run[rows] = 0
        self._spoken[begun] = self._start[begun]
        return begun, ended

    def certainty_ms(self, row: int) -> int:
        """How long speech lasts before its start is reported."""
        return int(self._start[row]) * FRAME_MS

    def spoken_ms(self, row: int) -> int:
        """The length of the speech that just ended, without the quiet at its end."""
        return int(max(0, self._spoken[row] - self._stop[row])) * FRAME_MS

    def _learn(self, count: int, levels: Float32) -> None:
        floor = self._floor[:count]
        rise = np.where(self.speaking[:count], RISE_WHILE_SPEAKING, RISE).astype(np.float32)
        step = np.where(levels < floor, FALL * (levels - floor), np.minimum(rise, levels - floor))
        learnt = self._learnt[:count]
        begin = np.clip(levels, LOWEST, HIGHEST)
        floor[:] = np.clip(np.where(learnt, floor + step, begin), -90.0, CEILING)
        learnt |= self.enabled[:count]
