"""From packets to recordings in virtual time: where in the file is what was heard and sent?"""

from __future__ import annotations

import numpy as np
from tests.media.rig import Rig
from tests.media.test_recorder import Memory

from ringback.media import codecs
from ringback.media.protocol import Segment
from ringback.media.recorder import File, Recorder
from ringback.media.tapline import Hello, Int16, Start, Stop


class Studio:
    """A rig whose row 0 is recorded on two channels."""

    def __init__(self) -> None:
        self.rig = Rig(2)
        self.rig.remote()
        self.file = Memory("", 2)
        self.recorder = Recorder(lambda path, channels: self.file, lambda take: None, self._ended)
        self.recorder.obey(Hello(0, 2))

    def _ended(self, id: int, file: File | None, error: str | None, interrupted: str | None) -> None:
        assert (error, interrupted) == (None, None)

    def start(self) -> None:
        self.recorder.obey(Start(0, self.rig.phase.frame, 1, "", 2, "both"))
        self.rig.phase.taps.add(0, 1)

    def listen(self, audio: Int16) -> None:
        """The peer says this, and every tick is recorded."""
        for index in range(len(audio) // 160):
            self.rig.listen(audio[index * 160 : (index + 1) * 160])
            assert self.rig.phase.tapped is not None
            self.recorder.take(self.rig.phase.tapped)

    def stop(self) -> Int16:
        self.recorder.obey(Stop(0, self.rig.phase.frame, 1))
        return self.file.audio


def noise(seed: int, frames: int) -> Int16:
    """What G.711 leaves as it is."""
    audio = (np.random.default_rng(seed).standard_normal(frames * 160) * 4000).astype(np.int16)
    return codecs.decode(codecs.encode(audio.reshape(1, -1), codecs.PCMU), codecs.PCMU).reshape(-1)


def test_what_is_heard_and_sent_is_there_to_the_sample() -> None:
    studio = Studio()
    studio.rig.listen(np.zeros(1600, np.int16))
    studio.start()
    said, played = noise(1, 20), noise(2, 30)
    studio.rig.play([Segment(studio.rig.clip(played), len(played))])
    studio.listen(said)
    studio.listen(np.zeros(3200, np.int16))
    audio = studio.stop()
    assert len(audio) == 40 * 160
    # Sent with the first tick; heard where it came, though the jitter buffer held it for a frame.
    assert (audio[: len(played), 1] == played).all()
    assert not audio[len(played) :, 1].any()
    assert (audio[: len(said), 0] == said).all()
    assert not audio[len(said) :, 0].any()


def test_ticks_that_were_skipped_are_silence_of_that_length() -> None:
    studio = Studio()
    studio.rig.listen(np.zeros(1600, np.int16))
    studio.start()
    played = noise(2, 30)
    studio.rig.play([Segment(studio.rig.clip(played), len(played))])
    studio.listen(np.zeros(800, np.int16))
    studio.rig.phase.skip(3)
    studio.listen(np.zeros(4000, np.int16))
    audio = studio.stop()
    assert len(audio) == (5 + 3 + 25) * 160
    assert (audio[:800, 1] == played[:800]).all()
    assert not audio[800:1280, 1].any()
    assert (audio[1280:4800, 1] == played[1280:]).all()


def test_nothing_is_taken_of_rows_that_are_not_recorded() -> None:
    studio = Studio()
    assert not studio.rig.phase.taps
    studio.rig.step()
    assert studio.rig.phase.tapped is None
    studio.start()
    taps = studio.rig.phase.taps
    taps.add(0, 2)
    assert taps.of(0) == [1, 2]
    assert taps.of(1) == []
    assert (taps.has(0, 2), taps.has(1, 2)) == (True, False)
    taps.remove(0, 1)
    taps.remove(1, 7)
    assert taps
    taps.clear()
    assert not taps
