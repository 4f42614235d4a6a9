"""Who hears whom in a worker: pairs of rows, and the way that sound takes from one to the other.

A direction is *routed* when packets may pass as they come (`ringback.media.relay`): the source sends, is
neither muted nor amplified, and the target may be sent to. Whatever else a row is sent (a prompt, a whisper,
keys) its tick makes, with the partner's audio from its jitter buffer where that is to be heard as well; the
tick decides that for itself, each time.

Rows here are the worker's: phase and row within it in one number.
"""

from __future__ import annotations

from collections.abc import Sequence

from ringback.media.crossing import Crossings, Far
from ringback.media.exchange import NOBODY
from ringback.media.relay import Relay
from ringback.media.tick import Phase


class Bridges:
    """Each row has one partner at most."""

    def __init__(self, phases: Sequence[Phase], crossings: Crossings | None = None) -> None:
        self._phases = phases
        self._crossings = crossings
        self._partners: dict[int, int] = {}
        self.relay = Relay(phases[0].corner.streams, phases[0].corner.reception)

    def __contains__(self, row: int) -> bool:
        return row in self._partners

    def __len__(self) -> int:
        return len(self._partners)

    def join(self, row: int, partner: int) -> list[int]:
        """The two hear each other from now on, in place of whom they heard before.

        Returns the rows that were left alone by it.
        """
        if self._partners.get(row) == partner:
            return []
        alone = {*self.part(row), *self.part(partner)} - {row, partner}
        if row != partner:
            for one, other in ((row, partner), (partner, row)):
                self._partners[one] = other
                self._connect(one, other)
            self.refresh(row)
        return sorted(alone)

    def part(self, row: int) -> list[int]:
        """The row and its partner hear nobody any more. Returns the two; nobody where there was no bridge in
        this worker.
        """
        if self._crossings is not None and row in self._crossings:
            self._crossings.part(row)
            self._connect(row, NOBODY)
            return []
        partner = self._partners.pop(row, None)
        if partner is None:
            return []
        del self._partners[partner]
        for one, other in ((row, partner), (partner, row)):
            self._connect(one, NOBODY)
            self.relay.block(one, other)
            self.relay.reset(one)
        return [row, partner]

    def cross(self, row: int, generation: int, far: Far) -> list[int]:
        """The row hears one of another worker from now on. Returns the rows that were left alone by it."""
        alone = self.part(row)
        if self._crossings is not None:
            self._connect(row, self._crossings.join(row, generation, far))
        return alone

    def refresh(self, row: int) -> None:
        """Something about the row has changed: its peer, or how it is heard."""
        partner = self._partners.get(row)
        if partner is not None:
            self._route(row, partner)
            self._route(partner, row)

    def pass_keys(self, number: int) -> None:
        """Keys that were pressed in a phase are pressed at the partners, in the form that these take.

        Those that the relay passes as they come are on their way already.
        """
        phase = self._phases[number]
        for place, key in phase.keys:
            row = place * len(self._phases) + number
            partner = self._partners.get(row)
            if partner is not None and not self.relay.passed_key(row):
                self.press(partner, key)
            elif self._crossings is not None and row in self._crossings:
                self._crossings.press(row, key)
        phase.keys.clear()

    def press(self, row: int, key: str) -> None:
        """Press a key at a row, as a partner did."""
        phase, at = self._place(row)
        phase.pass_key(at, key)

    def _route(self, row: int, partner: int) -> None:
        (phase, at), (target, there) = self._place(row), self._place(partner)
        source, sink = phase.legs[at].remote, target.legs[there].remote
        if source is not None and sink is not None and target.senders.active[there]:
            heard = source.direction in ("sendrecv", "recvonly")
            if heard and phase.voices.plain(at):
                self.relay.route(row, partner, source, sink)
                return
        self.relay.block(row, partner)

    def _connect(self, row: int, partner: int) -> None:
        phase, at = self._place(row)
        phase.corner.connect(at, partner)

    def _place(self, row: int) -> tuple[Phase, int]:
        count = len(self._phases)
        return self._phases[row % count], row // count
