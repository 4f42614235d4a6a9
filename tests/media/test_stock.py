"""What goes to a worker of the sources that are played, when, and what makes room."""

from __future__ import annotations

import asyncio

import pytest

from ringback.media import protocol
from ringback.media.model import Playable, Silence
from ringback.media.source import Source
from ringback.media.stock import SLICE, Stock


class Worker:
    """Keeps what it is sent; `turns` counts how often others were let by."""

    def __init__(self, budget: int = 4 * SLICE) -> None:
        self.turns = 0
        self.sent: list[protocol.Upload | protocol.Forget] = []
        self.stock = Stock(budget, self.sent.append, self._give_way)

    async def _give_way(self) -> None:
        self.turns += 1
        await asyncio.sleep(0)

    def held(self, number: int) -> bytes:
        """What came of a source."""
        held = b""
        for command in self.sent:
            if isinstance(command, protocol.Upload) and command.source == number:
                assert command.offset == len(held)
                held += command.data
        return held


async def test_a_short_source_goes_at_once_and_once() -> None:
    worker = Worker()
    sources: list[Playable] = [Source("a", b"\1\2" * 100), Silence(20), Source("a", b"\1\2" * 100)]
    assert worker.stock.supply(sources) is None
    assert worker.stock.supply(sources) is None
    assert worker.sent == [protocol.Upload(1, 200, 0, b"\1\2" * 100)]
    assert worker.stock.segments(sources) == [
        protocol.Segment(1, 100),
        protocol.Segment(-1, 160),
        protocol.Segment(1, 100),
    ]


async def test_a_long_source_goes_in_slices_between_which_others_have_their_turn() -> None:
    worker = Worker()
    long = Source("long", bytes(range(256)) * (3 * SLICE // 256) + b"\1\2")
    missing = worker.stock.supply([long])
    assert missing is not None
    assert worker.stock.supply([Source("short", bytes(200))]) is None
    assert worker.held(2) == bytes(200)
    assert not worker.held(1)
    assert worker.stock.supply([long]) is missing
    await missing
    assert worker.stock.supply([long]) is None
    assert worker.held(1) == long.pcm
    assert worker.turns == 4


async def test_other_rates_are_converted_on_the_way() -> None:
    worker = Worker()
    wide = Source("wide", bytes(32_000), 16_000)
    while (missing := worker.stock.supply([wide])) is not None:
        await missing
    [segment] = worker.stock.segments([wide])
    assert segment.samples == 8000
    assert len(worker.held(1)) == 16_000


async def test_the_least_recently_played_make_room() -> None:
    worker = Worker(budget=100_000)
    for key in "abcabde":
        assert worker.stock.supply([Source(key, bytes(30_000))]) is None
    assert [key for key in "abcde" if key in worker.stock] == ["b", "d", "e"]
    assert [command.source for command in worker.sent if isinstance(command, protocol.Forget)] == [3, 1]
    with pytest.raises(ValueError, match="keeps at most"):
        worker.stock.supply([Source("huge", bytes(100_002))])


async def test_what_is_on_its_way_or_wanted_together_makes_no_room() -> None:
    worker = Worker(budget=2 * SLICE)
    long, wanted = Source("long", bytes(SLICE + 2)), [Source(key, bytes(SLICE)) for key in "ab"]
    missing = worker.stock.supply([long])
    assert missing is not None
    assert worker.stock.supply(wanted) is None
    assert all(key in worker.stock for key in ("long", "a", "b"))
    await missing
    assert worker.stock.supply([Source("c", bytes(100))]) is None
    assert "long" not in worker.stock


async def test_nothing_more_goes_to_a_worker_that_is_gone() -> None:
    worker = Worker()
    missing = worker.stock.supply([Source("long", bytes(3 * SLICE))])
    assert missing is not None
    worker.stock.close()
    with pytest.raises(asyncio.CancelledError):
        await missing
    assert not worker.sent
