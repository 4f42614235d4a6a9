from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from tests.media.test_jitter import place

from ringback.media import conceal
from ringback.media.conceal import AHEAD, BLOCK, FADED, FRAME
from ringback.media.jitter import JitterBuffers

Int16 = npt.NDArray[np.int16]
Bool = npt.NDArray[np.bool_]
SAMPLES = FRAME * BLOCK
HARDLY = 1.35
"""By how much a cross-fade of sounds that do not match may be steeper than either: a click is far more."""


def voice(pitch: float, seconds: float = 1.0, seed: int = 0) -> Int16:
    """Harmonics of a pitch that falls by a tenth, with a little breath."""
    chance = np.random.default_rng(seed)
    time = np.arange(int(seconds * 8000)) / 8000
    turn = 2 * np.pi * pitch * (time - time**2 / (20 * seconds))
    wave = sum(np.sin(k * turn + k) * 6000 / k**1.5 for k in range(1, int(3400 / pitch)))
    return np.asarray(wave + chance.normal(0, 40, len(time)), np.float64).astype(np.int16)


def hear(sound: Int16, lost: set[int], size: int = SAMPLES, skew: int = 0) -> tuple[Int16, JitterBuffers]:
    """Packets of `size` samples go through a jitter buffer, and all but those `lost` come.

    With a skew the frames that are read begin so many samples after a packet.
    """
    buffers, out = JitterBuffers(1), []
    given = 0
    if skew:
        place(buffers, -skew, np.ones(skew, np.int16))
    for tick in range(len(sound) // SAMPLES):
        while given * size <= tick * SAMPLES and (given + 1) * size <= len(sound):
            if given not in lost:
                place(buffers, given * size, sound[given * size : (given + 1) * size])
            given += 1
        out.append(buffers.read(1)[0].copy())
    return np.concatenate(out)[SAMPLES + skew :], buffers


def steps(sound: Int16) -> int:
    """The largest between neighbours."""
    return int(np.abs(np.diff(sound.astype(int))).max())


def energy(sound: Int16) -> float:
    return float((sound.astype(float) ** 2).mean())


def alike(one: Int16, other: Int16) -> float:
    """From -1 to 1: the normalised correlation."""
    a, b = one.astype(float), other.astype(float)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize("pitch", [80.0, 110.0, 150.0, 210.0, 300.0])
def test_a_lost_packet_of_a_voice_is_hardly_missed(pitch: float) -> None:
    said = voice(pitch)
    heard, buffers = hear(said, {10})
    gap = slice(10 * SAMPLES, 11 * SAMPLES)
    assert alike(heard[gap], said[gap]) > 0.9
    assert 0.8 < energy(heard[gap]) / energy(said[gap]) < 1.2
    assert steps(heard) <= steps(said)
    # What came is heard as it came.
    kept = np.ones(len(heard), np.bool_)
    kept[gap] = False
    assert (heard[kept] == said[: len(heard)][kept]).all()
    assert buffers.concealed[0] == 1


@pytest.mark.parametrize("size", [40, 80, 160, 240, 320, 480])
@pytest.mark.parametrize("skew", [0, 40, 80, 120])
def test_no_gap_clicks_wherever_it_lies(size: int, skew: int) -> None:
    """Packets of any length, and frames that are read from the midst of them."""
    said = voice(130.0, 2.0, seed=size + skew)
    chance = np.random.default_rng(size + skew)
    count = len(said) // size
    lost = {int(n) for n in np.nonzero(chance.random(count) < 0.15)[0]} - {0}
    heard, _ = hear(said, lost, size, skew)
    assert lost
    assert steps(heard) <= HARDLY * steps(said)
    assert alike(heard, said[: len(heard)]) > 0.85
    assert energy(heard) > 0.7 * energy(said)


def test_a_long_gap_fades_evenly_into_silence_and_ends_without_a_click() -> None:
    said = voice(120.0, 1.0)
    lost = set(range(10, 20))
    heard, buffers = hear(said, lost)
    levels = [energy(heard[n * SAMPLES : (n + 1) * SAMPLES]) for n in range(9, 19)]
    assert all(later < before for before, later in itertools.pairwise(levels[:5]))
    assert levels[1] > 0.5 * levels[0]
    assert not heard[10 * SAMPLES + FADED * BLOCK : 19 * SAMPLES].any()
    assert steps(heard[: 20 * SAMPLES]) <= steps(said)
    # It may as well have been silence that nobody sent.
    assert buffers.concealed[0] == 0


def test_a_gap_whose_end_was_not_yet_known_is_joined() -> None:
    """The packet after the gap comes only when it is due."""
    said = voice(140.0)
    buffers, out = JitterBuffers(1), []
    for tick in range(30):
        if tick != 15:
            # The buffer holds nothing more than what is read next.
            place(buffers, tick * SAMPLES, said[tick * SAMPLES : (tick + 1) * SAMPLES])
        if tick == 0:
            buffers.read(1)
        out.append(buffers.read(1)[0].copy())
    heard = np.concatenate(out)
    assert steps(heard) <= steps(said)
    # It leads into what is true within 5 ms.
    assert (heard[16 * SAMPLES + BLOCK :] == said[16 * SAMPLES + BLOCK : 30 * SAMPLES]).all()
    assert buffers.concealed[0] == 1


def test_a_packet_that_is_late_is_joined_to_what_was_made_in_its_place() -> None:
    said = voice(140.0)
    buffers, out = JitterBuffers(1), []
    for tick in range(40):
        for number in {15: [], 17: [17, 15]}.get(tick, [tick]):
            place(buffers, number * SAMPLES, said[number * SAMPLES : (number + 1) * SAMPLES])
        out.append(buffers.read(1)[0].copy())
    heard = np.concatenate(out)
    assert steps(heard[SAMPLES:]) <= steps(said)
    assert (heard[-10 * SAMPLES :] == said[28 * SAMPLES : 38 * SAMPLES]).all()
    assert (buffers.late[0], buffers.inserted[0], buffers.concealed[0]) == (1, 1, 1)


def test_what_is_left_out_does_not_click() -> None:
    said = voice(100.0)
    buffers, out = JitterBuffers(1), []
    for tick in range(45):
        if tick < 10 or tick > 15:
            for number in [tick] if tick < 10 else [tick - 6]:
                place(buffers, number * SAMPLES, said[number * SAMPLES : (number + 1) * SAMPLES])
        if tick in (10, 13):
            buffers.advance(1, 1)
        out.append(buffers.read(1)[0].copy())
    assert steps(np.concatenate(out)[SAMPLES:]) <= HARDLY * steps(said)


def test_where_nothing_is_expected_there_is_silence() -> None:
    said = voice(120.0)
    buffers = JitterBuffers(1)
    place(buffers, 0, said[:SAMPLES])
    buffers.expect_nothing(np.array([0]))
    buffers.read(1)
    assert (buffers.read(1)[0] == said[:SAMPLES]).all()
    for _ in range(4):
        assert not buffers.read(1).any()
    assert buffers.concealed[0] == 0


def test_silence_is_concealed_by_silence() -> None:
    heard, _ = hear(np.zeros(4000, np.int16), {5, 6, 11})
    assert not heard.any()


def test_the_end_of_what_was_said_is_no_loss() -> None:
    said = voice(120.0, 0.2)
    buffers = JitterBuffers(1)
    for number in range(10):
        place(buffers, number * SAMPLES, said[number * SAMPLES : (number + 1) * SAMPLES])
        buffers.read(1)
    for _ in range(20):
        buffers.read(1)
    place(buffers, 40 * SAMPLES, said[:SAMPLES])
    buffers.read(1)
    assert buffers.concealed[0] == 0


def _gaps(rows: int) -> tuple[Int16, Bool, Bool]:
    """Lines of 16 blocks [row, sample], what of the frame in it is there, and of what follows."""
    chance = np.random.default_rng(5)
    length = SAMPLES + (FRAME + AHEAD) * BLOCK
    lines = np.stack([voice(chance.uniform(75, 250), 0.1, seed=row)[:length] for row in range(rows)])
    return lines, chance.random((rows, FRAME)) < 0.4, chance.random((rows, AHEAD)) < 0.8


def _fill(lines: Int16, have: Bool, follows: Bool, loose: Bool) -> tuple[Int16, Bool]:
    frames = lines[:, SAMPLES : 2 * SAMPLES].copy()
    gone = np.zeros(len(lines), np.int64)
    after = conceal.fill(lines[:, :SAMPLES], frames, have, lines[:, 2 * SAMPLES :], follows, gone, loose)
    return frames, after


def test_rows_do_not_touch_each_other_and_chance_plays_no_part() -> None:
    lines, have, follows = _gaps(40)
    loose = np.arange(40) % 3 == 0
    together, after = _fill(lines, have, follows, loose)
    for row in range(40):
        only = slice(row, row + 1)
        alone, loose_after = _fill(lines[only], have[only], follows[only], loose[only])
        assert (alone[0] == together[row]).all()
        assert loose_after[0] == after[row]


def test_only_gaps_are_filled() -> None:
    """Whatever is there, and led to by what is there, stays as it came."""
    lines, have, follows = _gaps(60)
    have[:, 0] = True
    have[:, 2] = True
    frames, _ = _fill(lines, have, np.ones_like(follows), np.zeros(60, np.bool_))
    for block in (0, 2):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        there = lines[:, SAMPLES : 2 * SAMPLES][:, part]
        # A single block between two gaps is too short to be led to from behind: it is cross-faded.
        same = (frames[:, part] == there).all(axis=1)
        assert same[have[:, 1:].all(axis=1)].all()
        assert block or same.all()


def test_the_loudest_voice_is_not_torn() -> None:
    wave = np.sign(np.sin(np.arange(4000) * 2 * np.pi / 77)) * 32000
    heard, _ = hear(wave.astype(np.int16), {7, 8, 13})
    assert int(np.abs(heard.astype(int)).max()) <= 32767
    gap = heard[7 * SAMPLES : 8 * SAMPLES].astype(int)
    assert alike(gap.astype(np.int16), wave[7 * SAMPLES : 8 * SAMPLES].astype(np.int16)) > 0.8
