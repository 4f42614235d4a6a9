"""What an application's socket wants done to the call, in order, beside the call's own task."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.calls.control import ControlError
from ringback.calls.verbs import HangUp
from ringback.dialects.jambonz.commands import Commanded, CommandFailed, execute
from ringback.dialects.jambonz.protocol import Command

if TYPE_CHECKING:
    from ringback.calls.record import CallRecord
    from ringback.calls.services import Services

log = logging.getLogger(__name__)

_MOST = 200


class Orders:
    """A queue of commands and the task that does them. `complain`, a method, is told of each that was not
    done. Both it and the application are known weakly: they hold these orders, and would never be freed."""

    def __init__(
        self,
        services: Services,
        application: Commanded,
        call: CallRecord,
        complain: Callable[[Command, str], None],
    ) -> None:
        self._services = services
        self._application = weakref.ref(application)
        self._account_id, self._call_id = call.account_id, call.id
        self._complains = weakref.WeakMethod(complain)
        self._queue: asyncio.Queue[Command | HangUp | None] = asyncio.Queue(_MOST)
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def take(self, command: Command) -> None:
        """Do this after what was ordered before."""
        self._put(command)

    def end(self, why: str | None) -> None:
        """The socket is gone: in peace, then the call ends once it has nothing left to do; else at once."""
        if why is not None:
            log.warning("call %s ends: %s", self._call_id, why)
        self._put(HangUp() if why is None else None)

    def close(self) -> None:
        """Forget what was not done yet."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            self._task = None  # it keeps the frame in which it was cancelled, and with that us

    def _put(self, order: Command | HangUp | None) -> None:
        if self._closed:
            return
        if self._queue.full():
            if isinstance(order, Command):
                self._complain(order, "too many commands are waiting")
                return
            self._queue.get_nowait()
        self._queue.put_nowait(order)
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=f"commands for {self._call_id}")

    def _complain(self, command: Command, why: str) -> None:
        complain = self._complains()
        if complain is not None:
            complain(command, why)

    async def _work(self) -> None:
        while True:
            order = await self._queue.get()
            try:
                await self._do(order)
            except CommandFailed as failure:
                if isinstance(order, Command):
                    self._complain(order, str(failure))
            except ControlError as error:
                log.info("call %s: %s", self._call_id, error.message)
            except Exception:
                log.exception("call %s: a command failed in a way that was not foreseen", self._call_id)

    async def _do(self, order: Command | HangUp | None) -> None:
        calls = self._services.calls
        if isinstance(order, Command):
            application = self._application()
            if application is not None:  # else the call is over, and so is what was ordered
                await execute(order, application, calls, self._account_id, self._call_id)
        elif order is None:
            await calls.hang_up(self._account_id, self._call_id)
        else:
            await calls.append(self._account_id, self._call_id, [order])
