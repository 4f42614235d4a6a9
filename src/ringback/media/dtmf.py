"""DTMF heard: telephone events (RFC 4733) and tones in the audio (ITU-T Q.23, Q.24), for all rows.

Both report a key once, when it is sure that it is pressed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.model import DTMF_KEYS
from ringback.media.rows import Listeners, Rows
from ringback.media.rtp import signed
from ringback.media.tones import HIGH_GROUP, KEYPAD, LOW_GROUP, RATE

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]

CLOSED_AFTER = 0.2
"""Seconds without a packet after which a key counts as released though its end was lost."""
LONGEST = 0xFFFF
"""The duration field's largest value: a longer event goes on in a new segment (RFC 4733, 2.5.1.3)."""
DRIFT = 400
"""A timestamp that moves by less, unmarked, within one key belongs to that key: some senders move it by
mistake.
"""
BEHIND = 100
"""Packets by which one may come late; with a sequence number further back another series has begun."""

HALF = RATE // 100
"""Samples in 10 ms: the windows are 20 ms long and overlap by half."""
HITS = 3
"""Windows in a row that must agree: 40 ms of tone, which Q.24 asks receivers to accept."""
MISSES = 3
"""Windows without the key after which it is released."""
PURITY = 0.68
"""The two tones' share of all energy. Speech rarely gets there, a tone 1.5 % off its frequency does."""
TWIST = 10.0 ** (9.0 / 10)
PROMINENCE = 4.0
"""How much stronger a tone is than its neighbours: 6 dB."""
WEAKEST = (32767.0 * 10 ** ((-36.0 - 3.14) / 20)) ** 2 / 2
"""Power of the weakest tone that counts: -36 dBm0."""
FAINTEST = WEAKEST / 4
"""Power of a window that may hold such a tone: a Hann window makes three times of it, at the most."""


class EventReceivers(Rows):
    """De-duplicates the packets of telephone events."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._ssrc = self.column(np.int64, initial=-1)
        self._sequence = self.column(np.int64)
        self._timestamp = self.column(np.int64)
        self._code = self.column(np.int64, initial=-1)
        self._open = self.column(np.bool_)
        self._heard = self.column(np.float64)

    def receive(
        self,
        rows: Int64,
        ssrc: Int64,
        sequence: Int64,
        timestamps: Int64,
        marker: Bool,
        payload: UInt8,
        now: float,
    ) -> Bool:
        """Event packets, at most one per row, `payload` [packet, 4]. Returns which of them begin a key."""
        code = payload[:, 0].astype(np.int64)
        end = payload[:, 1] & 0x80 != 0
        known = code < len(DTMF_KEYS)
        same = self._ssrc[rows] == ssrc
        step = signed(timestamps - self._timestamp[rows], 32)
        ahead = signed(sequence - self._sequence[rows], 16)
        # A timestamp behind is a late packet of a key before, unless its sequence number is in front of that
        # key's: then the sender's time began anew.
        late = same & (step < 0) & (ahead <= 0) & (ahead > -BEHIND)
        held = same & self._open[rows] & (self._code[rows] == code)
        held &= now - self._heard[rows] <= CLOSED_AFTER
        goes_on = held & ~marker & ((step == LONGEST) | (np.abs(step) <= DRIFT))
        begun: Bool = known & ~late & ~goes_on & ~(same & (step == 0))
        kept = known & ~late
        rows = rows[kept]
        self._ssrc[rows] = ssrc[kept]
        self._sequence[rows] = sequence[kept]
        self._timestamp[rows] = timestamps[kept]
        self._code[rows] = code[kept]
        self._open[rows] = ~end[kept]
        self._heard[rows] = now
        return begun


def _bank() -> Float32:
    """[real and imaginary, window and frequency; sample]: both windows of a tick in one product."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(2 * HALF) + 0.5) / (2 * HALF))
    turn = 2 * np.pi * np.outer(np.arange(2 * HALF), LOW_GROUP + HIGH_GROUP) / RATE
    wave = hann[:, None] * np.exp(-1j * turn)
    bank = np.zeros((3 * HALF, 2, 2, 8), np.float32)
    for window in range(2):
        part = slice(window * HALF, (window + 2) * HALF)
        bank[part, 0, window] = wave.real
        bank[part, 1, window] = wave.imag
    return np.ascontiguousarray(bank.reshape(3 * HALF, 32).T)


_BANK = _bank()
_KEY_CODES = np.array([DTMF_KEYS.index(key) for key in KEYPAD], np.int64)
_SCALE = np.float32(8 / (2 * HALF) ** 2)
"""From the squared transform under a Hann window to the power of the sine."""


class ToneBank(Listeners):
    """Finds keys in audio. `feed` it every frame; `energy` is then that of each row's frame."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.hearing = self.column(np.bool_)
        """A tone pair is sounding in the latest window, sure or not: this is no speech."""
        self._audio = self.column(np.float32, (3 * HALF,))
        self._candidate = self.column(np.int64, initial=-1)
        self._hits = self.column(np.int64)
        self._active = self.column(np.int64, initial=-1)
        self._misses = self.column(np.int64)
        self._sounding = False
        """A tone pair is sounding in some row, or its key is not released yet."""

    def feed(self, frames: Int16) -> Float32:
        """Take one frame of rows 0 to len(frames) [row, sample].

        Returns the energy of each 10 ms, [row, 3], the first of them that before the frame.
        """
        audio = self._audio[: len(frames)]
        audio[:, :HALF] = audio[:, 2 * HALF :]
        audio[:, HALF:] = frames
        parts = audio.reshape(-1, 3, HALF)
        energy: Float32 = np.einsum("ijk,ijk->ij", parts, parts)
        return energy

    def keys(self, count: int, energy: Float32) -> list[tuple[int, int]]:
        """The (row, event code) of keys that are now known to be pressed."""
        if not self:
            self.hearing[:count] = False
            return []
        total = ((energy[:, :2] + energy[:, 1:]) * np.float32(1 / (2 * HALF))).T
        rows = (self.enabled[:count] & (np.maximum(total[0], total[1]) > FAINTEST)).nonzero()[0]
        if not (len(rows) or self._sounding):
            return []
        if len(rows) == count:
            windows, which, codes = _look(self._audio[:count], total)
        else:
            windows, which, codes = _look(self._audio.take(rows, axis=0), total[:, rows])
        if not (len(windows) or self._sounding):
            return []
        heard = np.full((2, count), -1)
        heard[windows, rows[which]] = codes
        self.hearing[:count] = heard[1] >= 0
        begun: list[tuple[int, int]] = []
        for window in range(2):
            begun += self._step(count, heard[window])
        # What was heard last is the candidate.
        self._sounding = bool(np.count_nonzero((self._candidate[:count] >= 0) | (self._active[:count] >= 0)))
        return begun

    def _step(self, count: int, key: Int64) -> list[tuple[int, int]]:
        hits, candidate = self._hits[:count], self._candidate[:count]
        active, misses = self._active[:count], self._misses[:count]
        if not np.count_nonzero((key >= 0) | (active >= 0)):
            candidate[:] = -1
            return []
        hits[:] = np.where(key == candidate, hits + 1, 1)
        candidate[:] = key
        misses[:] = np.where(key == active, 0, misses + 1)
        active[misses >= MISSES] = -1
        rows = np.nonzero((key >= 0) & (hits >= HITS) & (key != active))[0]
        active[rows] = key[rows]
        misses[rows] = 0
        return list(zip(rows.tolist(), key[rows].tolist(), strict=True))


def _look(audio: Float32, total: Float32) -> tuple[Int64, Int64, Int64]:
    """The windows that are nearly all tone: number in the tick, row, and event code or -1.

    Of rows [row, sample] with so much power in all, [window, row].
    """
    # A frequency is a row here, and so its power at all of ours one run of memory.
    spectrum = _BANK @ audio.T
    spectrum *= spectrum
    power = (spectrum[:16] + spectrum[16:]).reshape(2, 8, len(audio))
    strongest = np.maximum.reduce(power.reshape(2, 2, 4, len(audio)), axis=2)
    pure = (strongest[:, 0] + strongest[:, 1]) * _SCALE > PURITY * total
    windows, rows = pure.nonzero()
    return windows, rows, _classify(power[windows, :, rows] * _SCALE) if len(rows) else rows


def _classify(power: Float32) -> Int64:
    """The event code that each of these windows [window, frequency] holds, all pure enough, or -1."""
    low, high = power[:, :4], power[:, 4:]
    ordered_low, ordered_high = np.sort(low, axis=1), np.sort(high, axis=1)
    best_low, best_high = ordered_low[:, 3], ordered_high[:, 3]
    good = (best_low > WEAKEST) & (best_high > WEAKEST)
    good &= (best_low < TWIST * best_high) & (best_high < TWIST * best_low)
    good &= best_low > PROMINENCE * ordered_low[:, 2]
    good &= best_high > PROMINENCE * ordered_high[:, 2]
    place = low.argmax(axis=1) * 4 + high.argmax(axis=1)
    return np.where(good, _KEY_CODES[place], -1)
