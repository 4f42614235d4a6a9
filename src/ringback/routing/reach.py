"""Which addresses SIP may go to: those that applications name are judged, configured ones are trusted."""

from __future__ import annotations

import ipaddress
import time

from ringback.net.guard import AddressPolicy, refusal
from ringback.routing.directory import Directory, Trunk
from ringback.routing.registrar import Registrar
from ringback.sip.flow import split_address


class Reach:
    """The address policy for SIP targets. Trunks and registered devices may be at private addresses."""

    def __init__(self, policy: AddressPolicy, directory: Directory, registrar: Registrar) -> None:
        self._policy = policy
        self._directory = directory
        self._registrar = registrar

    def refusal(self, host: str) -> str | None:
        """Why a request must not go there. None for names: they are judged once they are addresses."""
        try:
            address = str(ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            return None
        why = refusal(address, allow_private=self._policy.allow_private)
        return None if why is None or address in self._trusted() else why

    def allows(self, host: str) -> bool:
        """Whether a request may go to this address."""
        return self.refusal(host) is None

    def _trusted(self) -> set[str]:
        now = time.time()
        devices = {
            binding.flow.host
            for name in self._registrar.usernames(now)
            for binding in self._registrar.lookup(name, now)
        }
        return devices | {split_address(trunk.host)[0] for trunk in self._directory.all(Trunk) if trunk.host}
