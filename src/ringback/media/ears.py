"""What is listened for in the audio of a phase's rows: keys, speech, steady tones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media import detect
from ringback.media.beeps import BeepDetectors
from ringback.media.detect import SpeechDetectors
from ringback.media.dtmf import ToneBank
from ringback.media.model import SpeechDetection, SpeechStarted, SpeechStopped, ToneEnded, ToneStarted
from ringback.media.playout import SAMPLES

Int16 = npt.NDArray[np.int16]
Bool = npt.NDArray[np.bool_]


class Heard(NamedTuple):
    """What was found in a frame, with the rows."""

    tones: list[tuple[int, ToneStarted | ToneEnded]]
    keys: list[tuple[int, int]]
    """Codes of telephone events."""
    begun: list[tuple[int, SpeechStarted]]
    ended: list[tuple[int, SpeechStopped]]


class Ears:
    """Nothing is listened for in a row until it is said."""

    def __init__(self, capacity: int) -> None:
        self._keys = ToneBank(capacity)
        self._speech = SpeechDetectors(capacity)
        self._beeps = BeepDetectors(capacity)
        self.parts = self._keys, self._speech, self._beeps

    def listen_for_keys(self, row: int, wanted: bool) -> None:
        """Choose whether keys are listened for."""
        self._keys.enable(row, wanted)

    def listen(self, row: int, speech: SpeechDetection | None, tones: bool) -> None:
        """Choose what else is listened for."""
        self._speech.configure(row, speech)
        self._beeps.configure(row, tones)

    def listening(self, count: int) -> Bool:
        """In which of rows 0 to `count` something is listened for."""
        wanted: Bool = self._keys.enabled[:count] | self._speech.enabled[:count] | self._beeps.enabled[:count]
        return wanted

    def hear(self, audio: Int16, begun: Bool) -> Heard:
        """One frame of rows 0 to len(audio) [row, sample]; `begun` says of which there is any media yet."""
        heard = Heard([], [], [], [])
        if self._beeps:
            started, over = self._beeps.listen(audio)
            heard.tones.extend((row, ToneStarted(frequency)) for row, frequency in started)
            heard.tones.extend((row, ToneEnded(frequency, ms)) for row, frequency, ms in over)
        if self._speech or self._keys:
            energy = self._keys.feed(audio)
            heard.keys.extend(self._keys.keys(len(audio), energy))
            if self._speech:
                levels = detect.level(energy[:, 1] + energy[:, 2], SAMPLES)
                self._hear_speech(levels, begun, heard)
        return heard

    def _hear_speech(self, levels: detect.Float32, begun: Bool, heard: Heard) -> None:
        count, speech = len(levels), self._speech
        other = self._keys.hearing[:count] | self._beeps.hearing[:count]
        started, over = speech.listen(count, levels, other, begun)
        heard.begun.extend((row, SpeechStarted(speech.certainty_ms(row))) for row in started.tolist())
        heard.ended.extend((row, SpeechStopped(speech.spoken_ms(row))) for row in over.tolist())
