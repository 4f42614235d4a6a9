"""A peer that speaks SIP by hand over a real socket: for what no well-behaved telephone would say."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.patience import PATIENCE

from ringback.sip.auth import DigestClient
from ringback.sip.message import Request, Response, make_response
from ringback.sip.parse import parse_message

Answer = Callable[[Request], Response | None]


class Wire(asyncio.DatagramProtocol):
    """Keeps what comes, and answers requests as `answer` says."""

    def __init__(self) -> None:
        self.address = ""
        self.requests: list[Request] = []
        self.answer: Answer | None = None
        self.invited = asyncio.Event()
        """Set with the first INVITE."""
        self._responses: asyncio.Queue[Response] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport
        self._sent = itertools.count()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = parse_message(data)
        if isinstance(message, Response):
            self._responses.put_nowait(message)
            return
        self.requests.append(message)
        if message.method == "INVITE":
            self.invited.set()
        response = self.answer(message) if self.answer is not None and message.method != "ACK" else None
        if response is not None:
            self._transport.sendto(response.encode(), addr)

    @property
    def invites(self) -> list[Request]:
        """The INVITEs that came, each once for every branch."""
        found = {each.headers.get("Via"): each for each in self.requests if each.method == "INVITE"}
        return list(found.values())

    async def ask(self, server: str, request: Request, *credentials: str) -> Response:
        """Send a request; with user and password its challenge is answered. The final response."""
        response = await self._final(self._send(server, request, 1))
        if response.status not in (401, 407) or not credentials:
            return response
        ours = response.status == 401
        rows = response.headers.get_all("WWW-Authenticate" if ours else "Proxy-Authenticate")
        value = DigestClient(*credentials).authorize(rows, request.method, str(request.uri), request.body)
        assert value is not None
        request.headers.add("Authorization" if ours else "Proxy-Authorization", value)
        return await self._final(self._send(server, request, 2))

    def _send(self, server: str, request: Request, number: int) -> str:
        request.headers.set("CSeq", f"{number} {request.method}")
        branch = f"z9hG4bK{next(self._sent)}"
        request.headers.set("Via", f"SIP/2.0/UDP {self.address};branch={branch};rport")
        host, _, port = server.rpartition(":")
        self._transport.sendto(request.encode(), (host, int(port)))
        return branch

    async def _final(self, branch: str) -> Response:
        async with asyncio.timeout(PATIENCE):
            # Others are repetitions of what was answered before: nothing is acknowledged.
            while (response := await self._responses.get()).status < 200 or response.via.branch != branch:
                pass
        return response

    def close(self) -> None:
        self._transport.close()


def answering(status: int, *headers: tuple[str, str]) -> Answer:
    """Each request with the same response."""

    def answer(request: Request) -> Response:
        response = make_response(request, status, None, "wire")
        for name, value in headers:
            response.headers.add(name, value)
        return response

    return answer


@contextlib.asynccontextmanager
async def wire(answer: Answer | None = None) -> AsyncIterator[Wire]:
    """A peer on loopback."""
    _, peer = await asyncio.get_running_loop().create_datagram_endpoint(Wire, local_addr=("127.0.0.1", 0))
    peer.answer = answer
    try:
        yield peer
    finally:
        peer.close()
