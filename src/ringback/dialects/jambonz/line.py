"""The WebSocket to an application: opened by us, kept up over drops, closed with the call.

The first message is the opening one (`session:new`, `session:redirect`); what is told before waits behind it.
After a drop the connection is made again and `session:reconnect` repeats the opening data; until that is
acknowledged everything else waits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

from aiohttp import ClientWebSocketResponse, WSMsgType

from ringback.calls.timeline import SocketMessage
from ringback.calls.verbs import Hook
from ringback.dialects.jambonz.dialler import Dialler, Timing
from ringback.dialects.jambonz.errors import WEBHOOK_FAILURE, HookFailed
from ringback.dialects.jambonz.protocol import (
    Ack,
    Command,
    Malformed,
    new_msgid,
    read_message,
    write_message,
)
from ringback.net.http import HttpPool

log = logging.getLogger(__name__)

NORMAL = 1000
GOING_AWAY = 1001
UNSUPPORTED = 1003
_MOST_WAITING = 500


class _Waiting(NamedTuple):
    """A message to be sent; `told` is its kind and data where no ack will report of it."""

    text: str
    told: tuple[str, dict[str, Any]] | None = None


class Line:
    """One application's socket.

    `on_command` is called in order for what it asks to be done; `on_end` once, when the socket is gone for
    good without our doing: with None after the application closed it in peace (1000), else with the reason;
    `on_message` for every message, once it is known what came of it. None of them may block.
    """

    def __init__(
        self,
        http: HttpPool,
        hook: Hook,
        call_sid: str,
        *,
        on_command: Callable[[Command], None],
        on_end: Callable[[str | None], None],
        on_message: Callable[[SocketMessage], None] | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.hook = hook
        self._dialler = Dialler(http, hook, call_sid, timing if timing is not None else Timing())
        self._call_sid = call_sid
        self._on_command = on_command
        self._on_end = on_end
        self._on_message = on_message
        self._timing = self._dialler.timing
        self._waiting: deque[_Waiting] = deque()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._live = asyncio.Event()
        self._acks: dict[str, asyncio.Future[Any]] = {}
        self._opening: tuple[str, dict[str, Any], str | None] | None = None
        self._opening_id = ""
        self._opened: asyncio.Future[Any] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._unanswered = False

    @property
    def opened(self) -> bool:
        """Whether the opening message was ever tried."""
        return self._opening is not None

    @property
    def ended(self) -> bool:
        """Whether nothing can be asked on it any more."""
        return self._task is None or self._task.done()

    async def open(self, kind: str, data: dict[str, Any], *, hook: str | None = None) -> Any:
        """Connect, send the opening message, return what its ack carries.

        Raises:
            HookFailed: no connection after the retries of the URL's fragment, no ack in time, closed instead.
        """
        return await self._watched(self._open(kind, data, hook), kind, data, hook)

    async def _open(self, kind: str, data: dict[str, Any], hook: str | None) -> Any:
        self._opening = (kind, data, hook)
        socket = await self._dialler.first()
        self._opened = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._serve(socket), name=f"application socket of {self._call_sid}")
        return await self._opened

    async def ask(self, kind: str, data: dict[str, Any], *, hook: str | None = None) -> Any:
        """Send a message and return what its ack carries.

        Raises:
            HookFailed: no ack in time, or the socket is gone.
        """
        return await self._watched(self._ask(kind, data, hook), kind, data, hook)

    async def _ask(self, kind: str, data: dict[str, Any], hook: str | None) -> Any:
        if self.ended:
            raise self._failed("the socket is closed")
        msgid = new_msgid()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._acks[msgid] = answer
        try:
            await self._until_live()
            self._put(_Waiting(write_message(kind, msgid, self._call_sid, data, hook)))
            async with asyncio.timeout(self._timing.ack):
                return await answer
        except TimeoutError:
            raise self._failed(f"no ack to {kind} within {self._timing.ack:g} s") from None
        finally:
            self._acks.pop(msgid, None)
            answer.cancel()
            if not answer.cancelled():
                answer.exception()  # seen, though the wait may have ended before it came

    def tell(self, kind: str, data: dict[str, Any], *, hook: str | None = None) -> None:
        """Send a message that wants no ack; it waits where it must, and is dropped when too much waits."""
        name = kind if hook is None else f"{kind} {hook}"
        self._put(_Waiting(write_message(kind, new_msgid(), self._call_sid, data, hook), (name, data)))

    def start(self) -> None:
        """Connect without an opening message: a line on which things are only told."""
        if self._task is None:
            self._task = asyncio.create_task(self._background(), name=f"status socket of {self._call_sid}")

    async def close(self, code: int = NORMAL) -> None:
        """Send what waits, within a short time, and close.

        A line that was never opened connects once for what it still has to tell.
        """
        if self._opening is None and self._waiting:
            self.start()
        try:
            async with asyncio.timeout(self._timing.farewell):
                if self._task is not None and not self._task.done():
                    await self._idle.wait()
                self._closing = True
                if self._dialler.socket is not None:
                    await self._dialler.socket.close(code=code)
        except (TimeoutError, ConnectionError) as error:
            log.info("call %s: the application's socket ended untidily: %r", self._call_sid, error)
        self._closing = True
        await self._stop("the call is over")

    async def _stop(self, why: str) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._dialler.socket is not None and not self._dialler.socket.closed:
            await self._dialler.socket.close()
        self._fail_all(why)

    # -- connections

    async def _background(self) -> None:
        try:
            socket = await self._dialler.first()
        except HookFailed as failure:
            log.info("call %s: no status socket: %s", self._call_sid, failure.message)
            while self._waiting:
                self._report_told(self._waiting.popleft(), failure.message, ok=False)
            self._idle.set()
            return
        await self._serve(socket)

    async def _serve(self, socket: ClientWebSocketResponse) -> None:
        again: ClientWebSocketResponse | None = socket
        while again is not None:
            code = await self._converse(again)
            if self._closing or self._unanswered:
                return
            if code == NORMAL:
                self._over(None)
                return
            again = await self._dialler.again()
        self._over("the application's socket was lost")

    async def _converse(self, socket: ClientWebSocketResponse) -> int | None:
        """Everything on one connection, from the opening message to its close; the close code."""
        pump = None
        try:
            await self._greet(socket)
            pump = asyncio.create_task(self._pump(socket))
            return await self._read(socket)
        except ConnectionError:
            return None
        finally:
            self._live.clear()
            if pump is not None:
                pump.cancel()
                await asyncio.wait({pump})
            if not self._closing:
                await socket.close(code=GOING_AWAY)

    async def _greet(self, socket: ClientWebSocketResponse) -> None:
        """The opening message, or after a drop the one that takes its place; others wait for its ack then."""
        first = self._dialler.connections == 1
        if self._opening is not None:
            kind, data, hook = self._opening
            self._opening_id = new_msgid()
            kind = kind if first else "session:reconnect"
            hook = hook if first else None
            await socket.send_str(write_message(kind, self._opening_id, self._call_sid, data, hook))
            if not first:
                self._report("webhook", kind, data, result="sent")
        if first or self._opening is None:
            self._live.set()

    async def _read(self, socket: ClientWebSocketResponse) -> int | None:
        """Take what comes until the connection ends; the close code, None for a drop."""
        deadline = asyncio.get_running_loop().time() + self._timing.ack
        while True:
            try:
                async with asyncio.timeout_at(deadline if self._opening_id else None):
                    frame = await socket.receive()
            except TimeoutError:
                self._no_ack()
                return None
            if frame.type is WSMsgType.TEXT:
                self._receive(frame.data)
            elif frame.type is WSMsgType.BINARY:
                await socket.close(code=UNSUPPORTED)
                return UNSUPPORTED
            else:
                return socket.close_code

    def _no_ack(self) -> None:
        """No ack to the opening message: the first time that is the answer, later on it is a drop."""
        if self._opened is not None and not self._opened.done():
            self._unanswered = True
            message = f"no ack to the opening message within {self._timing.ack:g} s"
            self._opened.set_exception(self._failed(message))

    # -- messages

    def _receive(self, text: str) -> None:
        message = read_message(text)
        if isinstance(message, Malformed):
            self.tell("jambonz:error", message.error())
        elif isinstance(message, Command):
            self._report("webhook", f"command {message.name[:60]}", message.data)
            self._on_command(message)
        elif message.msgid == self._opening_id:
            self._acknowledged(message)
        elif (answer := self._acks.get(message.msgid)) is not None and not answer.done():
            answer.set_result(message.data)

    def _acknowledged(self, ack: Ack) -> None:
        """The opening message, or the one after a drop, is answered; what waited may go out."""
        self._opening_id = ""
        self._live.set()
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(ack.data)
        elif isinstance(ack.data, list) and ack.data:
            self._on_command(Command(name="redirect", data=ack.data))

    def _put(self, message: _Waiting) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            log.warning(
                "call %s: the application does not read its socket; a message is dropped", self._call_sid
            )
            return
        self._waiting.append(message)
        self._idle.clear()
        self._work.set()

    async def _pump(self, socket: ClientWebSocketResponse) -> None:
        while True:
            await self._live.wait()
            while self._waiting:
                try:
                    await socket.send_str(self._waiting[0].text)
                except ConnectionError:
                    return  # the reader sees the drop too; this message goes out on the next connection
                self._report_told(self._waiting.popleft(), "sent")
            self._idle.set()
            self._work.clear()
            await self._work.wait()

    async def _until_live(self) -> None:
        """Wait while the connection is being made again; the end of the line is the end of waiting."""
        assert self._task is not None
        live = asyncio.create_task(self._live.wait())
        try:
            await asyncio.wait({live, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            live.cancel()
        if not self._live.is_set():
            raise self._failed("the socket is closed")

    # -- reports

    async def _watched(self, asking: Awaitable[Any], kind: str, data: Any, hook: str | None) -> Any:
        """What the application answers, reported."""
        name = kind if hook is None else f"{kind} {hook}"
        began = time.monotonic()
        try:
            answer = await asking
        except HookFailed as failure:
            elapsed = (time.monotonic() - began) * 1000
            self._report("webhook", name, data, result=failure.message, ok=False, elapsed_ms=elapsed)
            raise
        elapsed = (time.monotonic() - began) * 1000
        self._report("webhook", name, data, result="ack", elapsed_ms=elapsed, answer=answer)
        return answer

    def _report_told(self, message: _Waiting, result: str, *, ok: bool = True) -> None:
        if message.told is not None:
            name, data = message.told
            self._report("callback", name, data, result=result, ok=ok)

    def _report(self, kind: Literal["webhook", "callback"], name: str, data: Any, **result: Any) -> None:
        if self._on_message is not None:
            url = self.hook.url
            message = SocketMessage(
                call_id=self._call_sid, dialect="jambonz", kind=kind, name=name, url=url, data=data, **result
            )
            self._on_message(message)

    # -- the end

    def _over(self, why: str | None) -> None:
        self._fail_all(why or "the application closed the socket")
        self._on_end(why)

    def _fail_all(self, why: str) -> None:
        waiting = [*self._acks.values()]
        if self._opened is not None:
            waiting.append(self._opened)
        for answer in waiting:
            if not answer.done():
                answer.set_exception(self._failed(why))

    def _failed(self, message: str) -> HookFailed:
        return HookFailed(WEBHOOK_FAILURE, message, url=self.hook.url)
