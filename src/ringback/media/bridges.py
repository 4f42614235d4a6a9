"""Who hears whom in a worker: pairs of rows.

Rows here are the worker's: phase and row within it in one number.
"""

from __future__ import annotations

from collections.abc import Sequence

from ringback.media.exchange import NOBODY
from ringback.media.tick import Phase


class Bridges:
    """Each row has one partner at most."""

    def __init__(self, phases: Sequence[Phase]) -> None:
        self._phases = phases
        self._partners: dict[int, int] = {}

    def join(self, row: int, partner: int) -> None:
        """The two hear each other from now on, in place of whom they heard before."""
        if self._partners.get(row) == partner:
            return
        self.part(row)
        self.part(partner)
        if row != partner:
            for one, other in ((row, partner), (partner, row)):
                self._partners[one] = other
                self._connect(one, other)

    def part(self, row: int) -> None:
        """The row and its partner hear nobody any more. Nothing happens to a row without one."""
        partner = self._partners.pop(row, None)
        if partner is not None:
            del self._partners[partner]
            self._connect(row, NOBODY)
            self._connect(partner, NOBODY)

    def pass_keys(self, number: int) -> None:
        """Keys that were pressed in a phase are pressed at the partners, in the form that these take."""
        phase = self._phases[number]
        for row, key in phase.keys:
            partner = self._partners.get(row * len(self._phases) + number)
            if partner is not None:
                self._phases[partner % len(self._phases)].pass_key(partner // len(self._phases), key)
        phase.keys.clear()

    def _connect(self, row: int, partner: int) -> None:
        self._phases[row % len(self._phases)].corner.connect(row // len(self._phases), partner)
