"""Which addresses SIP may go to: those that applications name are judged, configured ones are trusted."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator, Sequence

from ringback.net.guard import AddressPolicy, refusal
from ringback.routing.carrier_hosts import CarrierHosts, plain_host
from ringback.routing.directory import Directory, Trunk, trunk_networks
from ringback.routing.registrar import Registrar
from ringback.sip.core import target_host
from ringback.sip.flow import Flow
from ringback.sip.uri import Uri

_WIDEST = 7
"""The shortest prefix of a network that says where a carrier is (fc00::/7; 10.0.0.0/8). A wider one says only
that calls may come from everywhere."""


class Reach:
    """The address policy for SIP targets. Trunks and registered devices may be at private addresses."""

    def __init__(
        self,
        policy: AddressPolicy,
        directory: Directory,
        registrar: Registrar,
        carriers: CarrierHosts,
        *,
        proxies: Sequence[str] = (),
    ) -> None:
        """`proxies`: names, addresses and networks of those that devices register through."""
        self._policy = policy
        self._proxies = tuple(proxies)
        self._carriers = carriers
        self._directory = directory
        self._registrar = registrar

    def refusal(self, host: str) -> str | None:
        """Why a request must not go there. None for names: they are judged once they are addresses."""
        try:
            address = str(ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            return None
        why = refusal(address, allow_private=self._policy.allow_private)
        return None if why is None or self._is_trunk(address) or self._is_device(address) else why

    def allows(self, flow: Flow, name: str = "", peer: str = "") -> bool:
        """Whether a request may go there, which was found for `name`; `peer` is the address of the dialog's
        far end, when the request is part of one.

        A carrier is reached under its gateway's name only: who writes that goes over the trunk.
        """
        address = flow.host
        configured = self._is_trunk(name) or self._is_proxy(name)
        if not peer and not configured and self._is_carrier(flow):
            return False
        return configured or self.refusal(address) is None or self._is_beside(address, peer)

    def path_refusal(self, path: Sequence[Uri], contact: Uri, flow: Flow) -> str | None:
        """Why a device must not be called through this Path (:rfc:`3327`), which its REGISTER named that came
        on `flow`; None where it may, or where there is none."""
        if not path:
            return None
        hop = target_host(path[0])
        if not self._is_proxy(hop):
            if plain_host(hop) != plain_host(flow.host):
                return f"its Path begins at {hop}, which neither sent it nor is a configured proxy"
            if self._carriers.of(path[0]):
                return f"its Path begins at {path[0].hostport}, which is a trunk's gateway"
        return f"{contact.hostport} is a trunk's gateway" if self._carriers.of(contact) else None

    def _is_proxy(self, host: str) -> bool:
        """One that devices register through, by name or address."""
        name = plain_host(host)
        return any(name == entry.lower() or _is_within(name, entry) for entry in self._proxies)

    def _is_carrier(self, flow: Flow) -> bool:
        """Whether a gateway is there, and no device that registered from just there."""
        at = (flow.host, flow.port)
        return bool(self._carriers.at(*at)) and at not in {(f.host, f.port) for f in self._device_flows()}

    def _is_trunk(self, host: str) -> bool:
        """A configured trunk, by name or address."""
        return host.lower() in self._trunk_hosts()

    def _trunk_hosts(self) -> Iterator[str]:
        for trunk in self._directory.all(Trunk):
            for gateway in trunk.gateways:
                yield gateway.uri().host.lower()

    def _is_device(self, address: str) -> bool:
        return any(flow.host == address for flow in self._device_flows())

    def _device_flows(self) -> Iterator[Flow]:
        now = time.time()
        for name in self._registrar.usernames(now):
            for binding in self._registrar.lookup(name, now):
                yield binding.flow

    def _is_beside(self, address: str, peer: str) -> bool:
        """The carrier that the peer belongs to is there, too."""
        networks = (
            network for trunk in self._directory.trunks_from(peer) for network in trunk_networks(trunk)
        )
        return any(
            network.prefixlen >= _WIDEST and ipaddress.ip_address(address) in network for network in networks
        )


def _is_within(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
