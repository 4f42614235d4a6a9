"""Orders and blocks in, audio out; no disk, no process."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from ringback.media.recorder import DEPTH, File, Recorder, Take
from ringback.media.tape import SAMPLES, Tape
from ringback.media.tapline import (
    Block,
    Hello,
    Int16,
    Order,
    Pause,
    Reader,
    Start,
    Stop,
    encode_block,
    encode_order,
)


class Memory:
    """A file that is none, and is full at some point."""

    def __init__(self, path: str, channels: int) -> None:
        if path.startswith("/nowhere"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        self.room = 10**9 if not path.startswith("/full") else 8000
        self.channels = channels
        self.parts: list[Int16] = []
        self.committed = 0

    @property
    def samples(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def audio(self) -> Int16:
        return np.concatenate(self.parts)

    def append(self, audio: Int16) -> None:
        assert audio.shape[1] == self.channels
        if self.samples + len(audio) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.parts.append(audio.copy())

    def append_silence(self, samples: int) -> None:
        self.append(np.zeros((samples, self.channels), np.int16))

    @property
    def disk(self) -> int:
        return 1

    def commit(self) -> None:
        self.committed = self.samples

    def sync(self) -> None: ...
    def sync_disk(self) -> bool:
        return True

    def close(self) -> None: ...


class Desk:
    """A recorder, what it wrote and what it said."""

    def __init__(self) -> None:
        self.files: list[Memory] = []
        self.ended: dict[int, str | None] = {}
        self.recorder = Recorder(self._open, self._written, self._ended)
        self.recorder.obey(Hello(0, 8))

    def _open(self, path: str, channels: int) -> File:
        file = Memory(path, channels)
        self.files.append(file)
        return file

    def _written(self, take: Take) -> None:
        assert isinstance(take.file, Memory)
        assert take.file.committed == take.file.samples

    def _ended(self, id: int, file: File | None, error: str | None, interrupted: str | None) -> None:
        self.ended[id] = error or interrupted

    def start(self, id: int = 1, *, row: int = 3, tick: int = 0, path: str = "/x", channels: int = 2) -> None:
        self.recorder.obey(Start(row, tick, id, path, channels, "both"))

    def talk(self, first: int, last: int, row: int = 3) -> None:
        """Blocks of the ticks `first` to `last`: the tick is heard, and its negative sent."""
        for tick in range(first, last):
            self.recorder.take(Block(tick, np.array([row]), frame(tick)[None], np.zeros((1, 2), np.int64)))


def frame(tick: int) -> Int16:
    return np.stack([np.full(SAMPLES, tick + 1), np.full(SAMPLES, -tick - 1)]).astype(np.int16)


def ticks(audio: Int16, channel: int = 0) -> list[int]:
    """What `Desk.talk` said, frame by frame; 0 is silence."""
    frames = audio[:, channel].reshape(-1, SAMPLES)
    assert (frames == frames[:, :1]).all()
    return [abs(int(value)) for value in frames[:, 0]]


def test_what_is_heard_and_sent_is_on_its_channel() -> None:
    desk = Desk()
    desk.start(tick=5)
    desk.talk(5, 70)
    desk.recorder.obey(Stop(3, 70, 1))
    [file] = desk.files
    assert ticks(file.audio, 0) == ticks(file.audio, 1) == list(range(6, 71))
    assert (file.audio[:, 0] == -file.audio[:, 1]).all()
    assert desk.ended == {1: None}


def test_little_waits() -> None:
    desk = Desk()
    desk.start()
    for tick in range(200):
        desk.talk(tick, tick + 1)
        assert desk.files[0].samples >= (tick + 1 - DEPTH) * SAMPLES


def test_what_is_lost_becomes_silence() -> None:
    desk = Desk()
    desk.start()
    desk.talk(0, 10)
    desk.talk(12, 20)
    desk.talk(500, 510)
    desk.recorder.obey(Stop(3, 600, 1))
    heard = ticks(desk.files[0].audio)
    assert len(heard) == 600
    assert heard[:20] == [*range(1, 11), 0, 0, *range(13, 21)]
    assert heard[500:510] == list(range(501, 511))
    assert not any(heard[20:500] + heard[510:])


def test_pauses() -> None:
    desk = Desk()
    for id in (1, 2):
        desk.start(id)
    desk.talk(0, 10)
    desk.recorder.obey(Pause(3, 10, 1, True, True))
    desk.recorder.obey(Pause(3, 10, 2, True, False))
    desk.talk(10, 40)
    for id in (1, 2):
        desk.recorder.obey(Pause(3, 60, id, False, True))
    desk.talk(60, 65)
    for id in (1, 2):
        desk.recorder.obey(Stop(3, 65, id))
    silent, short = desk.files
    assert ticks(silent.audio) == [*range(1, 11), *[0] * 50, *range(61, 66)]
    assert ticks(short.audio) == [*range(1, 11), *range(61, 66)]


def test_recordings_of_one_row_begin_and_end_on_their_own() -> None:
    desk = Desk()
    desk.start(1)
    desk.talk(0, 30)
    desk.start(2, tick=30)
    desk.talk(30, 50)
    desk.recorder.obey(Stop(3, 50, 1))
    desk.talk(50, 60)
    desk.recorder.obey(Stop(3, 60, 2))
    desk.talk(60, 70)
    assert ticks(desk.files[0].audio) == list(range(1, 51))
    assert ticks(desk.files[1].audio) == list(range(31, 61))
    desk.start(3, tick=70)
    desk.talk(70, 75)
    desk.recorder.obey(Stop(3, 75, 3))
    assert ticks(desk.files[2].audio) == list(range(71, 76))


def test_a_full_disk_is_one_recordings_trouble() -> None:
    desk = Desk()
    desk.start(1, path="/full")
    desk.start(2, row=4)
    desk.start(3, path="/nowhere/x")
    for tick in range(100):
        block = Block(tick, np.array([3, 4]), np.stack([frame(tick)] * 2), np.zeros((2, 2), np.int64))
        desk.recorder.take(block)
    desk.recorder.obey(Stop(4, 100, 2))
    assert desk.ended == {
        1: "No space left on device",
        2: None,
        3: "No such file or directory",
    }
    assert ticks(desk.files[0].audio) == list(range(1, 51))
    assert ticks(desk.files[1].audio) == list(range(1, 101))
    desk.recorder.obey(Stop(3, 100, 1))
    desk.recorder.obey(Pause(3, 100, 1, True, True))


def test_a_worker_that_is_gone_leaves_what_it_said() -> None:
    desk = Desk()
    desk.start(1)
    desk.start(2, row=5)
    desk.talk(0, 33)
    desk.recorder.close("gone")
    assert ticks(desk.files[0].audio) == list(range(1, 34))
    assert desk.ended == {1: "gone", 2: "gone"}
    desk.start(3, row=6)
    desk.recorder.fail(3, "the disk is broken")
    desk.recorder.fail(4, "never heard of")
    assert desk.ended[3] == "the disk is broken"


def test_mixed_without_overflow_and_one_side_alone() -> None:
    loud = np.full((1, 2, SAMPLES), 30_000, np.int16)
    assert np.array_equal(Tape(1, "both").cut(loud), np.full((SAMPLES, 1), 32767))
    assert np.array_equal(Tape(1, "both").cut(-loud), np.full((SAMPLES, 1), -32768))
    uneven = frame(6)[None]
    assert np.array_equal(Tape(1, "inbound").cut(uneven), np.full((SAMPLES, 1), 7))
    assert np.array_equal(Tape(1, "outbound").cut(uneven), np.full((SAMPLES, 1), -7))
    one, other = Tape(2, "inbound").cut(uneven), Tape(2, "outbound").cut(uneven)
    assert isinstance(one, np.ndarray)
    assert isinstance(other, np.ndarray)
    assert one[0].tolist() == [7, 0]
    assert other[0].tolist() == [0, -7]


def test_the_line_takes_any_pieces_and_nothing_foreign() -> None:
    orders: list[Order] = [Hello(1, 8), Start(1, 2, 3, "/x", 1, "both"), Stop(1, 9, 3)]
    block = Block(7, np.array([1, 5]), np.stack([frame(1), frame(2)]), np.array([[1, 0], [52, 3]]))
    stream = b"".join([*map(encode_order, orders[:2]), *encode_block(block), encode_order(orders[2])])
    for size in (1, 13, 700, len(stream)):
        reader = Reader()
        said = [m for at in range(0, len(stream), size) for m in reader.feed(stream[at : at + size])]
        assert said[:2] + said[3:] == orders
        heard = said[2]
        assert isinstance(heard, Block)
        assert heard.tick == 7
        assert heard.rows.tolist() == [1, 5]
        assert (heard.frames == block.frames).all()
        assert (heard.lags == block.lags).all()
    with pytest.raises(ValueError, match="octets"):
        list(Reader().feed(b"\xff" * 16))
    with pytest.raises(ValueError, match="Expected `array`"):
        list(Reader().feed(b"\1" + bytes(15) + b"\1"))


def test_rows_that_there_are_none_of_are_an_error() -> None:
    desk = Desk()
    with pytest.raises(ValueError, match="row 8 of 8"):
        desk.start(row=8)
    with pytest.raises(ValueError, match="rows up to 9"):
        desk.talk(0, 1, row=9)
