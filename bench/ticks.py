"""How a media worker kept time while something was measured: counters' differences, not its whole life's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ringback.media.plane import TickStatistics


class Ticks(msgspec.Struct, frozen=True):
    """A worker's counters so far; with `since`, those of a window."""

    slow: int
    """Ticks that took more than 20 ms."""
    late: int
    """Ticks that began more than 5 ms late."""
    overruns: int
    """Frames left out because a tick came a whole frame late."""
    p99_ms: float
    """Of the last 2048 ticks, some ten seconds."""

    @classmethod
    def of(cls, told: TickStatistics | Mapping[str, Any]) -> Ticks:
        """As the media plane or `/health` tells them."""
        known = told if isinstance(told, Mapping) else msgspec.structs.asdict(told)
        return cls(known["slow"], known["late"], known["overruns"], known["tick_p99_ms"])

    @classmethod
    def together(cls, each: Iterable[Ticks]) -> Ticks:
        """Of several workers: all that were not in time, and the longest of what the others took."""
        known = list(each)
        return cls(
            sum(ticks.slow for ticks in known),
            sum(ticks.late for ticks in known),
            sum(ticks.overruns for ticks in known),
            max(ticks.p99_ms for ticks in known),
        )

    def since(self, before: Ticks) -> Ticks:
        """What was added since an earlier moment."""
        return Ticks(
            self.slow - before.slow, self.late - before.late, self.overruns - before.overruns, self.p99_ms
        )

    @property
    def kept(self) -> bool:
        """No tick took more than 20 ms, and none was left out."""
        return not (self.slow or self.overruns)

    def __str__(self) -> str:
        return f"{self.slow}/{self.late}/{self.overruns}"


PULSE = 1.1
"""Seconds in which a media worker has told its counters again."""
HEADING = "ticks >20 ms/late/left out"
"""What `str` of a window shows."""
