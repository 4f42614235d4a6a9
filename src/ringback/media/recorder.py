"""The recordings of one worker: its orders and blocks in, files out.

Frames are kept for half a second in one array over all rows, so that a block is a single assignment; then
each recording of the row gets its part of them. What was lost or skipped on the way is a gap between ticks
and becomes silence of its length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ringback.media.tape import SAMPLES, Tape
from ringback.media.tapline import Block, Hello, Order, Pause, Start, Stop

Int16 = npt.NDArray[np.int16]

DEPTH = 25
"""Frames that are kept before they are written: half a second."""


class File(Protocol):
    """Where a recording is written, see `ringback.media.wav.WavFile`."""

    @property
    def samples(self) -> int: ...
    def append(self, audio: Int16) -> None: ...
    def append_silence(self, samples: int) -> None: ...
    def commit(self) -> None: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...


class Take:
    """A recording under way."""

    __slots__ = ("file", "id", "tape")

    def __init__(self, id: int, tape: Tape, file: File) -> None:
        self.id = id
        self.tape = tape
        self.file = file


class Recorder:
    """`open_file(path, channels)` makes a file or raises OSError.

    `written(take)` is told when something of it waits to be synced; `ended(id, file, error)` when nothing
    more comes: the file is None where there never was one, and whoever is told closes it.
    """

    def __init__(
        self,
        open_file: Callable[[str, int], File],
        written: Callable[[Take], None],
        ended: Callable[[int, File | None, str | None], None],
    ) -> None:
        self._open_file = open_file
        self._written = written
        self._ended = ended
        self._takes: dict[int, list[Take]] = {}
        self._kept: Int16 = np.zeros((0, DEPTH, 2, SAMPLES), np.int16)
        self._first = np.zeros(0, np.int64)
        """The frame at which what is kept of a row begins."""
        self._next = np.zeros(0, np.int64)
        """The frame after the last that came."""
        self._tapped = np.zeros(0, np.bool_)

    def obey(self, order: Order) -> None:
        """Carry out an order. Raises ValueError for one that names a row there is none of."""
        if isinstance(order, Hello):
            self._kept = np.zeros((order.rows, DEPTH, 2, SAMPLES), np.int16)
            self._first = np.zeros(order.rows, np.int64)
            self._next = np.zeros(order.rows, np.int64)
            self._tapped = np.zeros(order.rows, np.bool_)
            return
        if not 0 <= order.row < len(self._tapped):
            raise ValueError(f"row {order.row} of {len(self._tapped)}")
        # What came before it belongs to how things were before it.
        self._write(order.row, order.tick)
        if isinstance(order, Start):
            self._start(order)
            return
        for take in self._takes.get(order.row, []):
            if take.id == order.id and isinstance(order, Pause):
                take.tape.paused, take.tape.silence = order.paused, order.silence
            elif take.id == order.id and isinstance(order, Stop):
                self._end(order.row, take)
                return

    def take(self, block: Block) -> None:
        """Keep the frames of a block. Raises ValueError for rows that there are none of."""
        rows, frames = block.rows, block.frames
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self._tapped):
            raise ValueError(f"rows up to {rows.max()} of {len(self._tapped)}")
        wanted = self._tapped[rows]
        if not wanted.all():  # the rest failed here, and the worker goes on sending what nobody writes
            rows, frames = rows[wanted], frames[wanted]
        for row in rows[block.tick - self._first[rows] >= DEPTH].tolist():
            self._write(row, block.tick)
        self._kept[rows, block.tick - self._first[rows]] = frames
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
                self._end(row, take, cause)

    def _start(self, order: Start) -> None:
        try:
            file = self._open_file(order.path, order.channels)
        except OSError as error:
            self._ended(order.id, None, reason(error))
            return
        take = Take(order.id, Tape(order.channels, order.track), file)
        self._takes.setdefault(order.row, []).append(take)
        self._first[order.row] = order.tick
        self._tapped[order.row] = True

    def _end(self, row: int, take: Take, error: str | None = None) -> None:
        takes = self._takes[row]
        takes.remove(take)
        if not takes:
            del self._takes[row]
            self._tapped[row] = False
        self._ended(take.id, take.file, error)

    def _write(self, row: int, until: int) -> None:
        """Write what is kept of a row; `until` is the first frame that is still to come."""
        passed = until - int(self._first[row])
        if not self._tapped[row] or passed <= 0:
            return
        frames = self._kept[row, : min(passed, DEPTH)]
        for take in list(self._takes[row]):
            try:
                _append(take, frames, passed - len(frames))
            except OSError as error:
                self._end(row, take, reason(error))
            else:
                self._written(take)
        self._kept[row] = 0
        self._first[row] = until


def _append(take: Take, frames: Int16, gap: int) -> None:
    part = take.tape.cut(frames)
    if isinstance(part, int):
        take.file.append_silence(part)
    else:
        take.file.append(part)
    if gap:
        take.file.append_silence(take.tape.gap(gap))
    take.file.commit()


def reason(error: OSError) -> str:
    """Why a file could not be written, for people."""
    what = error.strerror or str(error)
    return f"{what}: {error.filename}" if error.filename else what
