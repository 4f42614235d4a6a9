"""Requests inside a call's dialog that somebody may be waiting for, such as NOTIFY."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ringback.sip.incoming import IncomingRequest

Handler = Callable[[IncomingRequest], None]


class InDialogRequests:
    """Who answers which method now; the latest that began to wait is asked, nobody is a 501."""

    METHODS = ("REFER", "NOTIFY", "MESSAGE")
    """What can be waited for: the endpoint lets these through."""

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}

    @contextlib.contextmanager
    def handling(self, method: str, handler: Handler) -> Iterator[None]:
        """Answer requests of this method until the block ends."""
        handlers = self._handlers.setdefault(method, [])
        handlers.append(handler)
        try:
            yield
        finally:
            handlers.remove(handler)

    def handle(self, incoming: IncomingRequest) -> None:
        """A request came."""
        handlers = self._handlers.get(incoming.request.method)
        if handlers:
            handlers[-1](incoming)
        else:
            incoming.reply(501)
