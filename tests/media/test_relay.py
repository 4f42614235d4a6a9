"""What the far end sees of a relayed stream: numbers, times, markers, payload types."""

from __future__ import annotations

import itertools
import struct

import pytest
from tests.media.pair import Pair, heard, likeness, packets, speaks, voice
from tests.media.rig import Network, event, packet

from ringback.media import codecs

pytestmark = pytest.mark.usefixtures("both_ways")


def talking(start: int = 0, count: int = 10, **changes: object) -> Pair:
    """A pair in the middle of a conversation, nothing kept of it."""
    pair = Pair(one=changes)
    pair.talk(packets(voice(1, count), start))
    pair.sent[1].clear()
    return pair


def test_the_stream_is_ours_and_the_payload_theirs() -> None:
    pair = Pair(one={"send_payload_type": 100})
    said = voice(1, 20)
    pair.talk(packets(said[:10]))
    last = pair.sent[1][-1]
    pair.sent[1].clear()
    pair.talk(packets(said[10:], 10))
    assert [sent.payload_type for sent in pair.sent[1]] == [100] * 10
    assert [sent.sequence for sent in pair.sent[1]] == [(last.sequence + n) & 0xFFFF for n in range(1, 11)]
    assert [sent.timestamp for sent in pair.sent[1]] == [
        (last.timestamp + n * 160) & 0xFFFFFFFF for n in range(1, 11)
    ]
    assert {sent.ssrc for sent in pair.sent[1]} == {last.ssrc} != {0xABCD}
    octets = codecs.encode(said, codecs.PCMU)
    assert [sent.payload for sent in pair.sent[1]] == [frame.tobytes() for frame in octets[10:]]
    assert pair.relays == 19
    assert pair.straight == (18 if pair.few else 0)


@pytest.mark.parametrize("start", [0, 65_530, 40_000])
def test_losses_stay_losses(start: int) -> None:
    pair = talking(start)
    said = packets(voice(1, 60), start + 10)
    pair.talk([data for n, data in enumerate(said) if n % 7 != 3])
    first = pair.sent[1][0]
    numbers = [(sent.sequence - first.sequence) & 0xFFFF for sent in pair.sent[1]]
    assert numbers == [n for n in range(60) if n % 7 != 3]
    assert [(sent.timestamp - first.timestamp) & 0xFFFFFFFF for sent in pair.sent[1]] == [
        n * 160 for n in numbers
    ]


def test_what_came_in_another_order_keeps_its_numbers() -> None:
    pair = talking()
    said = packets(voice(1, 8), 10)
    pair.relay(*((0, said[n]) for n in (0, 2, 1, 3, 5, 4, 4, 6)))
    numbers = [sent.sequence for _, sent in pair.relayed]
    assert sorted((number - min(numbers)) & 0xFFFF for number in set(numbers)) == list(range(7))
    assert len(numbers) == 8
    assert sorted({sent.timestamp for _, sent in pair.relayed}) == [
        min(sent.timestamp for _, sent in pair.relayed) + n * 160 for n in range(7)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_network_is_handed_on_as_it_is(seed: int) -> None:
    pair = talking()
    network = Network(seed, loss=0.1, jitter=2, duplicate=0.05)
    said = packets(voice(1, 200), 10)
    came: list[int] = []
    for arrived in network.carry(said):
        came += [int.from_bytes(data[2:4], "big") for data in arrived]
        pair.step(*((0, data) for data in arrived))
    got = [sent for _, sent in pair.relayed]
    assert len(got) == len(came)
    by_payload = {data[12:]: int.from_bytes(data[2:4], "big") for data in said}
    offsets = {(sent.sequence - by_payload[sent.payload]) & 0xFFFF for sent in got}
    times = {(sent.timestamp - by_payload[sent.payload] * 160) & 0xFFFFFFFF for sent in got}
    assert len(offsets) == len(times) == 1


def test_markers_pass_and_begin_what_is_new() -> None:
    pair = talking()
    pair.talk([packet(10 + n, (10 + n) * 160, marker=n == 5) for n in range(10)])
    assert [sent.marker for sent in pair.sent[1]] == [n == 5 for n in range(10)]


def test_a_new_source_goes_on_in_the_same_stream() -> None:
    pair = talking()
    said = voice(1, 20)
    pair.talk(packets(said[:10], 10))
    before = pair.sent[1][-1]
    pair.talk(packets(said[10:], 30_000, ssrc=99))
    after = pair.sent[1][10:]
    assert [sent.sequence for sent in after] == [(before.sequence + n) & 0xFFFF for n in range(1, 11)]
    assert [sent.timestamp for sent in after] == [
        (before.timestamp + n * 160) & 0xFFFFFFFF for n in range(1, 11)
    ]
    assert [sent.marker for sent in after] == [True] + [False] * 9
    assert {sent.ssrc for sent in after} == {before.ssrc}


def test_a_time_line_that_jumps_is_joined_up() -> None:
    pair = talking()
    pair.talk([packet(10 + n, 5_000_000 + n * 160) for n in range(10)])
    times = [sent.timestamp for sent in pair.sent[1]]
    assert {(two - one) & 0xFFFFFFFF for one, two in itertools.pairwise(times)} == {160}
    assert {(two.sequence - one.sequence) & 0xFFFF for one, two in itertools.pairwise(pair.sent[1])} == {1}


def test_a_pause_of_the_source_is_a_pause() -> None:
    pair = talking()
    last = packets(voice(1, 1), 10)
    pair.talk(last)
    pair.rest(3)
    pair.talk([packet(11, 14 * 160, marker=True)])
    first, second = pair.sent[1]
    assert (second.sequence - first.sequence) & 0xFFFF == 1
    assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == 4 * 160
    assert second.marker


def test_times_only_grow_through_many_prompts() -> None:
    pair = Pair()
    said = voice(1, 400)
    for number in range(10):
        pair.talk(packets(said[number * 40 : number * 40 + 20], number * 40))
        pair.play_tone(200, row=1)
        pair.talk(packets(said[number * 40 + 20 : number * 40 + 40], number * 40 + 20))
    sent = pair.sent[1]
    for one, two in itertools.pairwise(sent):
        assert (two.sequence - one.sequence) & 0xFFFF == 1
        assert 0 < (two.timestamp - one.timestamp) & 0xFFFFFFFF <= 320
    passed = (sent[-1].timestamp - sent[0].timestamp) & 0xFFFFFFFF
    assert abs(passed - 399 * 160) <= 2 * 160


def test_a_source_that_is_late_ever_after_is_not_shut_out() -> None:
    pair = talking()
    pair.rest(20)
    pair.sent[1].clear()
    # Its time stood still meanwhile, but for less than would count as a new time line.
    pair.talk(packets(voice(1, 30), 10))
    assert likeness(voice(1, 30), heard(pair.sent[1])) > 0.99
    assert all(
        0 < (two.timestamp - one.timestamp) & 0xFFFFFFFF < 1 << 31
        for one, two in itertools.pairwise(pair.sent[1])
    )


def test_comfort_noise_passes_where_it_is_understood() -> None:
    pair = talking()
    pair.talk([*packets(voice(1, 3), 10), packet(13, 13 * 160, b"\x40", payload_type=13)])
    assert (pair.sent[1][-1].payload_type, pair.sent[1][-1].payload) == (13, b"\x40")


def test_comfort_noise_that_is_not_understood_is_no_loss() -> None:
    pair = talking(cn_pts=frozenset())
    noise = packet(13, 13 * 160, b"\x40", payload_type=13)
    pair.talk([*packets(voice(1, 3), 10), noise, *packets(voice(1, 3), 14)])
    assert {sent.payload_type for sent in pair.sent[1]} == {0}
    assert {(two.sequence - one.sequence) & 0xFFFF for one, two in itertools.pairwise(pair.sent[1])} == {1}
    assert (pair.sent[1][3].timestamp - pair.sent[1][2].timestamp) & 0xFFFFFFFF == 320


def test_packets_longer_than_the_partner_takes_are_cut() -> None:
    pair = Pair()
    octets = codecs.encode(voice(1, 40), codecs.PCMU).reshape(-1)
    for number in range(20):
        long = packet(number, number * 320, octets[number * 320 : number * 320 + 320].tobytes())
        pair.talk([long])
        pair.rest(1)
    sizes = {len(sent.payload) for sent in pair.sent[1]}
    assert sizes == {160}
    assert likeness(voice(1, 40), heard(pair.sent[1])) > 0.99


def test_packets_shorter_than_asked_for_pass() -> None:
    pair = Pair(one={"ptime": 60})
    octets = codecs.encode(voice(1, 40), codecs.PCMU).reshape(-1)
    for number in range(40):
        parts = [(0, packet(2 * number + n, (2 * number + n) * 80, octets[:80].tobytes())) for n in range(2)]
        pair.step(*parts)
    assert {len(sent.payload) for _, sent in pair.relayed} == {80}


def test_header_extensions_and_padding_stay_behind() -> None:
    pair = talking()
    head = struct.pack("!BBHII", 0xB0, 0, 10, 1600, 0xABCD) + struct.pack("!HHI", 0xBEDE, 1, 1)
    payload = bytes(range(160))
    pair.talk([head + payload + b"\0\0\0\4"])
    [sent] = pair.sent[1]
    assert sent.payload == payload
    assert pair.phase.statistics(0, pair.now).packets_received == 11
    assert pair.phase.statistics(0, pair.now).packets_invalid == 0


def test_strangers_are_not_relayed() -> None:
    pair = talking()
    stranger = ("203.0.113.9", 4000)
    pair.relay((0, packet(10, 1600), stranger), (0, packet(10, 1600, ssrc=1), stranger))
    assert pair.relayed == []
    assert pair.phase.statistics(0, pair.now).packets_wrong_source == 2


def test_a_flood_is_cut() -> None:
    pair = talking()
    pair.relay(*((0, packet(10 + n, 1600 + n * 160)) for n in range(200)))
    pair.relay(*((0, packet(210 + n, 1600 + n * 160)) for n in range(200)))
    assert len(pair.relayed) <= 32


def test_junk_is_not_relayed() -> None:
    pair = talking()
    pair.talk([b"", b"hello", packet(10, 1600, payload_type=77), struct.pack("!BBHI", 0x80, 201, 1, 5)])
    assert pair.sent[1] == []
    pair.talk(packets(voice(1, 5), 11))
    assert len(pair.sent[1]) == 5


def test_keys_have_times_of_their_own() -> None:
    pair = talking(send_dtmf_pt=96, receive_dtmf_pts=frozenset({96}))
    pair.talk(packets(voice(1, 2), 10))
    pair.talk(
        [
            packet(12 + n, 12 * 160, event(3, 160 * (n + 1), n > 2), payload_type=101, marker=not n)
            for n in range(5)
        ]
    )
    pair.talk(packets(voice(1, 2), 17))
    audio, keys = pair.sent[1][:2], [sent for sent in pair.sent[1] if sent.payload_type == 96]
    assert [(sent.timestamp - audio[1].timestamp) & 0xFFFFFFFF for sent in keys] == [160] * 5
    assert (pair.sent[1][-1].timestamp - audio[1].timestamp) & 0xFFFFFFFF == 7 * 160
    assert {(two.sequence - one.sequence) & 0xFFFF for one, two in itertools.pairwise(pair.sent[1])} == {1}


def test_a_key_that_began_during_a_prompt_is_pressed_once() -> None:
    pair = talking()
    pair.play_tone(60, row=1)
    pair.rest(1)
    pair.talk(
        [
            packet(10 + n, 1600, event(6, 160 * (n + 1), n > 25), payload_type=101, marker=not n)
            for n in range(30)
        ]
    )
    keys = [sent for sent in pair.sent[1] if sent.payload_type == 101]
    assert len({sent.timestamp for sent in keys}) == 1
    assert len(keys) < 12


def test_counters_hold_what_was_relayed() -> None:
    pair = talking()
    before = pair.phase.statistics(1, pair.now)
    pair.talk(packets(voice(1, 50), 10))
    after = pair.phase.statistics(1, pair.now)
    assert after.packets_sent - before.packets_sent == 50
    assert after.octets_sent - before.octets_sent == 8000


def test_transcoded_packets_keep_their_places() -> None:
    pair = Pair(one=speaks("PCMA"))
    said = packets(voice(1, 40))
    pair.talk([data for n, data in enumerate(said) if n != 20])
    assert {sent.payload_type for sent in pair.sent[1]} == {8}
    steps = [(two.sequence - one.sequence) & 0xFFFF for one, two in itertools.pairwise(pair.sent[1])]
    assert sorted(steps) == [1] * (len(steps) - 1) + [2]


def test_after_a_very_long_time_nothing_is_too_late() -> None:
    pair = talking()
    relay = pair.bridges.relay
    for number in range(10, 70_000, 1000):
        relay.settle()
        pair.phase.senders.timestamp[1] += 1000 * 160
        pair.relayed.clear()
        pair.relay((0, packet(number, number * 160)), (0, packet(number - 1, number * 160 - 160)))
        pair.phase.audience.burst[:] = 0
        assert len(pair.relayed) == 2
