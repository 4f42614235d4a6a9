"""Long work on the event loop in slices: calls must not wait while somebody's list is made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

SLICE_SECONDS = 0.002


async def gradually(items: Iterable[T]) -> list[T]:
    """`list(items)` for what takes time to produce; the loop gets its turn after every slice."""
    made: list[T] = []
    until = time.perf_counter() + SLICE_SECONDS
    for item in items:
        made.append(item)
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + SLICE_SECONDS
    return made
