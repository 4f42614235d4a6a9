from __future__ import annotations

import numpy as np
import pytest

from ringback.media import detect
from ringback.media.detect import SpeechDetectors
from ringback.media.model import SpeechDetection


class Listener:
    """One detector; levels in dBm0 go in by the frame."""

    def __init__(self, detection: SpeechDetection | None = None) -> None:
        self.detectors = SpeechDetectors(1)
        self.detectors.configure(0, detection or SpeechDetection())
        self.frame = 0
        self.media = True
        self.changes: list[tuple[str, int]] = []

    def hear(self, level: float, milliseconds: int, *, key: bool = False) -> None:
        for _ in range(milliseconds // 20):
            begun, ended = self.detectors.listen(
                1, np.array([level], np.float32), np.array([key]), np.array([self.media])
            )
            self.frame += 1
            self.changes += [("start", self.frame * 20)] * len(begun) + [("stop", self.frame * 20)] * len(
                ended
            )


def test_levels_are_dbm0() -> None:
    # A full-scale sine is 3.14 dBm0.
    sine = 32767 * np.sin(2 * np.pi * 1000 * np.arange(160) / 8000)
    energy = np.array([(sine**2).sum(), 0.0], np.float32)
    assert detect.level(energy, 160)[0] == pytest.approx(3.14, abs=0.01)
    assert detect.level(energy, 160)[1] < -85


def test_speech_starts_and_stops() -> None:
    listener = Listener(SpeechDetection(start_ms=80, stop_ms=600))
    listener.hear(-60, 1000)
    listener.hear(-20, 500)
    listener.hear(-60, 1000)
    assert listener.changes == [("start", 1080), ("stop", 2100)]
    assert listener.detectors.certainty_ms(0) == 80
    assert listener.detectors.spoken_ms(0) == pytest.approx(500, abs=20)


def test_a_click_is_no_speech_and_a_pause_is_no_end() -> None:
    listener = Listener()
    listener.hear(-60, 500)
    listener.hear(-10, 60)
    listener.hear(-60, 500)
    assert listener.changes == []
    listener.hear(-20, 300)
    listener.hear(-60, 400)
    listener.hear(-20, 300)
    assert [change for change, _ in listener.changes] == ["start"]


def test_the_floor_follows_a_noisy_line() -> None:
    listener = Listener()
    listener.hear(-40, 6000)
    listener.changes.clear()
    listener.hear(-36, 2000)
    assert listener.changes == []
    listener.hear(-20, 400)
    listener.hear(-40, 1000)
    assert [change for change, _ in listener.changes] == ["start", "stop"]


def test_speech_from_the_first_frame_is_heard() -> None:
    listener = Listener()
    listener.hear(-15, 400)
    assert listener.changes == [("start", 80)]


def test_what_is_quieter_than_the_minimum_is_no_speech() -> None:
    listener = Listener(SpeechDetection(minimum_level=-40))
    listener.hear(-80, 1000)
    listener.hear(-45, 1000)
    assert listener.changes == []


def test_keys_are_no_speech() -> None:
    listener = Listener()
    listener.hear(-60, 500)
    listener.hear(-5, 1000, key=True)
    assert listener.changes == []


def test_off_means_off() -> None:
    listener = Listener()
    listener.detectors.configure(0, None)
    listener.hear(-10, 1000)
    assert listener.changes == []


def test_noise_that_comes_with_the_first_packet_is_no_speech() -> None:
    """Until then the line is dead, which says nothing of the room at its other end."""
    listener = Listener()
    listener.media = False
    listener.hear(-90, 3000)
    listener.media = True
    listener.hear(-90, 40)
    listener.hear(-41, 5000)
    assert listener.changes == []
    listener.hear(-20, 500)
    assert [change for change, _ in listener.changes] == ["start"]


def test_on_a_line_that_stays_dead_faint_speech_is_heard() -> None:
    listener = Listener()
    listener.hear(-90, 1000)
    listener.hear(-40, 500)
    assert [change for change, _ in listener.changes] == ["start"]
