"""The callees of the load: whoever is called at its one UDP socket answers at once.

As `bench.callers`: only as much SIP as is needed against a server that follows the rules.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Sequence

from bench.callers import BATCH, description, echoed

_FROM = re.compile(rb"\r\nFrom: *[^\r]*?sip:([^@>;]+)", re.IGNORECASE)
_CALL_ID = re.compile(rb"\r\nCall-ID: *([^\r]+)", re.IGNORECASE)
_TO = re.compile(rb"(\r\nTo: *[^\r]+)", re.IGNORECASE)
_AUDIO = re.compile(rb"\r\nm=audio (\d+)")


class Callees:
    """Answers with audio on `audio_port` in the codecs given, as `bench.callers.CODECS` names them.

    `on_called(caller, port)` is called with the calling number of each call and the port at which the server
    wants its audio, `on_ended(caller)` when the server hangs up.
    """

    def __init__(self, audio_port: int, codecs: Sequence[str]) -> None:
        self.on_called: Callable[[str, int], None] = _ignore
        self.on_ended: Callable[[str], None] = _ignore
        self.repeated = 0
        """Invitations that came more than once."""
        self._codecs = codecs
        self.hear_at(audio_port)
        self._known: set[bytes] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(("127.0.0.1", 0))
        self._local = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read)

    @property
    def address(self) -> str:
        """Where they listen, `host:port`."""
        return self._local

    @property
    def uri(self) -> str:
        """What to dial."""
        return f"sip:callee@{self._local}"

    def hear_at(self, audio_port: int) -> None:
        """Want audio there, from the next call on."""
        self._description = description("127.0.0.1", audio_port, self._codecs).encode()

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _read(self) -> None:
        for _ in range(BATCH):
            try:
                data, source = self._socket.recvfrom(65536)
            except (BlockingIOError, ConnectionError):
                return
            method = data.partition(b" ")[0]
            if method == b"INVITE":
                self._invited(data, source)
            elif method in (b"BYE", b"OPTIONS"):
                self._reply(data, source, b"")
                caller = _FROM.search(data)
                if method == b"BYE" and caller is not None:
                    self.on_ended(caller[1].decode())

    def _invited(self, data: bytes, source: tuple[str, int]) -> None:
        caller, call_id, audio = _FROM.search(data), _CALL_ID.search(data), _AUDIO.search(data)
        if caller is None or call_id is None or audio is None:
            return
        self._reply(data, source, self._description)
        if call_id[1] in self._known:
            self.repeated += 1
            return
        self._known.add(call_id[1])
        self.on_called(caller[1].decode(), int(audio[1]))

    def _reply(self, data: bytes, source: tuple[str, int], body: bytes) -> None:
        """200; with a description it begins a dialog, whose tag is the same in each."""
        rows = echoed(data)
        if body:
            rows = _TO.sub(rb"\1;tag=callee", b"\r\n" + rows, count=1)[2:]
            rows += (
                f"\r\nContact: <sip:callee@{self._local}>\r\nAllow: INVITE, ACK, CANCEL, BYE\r\n"
                "Content-Type: application/sdp"
            ).encode()
        length = f"\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        try:
            self._socket.sendto(b"SIP/2.0 200 OK\r\n" + rows + length + body, source)
        except (BlockingIOError, ConnectionError):
            pass  # as good as lost on the way


def _ignore(*_: object) -> None:
    """Nobody wants to know."""
