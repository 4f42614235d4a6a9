from __future__ import annotations

import socket
import struct

import numpy as np
import pytest
from tests.media.rig import PEER, Network, Rig, event, packet

from ringback.media import codecs, tones
from ringback.media.model import (
    Digit,
    DigitsSent,
    FirstRtp,
    NoRtp,
    PlaybackDone,
    RtpResumed,
    SpeechDetection,
    SpeechStarted,
    SpeechStopped,
    Tone,
)
from ringback.media.protocol import Segment


def tone(key: str, milliseconds: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.frombuffer(tones.source(tones.dtmf(key, milliseconds)).pcm, np.int16)


def test_silence_is_sent_from_the_remote_on() -> None:
    rig = Rig()
    assert rig.step() == {}
    rig.remote()
    sent = [rig.step()[0] for _ in range(5)]
    assert all(one.silent for one in sent)
    assert sent[0].marker
    assert not sent[1].marker


def test_prompts_and_pauses_are_one_stream() -> None:
    rig = Rig()
    rig.remote()
    sent = [rig.step()[0] for _ in range(3)]
    playback = rig.play_tone(100)
    sent += [rig.step()[0] for _ in range(8)]
    assert [one.silent for one in sent] == [True] * 3 + [False] * 5 + [True] * 3
    assert {(sent[n + 1].sequence - sent[n].sequence) & 0xFFFF for n in range(10)} == {1}
    assert {(sent[n + 1].timestamp - sent[n].timestamp) & 0xFFFFFFFF for n in range(10)} == {160}
    assert rig.of(PlaybackDone) == [PlaybackDone(playback, "completed", 100, 100)]


def test_a_key_stops_the_prompt_in_the_same_tick() -> None:
    rig = Rig()
    rig.remote()
    playback = rig.play_tone(5000, stop_digits=1 << 5)
    assert not rig.step()[0].silent
    sent = rig.step((0, packet(1, 160, event(5, 160), payload_type=101, marker=True)))
    assert sent[0].silent
    assert rig.of(Digit) == [Digit("5", 20, "rfc4733")]
    assert rig.of(PlaybackDone) == [PlaybackDone(playback, "digit", 20, 20)]


def test_only_the_keys_asked_for_stop_it() -> None:
    rig = Rig()
    rig.remote()
    rig.play_tone(5000, stop_digits=1 << 11)
    sent = rig.step((0, packet(1, 160, event(5, 160), payload_type=101, marker=True)))
    assert not sent[0].silent
    assert not rig.of(PlaybackDone)


def test_a_key_in_the_audio_stops_the_prompt_within_80_ms() -> None:
    rig = Rig()
    rig.remote(receive_dtmf_pts=frozenset())
    rig.listen(np.zeros(1600, np.int16))
    begun = rig.now
    rig.play_tone(5000, stop_digits=0xFFFF)
    rig.listen(tone("7", 60))
    while not rig.of(PlaybackDone):
        rig.listen(np.zeros(160, np.int16))
    assert rig.now - begun <= 0.081
    assert rig.of(Digit) == [Digit("7", 40, "inband")]


def test_tones_are_not_listened_for_once_events_are_negotiated() -> None:
    rig = Rig()
    rig.remote()
    rig.listen(tone("7", 200))
    assert not rig.of(Digit)
    rig.phase.listen(0, True, None)
    rig.listen(np.zeros(800, np.int16))
    rig.listen(tone("7", 200))
    assert rig.of(Digit) == [Digit("7", 40, "inband")]


def test_a_key_heard_both_ways_is_told_once() -> None:
    rig = Rig()
    rig.remote()
    rig.phase.listen(0, True, None)
    frames = codecs.encode(tone("7", 200).reshape(-1, 160), codecs.PCMU)
    for index, frame in enumerate(frames):
        number = 2 * index
        rig.step(
            (0, packet(number, 160 * index, frame.tobytes())),
            (0, packet(number + 1, 0, event(7, 160 * (index + 1)), payload_type=101, marker=index == 0)),
        )
    for _ in range(5):
        rig.step()
    assert rig.of(Digit) == [Digit("7", 20, "rfc4733")]


def test_speech_stops_the_prompt() -> None:
    rig = Rig()
    rig.remote()
    rig.phase.listen(0, None, SpeechDetection(start_ms=80, stop_ms=300))
    rig.listen(np.zeros(3200, np.int16))
    playback = rig.play_tone(10_000, stop_speech=True)
    voice = (np.sin(np.arange(4000) * 0.2) * 9000).astype(np.int16)
    rig.listen(voice)
    rig.listen(np.zeros(4800, np.int16))
    assert rig.of(SpeechStarted) == [SpeechStarted(80)]
    [done] = rig.of(PlaybackDone)
    assert isinstance(done, PlaybackDone)
    assert (done.id, done.reason) == (playback, "speech")
    assert done.played_ms <= 120
    [stopped] = rig.of(SpeechStopped)
    assert isinstance(stopped, SpeechStopped)
    assert stopped.ms == pytest.approx(500, abs=40)


def test_keys_are_pressed_as_events_or_tones() -> None:
    rig = Rig(2)
    rig.remote(0)
    rig.remote(1, send_dtmf_pt=None)
    rig.phase.send_digits(0, 1, "1", 100, 100)
    rig.phase.send_digits(1, 2, "1", 100, 100)
    sent = [rig.step() for _ in range(12)]
    assert [one[0].payload_type for one in sent] == [101] * 7 + [0] * 5
    assert [one[1].silent for one in sent] == [False] * 5 + [True] * 7
    assert rig.of(DigitsSent) == [DigitsSent(1, "rfc4733"), DigitsSent(2, "inband")]


def test_keys_wait_for_a_remote() -> None:
    rig = Rig()
    rig.phase.send_digits(0, 1, "1", 100, 100)
    for _ in range(5):
        rig.step()
    rig.remote()
    assert any(not rig.step()[0].silent for _ in range(5))


def pass_time(rig: Rig, seconds: float) -> None:
    for _ in range(int(seconds * 50)):
        rig.step()


@pytest.mark.parametrize(
    ("source", "cause"),
    [(None, "never-received"), (("8.8.8.8", 9), "wrong-source")],
)
def test_media_that_never_comes_is_told_with_its_likely_cause(
    source: tuple[str, int] | None, cause: str
) -> None:
    rig = Rig()
    rig.remote(host="9.9.9.9")
    if source is not None:
        rig.step((0, packet(1, 160), source))
    pass_time(rig, 10)
    [told] = rig.of(NoRtp)
    assert isinstance(told, NoRtp)
    assert told.cause == cause
    assert told.seconds == pytest.approx(3.0, abs=0.05)
    assert told.hint


def test_media_that_stops_and_comes_back() -> None:
    rig = Rig()
    rig.remote()
    rig.step((0, packet(1, 160)))
    pass_time(rig, 5)
    rig.step((0, packet(2, 41_000)))
    assert [told.cause for told in rig.of(NoRtp) if isinstance(told, NoRtp)] == ["stopped"]
    [resumed] = rig.of(RtpResumed)
    assert isinstance(resumed, RtpResumed)
    assert resumed.seconds == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize("changes", [{"held": True}, {"direction": "sendonly"}, {"direction": "inactive"}])
def test_those_who_need_not_send_are_not_missed(changes: dict[str, object]) -> None:
    rig = Rig()
    rig.remote(0, **changes)
    pass_time(rig, 10)
    assert not rig.of(NoRtp)
    rig.remote()
    pass_time(rig, 2.9)
    assert not rig.of(NoRtp)
    pass_time(rig, 0.3)
    assert rig.of(NoRtp)


def test_after_comfort_noise_the_peer_may_be_silent_for_long() -> None:
    rig = Rig()
    rig.remote()
    for number in range(10):
        rig.step((0, packet(number, number * 160)))
    rig.step((0, packet(10, 1600, b"\x40", payload_type=13)))
    pass_time(rig, 20)
    assert not rig.of(NoRtp)
    statistics = rig.phase.statistics(0, rig.now)
    assert (statistics.comfort_noise_packets, statistics.packets_lost, statistics.frames_concealed) == (
        1,
        0,
        0,
    )
    pass_time(rig, 15)
    assert rig.of(NoRtp)


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_directions_that_forbid_sending(direction: str) -> None:
    rig = Rig()
    rig.remote(direction=direction)
    assert rig.step() == {}
    rig.remote()
    assert rig.step()[0].marker


def test_a_held_leg_at_no_address_is_sent_nothing() -> None:
    rig = Rig()
    rig.remote(host="0.0.0.0", held=True)
    assert rig.step() == {}


def test_a_new_ssrc_is_the_same_call() -> None:
    rig = Rig()
    rig.remote()
    started = 1 << 31
    for number in range(10):
        rig.step((0, packet(number, started + number * 160, ssrc=1)))
    rig.step((0, packet(10, started + 1600, event(1, 160), payload_type=101, ssrc=1)))
    for number in range(10):
        rig.step((0, packet(50_000 + number, number * 160, ssrc=2)))
    rig.step((0, packet(50_010, 1600, event(2, 160), payload_type=101, ssrc=2)))
    statistics = rig.phase.statistics(0, rig.now)
    assert (statistics.packets_received, statistics.packets_lost) == (22, 0)
    assert [told.key for told in rig.of(Digit) if isinstance(told, Digit)] == ["1", "2"]
    assert statistics.remote_ssrc == 2
    assert statistics.buffer_resyncs == 1
    assert len(rig.of(FirstRtp)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_counters_match_what_the_network_did(seed: int) -> None:
    rig = Rig()
    rig.remote()
    network = Network(seed, loss=0.1, jitter=2, duplicate=0.05)
    came: list[int] = []
    for arrived in network.carry(packet(n, n * 160) for n in range(500)):
        came += [int.from_bytes(content[2:4], "big") for content in arrived]
        rig.step(*[(0, content) for content in arrived])
    statistics = rig.phase.statistics(0, rig.now)
    assert statistics.packets_received == len(came)
    assert statistics.packets_duplicated == len(came) - len(set(came))
    # What came before the first number heard makes up for as many that are lost (RFC 3550, A.3).
    assert statistics.packets_lost == max(came) - came[0] + 1 - len(set(came))
    reordered = sum(
        1 for n, value in enumerate(came) if value < max(came[:n], default=-1) and value not in came[:n]
    )
    assert statistics.packets_reordered == reordered
    assert statistics.octets_received == 160 * len(came)


def test_keys_survive_a_bad_network() -> None:
    rig = Rig()
    rig.remote()
    stream: list[bytes] = []
    digits = "0123456789*#"
    for index in range(len(digits)):
        start = index * 20 * 160
        for number in range(20):
            sequence = len(stream)
            if number < 8:
                payload = event(index, 160 * min(number + 1, 6), end=number >= 5)
                stream.append(packet(sequence, start, payload, payload_type=101, marker=number == 0))
            else:
                stream.append(packet(sequence, start + number * 160))
    for arrived in Network(5, loss=0.2, jitter=1, duplicate=0.1).carry(stream):
        rig.step(*[(0, content) for content in arrived])
    assert "".join(told.key for told in rig.of(Digit) if isinstance(told, Digit)) == digits


def test_junk_is_counted_and_ignored() -> None:
    rig = Rig()
    rig.remote()
    rig.step((0, b"hello"), (0, b""), (0, packet(1, 160, payload_type=99)), (0, packet(2, 320, bytes(1400))))
    rig.step((0, packet(3, 480)))
    statistics = rig.phase.statistics(0, rig.now)
    assert statistics.packets_invalid == 4
    assert len(rig.of(FirstRtp)) == 1


def test_a_flood_from_the_peer_is_cut() -> None:
    rig = Rig()
    rig.remote()
    rig.step(*[(0, packet(n, n * 160)) for n in range(100)])
    assert rig.phase.intake.flooded == 92


def test_media_before_the_remote_is_known_is_dropped() -> None:
    rig = Rig()
    rig.step((0, packet(1, 160)))
    assert rig.phase.statistics(0, rig.now).packets_received == 0


def test_many_rows_are_as_many_single_ones() -> None:
    """Rows of one tick do what each would do alone: different codecs, lengths, losses."""
    rows = 12
    together, alone = Rig(rows), [Rig() for _ in range(rows)]
    networks = [list(Network(n, loss=0.1, jitter=2, duplicate=0.1).carry(stream(n))) for n in range(rows)]
    for row in range(rows):
        together.remote(row)
        alone[row].remote()
    for tick in range(150):
        arrived = [network[tick] if tick < len(network) else [] for network in networks]
        together.step(*[(row, content) for row in range(rows) for content in arrived[row]])
        for row in range(rows):
            alone[row].step(*[(0, content) for content in arrived[row]])
            mine = together.phase.intake.jitter._last[row]
            assert (mine == alone[row].phase.intake.jitter._last[0]).all()
    for row in range(rows):
        one, other = together.phase.statistics(row, 0.0), alone[row].phase.statistics(0, 0.0)
        fields = [field for field in one.__struct_fields__ if field not in ("local_ssrc",)]
        assert [getattr(one, field) for field in fields] == [getattr(other, field) for field in fields]


def stream(seed: int) -> list[bytes]:
    """Packets of 10 to 60 ms, one kind per seed, with random audio."""
    random = np.random.default_rng(seed)
    size = (80, 160, 160, 240, 320, 480)[seed % 6]
    kind = 8 if seed % 2 else 0
    return [
        packet(
            n,
            n * size,
            random.integers(0, 255, size).astype(np.uint8).tobytes(),
            payload_type=kind,
            ssrc=seed,
        )
        for n in range(100)
    ]


def test_rows_are_used_again_with_nothing_left_over() -> None:
    rig = Rig()
    rig.remote()
    rig.play_tone(5000)
    rig.phase.send_digits(0, 9, "1", 100, 100)
    for number in range(20):
        rig.step((0, packet(number, number * 160, b"\x10" * 160)))
    rig.phase.close(0, rig.now)
    assert rig.step() == {}
    rig.phase.open(0, 2, "rig", rig.now)
    rig.events.clear()
    statistics = rig.phase.statistics(0, rig.now)
    assert (statistics.packets_received, statistics.packets_sent, statistics.remote_address) == (0, 0, None)
    rig.remote()
    sent = rig.step()[0]
    assert sent.silent
    assert sent.marker
    assert not rig.phase.intake.jitter.read(1).any()


@pytest.mark.parametrize("frames", [1, 20])
@pytest.mark.parametrize("codec", ["PCMU", "G722"])
def test_ticks_do_nothing_for_a_row_whose_leg_has_ended(codec: str, frames: int) -> None:
    rig = Rig(rows=2)  # the other row's leg goes on, so the first is in all of its ticks
    speaking = (8000 * np.sin(np.arange(160 * frames) / 3) + 50).astype(np.int16)
    for row in range(2):
        rig.remote(row, codec=codec, receive={0: "PCMU", 9: "G722"}, ptime=40)
        rig.phase.listen(row, True, SpeechDetection(start_ms=20, stop_ms=60), True)
    rig.play_tone(5000)
    rig.play_tone(5000, over=True)
    rig.phase.send_digits(0, 9, "1", 100, 100)
    rig.listen(np.concatenate([speaking, np.frombuffer(tones.source(tones.dtmf("5", 60)).pcm, np.int16)]))
    rig.phase.close(0, rig.now)
    rig.step()
    rig.events.clear()
    for _ in range(1000):  # 20 seconds: long enough for what notices that nothing comes
        assert set(rig.step()) <= {1}
    assert all(row == 1 for row, _, _ in rig.phase.events)
    assert rig.of(NoRtp)  # of the other row
    assert len(rig.events) == 1
    rig.phase.open(0, 2, "rig", rig.now)
    rig.remote(0)
    assert rig.step()[0].silent
    assert not rig.phase.intake.jitter.read(1).any()
    assert rig.phase.statistics(0, rig.now).frames_concealed == 0


def test_missed_ticks_move_time_but_not_sequence() -> None:
    rig = Rig()
    rig.remote()
    first = rig.step()[0]
    rig.phase.skip(3)
    second = rig.step()[0]
    assert second.timestamp == (first.timestamp + 4 * 160) & 0xFFFFFFFF
    assert second.sequence == (first.sequence + 1) & 0xFFFF


def test_rtcp_on_the_rtp_port_is_handed_on() -> None:
    rig = Rig()
    rig.remote(rtcp_mux=True)
    report = struct.pack("!BBHI", 0x80, 201, 1, 5)
    rig.step((0, report))
    assert rig.phase.rtcp == [(0, report, PEER)]
    rig.phase.hear_rtcp(0, report, PEER, 0.0)
    rig.phase.hear_rtcp(0, report, ("8.8.8.8", 1), 0.0)
    assert rig.phase.statistics(0, rig.now).rtcp_received == 1
    assert rig.phase.rtcp_destination(0) == (*PEER, True)


def test_where_rtcp_goes() -> None:
    rig = Rig()
    assert rig.phase.rtcp_destination(0) is None
    rig.remote()
    assert rig.phase.rtcp_destination(0) == (PEER[0], PEER[1] + 1, False)
    rig.remote(rtcp_port=50_001)
    assert rig.phase.rtcp_destination(0) == (PEER[0], 50_001, False)
    rig.step((0, packet(1, 160), ("192.0.2.99", 1024)))
    assert rig.phase.rtcp_destination(0) == ("192.0.2.99", 1025, False)
    rig.phase.hear_rtcp(0, struct.pack("!BBHI", 0x80, 201, 1, 5), ("192.0.2.99", 7777), 0.0)
    assert rig.phase.rtcp_destination(0) == ("192.0.2.99", 7777, False)


def test_ipv6() -> None:
    rig = Rig(family=socket.AF_INET6)
    rig.remote(host="2001:db8::7")
    rig.step((0, packet(1, 160), ("2001:db8::99", 5000)))
    assert rig.of(FirstRtp) == [FirstRtp("2001:db8::99", 5000)]
    rig.step((0, packet(2, 320), ("2001:db8:1::99", 5000)))
    assert rig.phase.statistics(0, rig.now).packets_wrong_source == 1


def test_a_tone_and_silence_and_a_loop() -> None:
    rig = Rig()
    rig.remote()
    samples = np.frombuffer(tones.source(Tone((440.0,), 40)).pcm, np.int16)
    rig.play([Segment(rig.clip(samples), len(samples)), Segment(-1, 320)], loop=2)
    heard = [rig.step()[0].silent for _ in range(10)]
    assert heard == [False, False, True, True, False, False, True, True, True, True]
