"""One recording as a time line: which of a leg's frames go into its file, and as which channels. Sans-IO."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media.model import RecordingTrack

Int16 = npt.NDArray[np.int16]

SAMPLES = 160
HEARD, SENT = 0, 1


class Tape:
    """`channels` is 1 (everything mixed) or 2 (heard, sent); `track` leaves one of the two out."""

    def __init__(self, channels: int, track: RecordingTrack) -> None:
        self._channels = channels
        self._track = track
        self.paused = False
        self.silence = True
        """While paused: silence of that length, or nothing."""

    def cut(self, frames: Int16) -> Int16 | int:
        """What `frames` [frame, heard and sent, sample] become: audio [sample, channel], or its length as
        silence."""
        if self.paused:
            return len(frames) * SAMPLES if self.silence else 0
        heard, sent = frames[:, HEARD].reshape(-1), frames[:, SENT].reshape(-1)
        if self._channels == 1:
            return self._mixed(heard, sent)[:, None]
        audio = np.zeros((len(heard), 2), np.int16)
        if self._track != "outbound":
            audio[:, HEARD] = heard
        if self._track != "inbound":
            audio[:, SENT] = sent
        return audio

    def gap(self, frames: int) -> int:
        """The samples of silence that stand for frames that are lost."""
        return 0 if self.paused and not self.silence else frames * SAMPLES

    def _mixed(self, heard: Int16, sent: Int16) -> Int16:
        if self._track == "inbound":
            return heard
        if self._track == "outbound":
            return sent
        mixed: Int16 = np.clip(heard.astype(np.int32) + sent, -32768, 32767).astype(np.int16)
        return mixed
