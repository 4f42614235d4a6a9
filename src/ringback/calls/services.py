"""What the engine and the dialects are given to work with; put together in one place, `ringback.server`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ringback.webhooks.ask import Asker

if TYPE_CHECKING:
    from ringback.calls.control import Calls
    from ringback.calls.recordings.control import Recordings
    from ringback.calls.timeline import SocketMessage
    from ringback.net.http import HttpPool
    from ringback.routing.directory import Directory
    from ringback.routing.registrar import Binding
    from ringback.store.store import Store


@dataclass
class Services:
    """The parts a dialect may use. `calls` is set last, when the engine is there."""

    directory: Directory
    http: HttpPool
    store: Store
    public_url: str
    """What links to this server start with; no slash at its end."""
    calls: Calls
    recordings: Recordings
    instance: str
    """This server's own id: 32 hex digits, the same after every restart."""
    sip_address: str = ""
    """`host:port` we speak SIP from, as advertised."""
    registered: Callable[[str], Sequence[Binding]] = lambda username: ()
    """The live contacts of a device, the preferred one first."""
    on_message: Callable[[SocketMessage], None] | None = None
    """Told of every message over an application's socket, for the call's time line."""
    on_asked: Callable[[str, bool, float], None] = lambda dialect, ok, seconds: None
    """Told how each question to an application went; see `ringback.webhooks.ask.OnAsked`."""

    def asker(self, dialect: str) -> Asker:
        """What a dialect asks applications with."""
        return Asker(self.http, on_asked=partial(self.on_asked, dialect))
