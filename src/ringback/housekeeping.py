"""What goes on beside the calls while a server runs, until its stack is closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ringback.store.errors import StoreError

logger = logging.getLogger(__name__)


def beside(stack: contextlib.AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Let it run until the stack is closed."""
    stack.callback(asyncio.get_running_loop().create_task(work).cancel)


def repeat(stack: contextlib.AsyncExitStack, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do something every so often until the stack is closed, first in `seconds`; a failure is logged, and it
    is tried again."""
    beside(stack, _repeat(seconds, work))


async def _repeat(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except StoreError as error:
            logger.warning("housekeeping waits for the store: %s", error)
        except Exception:
            logger.exception("housekeeping failed, and is tried again in %g s", seconds)
