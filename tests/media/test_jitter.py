from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from tests.media.rig import Network, packet

from ringback.media.jitter import JitterBuffers

Int16 = npt.NDArray[np.int16]
SPEECH: Int16 = (np.sin(np.arange(8000) * 0.21) * 9000).astype(np.int16)
SPEECH[SPEECH == 0] = 1


def place(buffers: JitterBuffers, timestamp: int, samples: Int16, row: int = 0) -> None:
    buffers.place(np.array([row]), np.array([timestamp & 0xFFFFFFFF]), samples[None, :])


def read(buffers: JitterBuffers, frames: int = 1) -> Int16:
    return np.concatenate([buffers.read(1)[0].copy() for _ in range(frames)])


@pytest.mark.parametrize("size", [40, 80, 120, 128, 160, 240, 320, 400, 480, 960])
@pytest.mark.parametrize("start", [0, 12345, 0xFFFFFF00])
def test_any_packetisation_comes_out_whole(size: int, start: int) -> None:
    buffers = JitterBuffers(1)
    out, given = [], 0
    for tick in range(45):
        while given + size <= len(SPEECH) and given <= tick * 160:
            place(buffers, start + given, SPEECH[given : given + size])
            given += size
        out.append(read(buffers))
    heard = np.concatenate(out)
    # One frame of delay, then every sample in its place. A start off the 5 ms grid moves it by less than a
    # block.
    first = int(np.argmax(heard != 0))
    skew = first - 160
    assert abs(skew) <= 40
    length = 6000
    assert (heard[first : first + length] == SPEECH[:length]).all()
    assert buffers.late[0] == buffers.concealed[0] == 0


def test_reordered_and_doubled_packets_come_out_in_order() -> None:
    buffers = JitterBuffers(1)
    place(buffers, 0, SPEECH[:160])
    out = [read(buffers)]
    for first in range(160, 3200, 320):
        place(buffers, first + 160, SPEECH[first + 160 : first + 320])
        place(buffers, first, SPEECH[first : first + 160])
        place(buffers, first, SPEECH[first : first + 160])
        out += [read(buffers), read(buffers)]
    heard = np.concatenate(out)
    assert (heard[160 : 160 + 3000] == SPEECH[:3000]).all()


def test_a_gap_in_a_tone_is_filled_with_the_tone() -> None:
    buffers = JitterBuffers(1)
    for number in (0, 1, 3, 4):
        place(buffers, number * 160, SPEECH[number * 160 : number * 160 + 160])
    heard = read(buffers, 5)[160:].astype(int)
    assert np.abs(heard - SPEECH[:640]).max() < 900
    assert (heard[:320] == SPEECH[:320]).all()
    assert buffers.concealed[0] == 1


def test_concealment_is_counted_only_where_later_audio_waits() -> None:
    buffers = JitterBuffers(1)
    for number in (0, 1, 3, 4):
        place(buffers, number * 160, SPEECH[number * 160 : number * 160 + 160])
    for _ in range(6):
        read(buffers)
    assert buffers.concealed[0] == 1


def test_after_the_last_packet_comes_silence() -> None:
    buffers = JitterBuffers(1)
    place(buffers, 0, SPEECH[:160])
    heard = read(buffers, 6)
    assert heard[320:480].any()
    assert not read(buffers, 3).any()


def test_comfort_noise_is_no_loss() -> None:
    buffers = JitterBuffers(1)
    place(buffers, 0, SPEECH[:160])
    buffers.expect_nothing(np.array([0]))
    read(buffers, 2)
    assert not read(buffers).any()
    assert buffers.concealed[0] == 0


def test_after_a_pause_in_time_the_place_is_kept() -> None:
    buffers = JitterBuffers(1)
    place(buffers, 0, SPEECH[:160])
    read(buffers, 100)  # two seconds of discontinuous transmission
    place(buffers, 160 * 100, SPEECH[:160])
    assert not read(buffers)[:10].any()
    assert (read(buffers) == SPEECH[:160]).all()
    assert buffers.resyncs[0] == 0


@pytest.mark.parametrize("jump", [50_000, -50_000, 1 << 31])
def test_a_jump_of_timestamps_begins_anew(jump: int) -> None:
    buffers = JitterBuffers(1)
    place(buffers, 100_000, SPEECH[:160])
    read(buffers, 2)
    place(buffers, 100_160 + jump, SPEECH[160:320])
    read(buffers)
    assert (read(buffers) == SPEECH[160:320]).all()
    assert buffers.resyncs[0] == 1


def test_late_packets_lengthen_the_delay_until_they_fit() -> None:
    """Packets that come 60 ms late now and then: once lengthened, nothing is late again."""
    buffers = JitterBuffers(1)
    network = Network(3, jitter=3)
    packets = [packet(n, n * 160) for n in range(400)]
    late_early = late_all = 0
    for tick, arrived in enumerate(network.carry(packets)):
        for content in arrived:
            sequence = int.from_bytes(content[2:4], "big")
            place(buffers, sequence * 160, SPEECH[:160])
        read(buffers)
        if tick == 100:
            late_early = int(buffers.late[0])
        late_all = int(buffers.late[0])
    assert late_early > 0
    assert late_all <= late_early + 2
    assert buffers.delay_max[0] * 5 <= 200


def test_the_delay_stays_within_200_ms() -> None:
    buffers = JitterBuffers(1)
    for number in range(20):
        place(buffers, number * 160, SPEECH[:160])
    read(buffers, 40)
    place(buffers, 20 * 160, SPEECH[:160])  # over 400 ms late, but the newest: the time line moved
    for number in range(21, 60):
        place(buffers, number * 160, SPEECH[:160])
        read(buffers)
    assert buffers.late[0] == 1
    assert buffers.delay(0) <= 200


def test_a_delay_that_is_no_longer_needed_shrinks() -> None:
    buffers = JitterBuffers(1)
    for number in range(6):
        place(buffers, number * 160, SPEECH[:160])
    for number in range(6, 1000):
        place(buffers, number * 160, SPEECH[:160] // 100)
        read(buffers)
    assert buffers.skipped[0] >= 3
    assert buffers.delay(0) <= 40
    assert buffers.late[0] == 0


def say(buffers: JitterBuffers, late: dict[int, int], until: int, quiet: range = range(0)) -> list[int]:
    """A packet a tick, some later by so many ticks, quiet ones in between. Returns the delay at each tick."""
    due: dict[int, list[int]] = {}
    delays = []
    for tick in range(until):
        due.setdefault(tick + late.get(tick, 0), []).append(tick)
        for number in due.pop(tick, []):
            place(buffers, number * 160, SPEECH[:160] // (100 if number in quiet else 1))
        read(buffers)
        delays.append(buffers.delay(0))
    return delays


def test_a_single_stray_is_given_up() -> None:
    buffers = JitterBuffers(1)
    delays = say(buffers, {150: 6, 280: 6}, 400)
    assert delays[149] == delays[160] == delays[399]
    assert (buffers.late[0], buffers.inserted[0]) == (2, 0)


def test_before_it_is_known_how_packets_come_each_is_waited_for() -> None:
    buffers = JitterBuffers(1)
    say(buffers, {20: 6, 50: 6}, 100)
    assert (buffers.late[0], buffers.inserted[0]) == (1, 5)


def test_strays_that_are_many_are_waited_for() -> None:
    buffers = JitterBuffers(1)
    delays = say(buffers, dict.fromkeys(range(150, 400, 10), 6), 400)
    assert buffers.late[0] == 2
    assert delays[399] == delays[149] + 100


def test_a_stall_is_waited_for_at_once_and_made_up_for_in_the_next_pause() -> None:
    """All packets of 120 ms come together; six seconds later, what is quiet is shortened."""
    buffers = JitterBuffers(1)
    stall = {50 + number: 6 - number for number in range(6)}
    delays = say(buffers, stall, 600, quiet=range(450, 480))
    assert delays[100] == delays[440] == delays[40] + 100
    assert delays[599] == delays[40]
    assert buffers.skipped[0] == 5
    assert buffers.late[0] == 1


def test_a_delay_that_is_needed_every_five_seconds_is_kept() -> None:
    buffers = JitterBuffers(1)
    late = {first + number: 5 - number for first in range(50, 2000, 250) for number in range(5)}
    say(buffers, late, 2000, quiet=range(0, 2000, 3))
    assert (buffers.late[0], buffers.skipped[0]) == (1, 0)


def test_missed_ticks_leave_out_what_was_due() -> None:
    buffers = JitterBuffers(1)
    for number in range(10):
        place(buffers, number * 160, SPEECH[number * 160 : number * 160 + 160])
    read(buffers, 2)
    buffers.advance(1, 3)
    # But for 5 ms in which what was heard before is led to it.
    assert (read(buffers)[40:] == SPEECH[4 * 160 + 40 : 5 * 160]).all()


def test_rows_do_not_touch_each_other() -> None:
    buffers = JitterBuffers(3)
    for number in range(5):
        piece = SPEECH[number * 160 : number * 160 + 160]
        buffers.place(np.array([2, 0]), np.array([number * 160] * 2), np.stack([piece, -piece]))
    buffers.read(3)
    frames = buffers.read(3)
    assert (frames[2] == SPEECH[:160]).all()
    assert (frames[0] == -SPEECH[:160]).all()
    assert not frames[1].any()
