"""Asking registered devices whether they are still there: OPTIONS keeps the way through a NAT open, and finds
out who has left without a word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from ringback.routing.registrar import Binding

logger = logging.getLogger(__name__)

_GONE = frozenset({408, 503})
"""Nobody answered, or nobody could be reached; any other answer comes from a device that is there."""


class KeepAlive:
    """Asks one contact after the other, spread over the interval, and drops those that do not answer.

    `ask` sends OPTIONS and gives the status of the final response (408 for none).
    """

    def __init__(
        self,
        registered: Callable[[], Sequence[Binding]],
        ask: Callable[[Binding], Awaitable[int]],
        drop: Callable[[Binding], None],
        *,
        everybody: bool,
        tries: int,
    ) -> None:
        self._registered = registered
        self._ask = ask
        self._drop = drop
        self._everybody = everybody
        self._tries = tries
        self._silent: dict[tuple[str, str], int] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> None:
        """Ask each once in this many seconds, until cancelled."""
        try:
            while True:
                concerned = [b for b in self._registered() if self._everybody or b.behind_nat]
                known = {_key(binding) for binding in concerned}
                self._silent = {key: count for key, count in self._silent.items() if key in known}
                for binding in concerned:
                    self._begin(binding)
                    await asyncio.sleep(seconds / len(concerned))
                if not concerned:
                    await asyncio.sleep(seconds)
        finally:
            for task in self._asking:
                task.cancel()

    def _begin(self, binding: Binding) -> None:
        """Nobody waits for the answer: a device that is gone takes half a minute not to give one."""
        task = asyncio.get_running_loop().create_task(self._find_out(binding))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _find_out(self, binding: Binding) -> None:
        try:
            status = await self._ask(binding)
        except ValueError as error:
            logger.warning("contact %s of %s cannot be asked: %s", binding.contact, binding.username, error)
            return
        key = _key(binding)
        if status not in _GONE:
            self._silent.pop(key, None)
            return
        self._silent[key] = self._silent.get(key, 0) + 1
        if self._silent[key] >= self._tries:
            del self._silent[key]
            current = [b for b in self._registered() if _key(b) == key]
            logger.info("contact %s of %s does not answer, and is dropped", binding.contact, binding.username)
            for gone in current:
                self._drop(gone)


def _key(binding: Binding) -> tuple[str, str]:
    return (binding.username, binding.contact)
