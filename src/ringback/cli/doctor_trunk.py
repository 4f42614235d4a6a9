"""`ringback doctor trunk NAME`: every gateway is asked, with what it would be sent by the server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ringback.cli.finding import MARKS, Finding
from ringback.cli.printable import printable
from ringback.cli.steering import NotSteered, steer
from ringback.cli.trunk_advice import of_invite, of_options, of_register
from ringback.config import ConfigError, Settings, load
from ringback.routing.directory import Directory, Gateway, Number, Trunk
from ringback.routing.numbers import is_pattern
from ringback.routing.outbound import Destination, Route, Routed, Surroundings, route_call
from ringback.running import running_server
from ringback.sip.endpoint import SipEndpoint
from ringback.sip.events import Answered, Failed, Progress, SessionEvent
from ringback.sip.flow import join_host_port, parse_listen
from ringback.sip.locate import Locator
from ringback.sip.message import Response
from ringback.sip.negotiate import LocalMedia, make_offer
from ringback.sip.pending import Pending
from ringback.sip.uri import NameAddr, Uri

_PATIENCE = 5.0
"""Seconds that a gateway has for an answer: less than the 32 that SIP allows, enough for four attempts."""


@dataclass(frozen=True)
class TrialCall:
    """The call that is placed, if there is a number."""

    number: str = ""
    caller: str = ""
    seconds: float = 20.0


async def doctor_trunk(name: str, test: TrialCall, config: Path | None) -> int:
    """0 when every gateway is well, 1 when one is not, 2 when there is no such trunk."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        settings = load(config, look_only=True)
        trunk = _trunk(settings.directory(), name)
    except ConfigError as error:
        for problem in error.problems:
            errors.print(problem, style="red", markup=False, soft_wrap=True)
        return 2
    worst = False
    async for finding in examined(settings, trunk, test):
        console.print(f"{MARKS[finding.level]} {escape(printable(finding.what))}", soft_wrap=True)
        if finding.advice:
            console.print(f"    {escape(finding.advice)}", soft_wrap=True)
        worst = worst or finding.level == "error"
    return 1 if worst else 0


async def examined(settings: Settings, trunk: Trunk, test: TrialCall) -> AsyncIterator[Finding]:
    """Everything that is found out about a trunk, gateway by gateway."""
    yield _inbound(trunk)
    if not trunk.gateways:
        advice = "for calls to telephone numbers set its host, or gateways"
        yield Finding("warning", f"trunk {trunk.name} has no gateway: it only sends us calls", advice)
        return
    endpoint = SipEndpoint(user_agent="Ringback", advertise=settings.server.advertised[0])
    await endpoint.start(_listening(settings))
    try:
        for finding in await _as_the_server_sees_it(settings, trunk):
            yield finding
        calls = asyncio.Lock()
        gateways = (_Gateway(settings, endpoint, trunk, gateway, calls) for gateway in trunk.gateways)
        async for finding in _together([gateway.examined(test) for gateway in gateways]):
            yield finding
    finally:
        await endpoint.stop(1.0)


async def _together(examinations: Sequence[AsyncIterator[Finding]]) -> AsyncIterator[Finding]:
    """What several find out at the same time, in the order in which they do."""
    found: asyncio.Queue[Finding | None] = asyncio.Queue()

    async def follow(examination: AsyncIterator[Finding]) -> None:
        try:
            async for finding in examination:
                found.put_nowait(finding)
        finally:
            found.put_nowait(None)

    async with asyncio.TaskGroup() as group:
        for examination in examinations:
            group.create_task(follow(examination))
        under_way = len(examinations)
        while under_way:
            finding = await found.get()
            if finding is None:
                under_way -= 1
            else:
                yield finding


def _trunk(directory: Directory, name: str) -> Trunk:
    trunks = directory.all(Trunk)
    for trunk in trunks:
        if trunk.name == name:
            return trunk
    known = ", ".join(sorted(trunk.name for trunk in trunks)) or "none"
    raise ConfigError([f"there is no trunk {name!r}; there is {known}"])


def _inbound(trunk: Trunk) -> Finding:
    if trunk.inbound_from:
        return Finding("ok", f"calls are taken from {', '.join(trunk.inbound_from)}")
    advice = "for calls from the carrier put its addresses into inbound_from"
    return Finding("warning", f"trunk {trunk.name} sends us no calls: its addresses are not known", advice)


def _listening(settings: Settings) -> list[str]:
    """Our own sockets, beside those of the server: on its addresses, at free ports."""
    hosts = {parse_listen(text).local_host for text in settings.server.sip}
    own = [join_host_port(host, None) for host in sorted(hosts)]
    return [f"{transport}:{host}:0" for host in own for transport in ("udp", "tcp")]


async def _as_the_server_sees_it(settings: Settings, trunk: Trunk) -> list[Finding]:
    """What the running server knows from its own probes and registrations."""
    if running_server(settings.server.data_path) is None:
        return []
    try:
        gateways = await steer(settings, "GET", "/console/gateways")
    except NotSteered:
        return []
    found = []
    for gateway in gateways:
        if gateway["trunk"] != trunk.name:
            continue
        who = f"the running server: {gateway['host']}"
        if not gateway["up"]:
            found.append(Finding("warning", f"{who} is down ({gateway['why']})"))
        if gateway["registered"] is not None:
            yes = gateway["registered"]
            found.append(Finding("ok" if yes else "error", f"{who}: {'' if yes else 'not '}registered"))
    return found


class _Gateway:
    """One gateway under examination."""

    def __init__(
        self,
        settings: Settings,
        endpoint: SipEndpoint,
        trunk: Trunk,
        gateway: Gateway,
        calls: asyncio.Lock,
    ) -> None:
        """`calls`: held while a test call is up, so that a telephone rings for one at a time."""
        self._calls = calls
        self._settings = settings
        self._endpoint = endpoint
        self._trunk = trunk
        self._gateway = gateway
        self._uri = gateway.uri()
        self._who = f"{gateway.host} ({gateway.transport})"

    async def examined(self, test: TrialCall) -> AsyncIterator[Finding]:
        """Name, OPTIONS, REGISTER, call; what cannot work any more is left out."""
        flows = await Locator().locate(self._uri)
        if flows and not self._is_address():
            yield Finding("ok", f"{self._uri.host} is at {', '.join(str(flow) for flow in flows)}")
        there = of_options(self._who, await _within(_PATIENCE, self._endpoint.options(self._uri)))
        yield there
        if there.level == "error":
            if test.number:
                yield Finding("warning", f"{self._who}: the test call was not tried")
            return
        if self._trunk.register:
            yield await self._registered()
        if test.number:
            async with self._calls:
                yield await self._called(test)

    def _is_address(self) -> bool:
        return ":" in self._uri.host or self._uri.host.replace(".", "").isdigit()

    async def _registered(self) -> Finding:
        """Only asks what is bound there: a contact of ours would take the place of the server's."""
        trunk = self._trunk
        ourselves = NameAddr(Uri(user=trunk.username, host=self._uri.host))
        pending = self._endpoint.request(
            "REGISTER",
            self._uri,
            from_=ourselves,
            to=ourselves,
            credentials=(trunk.username, trunk.password),
            contact=False,
        )
        return of_register(self._who, await _within(_PATIENCE, pending))

    async def _called(self, test: TrialCall) -> Finding:
        route = self._route(test)
        if isinstance(route, Finding):
            return route
        local = self._endpoint.local_address(route.target)
        began, rang = time.monotonic(), ""
        over: asyncio.Future[SessionEvent] = asyncio.get_running_loop().create_future()

        def happened(event: SessionEvent) -> None:
            nonlocal rang
            if isinstance(event, Progress):
                rang = f"{event.status} {event.reason}, then "
            elif isinstance(event, Answered | Failed) and not over.done():
                over.set_result(event)

        with _rtp_port(local) as port:
            call = self._endpoint.invite(
                route.target,
                from_=NameAddr(Uri(user=route.caller_id or None, host=route.from_domain or local)),
                to=route.to,
                offer=make_offer(LocalMedia(local, port)).encode(),
                on_event=happened,
                headers=route.headers,
                credentials=route.credentials,
            )
            await asyncio.wait({over}, timeout=test.seconds)
            pending = call.bye()
            if not over.done():
                await asyncio.wait({over}, timeout=5.0)
                return Finding("ok" if rang else "error", f"{self._who}: {rang or 'nothing, '}no answer")
            event = over.result()
            if isinstance(event, Answered):
                await pending
                seconds = time.monotonic() - began
                said = f"{rang}{event.status} {event.reason} after {seconds:.1f} s"
                return Finding("ok", f"{self._who}: the call to {route.target.user} was answered: {said}")
            assert isinstance(event, Failed)
            return of_invite(self._who, event.status, event.reason, event.cause, local)

    def _route(self, test: TrialCall) -> Route | Finding:
        """The INVITE as the server would send it to this gateway."""
        directory = self._settings.directory()
        around = Surroundings(registered=lambda _: (), may_reach=lambda _: None)
        wanted = Destination(
            to=test.number,
            caller_id=test.caller or _own_number(directory, self._trunk),
            trunk=self._trunk.name,
        )
        routed = route_call(directory, around, self._trunk.account_id, wanted)
        if isinstance(routed, Routed):
            for route in routed.routes:
                if route.gateway == self._gateway and route.trunk is not None:
                    return route
        advice = "give a telephone number, such as --call +14155550100"
        return Finding("error", f"{test.number!r} is no number that goes over a trunk", advice)


async def _within(seconds: float, pending: Pending[Response]) -> Response:
    """The answer, or in its place that none came in time (a 408 of our own)."""
    try:
        return await asyncio.wait_for(_answer(pending), seconds)
    except TimeoutError:
        return Response(408)


async def _answer(pending: Pending[Response]) -> Response:
    return await pending


def _own_number(directory: Directory, trunk: Trunk) -> str:
    numbers = (number.number for number in directory.all(Number, trunk.account_id))
    return trunk.identity or next((number for number in numbers if not is_pattern(number)), "")


@contextlib.contextmanager
def _rtp_port(host: str) -> Iterator[int]:
    """A port that takes the carrier's audio and does nothing with it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sink:
        sink.bind(("", 0))
        yield sink.getsockname()[1]
