"""Two rows of a phase that hear each other, by the relay or by their ticks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.media.pair import Audio, Pair, heard, likeness, packets, speaks, voice
from tests.media.rig import Rig, Sent, event, packet

from ringback.media import codecs
from ringback.media.model import Codec, Digit, DigitsSent, PlaybackDone
from ringback.media.protocol import Segment

WAYS = pytest.mark.parametrize("by_tick", [False, True], ids=["relay", "tick"])
CODECS: tuple[Codec, ...] = ("PCMU", "PCMA", "G722")

pytestmark = pytest.mark.usefixtures("both_ways")


@WAYS
@pytest.mark.parametrize(("zero", "one"), [*itertools.product(CODECS, CODECS)])
def test_two_rows_hear_each_other(zero: Codec, one: Codec, by_tick: bool) -> None:
    pair = Pair(by_tick=by_tick, zero=speaks(zero), one=speaks(one))
    first, second = voice(1, 50), voice(2, 50)
    pair.talk(packets(first, codec=zero), packets(second, 500, codec=one))
    assert likeness(first, heard(pair.sent[1], one)) > 0.98
    assert likeness(second, heard(pair.sent[0], zero)) > 0.98
    assert bool(pair.relays) is not by_tick


def steps(sent: list[Sent]) -> tuple[set[int], set[int]]:
    """By how much sequence numbers and timestamps grow from packet to packet."""
    pairs = list(itertools.pairwise(sent))
    return (
        {(after.sequence - before.sequence) & 0xFFFF for before, after in pairs},
        {(after.timestamp - before.timestamp) & 0xFFFFFFFF for before, after in pairs},
    )


@WAYS
def test_what_is_played_comes_before_the_partner_in_one_stream(by_tick: bool) -> None:
    pair = Pair(by_tick=by_tick)
    speech = voice(1, 100)
    pair.talk(packets(speech[:30]))
    playback = pair.play_tone(400, row=1)
    pair.talk(packets(speech[30:], 30))
    sent = pair.sent[1]
    tone = np.sin(2 * np.pi * 440 / 8000 * np.arange(8000))[None]
    prompt = heard(sent[28:56])
    assert likeness(tone * 6000, prompt) > 0.99
    assert likeness(speech[55:], heard(sent[50:])) > 0.99
    sequences, timestamps = steps(sent)
    assert sequences == {1}
    assert timestamps <= {160, 320}
    assert len({one.ssrc for one in sent}) == 1
    assert pair.of(PlaybackDone) == [PlaybackDone(playback, "completed", 400, 400)]


def segment(rig: Rig, audio: Audio) -> Segment:
    return Segment(rig.clip(audio.reshape(-1)), audio.size)


@WAYS
def test_a_whisper_is_heard_over_the_partner_by_one_side_only(by_tick: bool) -> None:
    pair = Pair(by_tick=by_tick)
    speech, whisper = voice(1, 80), voice(3, 40)
    pair.talk(packets(speech[:5]), packets(speech[:5]))
    playback = pair.play([segment(pair, whisper)], row=1, over=True)
    pair.talk(packets(speech[5:], 5), packets(speech[5:], 5))
    mixed = heard(pair.sent[1][5:44])
    assert likeness(whisper, mixed) > 0.6
    assert likeness(speech[5:], mixed) > 0.6
    assert likeness(whisper, heard(pair.sent[0])) < 0.2
    assert likeness(speech[55:], heard(pair.sent[1][50:])) > 0.99
    assert pair.of(PlaybackDone) == [PlaybackDone(playback, "completed", 800, 800)]
    sequences, timestamps = steps(pair.sent[1])
    assert sequences == {1}
    assert timestamps <= {160, 320}


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
    speech = voice(1, 30)
    pair.talk(packets(speech))
    pair.mute(0, True)
    pair.sent[1].clear()
    pair.talk([*packets(speech, 30), packet(60, 9600, event(5, 160), payload_type=101, marker=True)])
    assert not heard(pair.sent[1]).any()
    assert all(sent.payload_type == 0 for sent in pair.sent[1])
    assert len(pair.sent[1]) == 31
    assert pair.of(Digit) == [Digit("5", 20, "rfc4733")]
    pair.mute(0, False)
    pair.talk(packets(speech, 61))
    assert likeness(speech, heard(pair.sent[1][-30:])) > 0.99
    assert steps(pair.sent[1])[0] == {1}


@pytest.mark.parametrize(("decibels", "factor"), [(6.0, 1.995), (-20.0, 0.1), (60.0, None)])
def test_who_is_amplified_is_heard_louder(decibels: float, factor: float | None) -> None:
    pair = Pair()
    pair.amplify(0, decibels)
    speech = voice(1, 50) // 2
    pair.talk(packets(speech))
    got = heard(pair.sent[1]).astype(np.float64)
    if factor is None:
        assert np.abs(got).max() <= 32124
        assert (np.abs(got[1600:]) > 30_000).mean() > 0.9
    else:
        said = codecs.decode(codecs.encode(speech, codecs.PCMU), codecs.PCMU).astype(np.float64)
        assert np.abs(got[1600:]).mean() == pytest.approx(np.abs(said).mean() * factor, rel=0.06)


def press(code: int, start: int, packets: int = 8) -> list[bytes]:
    """A key of the phone's, the end three times."""
    return [
        packet(
            start + n,
            start * 160,
            event(code, 160 * min(n + 1, packets - 2), n >= packets - 3),
            payload_type=101,
            marker=not n,
        )
        for n in range(packets)
    ]


EVENTS = {"send_dtmf_pt": 96, "receive_dtmf_pts": frozenset({96})}
NO_EVENTS: dict[str, object] = {"send_dtmf_pt": None, "receive_dtmf_pts": frozenset()}


@WAYS
def test_keys_are_passed_as_events(by_tick: bool) -> None:
    pair = Pair(by_tick=by_tick, one=EVENTS)
    pair.talk([*packets(voice(1, 10)), *press(7, 10), *packets(voice(1, 30), 18)])
    events = [sent for sent in pair.sent[1] if sent.payload_type == 96]
    assert {sent.payload[0] for sent in events} == {7}
    assert len({sent.timestamp for sent in events}) == 1
    assert [sent.marker for sent in events] == [True] + [False] * (len(events) - 1)
    assert sum(sent.payload[1] >> 7 for sent in events) == 3
    assert steps(pair.sent[1])[0] == {1}
    assert pair.of(Digit) == [Digit("7", 20, "rfc4733")]
    assert pair.of(DigitsSent) == []


@WAYS
def test_keys_are_passed_as_tones_where_events_are_not_taken(by_tick: bool) -> None:
    pair = Pair(by_tick=by_tick, one=NO_EVENTS)
    pair.talk([*packets(voice(1, 10) // 100), *press(7, 10), *packets(voice(1, 30) // 100, 18)])
    assert {sent.payload_type for sent in pair.sent[1]} == {0}
    spectrum = np.abs(np.fft.rfft(heard(pair.sent[1]).astype(np.float64), 8000))
    assert sorted(np.argsort(spectrum)[-2:].tolist()) == [852, 1209]
    assert steps(pair.sent[1])[0] == {1}


@WAYS
def test_keys_in_the_audio_pass_as_they_are(by_tick: bool) -> None:
    pair = Pair(by_tick=by_tick, zero=NO_EVENTS)
    tone = np.sin(np.arange(4000) * 2 * np.pi * 770 / 8000) + np.sin(
        np.arange(4000) * 2 * np.pi * 1336 / 8000
    )
    pair.talk([*packets((tone * 8000).astype(np.int16).reshape(-1, 160)), *packets(voice(1, 10) // 100, 25)])
    assert {sent.payload_type for sent in pair.sent[1]} == {0}
    assert pair.of(Digit) == [Digit("5", 40, "inband")]


@WAYS
def test_our_own_keys_reach_a_bridged_row(by_tick: bool) -> None:
    pair = Pair(by_tick=by_tick)
    speech = voice(1, 80)
    pair.talk(packets(speech[:20]), packets(speech[:20]))
    pair.phase.send_digits(1, 9, "31", 100, 100)
    pair.talk(packets(speech[20:], 20), packets(speech[20:], 20))
    events = [sent for sent in pair.sent[1] if sent.payload_type == 101]
    assert [key for key, _ in itertools.groupby(sent.payload[0] for sent in events)] == [3, 1]
    assert pair.of(DigitsSent) == [DigitsSent(9, "rfc4733")]
    assert likeness(speech[45:], heard(pair.sent[1][-35:])) > 0.99
    assert not any(sent.payload_type == 101 for sent in pair.sent[0])
    assert steps(pair.sent[1])[0] == {1}


@WAYS
@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_a_row_on_hold_hears_nothing_until_it_is_back(by_tick: bool, direction: str) -> None:
    pair = Pair(by_tick=by_tick)
    speech = voice(1, 90)
    pair.talk(packets(speech[:20]))
    pair.remote(1, direction=direction, held=True)
    pair.sent[1].clear()
    pair.talk(packets(speech[20:50], 20))
    assert pair.sent[1] == []
    pair.remote(1)
    pair.talk(packets(speech[50:], 50))
    assert likeness(speech[60:], heard(pair.sent[1])) > 0.99
    assert pair.sent[1][0].marker


def test_a_row_is_bridged_with_one_other() -> None:
    rig = Rig(3)
    for row in range(3):
        rig.remote(row)
    rig.bridges.join(0, 1)
    assert rig.bridges.join(0, 2) == [1]
    speech = packets(voice(1, 50))
    sent = [rig.step((0, said)) for said in speech]
    assert {row for row, _ in rig.relayed} == {2}
    assert len(rig.relayed) > 45
    assert all(one[1].silent for one in sent)
    assert rig.bridges.part(2) == [2, 0]
    sent = [rig.step((0, said)) for said in packets(voice(1, 50), 50)]
    assert all(one[2].silent for one in sent)


@WAYS
def test_a_row_whose_partner_is_closed_goes_on_with_silence(by_tick: bool) -> None:
    pair = Pair(by_tick=by_tick)
    pair.talk(packets(voice(1, 20)))
    pair.bridges.part(0)
    pair.phase.close(0, pair.now)
    pair.rest(10)
    assert all(one.silent for one in pair.sent[1][-10:])
    assert steps(pair.sent[1])[0] == {1}


def test_a_row_whose_partner_says_nothing_is_sent_silence() -> None:
    pair = Pair()
    pair.talk(packets(voice(1, 20)))
    pair.sent[1].clear()
    pair.rest(30)
    assert len(pair.sent[1]) == 26
    assert all(one.silent for one in pair.sent[1])
    pair.talk(packets(voice(1, 20), 50))
    assert likeness(voice(1, 20), heard(pair.sent[1])) > 0.99
    sequences, timestamps = steps(pair.sent[1])
    assert sequences == {1}
    assert timestamps <= {160, 320}
