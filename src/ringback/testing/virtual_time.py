"""An event loop whose clock jumps to the next timer whenever there is nothing else to do.

A test that waits half a minute for a time-out takes no time, and always sees the same order of events:

    @in_virtual_time
    async def test_the_second_retry_comes_after_three_seconds() -> None:
        started = asyncio.get_running_loop().time()
        ...

What is virtual is `loop.time()` and everything built on it: `asyncio.sleep`, `timeout`, `wait_for`,
`call_later`. `time.time()` and `time.monotonic()` go on as ever. Work given to `run_in_executor` (and
`asyncio.to_thread`) is waited for in real time. Sockets work when the answer is there at once, as with two
ends in one process; for a peer in another process or thread the clock would not wait: use the real loop.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_PATIENCE = 10.0  # real seconds without a timer or a sign of life after which a test is stuck
_START = 1_000.0  # nobody should rely on a clock that begins at 0


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop itself, for `asyncio.Runner(loop_factory=VirtualTimeLoop)`."""

    def __init__(self) -> None:
        self._virtual_now = _START
        self._in_threads = 0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """The virtual clock, in seconds."""
        return self._virtual_now

    def run_in_executor(  # type: ignore[override]  # the stub's generics differ between Python versions
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """As ever, and the clock stands still meanwhile."""
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._back_from_thread)
        return future

    def _back_from_thread(self, _: asyncio.Future[Any]) -> None:
        self._in_threads -= 1

    def jump(self, seconds: float) -> bool:
        """Move the clock, unless a thread is at work; whether it moved."""
        if self._in_threads:
            return False
        self._virtual_now += seconds
        return True


class _JumpingSelector(selectors.BaseSelector):
    """Asks the real selector without waiting; where it would have waited, the clock jumps instead."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is not None and self._loop.jump(timeout):
            return []
        ready = self._real.select(_PATIENCE)
        if not ready:
            raise RuntimeError(f"stuck: nothing happened for {_PATIENCE:.0f} s and no timer is set")
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Decorate an asynchronous test (its fixtures are handed on) to run in virtual time."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(test(*args, **kwargs))

    return wrapper
