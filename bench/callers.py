"""The callers of the load: many SIP calls on one UDP socket, with a clock on each.

Only as much SIP as a caller needs against a server that follows the rules, so that a call costs the load a
small part of what it costs the server. It shares no code with the server's own SIP.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Callable, Sequence

T1 = 0.5
"""The first retransmission of an INVITE over UDP comes after this many seconds (RFC 3261, 17.1.1.2)."""
GIVE_UP = 64 * T1
BATCH = 64
PREFIX, FIRST_NUMBER = "+1415", 2_000_000
"""Of calling numbers."""
CODECS = {"PCMU": 0, "PCMA": 8, "telephone-event": 101}
"""Their payload types in the load's offers and answers."""

_START = re.compile(rb"SIP/2\.0 (\d{3})|([A-Z]+) ")
_CALL_ID = re.compile(rb"\r\nCall-ID: *([^\r]+)", re.IGNORECASE)
_TO = re.compile(rb"\r\nTo: *([^\r]+)", re.IGNORECASE)
_CSEQ = re.compile(rb"\r\nCSeq: *(\d+) (\w+)", re.IGNORECASE)
_CONTACT = re.compile(rb"\r\nContact: *<([^>]+)>", re.IGNORECASE)
_AUDIO = re.compile(rb"\r\nm=audio (\d+)")
_ECHOED = re.compile(rb"\r\n((?:Via|From|To|Call-ID|CSeq): *[^\r]+)", re.IGNORECASE)


class Caller:
    """One call. Times are of the monotonic clock, 0.0 before they are there."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.status = 0
        """The final status; 0 before it."""
        self.port = 0
        """Where the server wants its audio."""
        self.invited = 0.0
        self.asked = 0.0
        """The application was asked."""
        self.answered = 0.0
        self.ended = 0.0
        self.told = 0.0
        """The application was told of the end."""
        self.retransmissions = 0
        """By either side."""
        self.provisional = False
        self.to = b""
        self.target = b""

    @property
    def done(self) -> bool:
        """It has ended, and the application was told, unless there was nothing to tell: it was refused."""
        return bool(self.ended and (self.told or self.status != 200))

    @property
    def identity(self) -> str:
        """The calling number: each call has its own, so that webhooks can be told apart."""
        return f"{PREFIX}{FIRST_NUMBER + self.number:07d}"

    @staticmethod
    def number_of(identity: str) -> int:
        """The number of the caller with this identity; a missing + is forgiven."""
        return int(identity.lstrip("+").removeprefix(PREFIX[1:])) - FIRST_NUMBER


class Callers:
    """Places calls to a number at `server` and hears their RTP on `audio_port`.

    `codecs` are what is offered, as `CODECS` names them. `on_answered` and `on_ended` are called with each.
    """

    def __init__(
        self, server: tuple[str, int], number: str, audio_port: int, codecs: Sequence[str] = ("PCMU",)
    ) -> None:
        self._server = server
        self._number = number
        self._audio_port = audio_port
        self._codecs = codecs
        self.calls: list[Caller] = []
        self.on_answered: Callable[[Caller], None] = _ignore
        self.on_ended: Callable[[Caller], None] = _ignore
        self._by_id: dict[bytes, Caller] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(server)
        self._local = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._run = f"{time.time_ns():x}"
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read)

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def call(self, number: int) -> Caller:
        """Place a call; numbers are used once."""
        call = Caller(number)
        self.calls.append(call)
        self._by_id[self._call_id(call).encode()] = call
        call.invited = time.monotonic()
        self._invite(call, T1)
        return call

    def hang_up(self, call: Caller) -> None:
        """Send BYE for an answered call that is up."""
        if call.answered and not call.ended:
            self._send(self._in_dialog(call, "BYE", 2))

    # -- requests

    def _invite(self, call: Caller, wait: float) -> None:
        if call.provisional or call.status:
            return
        if time.monotonic() - call.invited > GIVE_UP:
            self._over(call, 408)
            return
        if wait > T1:
            call.retransmissions += 1
        self._send(self._invitation(call))
        self._loop.call_later(wait, self._invite, call, wait * 2)

    def _call_id(self, call: Caller) -> str:
        return f"{self._run}-{call.number}@bench"

    def _invitation(self, call: Caller) -> str:
        host = self._local.partition(":")[0]
        offer = description(host, self._audio_port, self._codecs)
        target = f"sip:{self._number}@{self._server[0]}:{self._server[1]}"
        return (
            f"INVITE {target} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self._local};rport;branch=z9hG4bK{self._run}i{call.number}\r\n"
            f"Max-Forwards: 70\r\n"
            f"From: <sip:{call.identity}@{self._local}>;tag=t{call.number}\r\n"
            f"To: <{target}>\r\n"
            f"Call-ID: {self._call_id(call)}\r\n"
            f"CSeq: 1 INVITE\r\n"
            f"Contact: <sip:load@{self._local}>\r\n"
            f"Allow: INVITE, ACK, CANCEL, BYE\r\n"
            f"Content-Type: application/sdp\r\n"
            f"Content-Length: {len(offer)}\r\n\r\n{offer}"
        )

    def _in_dialog(self, call: Caller, method: str, sequence: int, branch: str = "") -> str:
        branch = f"z9hG4bK{self._run}{branch or method}{call.number}"
        return (
            f"{method} {call.target.decode()} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self._local};rport;branch={branch}\r\n"
            f"Max-Forwards: 70\r\n"
            f"From: <sip:{call.identity}@{self._local}>;tag=t{call.number}\r\n"
            f"To: {call.to.decode()}\r\n"
            f"Call-ID: {self._call_id(call)}\r\n"
            f"CSeq: {sequence} {method}\r\n"
            f"Content-Length: 0\r\n\r\n"
        )

    def _send(self, message: str | bytes) -> None:
        try:
            self._socket.send(message.encode() if isinstance(message, str) else message)
        except (BlockingIOError, ConnectionError):
            pass  # as good as lost on the way

    # -- what comes back

    def _read(self) -> None:
        for _ in range(BATCH):
            try:
                data = self._socket.recv(65536)
            except (BlockingIOError, ConnectionError):
                return
            start, found = _START.match(data), _CALL_ID.search(data)
            call = self._by_id.get(found[1].strip()) if found else None
            if start is None or call is None:
                continue
            if start[1] is None:
                self._request(call, start[2], data)
            else:
                self._response(call, int(start[1]), data)

    def _request(self, call: Caller, method: bytes, data: bytes) -> None:
        if method == b"ACK":
            return
        status = b"200 OK" if method in (b"BYE", b"OPTIONS") else b"501 Not Implemented"
        self._send(b"SIP/2.0 " + status + b"\r\n" + echoed(data) + b"\r\nContent-Length: 0\r\n\r\n")
        if method == b"BYE":
            call.retransmissions += bool(call.ended)
            self._over(call, call.status)

    def _response(self, call: Caller, status: int, data: bytes) -> None:
        sequence = _CSEQ.search(data)
        if sequence is None:
            return
        if sequence[2] == b"BYE":
            self._over(call, call.status)
        elif status < 200:
            call.provisional = True
        elif status < 300:
            self._accepted(call, status, data)
        else:
            call.to = _first(_TO, data)
            call.target = call.target or f"sip:{self._number}@{self._server[0]}:{self._server[1]}".encode()
            self._send(self._in_dialog(call, "ACK", 1, branch="i"))
            self._over(call, status)

    def _accepted(self, call: Caller, status: int, data: bytes) -> None:
        again = call.status != 0
        call.retransmissions += again
        if not again:
            call.answered = time.monotonic()
            call.status = status
            call.to, call.target = _first(_TO, data), _first(_CONTACT, data)
            call.port = int(_first(_AUDIO, data) or b"0")
        self._send(self._in_dialog(call, "ACK", 1))
        if not again:
            self.on_answered(call)

    def _over(self, call: Caller, status: int) -> None:
        if call.ended:
            return
        call.status = status
        call.ended = time.monotonic()
        self.on_ended(call)


def echoed(request: bytes) -> bytes:
    """The header fields that a response repeats."""
    return b"\r\n".join(_ECHOED.findall(request.partition(b"\r\n\r\n")[0]))


def description(host: str, port: int, codecs: Sequence[str]) -> str:
    """Audio at that address in 20 ms packets, as SDP."""
    types = [CODECS[codec] for codec in codecs]
    maps = "".join(f"a=rtpmap:{number} {codec}/8000\r\n" for codec, number in zip(codecs, types, strict=True))
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {' '.join(map(str, types))}\r\n{maps}a=ptime:20\r\n"
    )


def _first(pattern: re.Pattern[bytes], data: bytes) -> bytes:
    found = pattern.search(data)
    return found[1] if found else b""


def _ignore(_: Caller) -> None:
    """Nobody wants to know."""
