"""Two rows of a phase that hear each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from tests.media.rig import Datagram, Rig, Sent, event, packet

from ringback.media import codecs
from ringback.media.model import Digit, DigitsSent, PlaybackDone
from ringback.media.protocol import Segment

Audio = npt.NDArray[np.int16]


def voice(seed: int, frames: int) -> Audio:
    """Noise of its own kind, [frame, sample]: it is like nothing else."""
    noise = np.random.default_rng(seed).normal(0, 4000, frames * 160)
    smooth = np.clip(np.convolve(noise, [0.4, 0.3, 0.2, 0.1], "same"), -32767, 32767)
    audio: Audio = smooth.astype(np.int16).reshape(-1, 160)
    return audio


def packets(audio: Audio, start: int = 0, codec: int = codecs.PCMU, ssrc: int = 7) -> list[bytes]:
    """The frames as RTP."""
    payload_type = 8 if codec == codecs.PCMA else 0
    octets = codecs.encode(audio, codec)
    return [
        packet(start + n, (start + n) * 160, frame.tobytes(), payload_type=payload_type, ssrc=ssrc)
        for n, frame in enumerate(octets)
    ]


def heard(sent: Sequence[Sent], codec: int = codecs.PCMU) -> Audio:
    """What packets sound like, one after the other."""
    return np.concatenate([one.samples(codec) for one in sent])


def likeness(said: Audio, got: Audio) -> float:
    """How well `got` holds the middle of what was said, at any delay: 1 is all of it, and nothing else."""
    part = said.reshape(-1)[1600:3200].astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(got.astype(np.float64), len(part))
    power = np.sqrt((windows**2).sum(axis=1) * (part**2).sum())
    return float((windows @ part / np.maximum(power, 1.0)).max())


class Pair(Rig):
    """Rows 0 and 1, bridged."""

    def __init__(self) -> None:
        super().__init__(2)
        self.remote(0)
        self.remote(1)
        self.bridges.join(0, 1)
        self.sent: dict[int, list[Sent]] = {0: [], 1: []}

    def rest(self, ticks: int) -> None:
        """Nobody says anything."""
        self.talk(ticks=ticks)

    def talk(self, zero: Sequence[bytes] = (), one: Sequence[bytes] = (), *, ticks: int = 0) -> None:
        """Each says its packets, one a tick; what they are sent is kept."""
        for n in range(max(len(zero), len(one), ticks)):
            said: list[Datagram] = [(row, all[n]) for row, all in ((0, zero), (1, one)) if n < len(all)]
            for row, sent in self.step(*said).items():
                self.sent[row].append(sent)


def test_two_rows_hear_each_other() -> None:
    pair = Pair()
    one, other = voice(1, 50), voice(2, 50)
    pair.talk(packets(one), packets(other, 500))
    assert likeness(one, heard(pair.sent[1])) > 0.99
    assert likeness(other, heard(pair.sent[0])) > 0.99


def test_what_is_played_comes_before_the_partner() -> None:
    pair = Pair()
    speech = voice(1, 100)
    pair.talk(packets(speech[:30]))
    playback = pair.play_tone(400, row=1)
    pair.talk(packets(speech[30:], 30))
    sent = pair.sent[1]
    prompt = heard(sent[30:50])
    tone = np.sin(2 * np.pi * 440 / 8000 * np.arange(3200))
    assert abs(np.corrcoef(prompt, tone)[0, 1]) > 0.99
    assert likeness(speech[50:], heard(sent[50:])) > 0.99
    assert {(after.sequence - before.sequence) & 0xFFFF for before, after in itertools.pairwise(sent)} == {1}
    assert pair.of(PlaybackDone) == [PlaybackDone(playback, "completed", 400, 400)]


def test_a_whisper_is_heard_over_the_partner_by_one_side_only() -> None:
    pair = Pair()
    speech = voice(1, 60)
    whisper = voice(3, 40)
    pair.talk(packets(speech[:5]), packets(speech[:5]))
    playback = pair.play([pair_segment(pair, whisper)], row=1, over=True)
    pair.talk(packets(speech[5:], 5), packets(speech[5:], 5))
    got = heard(pair.sent[1][5:])
    assert likeness(whisper, got) > 0.5
    assert likeness(speech[5:], got) > 0.5
    assert likeness(whisper, heard(pair.sent[0][5:])) < 0.2
    assert pair.of(PlaybackDone) == [PlaybackDone(playback, "completed", 800, 800)]


def pair_segment(rig: Rig, audio: Audio) -> Segment:
    return Segment(rig.clip(audio.reshape(-1)), audio.size)


def test_a_whisper_ends_by_itself_or_when_told() -> None:
    pair = Pair()
    prompt = pair.play_tone(5000, row=1)
    whisper = pair.play_tone(5000, row=1, over=True)
    pair.step()
    pair.phase.stop_playback(1, over=True)
    pair.step()
    assert pair.of(PlaybackDone) == [PlaybackDone(whisper, "stopped", 20, 20)]
    pair.phase.stop_playback(1)
    pair.step()
    assert pair.of(PlaybackDone)[1:] == [PlaybackDone(prompt, "stopped", 40, 40)]


def test_nobody_hears_who_is_muted() -> None:
    pair = Pair()
    pair.phase.voices.mute(0, True)
    speech = voice(1, 30)
    pair.talk([*packets(speech), packet(30, 4800, event(5, 160), payload_type=101, marker=True)])
    pair.talk(packets(speech, 31))
    assert not heard([sent for sent in pair.sent[1] if sent.payload_type == 0]).any()
    assert all(sent.payload_type == 0 for sent in pair.sent[1])
    assert pair.of(Digit) == [Digit("5", 20, "rfc4733")]
    pair.phase.voices.mute(0, False)
    pair.talk(packets(speech, 61))
    assert likeness(speech, heard(pair.sent[1][-30:])) > 0.99


@pytest.mark.parametrize(("decibels", "factor"), [(6.0, 1.995), (-20.0, 0.1), (60.0, None)])
def test_who_is_amplified_is_heard_louder(decibels: float, factor: float | None) -> None:
    pair = Pair()
    pair.phase.voices.amplify(0, decibels)
    speech = voice(1, 50) // 2
    pair.talk(packets(speech))
    got = heard(pair.sent[1]).astype(np.float64)
    if factor is None:
        assert np.abs(got).max() <= 32124
        assert (np.abs(got[1600:]) > 30_000).mean() > 0.9
    else:
        said = codecs.decode(codecs.encode(speech, codecs.PCMU), codecs.PCMU).astype(np.float64)
        assert np.abs(got[1600:]).mean() == pytest.approx(np.abs(said).mean() * factor, rel=0.06)


def test_keys_are_passed_as_the_other_side_takes_them() -> None:
    pair = Pair()
    pair.remote(0, send_dtmf_pt=None, receive_dtmf_pts=frozenset())
    pair.remote(1, send_dtmf_pt=96, receive_dtmf_pts=frozenset({101}))
    key = [packet(n, 0, event(7, 160 * (n + 1)), payload_type=101, marker=not n) for n in range(5)]
    pair.talk([], key)
    pair.rest(20)
    tone = heard(pair.sent[0])
    spectrum = np.abs(np.fft.rfft(tone[320:1120].astype(np.float64), 8000))
    assert sorted(np.argsort(spectrum)[-2:].tolist()) == [852, 1209]
    assert pair.of(DigitsSent) == []
    pair.phase.send_digits(1, 9, "3", 100, 100)
    pair.rest(8)
    assert {sent.payload_type for sent in pair.sent[1][-8:]} >= {96}
    assert pair.of(DigitsSent) == []


def test_a_row_is_bridged_with_one_other() -> None:
    rig = Rig(3)
    for row in range(3):
        rig.remote(row)
    rig.bridges.join(0, 1)
    rig.bridges.join(0, 2)
    speech = packets(voice(1, 50))
    sent = [rig.step((0, said)) for said in speech]
    assert not any(one[2].silent for one in sent[5:])
    assert all(one[1].silent for one in sent)
    rig.bridges.part(2)
    sent = [rig.step((0, said)) for said in packets(voice(1, 50), 50)]
    assert all(one[2].silent for one in sent)


def test_a_row_whose_partner_is_closed_goes_on_with_silence() -> None:
    pair = Pair()
    pair.talk(packets(voice(1, 20)))
    pair.bridges.part(0)
    pair.phase.close(0, pair.now)
    sent = [pair.step()[1] for _ in range(10)]
    assert all(one.silent for one in sent)
    last = pair.sent[1][-1]
    assert [one.sequence for one in sent] == [(last.sequence + 1 + n) & 0xFFFF for n in range(10)]
