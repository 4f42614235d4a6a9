"""The sockets themselves: a UDP listening point, and one TCP connection. Bytes in and out, no decisions."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from ringback.sip.errors import SipParseError
from ringback.sip.flow import Flow, Trace, join_host_port
from ringback.sip.message import Message
from ringback.sip.stream import KeepAlive, StreamParser

BATCH = 4
"""Datagrams taken in before what they cause is done."""
SLICE = 0.004
"""Seconds of reading after which the loop gets its turn: hundreds of refusals, some dozen messages."""
RECEIVE_BUFFER = 4 * 1024 * 1024
MAX_DATAGRAM = 65536
MAX_UNSENT = 1024 * 1024
MESSAGE_TIME = 30.0
"""Seconds in which a message, once begun, and the first one of a connection, have to be complete."""
IDLE_TIME = 3900.0
"""Seconds after which a silent connection is closed; longer than the usual registration."""

_SO_TIMESTAMPNS = 35
"""Linux: each datagram comes with the time of its arrival, which Python has no name for (socket(7))."""
_STAMP = struct.Struct("@qq")
_NOTES = socket.CMSG_SPACE(_STAMP.size)


class Receiver(Protocol):
    """Who hears of what arrives; ``settled`` follows a batch."""

    def turn_away(self, data: bytes, host: str, port: int) -> bytes | None:
        """What is sent back at once, if anything, for a datagram that is not taken in; None: it is."""

    def datagram(self, data: bytes, flow: Flow) -> None: ...

    def message(self, message: Message, flow: Flow) -> None: ...

    def malformed(self, error: SipParseError, flow: Flow) -> None: ...

    def send_failed(self, key: str) -> None: ...

    def settled(self) -> None: ...


class Tracer:
    """Hands every message to an observer, when there is one."""

    def __init__(self, observer: Callable[[Trace], None] | None) -> None:
        self.observer = observer

    def __call__(self, direction: str, flow: Flow, local: str, data: bytes) -> None:
        if self.observer is not None:
            remote = join_host_port(flow.host, flow.port)
            self.observer(Trace(direction, time.time(), local, remote, flow.transport, data))


class UdpPoint:
    """One UDP socket."""

    def __init__(self, host: str, port: int, receiver: Receiver, trace: Tracer) -> None:
        """Raises OSError."""
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(self.family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            if sys.platform == "linux":
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if self.family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.host, self.port = self._socket.getsockname()[:2]
        self.name = join_host_port(self.host, self.port)
        self.waited = 0.0
        """Seconds that the latest datagram waited for us to read it; whoever looks sets it back."""
        self._receiver = receiver
        self._trace = trace
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        until = time.monotonic() + SLICE
        more = True
        while more and time.monotonic() < until:
            more = self._take(until)
            self._receiver.settled()

    def _take(self, until: float) -> bool:
        """Take in a batch, and turn away what is not to be taken in. False when no more is there."""
        receiver, taken = self._receiver, 0
        while taken < BATCH and time.monotonic() < until:
            try:
                data, notes, _, address = self._socket.recvmsg(MAX_DATAGRAM, _NOTES)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                continue  # an ICMP error of an earlier datagram
            if not taken and notes:
                self._note_wait(notes[0][2])
            answer = receiver.turn_away(data, address[0], address[1])
            if answer is not None:
                self._answer(answer, address)
                continue
            flow = Flow("udp", address[0], address[1], self.host, self.port)
            self._trace("in", flow, self.name, data)
            receiver.datagram(data, flow)
            taken += 1
        return True

    def _note_wait(self, stamp: bytes) -> None:
        """When the datagram came, says the kernel: what it has waited for us to read it."""
        seconds, nanoseconds = _STAMP.unpack(stamp)
        self.waited = time.time() - seconds - nanoseconds * 1e-9

    def _answer(self, answer: bytes, address: tuple[str, int]) -> None:
        """To whoever was turned away; a loss costs him a repetition."""
        if answer:
            with contextlib.suppress(OSError):
                self._socket.sendto(answer, address)

    def send(self, data: bytes, flow: Flow) -> bool:
        """False when the network is known not to lead there. A full buffer counts as loss on the way."""
        try:
            self._socket.sendto(data, (flow.host, flow.port))
        except (BlockingIOError, InterruptedError):
            return True
        except (OSError, ValueError, OverflowError):
            return False
        self._trace("out", flow, self.name, data)
        return True

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()


class Owner(Protocol):
    """What a connection needs of those who keep it."""

    receiver: Receiver
    trace: Tracer

    def connected(self, connection: Connection) -> None: ...

    def disconnected(self, connection: Connection, keys: list[str]) -> None: ...

    def failed(self, key: str) -> None: ...


class Connection(asyncio.Protocol):
    """One TCP connection, accepted or opened."""

    def __init__(self, owner: Owner, number: int, opened: bool) -> None:
        self._owner = owner
        self._opened = opened
        self.number = number
        self._parser = StreamParser()
        self._transport: asyncio.Transport | None = None
        self._keys: deque[str] = deque(maxlen=512)
        self._since = time.monotonic()
        self._heard = False
        self.flow = Flow("tcp", "", 0)
        self._local = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's has another base
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if peer is None or local is None:
            transport.abort()
            return
        self.flow = Flow("tcp", peer[0], peer[1], local[0], local[1], self.number)
        self._local = join_host_port(local[0], local[1])
        self._owner.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.disconnected(self, list(self._keys))

    def data_received(self, data: bytes) -> None:
        owner = self._owner
        if self._parser.idle:
            self._sign_of_life()
        for item in self._parser.feed(data):
            self._sign_of_life()
            if isinstance(item, KeepAlive):
                if item is KeepAlive.PING and self._transport is not None:
                    self._transport.write(b"\r\n")
            elif isinstance(item, SipParseError):
                owner.receiver.malformed(item, self.flow)
                if item.fatal:
                    owner.receiver.settled()
                    self.close()
                    return
            else:
                self._heard = True
                self._sign_of_life()
                if owner.trace.observer is not None:
                    owner.trace("in", self.flow, self._local, item.encode())
                owner.receiver.message(item, self.flow)
        owner.receiver.settled()

    def send(self, data: bytes, key: str) -> None:
        transport = self._transport
        if transport is None:
            self._owner.failed(key)
            return
        if transport.get_write_buffer_size() > MAX_UNSENT:
            transport.abort()  # the peer does not read: what is queued for it fails with the connection
        if key:
            self._keys.append(key)
        transport.write(data)
        self._sign_of_life()
        self._owner.trace("out", self.flow, self._local, data)

    def _sign_of_life(self) -> None:
        """Only a message is one of somebody unknown: a place is not kept by line ends."""
        if self._heard or self._opened:
            self._since = time.monotonic()

    def overdue(self, now: float) -> bool:
        """True for a connection that holds a place and does nothing with it."""
        waiting = not self._parser.idle or not (self._heard or self._opened)
        return now - self._since > (MESSAGE_TIME if waiting else IDLE_TIME)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
