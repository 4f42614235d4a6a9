"""An HTTP connection that cannot be held without a request: calls need descriptors more than idlers do.

uvicorn ends a connection that stays idle after a reply; here, also one on which a request is not there in
time, and those above a number.
"""

from __future__ import annotations

import asyncio
import resource
import time
from email.utils import formatdate

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
"""From the connection, or the first byte of a further request, to the end of the request's head."""
BODY_SECONDS = 60.0
"""From there to the end of its body."""
MOST = 2048
"""Connections of one listener; never more than a quarter of the files that may be open."""

_MANY_FILES = 65_536  # some programs that we start go through all that might be open


class Date:
    """The Date header (RFC 9110 section 6.6.1): made when it is needed, once a second at the most."""

    def __init__(self) -> None:
        self._second = 0
        self._headers: list[tuple[bytes, bytes]] = []

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The header, alone in a list, as of now."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._headers = [(b"date", formatdate(second, usegmt=True).encode())]
        return self._headers


date = Date()


class Connection(HttpToolsProtocol):
    """uvicorn's, with a limit on the time that a request takes to arrive, and on their number."""

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn names the kind of transport, asyncio does not
        super().connection_made(transport)
        if len(self.connections) > min(MOST, open_files() // 4):
            transport.abort()
        else:
            self._within(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._begun()
        self.server_state.default_headers = date.headers()
        super().data_received(data)

    def on_message_begin(self) -> None:
        # Behind a complete request, within the same bytes, another one may begin.
        self._begun()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._within(BODY_SECONDS)

    def on_message_complete(self) -> None:
        self._arrived()
        super().on_message_complete()

    def _begun(self) -> None:
        if self._overdue is None:
            self._within(HEAD_SECONDS)

    def _within(self, seconds: float) -> None:
        self._arrived()
        self._overdue = self.loop.call_later(seconds, self.transport.abort)

    def _arrived(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None


def open_files() -> int:
    """How many files and sockets this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def allow_more_files() -> None:
    """Raise the limit on open files as far as we may: the usual 1024 are used up by as many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, _MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
