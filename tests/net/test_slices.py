"""Work in slices: the same result, and everything else goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ringback.net import slices
from ringback.net.slices import gradually


async def test_the_result_is_the_list() -> None:
    assert await gradually(n * n for n in range(1000)) == [n * n for n in range(1000)]
    assert await gradually(()) == []


async def test_others_get_their_turn_after_every_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)
    log: list[str] = []

    def work() -> Iterator[int]:
        for n in range(3):
            log.append("work")
            yield n

    async def other() -> None:
        for _ in range(3):
            log.append("other")
            await asyncio.sleep(0)

    await asyncio.gather(gradually(work()), other())
    assert log == ["work", "other"] * 3
