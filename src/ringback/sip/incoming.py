"""A request that somebody outside the protocol core answers: REGISTER, MESSAGE, REFER and the like."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ringback.sip.flow import Flow
from ringback.sip.message import Request, Response, make_response

HeaderList = Iterable[tuple[str, str]]


class IncomingRequest:
    """A request and the one way to answer it. ``source`` is the observed address of the peer."""

    __slots__ = ("_send", "_to_tag", "answered", "request", "source")

    def __init__(self, request: Request, source: Flow, send: Callable[[Response], None], to_tag: str) -> None:
        self.request = request
        self.source = source
        self.answered = False
        self._send = send
        self._to_tag = to_tag

    def reply(
        self, status: int, reason: str | None = None, *, headers: HeaderList = (), body: bytes = b""
    ) -> None:
        """Answers once; a second final answer is dropped. ``Content-Type`` belongs in ``headers``."""
        if self.answered:
            return
        self.answered = status >= 200
        response = make_response(self.request, status, reason, to_tag=self._to_tag)
        for name, value in headers:
            response.headers.add(name, value)
        response.body = body
        self._send(response)
