from __future__ import annotations

import numpy as np
import pytest
from tests.media.rig import Rig

from ringback.media import tones
from ringback.media.beeps import BeepDetectors
from ringback.media.model import SpeechDetection, SpeechStarted, Tone, ToneEnded, ToneStarted

Audio = np.ndarray[tuple[int, ...], np.dtype[np.int16]]


def tone(frequency: float, milliseconds: int = 400, level: float = -13.0) -> Audio:
    return np.frombuffer(tones.source(Tone((frequency,), milliseconds, level)).pcm, np.int16)


def pair(first: float, second: float, milliseconds: int = 2000, level: float = -13.0) -> Audio:
    return np.frombuffer(tones.source(Tone((first, second), milliseconds, level)).pcm, np.int16)


def quiet(milliseconds: int) -> Audio:
    return np.zeros(milliseconds * 8, np.int16)


def hear(*parts: Audio) -> tuple[list[tuple[int, float]], list[tuple[float, int]]]:
    """Tones as (ms at which one was told, Hz) and (Hz, ms) of their ends; half a second of quiet follows."""
    audio = np.concatenate([*parts, quiet(500)])
    detectors = BeepDetectors(1)
    detectors.configure(0, True)
    begun, ended = [], []
    for index in range(len(audio) // 160):
        started, over = detectors.listen(audio[None, index * 160 : (index + 1) * 160])
        begun += [((index + 1) * 20, frequency) for _, frequency in started]
        ended += [(frequency, ms) for _, frequency, ms in over]
    return begun, ended


@pytest.mark.parametrize(
    "frequency", [400, 425, 440, 480, 620, 941, 1000, 1100, 1400, 1477, 1850, 2100, 2200]
)
@pytest.mark.parametrize("lead", [200, 207, 213])
@pytest.mark.parametrize("level", [-30.0, -13.0, 0.0])
def test_a_beep_is_heard_within_120_ms(frequency: float, lead: int, level: float) -> None:
    [(at, heard)], [(same, length)] = hear(quiet(lead), tone(frequency, 400, level))
    assert heard == pytest.approx(frequency, abs=4)
    assert at - lead <= 120
    assert same == pytest.approx(heard, abs=8)
    assert length == pytest.approx(400, abs=40)


def test_a_short_click_is_none() -> None:
    assert hear(tone(1000, 40), quiet(100), tone(1000, 50)) == ([], [])


def test_tones_that_follow_each_other() -> None:
    begun, ended = hear(tone(900), tone(1400), quiet(300), tone(1400))
    assert [round(frequency, -1) for _, frequency in begun] == [900, 1400, 1400]
    assert len(ended) == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [(440, 480), (400, 450), (350, 440), (480, 620), (400, 438), (425, 475), (1000, 1060)],
)
def test_two_at_a_time_are_none(first: float, second: float) -> None:
    for lead in range(0, 20, 4):
        assert hear(quiet(lead), pair(first, second)) == ([], [])


@pytest.mark.parametrize("key", "0123456789*#ABCD")
def test_keys_are_none(key: str) -> None:
    assert hear(np.frombuffer(tones.source(tones.dtmf(key, 500)).pcm, np.int16)) == ([], [])


def test_noise_beneath_a_tone_and_noise_alone() -> None:
    noise = np.random.default_rng(1).standard_normal(8000) * 1500
    beep = tone(1000, 1000, -7.0)
    assert len(hear((beep + noise).astype(np.int16))[0]) == 1
    assert hear(noise.astype(np.int16)) == ([], [])
    assert hear(tone(1000, 500, -45.0)) == ([], [])


def test_a_fax_that_turns_its_phase_is_one_tone() -> None:
    """ANSam: 2100 Hz, turned every 450 ms, its level changing 15 times a second (ITU-T V.8)."""
    time = np.arange(8 * 3000) / 8000
    turned = np.where((time // 0.45) % 2 == 0, 1.0, -1.0)
    audio = 6000 * turned * (1 + 0.2 * np.sin(2 * np.pi * 15 * time)) * np.sin(2 * np.pi * 2100 * time)
    begun, ended = hear(audio.astype(np.int16))
    assert len(begun) == 1
    assert begun[0][1] == pytest.approx(2100, abs=4)
    assert ended[0][1] == pytest.approx(3000, abs=60)


def test_glides_and_warbles_are_none() -> None:
    time = np.arange(16000) / 8000
    glide = 6000 * np.sin(2 * np.pi * (500 * time + 150 * time**2))
    trill = 6000 * np.sin(2 * np.pi * 1000 * time + 8 * np.sin(2 * np.pi * 6 * time))
    for audio in (glide, trill):
        assert hear(audio.astype(np.int16)) == ([], [])


def test_a_phase_tells_of_tones_and_takes_them_for_no_speech() -> None:
    rig = Rig(2)
    rig.remote()
    rig.phase.listen(0, None, SpeechDetection(start_ms=60, stop_ms=200), True)
    rig.listen(np.concatenate([quiet(500), tone(1000, 300), quiet(300)]))
    [begun] = rig.of(ToneStarted)
    [ended] = rig.of(ToneEnded)
    assert isinstance(begun, ToneStarted)
    assert isinstance(ended, ToneEnded)
    assert begun.frequency == pytest.approx(1000, abs=4)
    assert ended.ms == pytest.approx(300, abs=40)
    assert not rig.of(SpeechStarted)
    rig.phase.listen(0, None, None)
    rig.listen(tone(1000, 300))
    assert len(rig.of(ToneStarted)) == 1
