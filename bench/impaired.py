"""Networks that lose and delay packets, the same way each time for the same seed."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

INTERVAL = 0.02
"""Seconds between packets."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to packets on their way.

    `loss` is their lost share, in bursts that are `burst` packets long on average (1: each lost or not
    whatever became of the one before). `jitter` is what they are held up by, in ms: anything up to that,
    evenly (`uniform`); or on average that, with half of it as standard deviation (`normal`); or nothing but
    for 0.5 s in every 5 s, in which it is `uniform` (`spells`). Where they are `ordered`, none overtakes
    another.
    """

    loss: float = 0.0
    burst: float = 1.0
    jitter: float = 0.0
    shape: Literal["uniform", "normal", "spells"] = "uniform"
    ordered: bool = False

    def lost(self, count: int, chance: np.random.Generator) -> Bool:
        """Which of so many packets are lost (Gilbert's two states)."""
        draws = chance.random(count)
        if self.burst <= 1:
            return draws < self.loss
        begins = self.loss / (self.burst * (1 - self.loss))
        gone, state = np.zeros(count, np.bool_), False
        for number, draw in enumerate(draws.tolist()):
            state = draw >= 1 / self.burst if state else draw < begins
            gone[number] = state
        return gone

    def held_up(self, count: int, chance: np.random.Generator) -> Float:
        """By how many seconds so many packets are late, lost ones as well."""
        if self.shape == "normal":
            held = np.maximum(chance.normal(self.jitter, self.jitter / 2, count), 0.0)
        else:
            held = chance.uniform(0.0, self.jitter, count)
        if self.shape == "spells":
            held[np.arange(count) * INTERVAL % 5.0 >= 0.5] = 0.0
        held /= 1000
        if self.ordered:
            sent = np.arange(count) * INTERVAL
            held = np.maximum.accumulate(sent + held) - sent
        return held

    def __str__(self) -> str:
        parts = []
        if self.loss:
            parts.append(f"{self.loss:.0%} lost" + (f", {self.burst:g} at a time" if self.burst > 1 else ""))
        if self.jitter:
            order = ", in order" if self.ordered else ""
            parts.append(f"jitter {self.jitter:g} ms {self.shape}{order}")
        return "; ".join(parts) or "nothing lost, no jitter"
