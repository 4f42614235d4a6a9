"""Jitter buffers of all rows: rings of samples, filled by RTP timestamp and read a frame a tick.

A ring is made of 5 ms blocks, so that packets of any usual length are copied block by block; a position is a
block number that only grows. Where timestamps are not on the block grid they are rounded to it, half a block
at most; packets that are no multiple of a block long are placed sample by sample.

The delay adapts: a packet that comes too late moves the read position back as far as it needs (up to
`MAX_DELAY`), unless it is the only one of a window of two seconds and others have overtaken it: then it is
lost. When in three windows all packets but one of each came with frames to spare, as many are left out,
preferably quiet ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media import conceal
from ringback.media.conceal import AHEAD, BLOCK, FADED, FRAME
from ringback.media.rows import Rows
from ringback.media.windows import Windows

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
Bool = npt.NDArray[np.bool_]

RING = 128
"""Blocks in a ring, 640 ms."""
START_DELAY = FRAME
MAX_DELAY = 40
"""Blocks: 200 ms."""
JUMP = 100
"""Blocks off its place, half a second, at which a packet begins a new time line."""
WINDOW = 100
"""Ticks over which packets must be early before the delay shrinks, and for which a quiet frame is waited for.
"""
MEMORY = 2
"""Windows before the latest that count as well."""
QUIET = 256
"""The largest sample of a frame that may be left out unheard."""
NEVER = 1 << 40

_WHOLE = 0x01010101
"""The flags of a frame's four blocks as one number."""
_PACE = np.int64(FRAME)
_OFFSETS = np.arange(RING, dtype=np.int64)
_BLOCK_OCTETS = np.dtype(f"V{BLOCK * 2}")


class JitterBuffers(Rows):
    """Placed into by `place`, read by `read`; counters are per row since its reset."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.ring = self.column(np.int16, (RING, BLOCK))
        self.filled = self.column(np.bool_, (RING,))
        self.started = self.column(np.bool_)
        self.play = self.column(np.int64)
        self.top = self.column(np.int64)
        self.quiet = self.column(np.bool_)
        """No audio is expected: comfort noise or telephone events took its place."""
        self.late = self.column(np.int64)
        self.concealed = self.column(np.int64)
        self.resyncs = self.column(np.int64)
        self.skipped = self.column(np.int64)
        self.inserted = self.column(np.int64)
        self.delay_max = self.column(np.int64)
        self._position = self.column(np.int64)
        self._windows = Windows(capacity, WINDOW)
        self._slacks = self.column(np.int64, (2 + MEMORY,), initial=NEVER)
        self._least, self._second = self._slacks[:, 0], self._slacks[:, 1]
        """Blocks that were left until its time when the latest packet of this window came, and the latest but
        one; and the same of that one in each window before.
        """
        self._strays = self.column(np.int64)
        """Packets of the window that came too late."""
        self._spare = self.column(np.int64)
        """Frames to leave out."""
        self._waited = self.column(np.int64)
        """Ticks in which there was none that could be left out unheard."""
        self._last = self.column(np.int16, (FRAME * BLOCK,))
        self._gone = self.column(np.int64)
        """Blocks for which audio has been missing now."""
        self._loose = self.column(np.bool_)
        """What was read last does not lead to what comes next."""
        self._doubtful = self.column(np.int64)
        """Frames of a gap that may prove to be the end of a talk spurt, so that they are not counted yet."""
        self._frame = self.column(np.int16, (FRAME, BLOCK))
        self._base = np.arange(capacity, dtype=np.int64)[:, None] * RING
        # The same memory, a block as one item: numpy then copies it whole.
        self._blocks = self.ring.view(_BLOCK_OCTETS).reshape(-1)
        self._flat = self.ring.reshape(-1, BLOCK)
        self._samples = self.ring.reshape(-1)
        self._flags = self.filled.reshape(-1)

    def reset(self, row: int) -> None:
        super().reset(row)
        self._windows.reset(row)

    def place(self, rows: Int64, timestamps: Int64, pcm: Int16) -> Int64:
        """Put decoded packets of one length, [packet, sample], C-contiguous, at most one per row, in their
        places.

        Returns their ends, as positions in samples.
        """
        count = -(-pcm.shape[1] // BLOCK)
        position = self._unwrap(rows, timestamps)
        block = (position + BLOCK // 2) // BLOCK
        slack = block - self.play[rows]
        fresh: Bool = ~self.started[rows] | (np.abs(slack) > JUMP)
        if np.count_nonzero(fresh):
            self._restart(rows[fresh], block[fresh])
            slack = block - self.play[rows]
        least = self._least[rows]
        self._second[rows] = np.minimum(self._second[rows], np.maximum(least, slack))
        self._least[rows] = np.minimum(least, slack)
        end = block + count
        self.top[rows] = np.maximum(self.top[rows], end)
        late = slack < 0
        some_late = bool(np.count_nonzero(late))
        if some_late:
            self._stretch(rows[late], -slack[late], end[late])
        self.quiet[rows] = False
        if pcm.shape[1] % BLOCK:
            self._place_samples(rows, position, pcm)
        else:
            self._place_blocks(rows, block, count, pcm, some_late)
        ends: Int64 = block * BLOCK + pcm.shape[1]
        return ends

    def read(self, count: int) -> Int16:
        """The next frame of rows 0 to `count`, [row, sample]; valid until the next read."""
        self._adapt(count)
        play = self.play[:count]
        index = self._base[:count] + ((play[:, None] + _OFFSETS[:FRAME]) & (RING - 1))
        blocks = self._frame[:count]
        self._flat.take(index.reshape(-1), axis=0, out=blocks.reshape(-1, BLOCK), mode="clip")
        have = self._flags.take(index)
        self._flags[index] = False
        frames: Int16 = blocks.reshape(count, FRAME * BLOCK)
        # Rings of rows that have not begun hold silence.
        started = self.started[:count]
        full: Bool = (have.view(np.uint32)[:, 0] == _WHOLE) | ~started
        rough = (~full | self._loose[:count]).nonzero()[0]
        if len(rough):
            self._mend(rough, have, frames)
        self._gone[:count][full] = 0
        self._last[:count] = frames
        np.maximum(self.delay_max[:count], self.top[:count] - play, out=self.delay_max[:count])
        np.add(play, _PACE, out=play, where=started)
        return frames

    def advance(self, count: int, frames: int) -> None:
        """Time has passed without a read: leave `frames` out."""
        for _ in range(min(frames, RING // FRAME)):
            self._leave_out(np.nonzero(self.started[:count])[0])
        self.play[:count] += max(0, frames - RING // FRAME) * FRAME * self.started[:count]

    def empty(self, rows: Int64) -> None:
        """Begin anew with the next packet; until then there is silence."""
        self.ring[rows] = 0
        self.filled[rows] = False
        self.started[rows] = False
        self.top[rows] = self.play[rows]
        self._slacks[rows] = NEVER
        self._spare[rows] = 0
        self._loose[rows] = False

    def expect_nothing(self, rows: Int64) -> None:
        """The peer stopped sending audio on purpose, until the next audio packet."""
        self.quiet[rows] = True

    def waiting(self, row: int) -> Int16:
        """The frames that would be read next, as far as there are any, [frame, sample]."""
        frames = -(-max(0, min(int(self.top[row] - self.play[row]), RING)) // FRAME)
        index = (int(self.play[row]) + np.arange(frames * FRAME)) & (RING - 1)
        blocks = np.where(self.filled[row, index, None], self.ring[row, index], 0)
        return blocks.astype(np.int16).reshape(frames, FRAME * BLOCK)

    def delay(self, row: int) -> int:
        """How much audio is waiting, in ms."""
        return int(max(0, min(self.top[row] - self.play[row], RING))) * 5

    def _unwrap(self, rows: Int64, timestamps: Int64) -> Int64:
        """Timestamps (32 bit, wrapping) as ever-growing sample positions, relative to the packet before."""
        before = self._position[rows]
        # A position is its timestamp, and some turns of 32 bits.
        position: Int64 = before + (timestamps - before).astype(np.int32)
        self._position[rows] = position
        return position

    def _restart(self, rows: Int64, block: Int64) -> None:
        self.resyncs[rows] += self.started[rows]
        self.started[rows] = True
        self.filled[rows] = False
        self.play[rows] = block - START_DELAY
        self.top[rows] = block
        self._windows.restart(rows)
        self._slacks[rows] = NEVER
        # How the packets come is not known yet: the first that is late counts already.
        self._strays[rows] = 1
        self._spare[rows] = 0
        # There is nothing yet that could go on.
        self._gone[rows] = FADED
        self._loose[rows] = False
        self._doubtful[rows] = 0

    def _stretch(self, rows: Int64, missed: Int64, end: Int64) -> None:
        """Packets came `missed` blocks after their time: wait longer from now on, if that is not too long."""
        self.late[rows] += 1
        self._strays[rows] += 1
        able = (self._strays[rows] > 1) | (end == self.top[rows])
        able &= self.top[rows] - self.play[rows] + missed <= MAX_DELAY
        rows, missed = rows[able], missed[able]
        self.play[rows] -= missed
        self._slacks[rows] += missed[:, None]
        self._spare[rows] = 0
        self.inserted[rows] += -(-missed // FRAME)
        self._loose[rows] = True
        # What was made in their place is not counted: it was inserted.
        self._doubtful[rows] = 0

    def _place_blocks(self, rows: Int64, block: Int64, count: int, pcm: Int16, late: bool) -> None:
        absolute = block[:, None] + _OFFSETS[:count]
        index = (rows[:, None] * RING + (absolute & (RING - 1))).reshape(-1)
        blocks = pcm.view(_BLOCK_OCTETS).reshape(-1)
        if late:
            keep = (absolute >= self.play[rows][:, None]).reshape(-1)
            index, blocks = index[keep], blocks[keep]
        self._blocks[index] = blocks
        self._flags[index] = True

    def _place_samples(self, rows: Int64, position: Int64, pcm: Int16) -> None:
        absolute = position[:, None] + np.arange(pcm.shape[1])
        block = absolute // BLOCK
        keep = block >= self.play[rows][:, None]
        cell = rows[:, None] * RING + (block & (RING - 1))
        # A block that is only partly covered must not sound of what was there a round ago.
        touched = np.unique(cell[keep])
        self._flat[touched[~self._flags[touched]]] = 0
        self._samples[(cell * BLOCK + absolute % BLOCK)[keep]] = pcm[keep]
        self._flags[touched] = True

    def _mend(self, rows: Int64, have: Bool, frames: Int16) -> None:
        """Fill what is missing with what might have been heard, or with silence."""
        audible = self.started[rows] & ~self.quiet[rows] & (self._gone[rows] < FADED)
        silent, rows = rows[~audible], rows[audible]
        if len(silent):
            frames.reshape(-1, FRAME, BLOCK)[silent] *= have[silent, :, None]
            self._loose[silent] = False
            self._doubtful[silent] = 0
        if not len(rows):
            return
        have = have[rows]
        index = rows[:, None] * RING + (
            (self.play[rows, None] + _OFFSETS[FRAME : FRAME + AHEAD]) & (RING - 1)
        )
        heard, gone = frames[rows], self._gone[rows]
        after = self._flat.take(index, axis=0).reshape(len(rows), -1)
        self._loose[rows] = conceal.fill(
            self._last[rows], heard, have, after, self._flags.take(index), gone, self._loose[rows]
        )
        frames[rows] = heard
        part = have.any(axis=1)
        self._gone[rows] = np.where(part, have[:, ::-1].argmax(axis=1), gone + FRAME)
        # With nothing behind the hole it may be the end of a talk spurt as well as a loss.
        doubtful = self._doubtful[rows] + ~have.all(axis=1)
        sure = have[:, -1] | (self.top[rows] > self.play[rows] + FRAME)
        self.concealed[rows] += np.where(sure, doubtful, 0)
        self._doubtful[rows] = np.where(sure, 0, doubtful)

    def _adapt(self, count: int) -> None:
        over = self._windows.tick(count)
        if len(over):
            self._judge(over)
        spare = self._spare[:count].nonzero()[0]
        if len(spare):
            self._shorten(spare)

    def _judge(self, rows: Int64) -> None:
        """A window is over."""
        slacks = self._slacks[rows]
        slack = slacks[:, 1:].min(axis=1)
        self._spare[rows] = np.where(slack < NEVER // 2, np.maximum(slack // FRAME - 1, 0), 0)
        slacks[:, 2:] = slacks[:, 1:-1]
        slacks[:, :2] = NEVER
        self._slacks[rows] = slacks
        self._strays[rows] = 0

    def _shorten(self, rows: Int64) -> None:
        """Leave the next frame out where that is not heard, or has been waited for long enough."""
        index = rows[:, None] * RING + ((self.play[rows, None] + _OFFSETS[:FRAME]) & (RING - 1))
        coming = self._flat.take(index, axis=0) * self._flags.take(index)[:, :, None]
        self._waited[rows] += 1
        now = (coming.max(axis=(1, 2)) < QUIET) & (coming.min(axis=(1, 2)) > -QUIET)
        now |= self._waited[rows] >= WINDOW
        rows = rows[now]
        self._waited[rows] = 0
        self._spare[rows] -= 1
        self.skipped[rows] += 1
        self._leave_out(rows)

    def _leave_out(self, rows: Int64) -> None:
        index = rows[:, None] * RING + ((self.play[rows, None] + _OFFSETS[:FRAME]) & (RING - 1))
        self._flags[index] = False
        self.play[rows] += FRAME
        self._slacks[rows] -= FRAME
        self._loose[rows] = True
