"""The transport layer (RFC 3261 section 18) on asyncio: which socket or connection a message takes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from itertools import count

from ringback.sip.flow import Flow, Outgoing, parse_listen, split_address
from ringback.sip.layer import Local
from ringback.sip.sockets import Connection, Receiver, Tracer, UdpPoint

CONNECT_TIMEOUT = 5.0
CLOSE_TIME = 1.0
"""Seconds for what is still to be written when a connection is closed."""
MAX_CONNECTIONS = 4096
ROUTE_TIME = 60.0
"""Seconds after which the system is asked again which of our addresses leads to a peer: networks change."""
SWEEP = 10.0
WILDCARDS = ("0.0.0.0", "::", "")

Queued = tuple[bytes, str]


class Transports:
    """Every listening point and connection of one endpoint."""

    def __init__(self, receiver: Receiver, trace: Tracer, advertise: str = "") -> None:
        """``advertise``: host, or host:port, that peers are told instead of the local one."""
        self.receiver = receiver
        self.trace = trace
        self._advertised = split_address(advertise, 0) if advertise else ("", 0)
        self._udp: list[UdpPoint] = []
        self._udp_by_family: dict[bool, list[UdpPoint]] = {False: [], True: []}
        """The same by whether they are for IPv6."""
        self._tcp: list[tuple[str, int]] = []
        self._servers: list[asyncio.Server] = []
        self._connections: dict[int, Connection] = {}
        self._by_peer: dict[tuple[str, int], Connection] = {}
        self._connecting: dict[tuple[str, int], list[Queued]] = {}
        self._numbers = count(1)
        self._routes: dict[str, tuple[str, float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._gone: asyncio.Event | None = None

    # Life

    async def start(self, listen: Sequence[str]) -> None:
        """Opens every listening point, or none. Raises OSError and ValueError."""
        points = [parse_listen(text) for text in listen]
        try:
            for point in points:
                if point.transport == "udp":
                    self._listen_udp(point.local_host, point.local_port)
                else:
                    await self._listen_tcp(point.local_host, point.local_port)
        except OSError:
            self.close()
            raise
        self._sweep()

    def _listen_udp(self, host: str, port: int) -> None:
        point = UdpPoint(host, port, self.receiver, self.trace)
        self._udp.append(point)
        self._udp_by_family[":" in host].append(point)

    async def _listen_tcp(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self, next(self._numbers), opened=False),
            host,
            port,
            family=family,
            backlog=512,
        )
        self._servers.append(server)
        self._tcp.append(server.sockets[0].getsockname()[:2])

    @property
    def listening(self) -> list[Flow]:
        """The listening points as they are."""
        udp = [Flow("udp", "", 0, point.host, point.port) for point in self._udp]
        return udp + [Flow("tcp", "", 0, host, port) for host, port in self._tcp]

    def waited(self) -> float:
        """Seconds that the latest datagram waited to be read; 0 when none came since this was asked."""
        waited = max((point.waited for point in self._udp), default=0.0)
        for point in self._udp:
            point.waited = 0.0
        return waited

    def close(self) -> None:
        """Closes everything at once."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in self._tasks:
            task.cancel()
        for server in self._servers:
            server.close()
        for point in self._udp:
            point.close()
        for connection in list(self._connections.values()):
            connection.close()
        self._servers.clear()
        self._udp.clear()
        for points in self._udp_by_family.values():
            points.clear()
        self._tcp.clear()

    async def wait_closed(self) -> None:
        """Waits until the connections are gone; those that do not go by themselves are cut."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for wait in (CLOSE_TIME, None):
            if not self._connections:
                return
            self._gone = asyncio.Event()
            try:
                await asyncio.wait_for(self._gone.wait(), wait)
            except TimeoutError:
                for connection in list(self._connections.values()):
                    connection.abort()

    # Out

    def send(self, message: Outgoing) -> None:
        """Sends, or reports ``message.key`` as failed, then or later."""
        flow = message.flow
        if flow.transport == "udp":
            point = self._udp_point(flow)
            if point is None or not point.send(message.data, flow):
                self.failed(message.key)
        elif flow.transport == "tcp":
            self._send_tcp(message)
        else:
            self.failed(message.key)

    def failed(self, key: str) -> None:
        """Reports a failure, in the loop's next turn: the core is not to be called while it is sending."""
        if key:
            asyncio.get_running_loop().call_soon(self._report, key)

    def _report(self, key: str) -> None:
        self.receiver.send_failed(key)
        self.receiver.settled()

    def _send_tcp(self, message: Outgoing) -> None:
        flow = message.flow
        if flow.connection:
            connection = self._connections.get(flow.connection)
            if connection is None and message.fallback is None:
                self.failed(message.key)
                return
            flow = message.fallback or flow
        else:
            connection = None
        peer = (flow.host, flow.port)
        connection = connection or self._by_peer.get(peer)
        if connection is not None:
            connection.send(message.data, message.key)
        elif peer in self._connecting:
            self._connecting[peer].append((message.data, message.key))
        else:
            self._connecting[peer] = [(message.data, message.key)]
            task = asyncio.get_running_loop().create_task(self._connect(flow))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        peer = (flow.host, flow.port)
        connection: Connection | None = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, connection = await loop.create_connection(
                    lambda: Connection(self, next(self._numbers), opened=True), flow.host, flow.port
                )
        except OSError:  # TimeoutError is one
            pass
        finally:
            queued = self._connecting.pop(peer, [])
        for data, key in queued:
            if connection is not None:
                connection.send(data, key)
            else:
                self.failed(key)

    def connected(self, connection: Connection) -> None:
        """A connection is up."""
        if len(self._connections) >= MAX_CONNECTIONS:
            connection.abort()
            return
        self._connections[connection.number] = connection
        self._by_peer[(connection.flow.host, connection.flow.port)] = connection

    def disconnected(self, connection: Connection, keys: list[str]) -> None:
        """A connection is gone, and with it what was not answered."""
        self._connections.pop(connection.number, None)
        peer = (connection.flow.host, connection.flow.port)
        if self._by_peer.get(peer) is connection:
            del self._by_peer[peer]
        for key in keys:
            self.failed(key)
        if self._gone is not None and not self._connections:
            self._gone.set()

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in list(self._connections.values()):
            if connection.overdue(now):
                connection.abort()
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP, self._sweep)

    # Which of our addresses

    def _udp_point(self, flow: Flow) -> UdpPoint | None:
        fitting = self._udp_by_family[":" in flow.host]
        if len(fitting) < 2:
            return fitting[0] if fitting else None
        for point in fitting:
            if (point.host, point.port) == (flow.local_host, flow.local_port):
                return point
        route = self.route_to(flow.host)
        return next((point for point in fitting if point.host in (route, *WILDCARDS)), fitting[0])

    def local_for(self, flow: Flow) -> Local:
        """Where a peer on that flow reaches us: the advertised address, else the one on the route to it."""
        transport, host, port = self._listening_for(flow)
        if host in WILDCARDS:
            host = self.route_to(flow.host)
        return transport, self._advertised[0] or host, self._advertised[1] or port

    def _listening_for(self, flow: Flow) -> Local:
        wide = ":" in flow.host
        if flow.transport == "tcp":
            fitting = [(host, port) for host, port in self._tcp if (":" in host) == wide]
            for host, port in fitting:
                if host in (flow.local_host, *WILDCARDS):
                    return "tcp", host, port
            if fitting:
                return "tcp", *fitting[0]
        point = self._udp_point(flow)
        if point is not None:
            return "udp", point.host, point.port
        # Only the other transport is open, or the other family: better than nothing.
        any_point = self.listening[0]
        return any_point.transport, any_point.local_host, any_point.local_port

    def route_to(self, host: str) -> str:
        """The local address that the system would use towards ``host``; nothing is sent to find out."""
        now = time.monotonic()
        known, until = self._routes.get(host, ("", 0.0))
        if now < until:
            return known
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((host, 9))
                local = str(probe.getsockname()[0])
            except OSError:
                local = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        if len(self._routes) >= 4096:
            self._routes.clear()
        self._routes[host] = (local, now + ROUTE_TIME)
        return local
