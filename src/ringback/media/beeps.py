"""Steady tones of one frequency heard in the audio of many rows: the beep of an answering machine, a fax that
calls (1100 Hz) or answers (2100 Hz, ITU-T T.30).

A tone is what keeps nearly all of its energy in one narrow line, at one frequency and one level, for 80 ms.
Two tones at a time (keys, ringing and dial tones) have two lines, or beat where they are too close to be told
apart; a voice has many, and they move.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.rows import Listeners
from ringback.media.tones import FULL_SCALE_DBM0, RATE

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]

SAMPLES = 160
WINDOW = 2 * SAMPLES
"""40 ms, of which each tick brings the second half."""
STEP = RATE / WINDOW
"""Hz between two lines of the transform."""
LOWEST, HIGHEST = 380.0, 2300.0
"""Hz between which a tone counts."""
LOBE = 3
"""Lines on either side of the strongest that belong to it, under a Hann window."""
PURITY = 0.9
"""Its share of all energy: noise may be 10 dB below the tone."""
EVEN = 3.0
"""How much more energy the loudest 5 ms of a window may have than the faintest: two tones that are 40 Hz
apart come to 4 and more."""
PART = 40
"""Samples in 5 ms."""
WEAKEST = (32767.0 * 10 ** ((-36.0 - FULL_SCALE_DBM0) / 20)) ** 2 / 2
"""Power of the weakest tone that counts: -36 dBm0."""
DRIFT = 8.0
"""Hz by which a tone may differ from itself."""
HITS = 3
"""Windows in a row that must agree: 80 ms of tone."""
MISSES = 2
"""Windows without the tone after which it is over. A fax turns the phase of its tone now and then."""

_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)).astype(np.float32)
_OFFSETS = np.arange(-LOBE, LOBE + 1)


class BeepDetectors(Listeners):
    """Rows are off until `configure`d."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.hearing = self.column(np.bool_)
        """A tone is sounding in the latest window, sure or not: this is no speech."""
        self._audio = self.column(np.float32, (WINDOW,))
        self._frequency = self.column(np.float64)
        self._hits = self.column(np.int64)
        self._misses = self.column(np.int64)
        self._told = self.column(np.bool_)

    def configure(self, row: int, enabled: bool) -> None:
        """Begin to listen, or stop."""
        if enabled != self.enabled[row]:
            self.reset(row)
        self.enable(row, enabled)

    def listen(self, frames: Int16) -> tuple[list[tuple[int, float]], list[tuple[int, float, int]]]:
        """One frame of rows 0 to len(frames) [row, sample].

        Returns (row, Hz) where a tone began, and (row, Hz, ms) where one is over.
        """
        if not self:
            return [], []
        rows = np.nonzero(self.enabled[: len(frames)])[0]
        audio = self._audio[rows]
        audio[:, :SAMPLES] = audio[:, SAMPLES:]
        audio[:, SAMPLES:] = frames[rows]
        self._audio[rows] = audio
        steady, frequency = _measure(audio)
        self.hearing[rows] = steady
        return self._follow(rows, steady, frequency)

    def _follow(
        self, rows: Int64, steady: Bool, frequency: npt.NDArray[np.float64]
    ) -> tuple[list[tuple[int, float]], list[tuple[int, float, int]]]:
        begun: list[tuple[int, float]] = []
        ended: list[tuple[int, float, int]] = []
        touched = steady | (self._hits[rows] > 0)
        for row, sounds, hertz in zip(
            rows[touched].tolist(), steady[touched].tolist(), frequency[touched].tolist(), strict=True
        ):
            if sounds and self._hits[row] and abs(hertz - self._frequency[row]) <= DRIFT:
                # Missed windows between two hits belong to the tone.
                self._hits[row] += 1 + self._misses[row]
                self._misses[row] = 0
            elif self._hits[row] and (not sounds or self._told[row]):
                self._misses[row] += 1
                if self._misses[row] >= MISSES or not self._told[row]:
                    if self._told[row]:
                        ended.append((row, round(float(self._frequency[row]), 1), self._length(row)))
                    self._hits[row] = self._misses[row] = 0
                    self._told[row] = False
            elif sounds:
                self._frequency[row] = hertz
                self._hits[row] = 1
                self._misses[row] = 0
            if self._hits[row] >= HITS and not self._told[row]:
                self._told[row] = True
                begun.append((row, round(float(self._frequency[row]), 1)))
        return begun, ended

    def _length(self, row: int) -> int:
        """What was heard of the row's tone, in ms: its windows overlap by half."""
        return (int(self._hits[row]) + 1) * 20


def _measure(audio: Float32) -> tuple[Bool, npt.NDArray[np.float64]]:
    """Which windows [row, sample] hold one steady tone, and the frequency of each one's strongest line."""
    amplitude = np.abs(np.fft.rfft(audio * _HANN, axis=1))
    power = amplitude * amplitude
    peak = np.clip(power.argmax(axis=1), LOBE, power.shape[1] - 1 - LOBE)
    each = np.arange(len(audio))
    line = power[each[:, None], peak[:, None] + _OFFSETS].sum(axis=1)
    parts = (audio * audio).reshape(len(audio), -1, PART).sum(axis=2)
    steady = line > PURITY * np.maximum(power.sum(axis=1), 1e-9)
    steady &= parts.sum(axis=1) > WEAKEST * WINDOW
    steady &= parts.max(axis=1) < EVEN * parts.min(axis=1)
    # Between the lines of a Hann window: the ratio of the two strongest says where (Grandke, 1983).
    before, after = amplitude[each, peak - 1], amplitude[each, peak + 1]
    upward = after >= before
    ratio = np.where(upward, after, before) / np.maximum(amplitude[each, peak], 1e-9)
    offset = (2 * ratio - 1) / (ratio + 1)
    frequency = (peak + np.where(upward, offset, -offset)) * STEP
    steady &= (frequency >= LOWEST) & (frequency <= HIGHEST)
    return steady, frequency
