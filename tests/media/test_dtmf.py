from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from tests.media.rig import event

from ringback.media import tones
from ringback.media.dtmf import EventReceivers, ToneBank
from ringback.media.model import DTMF_KEYS, Tone

Int16 = npt.NDArray[np.int16]
NOISE = np.random.default_rng(7)


def press(
    key: str, milliseconds: int = 100, *, level: float = -10.0, twist: float = 0.0, shift: float = 1.0
) -> Int16:
    """The tone pair of a key; `twist` is how many dB the high tone is louder."""
    low, high = tones.dtmf(key, 1).frequencies
    parts = [
        np.frombuffer(tones.source(Tone((frequency * shift,), milliseconds, loudness)).pcm, np.int16)
        for frequency, loudness in ((low, level - twist / 2), (high, level + twist / 2))
    ]
    return (parts[0].astype(int) + parts[1]).astype(np.int16)


def silence(milliseconds: int) -> Int16:
    return np.zeros(milliseconds * 8, np.int16)


def noise(samples: int, level: float) -> npt.NDArray[np.float64]:
    return NOISE.normal(0, tones.amplitude(level) / np.sqrt(2), samples)


def hear(*parts: Int16, hum: float | None = None) -> str:
    """The keys that the bank hears."""
    audio = np.concatenate([silence(60), *parts, silence(100)]).astype(float)
    if hum is not None:
        audio += noise(len(audio), hum)
    audio = np.concatenate([audio, np.zeros(-len(audio) % 160)])
    frames = np.clip(audio, -32767, 32767).astype(np.int16).reshape(-1, 1, 160)
    bank = ToneBank(1)
    bank.enable(0, True)
    keys = ""
    for frame in frames:
        keys += "".join(DTMF_KEYS[code] for _, code in bank.keys(1, bank.feed(frame)))
    return keys


@pytest.mark.parametrize("key", DTMF_KEYS)
def test_every_key_is_heard_once(key: str) -> None:
    assert hear(press(key)) == key


@pytest.mark.parametrize("offset", range(0, 20, 3))
@pytest.mark.parametrize("key", "159D")
def test_the_shortest_keys_and_gaps_of_q24_are_heard(key: str, offset: int) -> None:
    assert hear(silence(offset), press(key, 40), silence(40), press(key, 40)) == key * 2


@pytest.mark.parametrize("key", "17A#")
def test_a_long_key_is_one_key(key: str) -> None:
    assert hear(press(key, 3000)) == key


def test_a_number_dialled_fast() -> None:
    parts = [part for key in "0123456789*#" for part in (press(key, 50), silence(50))]
    assert hear(*parts) == "0123456789*#"


@pytest.mark.parametrize("level", [-4.0, -20.0, -30.0])
@pytest.mark.parametrize("twist", [-7.0, 0.0, 5.0])
@pytest.mark.parametrize("key", "1*6D")
def test_levels_and_twist(key: str, level: float, twist: float) -> None:
    assert hear(press(key, 80, level=level, twist=twist)) == key


@pytest.mark.parametrize("shift", [0.985, 1.015])
@pytest.mark.parametrize("key", DTMF_KEYS)
def test_frequencies_that_are_one_and_a_half_percent_off(key: str, shift: float) -> None:
    assert hear(press(key, 80, shift=shift)) == key


@pytest.mark.parametrize("shift", [0.955, 1.045])
@pytest.mark.parametrize("key", "5D")
def test_frequencies_far_off_are_no_keys(key: str, shift: float) -> None:
    assert hear(press(key, 200, shift=shift)) == ""


@pytest.mark.parametrize("key", DTMF_KEYS)
def test_keys_in_noise(key: str) -> None:
    assert hear(press(key, 80), hum=-25.0) == key


def test_a_gap_of_a_few_milliseconds_does_not_split_a_key() -> None:
    assert hear(press("5", 60), silence(8), press("5", 60)) == "5"


@pytest.mark.parametrize("what", ["short", "faint", "one tone", "three tones", "twisted"])
def test_what_is_no_key(what: str) -> None:
    sounds = {
        "short": press("5", 18),
        "faint": press("5", 200, level=-45),
        "one tone": np.frombuffer(tones.source(Tone((770.0,), 200)).pcm, np.int16),
        "three tones": np.frombuffer(tones.source(Tone((697.0, 770.0, 1336.0), 200)).pcm, np.int16),
        "twisted": press("5", 200, twist=14),
    }
    assert hear(sounds[what]) == ""


def test_progress_tones_are_no_keys() -> None:
    """Those of North America: dial tone, ringing, busy; and a beep."""
    for frequencies in ((350.0, 440.0), (440.0, 480.0), (480.0, 620.0), (1000.0,)):
        tone = Tone(frequencies, 500)
        assert hear(np.frombuffer(tones.source(tone).pcm, np.int16)) == ""


def talk(seconds: float, seed: int) -> Int16:
    """Voiced sounds: a gliding pitch with its harmonics under moving formants."""
    random = np.random.default_rng(seed)
    out = []
    for _ in range(int(seconds / 0.2)):
        time = np.arange(1600) / 8000
        pitch = random.uniform(90, 260) * (1 + random.uniform(-0.2, 0.2) * time / 0.2)
        phase = 2 * np.pi * np.cumsum(pitch) / 8000
        formants = random.uniform([250, 800, 1900], [850, 2300, 3000])
        wave = np.zeros(1600)
        for harmonic in range(1, 30):
            frequency = harmonic * pitch
            gain = sum(1 / (1 + ((frequency - formant) / 90) ** 2) for formant in formants)
            wave += gain * np.sin(harmonic * phase + random.uniform(0, 6)) * (frequency < 3800)
        out.append(wave / np.abs(wave).max() * 10000 * np.hanning(1600))
    return np.concatenate(out).astype(np.int16)


def test_talk_is_not_heard_as_keys() -> None:
    assert hear(talk(120, 1)) == ""


def test_white_noise_is_not_heard_as_keys() -> None:
    assert hear(np.clip(noise(8000 * 60, -12), -32000, 32000).astype(np.int16)) == ""


def test_rows_that_are_off_hear_nothing() -> None:
    bank = ToneBank(2)
    bank.enable(1, True)
    heard = []
    for frame in np.repeat(press("8", 200).reshape(-1, 1, 160), 2, axis=1):
        heard += bank.keys(2, bank.feed(frame))
    assert heard == [(1, 8)]


def test_a_row_turned_off_in_the_middle_of_a_key_hears_it_no_more() -> None:
    bank = ToneBank(1)
    bank.enable(0, True)
    frames = press("8", 200).reshape(-1, 1, 160)
    for frame in frames[:5]:
        bank.keys(1, bank.feed(frame))
    assert bank.hearing[0]
    bank.enable(0, False)
    assert bank.keys(1, bank.feed(frames[5])) == []
    assert not bank.hearing[0]


class Events:
    """An `EventReceivers` of one row with its clock."""

    def __init__(self) -> None:
        self.receivers = EventReceivers(1)
        self.now = 10.0
        self.sequence = 0xFFF0
        self.ssrc = 7

    def receive(self, timestamp: int, payload: bytes, marker: bool = False, *, late_by: int = 0) -> bool:
        """The next packet, or one that came `late_by` packets after its turn."""
        self.now += 0.02
        self.sequence += 0 if late_by else 1
        begun = self.receivers.receive(
            np.array([0]),
            np.array([self.ssrc]),
            np.array([(self.sequence - late_by) & 0xFFFF]),
            np.array([timestamp & 0xFFFFFFFF]),
            np.array([marker]),
            np.frombuffer(payload, np.uint8)[None, :],
            self.now,
        )
        return bool(begun[0])

    def press(self, timestamp: int, code: int, packets: int = 5, ends: int = 3, skip: int = 0) -> int:
        """A whole key; returns how many begins were reported."""
        begun = 0
        for number in range(skip, packets):
            begun += self.receive(timestamp, event(code, 160 * (number + 1)), number == 0)
        for _ in range(ends):
            begun += self.receive(timestamp, event(code, 160 * packets, end=True))
        return begun


def test_an_event_is_one_key() -> None:
    events = Events()
    assert events.press(1000, 5) == 1
    assert events.press(5000, 5) == 1
    assert events.press(9000, 11) == 1


def test_a_key_whose_beginning_was_lost_still_counts_once() -> None:
    events = Events()
    assert events.press(1000, 5, skip=5) == 1
    assert events.press(5000, 5, skip=2) == 1


def test_a_key_whose_end_was_lost_does_not_swallow_the_next() -> None:
    events = Events()
    assert events.press(1000, 5, ends=0) == 1
    assert events.press(1000 + 1600, 5, ends=0) == 1
    assert events.press(1000 + 3200, 6, ends=0) == 1


def test_a_key_longer_than_its_field_is_one_key() -> None:
    events = Events()
    assert events.receive(1000, event(1, 0xFFFF), marker=True)
    assert not events.receive(1000 + 0xFFFF, event(1, 160))
    assert not events.receive(1000 + 0xFFFF, event(1, 320, end=True))


def test_a_sender_that_moves_the_timestamp_by_mistake() -> None:
    events = Events()
    begun = [events.receive(1000 + 160 * n, event(3, 160 * n), marker=n == 0) for n in range(8)]
    assert begun == [True] + [False] * 7


def test_late_packets_of_an_old_key_are_ignored() -> None:
    events = Events()
    events.press(1000, 5)
    events.press(5000, 6)
    assert not events.receive(1000, event(5, 800, end=True), late_by=9)
    assert not events.receive(5000, event(6, 800, end=True), late_by=1)
    assert events.press(9000, 7) == 1


@pytest.mark.parametrize(
    ("ssrc", "jump"),
    [
        pytest.param(7, 0, id="timestamps jump"),
        pytest.param(7, -2000, id="timestamps and sequence numbers jump"),
        pytest.param(8, 0, id="another SSRC"),
        pytest.param(8, -3, id="another SSRC, sequence numbers just behind"),
    ],
)
@pytest.mark.parametrize("timestamp", [0, 500_000, 999_900, 1_000_100])
def test_keys_are_heard_when_the_senders_time_begins_anew(timestamp: int, ssrc: int, jump: int) -> None:
    events = Events()
    assert events.press(1_000_000, 5) == 1
    events.ssrc = ssrc
    events.sequence += jump
    assert events.press(timestamp, 5) == 1
    assert events.press(timestamp + 4000, 5) == 1


def test_the_same_timestamp_of_another_ssrc_is_another_key() -> None:
    events = Events()
    assert events.press(0, 5) == 1
    events.ssrc = 8
    assert events.press(0, 5) == 1


def test_timestamps_that_wrap() -> None:
    events = Events()
    assert events.press(0xFFFFFF00, 5) == 1
    assert events.press(0x100, 5) == 1


def test_other_events_are_not_keys() -> None:
    events = Events()
    assert not events.receive(1000, event(16, 160), marker=True)  # flash hook
    assert not events.receive(5000, event(36, 160), marker=True)  # fax tone
