"""The SIP side of a server, put together: the endpoint, the devices that register here, the carriers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from ringback.calls.application import Dialect
from ringback.calls.doorkeeper import DeviceAuthenticator, Doorkeeper
from ringback.calls.engine import Engine
from ringback.calls.enrolment import Enrolment
from ringback.calls.placing import Placing
from ringback.calls.reception import Reception
from ringback.calls.requests import InDialogRequests
from ringback.config import Settings
from ringback.config.tables import DevicesSection
from ringback.housekeeping import beside, repeat
from ringback.net.clock import utcnow
from ringback.net.guard import AddressPolicy
from ringback.net.own import own_address
from ringback.routing.bindings import StoredBindings
from ringback.routing.carrier_hosts import CarrierHosts
from ringback.routing.carriers import Carriers
from ringback.routing.directory import Directory, Trunk
from ringback.routing.failures import Failures
from ringback.routing.gateways import Gateways
from ringback.routing.keepalive import KeepAlive
from ringback.routing.limits import Limits
from ringback.routing.outbound import Surroundings
from ringback.routing.reach import Reach
from ringback.routing.registrar import Binding, Registrar
from ringback.sip.admission import Admission
from ringback.sip.endpoint import SipEndpoint
from ringback.sip.flow import Trace, join_host_port, parse_listen
from ringback.sip.inbound import InboundCall
from ringback.sip.incoming import IncomingRequest
from ringback.sip.uri import NameAddr, Uri

_EXPIRE_SECONDS = 30.0
_LOOK_UP_SECONDS = 60.0
"""Between two look-ups of where the carriers are."""


class Telephony:
    """Opened part by part, as the other parts of the server come to be; all of it is closed with the stack.

    `open` answers whoever calls with 503, until `receive` has said who takes calls and
    `endpoint.refuse_new(None)` lets them in.
    """

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        policy: AddressPolicy,
        stack: contextlib.AsyncExitStack,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._stack = stack
        self._registrar = _registrar(settings.devices)
        self._carrier_hosts = CarrierHosts(directory)
        self._reach = Reach(
            policy, directory, self._registrar, self._carrier_hosts, proxies=settings.devices.proxies
        )
        self._look_up = asyncio.Event()
        self._reception: Reception | None = None
        self._enrolment: Enrolment | None = None
        self.gateways = Gateways(time.monotonic)
        self.endpoint: SipEndpoint
        self.carriers: Carriers

    # -- opening

    async def open(self, on_trace: Callable[[Trace], None] | None, admission: Admission) -> None:
        """Open the listening points. `admission` says whether there is time for a new call.

        Raises OSError: a listening point is taken.
        """
        self.endpoint = SipEndpoint(
            advertise=self._settings.server.advertise,
            on_invitation=self._invited,
            on_register=self._registering,
            methods=InDialogRequests.METHODS,
            supported=("replaces",),
            on_trace=on_trace,
            address_allowed=self._reach.allows,
            admission=admission,
        )
        self._stack.push_async_callback(self.endpoint.stop, 1.0)
        # Whoever calls before everything is there is told to come back, not left unanswered.
        self.endpoint.refuse_new(503, retry_after=1)
        await self.endpoint.start(self._settings.server.sip)

    def placing(self, limits: Limits) -> Placing:
        """How calls are placed from here."""
        host, _ = self.address
        around = Surroundings(
            registered=self.contacts,
            may_reach=lambda uri: self._reach.refusal(uri.host),
            local_hosts=self._local_hosts(host),
            carriers_at=self._carrier_hosts.of,
            gateway_up=self.gateways.up,
        )
        return Placing(
            self._directory,
            around,
            limits,
            self.gateways,
            domain=host,
            verify_caller_id=self._settings.calls.verify_caller_id,
        )

    async def receive(
        self, engine: Engine, dialects: Mapping[str, Dialect], authenticator: DeviceAuthenticator
    ) -> None:
        """Who takes calls and registrations from now on; who was registered in an earlier life, still is.

        `authenticator`: for devices whose password only their account's web application knows.
        """
        devices = self._settings.devices
        doorkeeper = Doorkeeper(
            self._directory,
            Failures(time.monotonic, burst=devices.failures, per_minute=devices.failures_per_minute),
            authenticator,
            algorithms=self._settings.server.digest_algorithms,
        )
        bindings = StoredBindings(engine.store)
        enrolment = Enrolment(self._directory, self._registrar, bindings, doorkeeper, self._reach)
        await enrolment.restore()

        async def expire() -> None:
            enrolment.expire()

        repeat(self._stack, _EXPIRE_SECONDS, expire)
        if devices.keep_alive != "never":
            self._keep_devices_alive(enrolment, devices)
        self._enrolment = enrolment
        self._reception = Reception(engine, self._directory, dialects, doorkeeper)

    def _keep_devices_alive(self, enrolment: Enrolment, devices: DevicesSection) -> None:
        async def ask(binding: Binding) -> int:
            sender = NameAddr(Uri(host=self.endpoint.local_address(binding.target)))
            pending = self.endpoint.request(
                "OPTIONS", binding.target, from_=sender, to=NameAddr(binding.uri), route=binding.route
            )
            return (await pending).status

        keep_alive = KeepAlive(
            enrolment.registered,
            ask,
            enrolment.drop,
            everybody=devices.keep_alive == "always",
            tries=devices.keep_alive_tries,
        )
        beside(self._stack, keep_alive.run(devices.keep_alive_seconds))

    def join_carriers(self) -> None:
        """Register at the carriers that want it, probe them, and find out where they are."""
        self.carriers = Carriers(self.endpoint, self.gateways)
        self._stack.callback(self.carriers.close)
        self.carriers.apply(self._directory.all(Trunk))
        beside(self._stack, self._keep_carriers_known())

    async def _keep_carriers_known(self) -> None:
        while True:
            self._look_up.clear()
            await self._carrier_hosts.refresh(self.endpoint.locate)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look_up.wait(), _LOOK_UP_SECONDS)

    # -- while it runs

    def sign_off(self, usernames: Iterable[str]) -> None:
        """The registrations of these devices are void."""
        if self._enrolment is not None:
            for username in usernames:
                self._enrolment.forget(username)

    def trunks_changed(self) -> None:
        """Do for the directory's trunks, as they are now, what they want."""
        self.carriers.apply(self._directory.all(Trunk))
        self._look_up.set()

    @property
    def address(self) -> tuple[str, int]:
        """The host that our URIs name, and the port: as advertised, or of the first listening point."""
        host, port = self._settings.server.advertised
        first = parse_listen(self.endpoint.listening[0])
        host, port = host or first.local_host, port or first.local_port
        return own_address() if host in ("0.0.0.0", "::") else host, port

    def contacts(self, username: str) -> Sequence[Binding]:
        """Where a device may be called: what was registered under another configuration is judged by this
        one."""
        found = self._registrar.lookup(username, utcnow().timestamp())
        return [b for b in found if self._reach.path_refusal(b.route, b.uri, b.flow) is None]

    def registered(self) -> list[Binding]:
        """The devices that are registered, contact by contact."""
        return self._enrolment.registered() if self._enrolment is not None else []

    @property
    def registrations(self) -> tuple[int, int]:
        """How many devices are registered, with how many contacts."""
        return self._registrar.size

    def _local_hosts(self, host: str) -> frozenset[str]:
        """Where a SIP URI means this server itself: its listening points, and the address it advertises."""
        flows = [parse_listen(text) for text in self.endpoint.listening]
        points = {join_host_port(flow.local_host, flow.local_port) for flow in flows}
        own = {join_host_port(host, flow.local_port) for flow in flows}
        return frozenset(points | own | ({host} if self._settings.server.advertise else set()))

    def _invited(self, session: InboundCall) -> None:
        if self._reception is not None:
            self._reception.invitation(session)

    def _registering(self, request: IncomingRequest) -> None:
        if self._enrolment is not None:
            self._enrolment.register(request)


def _registrar(devices: DevicesSection) -> Registrar:
    return Registrar(
        min_expires=devices.min_expires,
        default_expires=devices.default_expires,
        max_expires=devices.max_expires,
        max_contacts=devices.max_contacts,
        nat_expires=devices.nat_expires,
    )
