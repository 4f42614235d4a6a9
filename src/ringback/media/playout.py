"""What is played: the worker's memory of sources, and each row's place in its playback."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ringback.media.model import DoneReason, PlaybackDone
from ringback.media.protocol import Play, Segment
from ringback.media.rows import Rows

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]
Bool = npt.NDArray[np.bool_]

SAMPLES = 160
"""A frame of 20 ms."""
AT, STEP, LEFT, PLAYED = range(4)
"""What is known of a row's place in its playback, side by side: where in the arena, by how much that moves in
a frame, how many samples of the part are left, and how many have gone out in all.
"""
PLACES = 4
_PLACE = np.dtype(f"V{8 * PLACES}")
_PASSED = np.array([0, 0, -SAMPLES, SAMPLES])
"""What a frame adds to it, beside the step."""


class Clip:
    """A source in the arena. It stays until it was forgotten and nothing plays it."""

    __slots__ = ("base", "forgotten", "samples", "users")

    def __init__(self, base: int, samples: int) -> None:
        self.base = base
        self.samples = samples
        self.users = 0
        self.forgotten = False


class Arena:
    """One array of samples for all sources, so that a frame of each of many rows is one gather.

    The first frame is silence; sources are placed first fit. Memory is used as it is written to.
    """

    def __init__(self, octets: int) -> None:
        self.samples = np.zeros(octets // 2, np.int16)
        self.windows: Int16 = np.lib.stride_tricks.sliding_window_view(self.samples, SAMPLES)
        self._clips: dict[int, Clip] = {}
        self._free: list[tuple[int, int]] = [(SAMPLES, len(self.samples) - 2 * SAMPLES)]

    def write(self, number: int, total: int, offset: int, data: bytes) -> None:
        """A piece of a source (octets).

        The first makes room; where there is none the source stays unknown.
        """
        clip = self._clips.get(number)
        if clip is None:
            base = self._allocate(total // 2)
            if base is None:
                return
            clip = self._clips[number] = Clip(base, total // 2)
        start = clip.base + offset // 2
        self.samples[start : start + len(data) // 2] = np.frombuffer(data, "<i2")

    def forget(self, number: int) -> None:
        """The source will not be asked for again."""
        clip = self._clips.pop(number, None)
        if clip is not None:
            clip.forgotten = True
            self._drop(clip)

    def take(self, number: int) -> Clip | None:
        """Use a source; None if it is unknown."""
        clip = self._clips.get(number)
        if clip is not None:
            clip.users += 1
        return clip

    def give_back(self, clip: Clip) -> None:
        """The end of one `take`."""
        clip.users -= 1
        self._drop(clip)

    def _drop(self, clip: Clip) -> None:
        if clip.forgotten and clip.users == 0:
            self._release(clip.base, clip.samples)

    def _allocate(self, size: int) -> int | None:
        for index, (start, room) in enumerate(self._free):
            if room >= size:
                self._free[index : index + 1] = [(start + size, room - size)] if room > size else []
                return start
        return None

    def _release(self, start: int, size: int) -> None:
        merged: list[tuple[int, int]] = []
        for begin, room in sorted([*self._free, (start, size)]):
            if merged and sum(merged[-1]) == begin:
                merged[-1] = (merged[-1][0], merged[-1][1] + room)
            else:
                merged.append((begin, room))
        self._free = merged


class Playlist:
    """The segments of one playback and how far it got. Positions are in samples.

    A clip shorter than a frame is followed by silence to the frame's end, so that a tick never strings many
    together.
    """

    def __init__(self, command: Play, arena: Arena) -> None:
        self.id = command.id
        self.stop_digits = command.stop_digits
        self.stop_speech = command.stop_speech
        self.failed = False
        self.clips: list[Clip] = []
        self._parts = self._resolve(command.segments, arena)
        self._length = sum(samples for _, samples in self._parts)
        self._start = command.offset
        whole, self._skip = divmod(command.offset, self._length) if self._length else (0, 0)
        self._over = self.failed or self._length == 0 or 0 < command.loop <= whole
        self._passes = command.loop and command.loop - whole
        """How many are left with this one; 0 for no end."""
        self._next = 0

    def next_part(self) -> tuple[int, int] | None:
        """(place in the arena or -1 for silence, samples) of what comes next; None at the end."""
        if self._over:
            return None
        while True:
            if self._next == len(self._parts):
                if self._passes == 1:
                    return None
                self._next = 0
                self._passes = max(0, self._passes - 1)
            base, samples = self._parts[self._next]
            self._next += 1
            skipped = min(self._skip, samples)
            self._skip -= skipped
            if samples > skipped:
                return (base + skipped if base >= 0 else base), samples - skipped

    def done(self, reason: DoneReason, played: int) -> PlaybackDone:
        """How it ended."""
        position = self._start + played
        if reason == "completed":
            position = self._length
        elif self._length:
            position %= self._length
        return PlaybackDone(self.id, reason, played // 8, position // 8)

    def _resolve(self, segments: Sequence[Segment], arena: Arena) -> list[tuple[int, int]]:
        parts = []
        for segment in segments:
            if segment.source < 0:
                parts.append((-1, segment.samples))
                continue
            clip = arena.take(segment.source)
            if clip is None:
                self.failed = True
                break
            self.clips.append(clip)
            samples = min(segment.samples, clip.samples)
            parts.append((clip.base, samples))
            if 0 < samples < SAMPLES:
                parts.append((-1, SAMPLES - samples))
        return parts


class Players(Rows):
    """Each row's playback.

    Within a part the frames of all rows are one gather; only a part's end is done by hand.
    """

    def __init__(self, capacity: int, arena: Arena) -> None:
        super().__init__(capacity)
        self._arena = arena
        self._lists: dict[int, Playlist] = {}
        self.active = self.column(np.bool_)
        self._places = self.column(np.int64, (PLACES,))
        self._at = self._places[:, AT]
        self._step = self._places[:, STEP]
        self._left = self._places[:, LEFT]
        self._played = self._places[:, PLAYED]
        self._place_rows = self._places.view(_PLACE).reshape(-1)

    def __bool__(self) -> bool:
        """Whether anything plays."""
        return bool(self._lists)

    def play(self, row: int, command: Play) -> list[PlaybackDone]:
        """Begin a playback.

        Returns what ended by it: the one before, or this one if there is nothing to play.
        """
        ended = self.stop(row, "replaced")
        playlist = Playlist(command, self._arena)
        self._lists[row] = playlist
        self._played[row] = 0
        self.active[row] = True
        if not self._enter_next(row):
            ended += self.stop(row, "failed" if playlist.failed else "completed")
        return ended

    def stop(self, row: int, reason: DoneReason) -> list[PlaybackDone]:
        """End the row's playback, if there is one."""
        playlist = self._lists.pop(row, None)
        if playlist is None:
            return []
        self.active[row] = False
        for clip in playlist.clips:
            self._arena.give_back(clip)
        return [playlist.done(reason, int(self._played[row]))]

    def stops_for(self, row: int, *, code: int | None = None) -> bool:
        """Whether the row's playback ends by a key (its event code), or by speech."""
        playlist = self._lists.get(row)
        if playlist is None:
            return False
        return playlist.stop_speech if code is None else bool(playlist.stop_digits >> code & 1)

    def fill(self, count: int, frames: Int16, wanted: Bool | None = None) -> list[tuple[int, PlaybackDone]]:
        """Write the next frame of every active row below `count`, or of those `wanted`.

        Returns the playbacks that ended with it.
        """
        rows = (self.active[:count] if wanted is None else wanted).nonzero()[0]
        if not len(rows):
            return []
        places = self._places.take(rows, axis=0)
        short = places[:, LEFT] < SAMPLES
        parted = rows[short]
        full = rows
        if len(parted):
            full, places = rows[~short], places[~short]
        frames[full] = self._arena.windows[places[:, AT]]
        places[:, AT] += places[:, STEP]
        places += _PASSED
        self._place_rows[full] = places.view(_PLACE)[:, 0]
        over = full[places[:, LEFT] == 0].tolist()
        for row in parted.tolist():
            self._fill_by_hand(row, frames[row])
            if self._left[row] == 0:
                over.append(row)
        ended = []
        for row in sorted(over):
            if not self._enter_next(row):
                ended.append((row, self.stop(row, "completed")[0]))
        return ended

    def skip(self, count: int, samples: int) -> None:
        """Time has passed without a frame: what would have been heard is left out, to the end of its part."""
        rows = np.nonzero(self.active[:count])[0]
        jump = np.minimum(samples, np.maximum(self._left[rows] - 1, 0))
        self._at[rows] += np.where(self._step[rows] > 0, jump, 0)
        self._left[rows] -= jump
        self._played[rows] += jump

    def _fill_by_hand(self, row: int, frame: Int16) -> None:
        """A frame in which a part ends and perhaps others begin."""
        filled = 0
        while filled < SAMPLES:
            if self._left[row] == 0 and not self._enter_next(row):
                break
            size = min(SAMPLES - filled, int(self._left[row]))
            at = int(self._at[row])
            frame[filled : filled + size] = self._arena.samples[at : at + size] if self._step[row] else 0
            self._at[row] += size if self._step[row] else 0
            self._left[row] -= size
            filled += size
        frame[filled:] = 0
        self._played[row] += filled

    def _enter_next(self, row: int) -> bool:
        part = self._lists[row].next_part()
        if part is None:
            return False
        base, samples = part
        # Silence is read again and again from the arena's first frame.
        self._at[row] = max(base, 0)
        self._step[row] = SAMPLES if base >= 0 else 0
        self._left[row] = samples
        return True
