"""Which gateways of the carriers are there, as far as is known: from probes, and from calls that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

import msgspec

from ringback.routing.trunk import Gateway, Trunk

_REST = 30.0
"""Seconds for which a gateway that did not answer a call comes last, where no probe says more."""


class GatewayState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one. `since` is on the clock of `Gateways`; `why` is empty while it is up."""

    up: bool
    since: float
    why: str = ""


class Gateways:
    """The states of all gateways; `clock` gives seconds that never run backwards."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._states: dict[tuple[UUID, Gateway], GatewayState] = {}

    def up(self, trunk: Trunk, gateway: Gateway) -> bool:
        """Whether calls should go there. One of which nothing is known is up."""
        state = self._states.get((trunk.id, gateway))
        if state is None or state.up:
            return True
        return not trunk.options_seconds and self._clock() - state.since > _REST

    def state(self, trunk: Trunk, gateway: Gateway) -> GatewayState | None:
        """What was last heard of it; None: nothing."""
        return self._states.get((trunk.id, gateway))

    def note(self, trunk: Trunk, gateway: Gateway, why: str = "") -> bool:
        """It answered, or did not (`why`); whether that is news."""
        state = self._states.get((trunk.id, gateway))
        if state is not None and state.up == (not why) and not why:
            return False
        self._states[trunk.id, gateway] = GatewayState(up=not why, since=self._clock(), why=why)
        return state is None or state.up != (not why)

    def keep(self, trunks: Iterable[Trunk]) -> None:
        """Forget the gateways of all others."""
        known = {(trunk.id, gateway) for trunk in trunks for gateway in trunk.gateways}
        self._states = {key: state for key, state in self._states.items() if key in known}
