"""What is heard in place of audio that did not come, for many rows at once.

Voice is nearly periodic, so a gap is filled by going on with the last pitch period before it (the idea of
ITU-T G.711, Appendix I). Mostly the jitter buffer already holds what follows: then that is extended
backwards in the same way, and the one is cross-faded into the other over the whole gap. Where it does not
end yet, the sound fades, and what comes next is cross-faded with it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]

BLOCK = 40
"""Samples in a block, 5 ms."""
FRAME = 4
"""Blocks in a frame."""
AHEAD = 2 * FRAME
"""Blocks behind a frame that are looked at, for the end of a gap and a frame that follows it."""
FADED = 4 * FRAME
"""Blocks of a gap, 80 ms, after which there is silence."""

_SAMPLES = FRAME * BLOCK
_LOUD = 80
"""Samples before the sound begins to fade."""
_SHORTEST, _LONGEST = 32, 112
"""Samples in a pitch period: 250 to 71 Hz. A higher voice is found by a multiple of its period."""
_TEMPLATE = _SAMPLES - _LONGEST
"""Samples that are looked for a period earlier: so many that a frame is all that is needed."""
_SPLICE = 8
"""Samples over which a period is led into its repetition."""
_STEP = 16
"""Samples over which the step from what was heard to the repetition dies away."""
_NOISE = np.float32(100.0)
"""Energy that is nothing, in squared samples."""
_LINE = _SAMPLES + (FRAME + AHEAD) * BLOCK
"""Samples of a row that are looked at: a frame before, the frame, and what is behind it."""

_FRAME = np.arange(_SAMPLES)
_BLOCKS = np.arange(FRAME + AHEAD)
_PERIODS = np.maximum(np.arange(_LONGEST + 1), 1)[:, None]
_CYCLES = _SAMPLES - _PERIODS + _FRAME % _PERIODS
"""By period: the sample of a frame that goes on so long after it."""
_SPLICES = (np.maximum(_CYCLES - (_SAMPLES - 1 - _SPLICE), 0) / (_SPLICE + 1)).astype(np.float32)
"""How much of each is to be what is a period earlier, so that a period's end leads to its beginning."""
_DYING = (1 - np.arange(1, _STEP + 1) / (_STEP + 1)).astype(np.float32)
_ENDS = BLOCK * np.arange(FRAME + 1)[:, None]
_CROSSING = np.minimum((_FRAME + 1) / (_ENDS + 1), 1)
_REJOINING = np.clip((_FRAME + 1 - _ENDS) / (BLOCK + 1), 0, 1)
_SHARES = np.stack([_REJOINING, _CROSSING]).astype(np.float32)
"""By whether it is known what follows a gap, and its length in blocks: how much of the sound is that."""
_LEFT = np.clip(
    (FADED * BLOCK - BLOCK * np.arange(FADED + 1)[:, None] - _FRAME) / (FADED * BLOCK - _LOUD), 0, 1
)
_FADING = (_LEFT / np.maximum(_LEFT[:, :1], 1e-6)).astype(np.float32)
"""By the blocks that were missing before: what is left of the sound then."""


def fill(
    before: Int16, frames: Int16, have: Bool, after: Int16, follows: Bool, gone: Int64, loose: Bool
) -> Bool:
    """Fill the gaps of frames [row, sample] in place.

    Of a frame's blocks those that `have` says are there, [row, block], and of the `AHEAD` blocks `after` it
    those that `follows` says. `before` is the frame that was heard before; it ended in a gap of `gone`
    blocks, and where it is `loose`, it does not lead to what is there now. Returns which rows end so.
    """
    line = np.concatenate([before, frames, after], axis=1, dtype=np.float32)
    known = np.concatenate([have, follows], axis=1)
    joint = loose & known[:, 0]
    rows = np.arange(len(line))
    while len(rows):
        _fill_first(line, known, rows, gone, joint)
        joint[rows] = False
        rows = rows[~known[rows, :FRAME].all(axis=1)]
    frames[:] = np.rint(line[:, _SAMPLES : 2 * _SAMPLES])
    # A gap that goes on may end sooner than it looks now.
    return ~have[:, -1] & ~follows[:, :FRAME].all(axis=1)


def _fill_first(line: Float32, known: Bool, rows: Int64, gone: Int64, joint: Bool) -> None:
    """Fill the first gap of each of these rows as far as it lies in the frame, or smooth its joint."""
    seen, joint = known[rows], joint[rows]
    first = np.where(joint, 0, seen.argmin(axis=1))
    behind = seen & (first[:, None] <= _BLOCKS)
    last = np.where(behind.any(axis=1), behind.argmax(axis=1), FRAME + AHEAD)
    length = np.minimum(last - first, FRAME)
    place = (np.arange(len(rows)) * (FRAME + AHEAD) + np.minimum(last, AHEAD))[:, None] + _BLOCKS[:FRAME]
    closed = (last - first == length) & ~joint & behind.take(place).all(axis=1)

    place = (rows * _LINE + first * BLOCK)[:, None] + _FRAME
    ended = np.nonzero(closed)[0]
    # What follows is turned round, so that it is extended as what was before is.
    turned = (rows * _LINE + (last + 2 * FRAME) * BLOCK - 1)[ended, None] - _FRAME
    sound = _extend(line.take(np.concatenate([place, turned])))
    going_on, coming = sound[: len(rows)], sound[len(rows) :]
    going_on *= _FADING[np.where(first == 0, gone[rows], 0)]
    place += _SAMPLES
    aim = line.take(place)
    aim[ended] = _turned(coming, length[ended] * BLOCK, aim[ended])
    line.reshape(-1)[place] = going_on + (aim - going_on) * _SHARES[closed.view(np.int8), length]
    known[rows] |= (first[:, None] <= _BLOCKS) & (np.minimum(last, FRAME)[:, None] > _BLOCKS)


def _turned(sound: Float32, length: Int64, rest: Float32) -> Float32:
    """The first so many samples of each row from the last to the first, and the rest as it is."""
    if (length == _SAMPLES).all():
        return sound[:, ::-1]
    until = length[:, None] - 1 - _FRAME
    place = np.maximum(until, 0) + _SAMPLES * np.arange(len(sound))[:, None]
    return np.where(until >= 0, sound.take(place), rest)


def _extend(heard: Float32) -> Float32:
    """The frame after one that was heard [row, sample], if that went on with its last period."""
    period = _periods(heard)
    rows = _SAMPLES * np.arange(len(heard))
    cycle = _CYCLES[period] + rows[:, None]
    sound = heard.take(cycle)
    sound += (heard.take(cycle - period[:, None]) - sound) * _SPLICES[period]
    step = heard[:, -1] - heard.take(rows + (_SAMPLES - 1) - period)
    sound[:, :_STEP] += step[:, None] * _DYING
    return np.minimum(np.maximum(sound, -32767), 32767)


def _periods(heard: Float32) -> Int64:
    """How many samples before it frames [row, sample] were most like their end."""
    row, sample = heard.strides
    count = _LONGEST - _SHORTEST + 1
    windows = np.ndarray((len(heard), count, _TEMPLATE), np.float32, heard, 0, (row, sample, sample))
    product = np.einsum("rws,rs->rw", windows, heard[:, -_TEMPLATE:])
    energy = np.einsum("rws,rws->rw", windows, windows)
    likeness = product / np.sqrt(energy + _NOISE)
    period: Int64 = _LONGEST - likeness.argmax(axis=1)
    return period
