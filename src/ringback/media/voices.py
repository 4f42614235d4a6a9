"""What of a peer's audio others hear: nothing of a muted one, and an amplified one louder or quieter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.rows import Rows

Int16 = npt.NDArray[np.int16]

LOUDEST = 32767


class Voices(Rows):
    """Frames go in as they were heard, and come out as others may hear them."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.muted = self.column(np.bool_)
        self.gain = self.column(np.float32, initial=1.0)
        self._changed: set[int] = set()

    def drop(self, row: int) -> None:
        self._changed.discard(row)

    def mute(self, row: int, muted: bool) -> None:
        """Let nothing of the row be heard, or let it be heard again."""
        self.muted[row] = muted
        self._note(row)

    def amplify(self, row: int, decibels: float) -> None:
        """Change the row's level."""
        self.gain[row] = 10 ** (decibels / 20)
        self._note(row)

    def plain(self, row: int) -> bool:
        """Whether the row is heard just as it is."""
        return row not in self._changed

    def shape(self, frames: Int16) -> None:
        """Change frames of rows 0 to len(frames) [row, sample] in place. What gets too loud is clipped."""
        for row in self._changed:
            if row < len(frames):
                frames[row] = self.shaped(row, frames[row])

    def shaped(self, row: int, audio: Int16) -> Int16:
        """Audio of one row."""
        if self.plain(row):
            return audio
        if self.muted[row]:
            return np.zeros_like(audio)
        amplified: Int16 = np.clip(audio * self.gain[row], -LOUDEST, LOUDEST).astype(np.int16)
        return amplified

    def _note(self, row: int) -> None:
        if self.muted[row] or self.gain[row] != 1.0:
            self._changed.add(row)
        else:
            self._changed.discard(row)


def mix(frames: Int16, others: Int16) -> Int16:
    """The sum of two blocks of frames; what gets too loud is clipped."""
    total = frames.astype(np.int32) + others
    mixed: Int16 = np.clip(total, -LOUDEST, LOUDEST).astype(np.int16)
    return mixed
