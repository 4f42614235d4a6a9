"""Where the questions and reports of one application go: its webhooks, its socket, or its caller's socket.

A leg that was dialled has no socket of its own: what concerns it goes over that of the call that dialled it,
until it is on its own (`leave`), and then gets one.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from ringback.calls.record import CallRecord
from ringback.calls.verbs import Hook
from ringback.dialects.jambonz.asking import HttpConversation
from ringback.dialects.jambonz.commands import Commanded
from ringback.dialects.jambonz.errors import HookFailed
from ringback.dialects.jambonz.line import GOING_AWAY, Line
from ringback.dialects.jambonz.orders import Orders
from ringback.dialects.jambonz.payload import Payload
from ringback.dialects.jambonz.protocol import Command
from ringback.dialects.jambonz.session import is_absolute, is_http_url, is_socket_url, moved
from ringback.dialects.jambonz.sids import spell
from ringback.net.guard import same_origin

if TYPE_CHECKING:
    from ringback.calls.services import Services
    from ringback.dialects.jambonz.dialler import Timing


class Owner(Commanded, Protocol):
    """The application whose lines these are."""

    def new_call(self, call: CallRecord) -> Payload:
        """The question that opens a session."""
        ...


class Lines:
    """Everything that connects one application on one call with the web."""

    def __init__(
        self,
        services: Services,
        owner: Owner,
        http: HttpConversation,
        credentials: Hook,
        *,
        timing: Timing | None = None,
        parent: Lines | None = None,
    ) -> None:
        self._services = services
        self._held = weakref.ref(owner)
        self._http = http
        self._credentials = credentials
        self._timing = timing
        self._parent = parent
        self._line: Line | None = None
        self._status_line: Line | None = None
        self._orders: Orders | None = None
        self._opening: asyncio.Task[None] | None = None

    @property
    def _owner(self) -> Owner:
        """It holds these lines, and is held by its call; were it held here, too, no end of a call would free
        it."""
        owner = self._held()
        assert owner is not None
        return owner

    @property
    def listens(self) -> bool:
        """Whether an application is connected that may say later what is to be done."""
        opening = self._opening is not None and not self._opening.done()
        there = self._line is not None and (opening or not self._line.ended)
        return self._owner.session.socket and there

    # -- asking

    async def converse(self, kind: str, hook: Hook, payload: Payload, call: CallRecord) -> Any:
        """Ask wherever the hook leads; the decoded reply.

        Raises:
            HookFailed
        """
        hook = self.with_credentials(hook)
        if is_http_url(hook.url) or not (is_socket_url(hook.url) or self._owner.session.socket):
            return await self._http.ask(hook, payload)
        if self._opening is not None:
            await asyncio.wait({self._opening})
        name = None if kind == "session:new" else hook.url
        line = self._line or self._callers_line()
        if line is not None and line is not self._line and line.opened and line.ended:
            # The caller's socket is gone: this leg gets one of its own to the same place.
            return await self._open(kind, self._home(), name, payload, call)
        if line is None or (is_socket_url(hook.url) and not same_origin(hook.url, line.hook.url)):
            if self._line is None:
                # From webhooks, or from the caller's socket, to a server that knows nothing of this call yet.
                kind, name, payload = "session:new", None, self._owner.new_call(call)
            return await self._open(kind, hook, name, payload, call)
        if line.opened:
            return await line.ask(kind, payload, hook=name)
        return await line.open(kind, payload, hook=name)

    def _callers_line(self) -> Line | None:
        return None if self._parent is None else self._parent.shared()

    def shared(self) -> Line | None:
        """The socket that the legs dialled by this call use too."""
        return self._line or self._callers_line()

    async def _open(self, kind: str, hook: Hook, name: str | None, payload: Payload, call: CallRecord) -> Any:
        """A socket to another server, or to the same anew. It replaces the one there was."""
        old, self._line = self._line, self._new_line(hook, call)
        try:
            reply = await self._line.open(kind, payload, hook=name)
        except HookFailed:
            await self._line.close(GOING_AWAY)
            self._line = old
            raise
        self._owner.session = moved(self._owner.session, hook.url)
        if old is not None:
            await old.close()
        return reply

    # -- a dialled leg on its own

    def leave(self, call: CallRecord, payload: Payload) -> None:
        """This leg goes on without the call that dialled it: over a socket it gets one of its own."""
        if self._parent is None:
            return
        self._parent = None
        if self._owner.session.socket and self._line is None:
            self._line = self._new_line(self._home(), call)
            name = f"socket of its own for {spell(call.id)}"
            self._opening = asyncio.create_task(self._adult(self._line, payload), name=name)

    async def _adult(self, line: Line, payload: Payload) -> None:
        try:
            await line.open("session:adulting", payload)
        except HookFailed as failure:
            assert self._orders is not None
            self._orders.end(failure.message)

    def _home(self) -> Hook:
        return self.with_credentials(Hook(url=self._owner.session.base_url))

    # -- telling

    def telling(self, status_hook: Hook | None, call: CallRecord, *, needed: bool) -> Line | None:
        """The socket for call:status: the application's own, or (once `needed`) one to a hook of its own."""
        if status_hook is not None and is_http_url(status_hook.url):
            return None
        session = self._owner.session
        if session.socket and (status_hook is None or _names_same(status_hook.url, session.base_url)):
            if self._line is None and self._parent is not None:
                return self._parent.shared()
            if self._line is None:
                self._line = self._new_line(self._credentials, call)
            return self._line
        if status_hook is None or not is_socket_url(status_hook.url):
            return None
        if self._status_line is None and needed:
            self._status_line = self._new_status_line(self.with_credentials(status_hook), call)
        return self._status_line

    def complain(self, command: Command, why: str) -> None:
        """Tell the application that a command was not done."""
        if self._line is not None:
            self._line.tell("jambonz:error", {"msg": why, "details": why, "command": command.name})

    def with_credentials(self, hook: Hook) -> Hook:
        """A hook without credentials of its own is asked with those of the application."""
        own = self._credentials
        if hook.username is not None or own.username is None:
            return hook
        return Hook(url=hook.url, method=hook.method, username=own.username, password=own.password)

    # -- sockets

    def _new_line(self, hook: Hook, call: CallRecord) -> Line:
        orders = self._orders = self._orders or Orders(self._services, self._owner, call, self.complain)
        return Line(
            self._services.http,
            hook,
            spell(call.id),
            on_command=orders.take,
            on_end=orders.end,
            on_message=self._services.on_message,
            timing=self._timing,
        )

    def _new_status_line(self, hook: Hook, call: CallRecord) -> Line:
        """A socket on which the application only listens: what it sends, or that it goes, changes nothing."""
        line = Line(
            self._services.http,
            hook,
            spell(call.id),
            on_command=lambda _: None,
            on_end=lambda _: None,
            on_message=self._services.on_message,
            timing=self._timing,
        )
        line.start()
        return line

    async def over_to_http(self) -> None:
        """The application answers by webhooks from now on."""
        if self._line is not None:
            await self._line.close()
            self._line = None

    async def close(self) -> None:
        """Close the sockets, with what they still have to tell."""
        if self._orders is not None:
            self._orders.close()
        if self._opening is not None:
            self._opening.cancel()
        lines = [line for line in (self._line, self._status_line) if line is not None]
        await asyncio.gather(*(line.close() for line in lines))


def _names_same(url: str, other: str) -> bool:
    return not is_absolute(url) or url.partition("#")[0] == other.partition("#")[0]
