"""What an application's socket wants done to the call, in order, beside the call's own task."""

from __future__ import annotations

import asyncio
import logging
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
    """A queue of commands and the task that does them. `complain` is told of each that was not done."""

    def __init__(
        self,
        services: Services,
        application: Commanded,
        call: CallRecord,
        complain: Callable[[Command, str], None],
    ) -> None:
        self._services = services
        self._application = application
        self._account_id, self._call_id = call.account_id, call.id
        self._complain = complain
        self._queue: asyncio.Queue[Command | HangUp | None] = asyncio.Queue(_MOST)
        self._task: asyncio.Task[None] | None = None

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
        if self._task is not None:
            self._task.cancel()

    def _put(self, order: Command | HangUp | None) -> None:
        if self._queue.full():
            if isinstance(order, Command):
                self._complain(order, "too many commands are waiting")
                return
            self._queue.get_nowait()
        self._queue.put_nowait(order)
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=f"commands for {self._call_id}")

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
            await execute(order, self._application, calls, self._account_id, self._call_id)
        elif order is None:
            await calls.hang_up(self._account_id, self._call_id)
        else:
            await calls.append(self._account_id, self._call_id, [order])
