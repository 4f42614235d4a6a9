"""The recordings of one worker: its orders and blocks in, files out.

Frames are kept for a while in one array over all rows, so that a block is a single assignment: each frame in
its place, which is up to `LOOKBACK` frames before its tick. Twice a second each recording of the row gets its
part of what nothing can be placed in any more. What was lost or skipped on the way is a gap between ticks and
becomes silence of its length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ringback.media.tape import SAMPLES, Tape
from ringback.media.tapline import BLOCKS, LOOKBACK, Block, Hello, Order, Pause, Start, Stop

Int16 = npt.NDArray[np.int16]
Bool = npt.NDArray[np.bool_]

WRITTEN = 25
"""Frames that are written at a time: half a second."""
DEPTH = WRITTEN + LOOKBACK
"""Frames that are kept of a row."""

_BLOCK = np.dtype(f"V{SAMPLES // BLOCKS * 2}")
_OFFSETS = np.arange(BLOCKS)
_CHANNELS = np.arange(2) * DEPTH * BLOCKS


class File(Protocol):
    """Where a recording is written, see `ringback.media.wav.WavFile`."""

    @property
    def samples(self) -> int: ...
    @property
    def disk(self) -> int: ...
    def append(self, audio: Int16) -> None: ...
    def append_silence(self, samples: int) -> None: ...
    def commit(self) -> None: ...
    def sync(self) -> None: ...
    def sync_disk(self) -> bool: ...
    def close(self) -> None: ...


class Take:
    """A recording under way."""

    __slots__ = ("_changes", "_next", "file", "id", "tape")

    def __init__(self, id: int, tape: Tape, file: File, begin: int) -> None:
        self.id = id
        self.tape = tape
        self.file = file
        self._next = begin
        """The first frame that is still to be written."""
        self._changes: deque[Pause] = deque()

    def change(self, order: Pause) -> None:
        """Pause or resume from a frame on that is still to be written."""
        self._changes.append(order)

    def write(self, first: int, frames: Int16, until: int) -> None:
        """Write up to frame `until`; `frames` begin with frame `first`, after them is silence.

        Raises OSError.
        """
        while self._next < until:
            while self._changes and self._changes[0].tick <= self._next:
                change = self._changes.popleft()
                self.tape.paused, self.tape.silence = change.paused, change.silence
            end = min(until, self._changes[0].tick) if self._changes else until
            part = frames[self._next - first : end - first]
            self._append(part, end - self._next - len(part))
            self._next = end
        self.file.commit()

    def _append(self, frames: Int16, gap: int) -> None:
        part = self.tape.cut(frames)
        if isinstance(part, int):
            self.file.append_silence(part)
        else:
            self.file.append(part)
        if gap:
            self.file.append_silence(self.tape.gap(gap))


class Recorder:
    """`open_file(path, channels)` makes a file or raises OSError.

    `written(take)` is told when something of it waits to be synced; `ended(id, file, error, interrupted)`
    when nothing more comes: the file is None where there never was one, and whoever is told closes it.
    """

    def __init__(
        self,
        open_file: Callable[[str, int], File],
        written: Callable[[Take], None],
        ended: Callable[[int, File | None, str | None, str | None], None],
    ) -> None:
        self._open_file = open_file
        self._written = written
        self._ended = ended
        self._takes: dict[int, list[Take]] = {}
        self._kept: Int16 = np.zeros((0, 2, DEPTH, SAMPLES), np.int16)
        self._blocks = self._kept.reshape(-1).view(_BLOCK)
        self._first = np.zeros(0, np.int64)
        """The frame at which what is kept of a row begins."""
        self._next = np.zeros(0, np.int64)
        """The frame after the last that came."""
        self._tapped = np.zeros(0, np.bool_)

    def obey(self, order: Order) -> None:
        """Carry out an order. Raises ValueError for one that names a row there is none of."""
        if isinstance(order, Hello):
            self._kept = np.zeros((order.rows, 2, DEPTH, SAMPLES), np.int16)
            self._blocks = self._kept.reshape(-1).view(_BLOCK)
            self._first = np.zeros(order.rows, np.int64)
            self._next = np.zeros(order.rows, np.int64)
            self._tapped = np.zeros(order.rows, np.bool_)
            return
        if not 0 <= order.row < len(self._tapped):
            raise ValueError(f"row {order.row} of {len(self._tapped)}")
        if isinstance(order, Start):
            self._start(order)
            return
        for take in self._takes.get(order.row, []):
            if take.id == order.id and isinstance(order, Pause):
                take.change(order)
            elif take.id == order.id and isinstance(order, Stop):
                self._stop(order.row, take, order.tick)
                return

    def take(self, block: Block) -> None:
        """Keep the frames of a block. Raises ValueError for rows that there are none of."""
        rows, frames, lags = block.rows, block.frames, block.lags
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self._tapped):
            raise ValueError(f"rows up to {rows.max()} of {len(self._tapped)}")
        wanted = self._tapped[rows]
        if not wanted.all():  # the rest failed here, and the worker goes on sending what nobody writes
            rows, frames, lags = rows[wanted], frames[wanted], lags[wanted]
        for row in rows[block.tick - self._first[rows] >= DEPTH].tolist():
            self._write(row, block.tick - LOOKBACK)
        place = ((block.tick - self._first[rows]) * BLOCKS)[:, None] - lags
        index = place[:, :, None] + _OFFSETS
        kept: Bool = index >= 0  # the rest had come before the recording began
        index += (rows * (2 * DEPTH * BLOCKS))[:, None, None] + _CHANNELS[:, None]
        blocks = np.ascontiguousarray(frames).view(_BLOCK)
        if kept.all():
            self._blocks[index] = blocks
        else:
            self._blocks[index[kept]] = blocks[kept]
        self._next[rows] = block.tick + 1

    def fail(self, id: int, cause: str) -> None:
        """End a recording whose file is in trouble."""
        for row, takes in list(self._takes.items()):
            for take in takes:
                if take.id == id:
                    self._end(row, take, cause)
                    return

    def close(self, cause: str) -> None:
        """Nothing more comes: end all recordings with what is there."""
        for row, takes in list(self._takes.items()):
            self._write(row, int(self._next[row]))
            for take in list(takes):
                self._end(row, take, interrupted=cause)

    def _start(self, order: Start) -> None:
        try:
            file = self._open_file(order.path, order.channels)
        except OSError as error:
            self._ended(order.id, None, reason(error), None)
            return
        take = Take(order.id, Tape(order.channels, order.track), file, order.tick)
        self._takes.setdefault(order.row, []).append(take)
        if not self._tapped[order.row]:
            self._kept[order.row] = 0
            self._first[order.row] = order.tick
            self._tapped[order.row] = True

    def _stop(self, row: int, take: Take, tick: int) -> None:
        try:
            self._write_take(row, take, tick)
        except OSError as error:
            self._end(row, take, reason(error))
        else:
            self._end(row, take)

    def _end(self, row: int, take: Take, error: str | None = None, *, interrupted: str | None = None) -> None:
        takes = self._takes[row]
        takes.remove(take)
        if not takes:
            del self._takes[row]
            self._tapped[row] = False
        self._ended(take.id, take.file, error, interrupted)

    def _write(self, row: int, until: int) -> None:
        """Write what is kept of a row before frame `until`."""
        passed = until - int(self._first[row])
        if not self._tapped[row] or passed <= 0:
            return
        for take in list(self._takes[row]):
            try:
                self._write_take(row, take, until)
            except OSError as error:
                self._end(row, take, reason(error))
            else:
                self._written(take)
        kept = self._kept[row]
        rest = max(0, DEPTH - passed)
        kept[:, :rest] = kept[:, DEPTH - rest :]
        kept[:, rest:] = 0
        self._first[row] = until

    def _write_take(self, row: int, take: Take, until: int) -> None:
        first = int(self._first[row])
        take.write(first, self._kept[row, :, : max(0, until - first)].swapaxes(0, 1), until)


def reason(error: OSError) -> str:
    """Why a file could not be written, for people, who need not know where files are here."""
    return error.strerror or "it could not be written"
