from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ringback.media.model import PlaybackDone
from ringback.media.playout import SAMPLES, Arena, Players, Playlist
from ringback.media.protocol import Play, Segment

Int16 = npt.NDArray[np.int16]
RANDOM = np.random.default_rng(2)


class Stage:
    """Players of one row with an arena of a few seconds."""

    def __init__(self) -> None:
        self.arena = Arena(200_000)
        self.players = Players(1, self.arena)
        self.sources: dict[int, Int16] = {}

    def source(self, samples: int) -> Segment:
        number = len(self.sources) + 1
        audio = RANDOM.integers(-9000, 9000, samples).astype(np.int16)
        self.sources[number] = audio
        data = audio.tobytes()
        for offset in range(0, len(data), 1000):
            self.arena.write(number, len(data), offset, data[offset : offset + 1000])
        return Segment(number, samples)

    def play(
        self, segments: list[Segment], loop: int = 1, offset: int = 0, id: int = 1
    ) -> list[PlaybackDone]:
        return self.players.play(0, Play(0, 1, id, segments, loop, offset, 0, False))

    def hear(self, frames: int) -> tuple[Int16, list[PlaybackDone]]:
        out, ended = [], []
        for _ in range(frames):
            frame = np.full((1, SAMPLES), 7, np.int16)
            ended += [done for _, done in self.players.fill(1, frame)]
            out.append(frame[0].copy())
        return np.concatenate(out), ended

    def expected(self, segments: list[Segment], loops: int, offset: int) -> Int16:
        one = [
            np.pad(self.sources[segment.source], (0, max(0, SAMPLES - segment.samples)))
            if segment.source > 0
            else np.zeros(segment.samples, np.int16)
            for segment in segments
        ]
        whole: Int16 = np.concatenate(one * loops)[offset:]
        return whole


@pytest.mark.parametrize(
    ("lengths", "loop", "offset"),
    [
        ([1600], 1, 0),
        ([1601], 1, 0),
        ([333, -500, 77], 1, 0),
        ([333, -500, 77], 4, 0),
        ([20, 30], 9, 0),
        ([1000, -160, 700], 2, 1100),
        ([1000, 700], 3, 1000),
        ([480], 1, 479),
        ([160, 160], 2, 320),
        ([20, 30], 9, 320 * 8 + 170),
        ([1000, -160, 700], 3, 1860 * 2 + 1100),
    ],
)
def test_what_is_heard_is_what_was_strung_together(lengths: list[int], loop: int, offset: int) -> None:
    stage = Stage()
    segments = [stage.source(length) if length > 0 else Segment(-1, -length) for length in lengths]
    expected = stage.expected(segments, loop, offset)
    assert stage.play(segments, loop, offset) == []
    frames = -(-len(expected) // SAMPLES)
    heard, ended = stage.hear(frames)
    assert (heard[: len(expected)] == expected).all()
    assert not heard[len(expected) :].any()
    total = len(stage.expected(segments, 1, 0))
    assert ended == [PlaybackDone(1, "completed", len(expected) // 8, total // 8)]
    assert not stage.players.active[0]


def test_a_loop_without_end_goes_on_until_stopped() -> None:
    stage = Stage()
    segment = stage.source(800)
    stage.play([segment], loop=0, offset=80)
    heard, ended = stage.hear(1000)
    assert ended == []
    assert (heard[720 : 720 + 8000] == np.tile(stage.sources[1], 10)).all()
    played = 1000 * SAMPLES
    assert stage.players.stop(0, "stopped") == [
        PlaybackDone(1, "stopped", played // 8, (80 + played) % 800 // 8)
    ]
    assert stage.players.stop(0, "stopped") == []


@pytest.mark.parametrize("segments", [[], [Segment(-1, 0)]])
@pytest.mark.parametrize("loop", [0, 1])
def test_nothing_to_play_is_done_at_once(segments: list[Segment], loop: int) -> None:
    assert Stage().play(segments, loop) == [PlaybackDone(1, "completed", 0, 0)]


def test_an_offset_beyond_the_end_is_done_at_once() -> None:
    stage = Stage()
    assert stage.play([stage.source(800)], offset=800) == [PlaybackDone(1, "completed", 0, 100)]
    assert stage.play([stage.source(800)], 5, 4001, id=2) == [PlaybackDone(2, "completed", 0, 100)]


def test_work_in_a_tick_does_not_grow_with_offsets_and_short_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0
    original = Playlist.next_part

    def counted(playlist: Playlist) -> tuple[int, int] | None:
        nonlocal looked_at
        looked_at += 1
        return original(playlist)

    monkeypatch.setattr(Playlist, "next_part", counted)
    stage = Stage()
    stage.play([stage.source(2)], loop=0, offset=24 * 3600 * 8000 + 159)
    stage.hear(100)
    assert looked_at < 400
    [done] = stage.players.stop(0, "stopped")
    assert (done.played_ms, done.offset_ms) == (2000, 19)


def test_an_unknown_source_fails() -> None:
    assert Stage().play([Segment(99, 800)])[0].reason == "failed"


def test_a_new_playback_replaces_the_old() -> None:
    stage = Stage()
    stage.play([stage.source(1600)], id=1)
    stage.hear(2)
    assert stage.play([stage.source(160)], id=2) == [PlaybackDone(1, "replaced", 40, 40)]
    heard, _ = stage.hear(1)
    assert (heard == stage.sources[2]).all()


def test_missed_frames_are_left_out() -> None:
    stage = Stage()
    stage.play([stage.source(1600)])
    stage.hear(1)
    stage.players.skip(1, 2 * SAMPLES)
    heard, _ = stage.hear(1)
    assert (heard == stage.sources[1][3 * SAMPLES : 4 * SAMPLES]).all()


def test_memory_is_used_again_but_not_under_a_playback() -> None:
    arena = Arena(40_000)
    arena.write(1, 20_000, 0, bytes(20_000))
    clip = arena.take(1)
    assert clip is not None
    arena.forget(1)
    assert arena.take(1) is None
    arena.write(2, 20_000, 0, bytes(20_000))
    assert arena.take(2) is None  # no room while the first is playing
    arena.give_back(clip)
    arena.write(2, 20_000, 0, bytes(20_000))
    assert arena.take(2) is not None


def test_freed_pieces_join() -> None:
    arena = Arena(100_000)
    for number in range(1, 10):
        arena.write(number, 10_000, 0, bytes(10_000))
    for number in (2, 4, 3, 1, 5, 9, 7, 8, 6):
        arena.forget(number)
    arena.write(20, 98_000, 0, bytes(98_000))
    assert arena.take(20) is not None
