"""Two calls connected."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ringback.calls.events import Bridged, CallEvent, DigitReceived, Held, Unbridged
from ringback.calls.hold import entertain
from ringback.calls.verbs import Hook

if TYPE_CHECKING:
    from ringback.calls.call import Call

_KEY_MS = 160


class Bridge:
    """For the length of a block each of two calls hears the other and gets its keys, and whoever is put on
    hold hears music.

    What is played to one of them is heard in place of the other. A call that goes its own way (`part`) ends
    the bridge before the block does; a transfer puts somebody else in the callee's place (`exchange`).
    """

    def __init__(
        self, caller: Call, callee: Call, *, hold_hook: Hook | None = None, refer_hook: Hook | None = None
    ) -> None:
        self.caller = caller
        self.callee = callee
        self.refer_hook = refer_hook
        """Asked when one of the two asks to be transferred."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Resolved when one of the two is gone."""
        self._hold_hook = hold_hook
        self._music: dict[Call, asyncio.Task[None]] = {}
        self._watching: dict[Call, ExitStack] = {}

    def other(self, call: Call) -> Call:
        """The one that a call is connected with."""
        return self.callee if call is self.caller else self.caller

    def __enter__(self) -> Self:
        self._join(self.caller, self.callee)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.part()

    def part(self) -> None:
        """End it now; the calls stay up."""
        if self._watching:
            self.caller.leg.unbridge()
            self._leave(self.caller, self.callee)
        self._end()

    def exchange(self, comes: Call) -> None:
        """Put a call in the place of the callee, who stays up alone."""
        leaves, self.callee = self.callee, comes
        self._leave(self.caller, leaves)
        self._join(self.caller, comes)

    def _join(self, *calls: Call) -> None:
        one, other = calls
        one.leg.bridge(other.leg)
        for call in calls:
            call.bridge = self
            call.append(Bridged(other=self.other(call).record.id))
            self._watching[call] = watching = ExitStack()
            watching.enter_context(call.watching(partial(self._happened, call)))
            call.over_future.add_done_callback(partial(self._gone, call))
        for call in calls:
            if call.leg.held:
                self._hold(call, True)

    def _leave(self, *calls: Call) -> None:
        one, other = calls
        for call, was_with in ((one, other), (other, one)):
            self._watching.pop(call).close()
            self._stop_music(call)
            call.bridge = None
            if not call.over:
                call.append(Unbridged(other=was_with.record.id))

    def _gone(self, call: Call, _: asyncio.Future[None]) -> None:
        if call in self._watching:
            self._end()

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def _happened(self, call: Call, event: CallEvent) -> None:
        match event:
            case DigitReceived(key=key, method="info"):  # the media plane passes on what comes in the media
                self.other(call).leg.send_digits(key, _KEY_MS)
            case Held(held=held):
                self._hold(call, held)

    def _hold(self, holder: Call, held: bool) -> None:
        waiting = self.other(holder)
        self._stop_music(waiting)
        if held:
            self._music[waiting] = waiting.beside(entertain(waiting, holder, self.caller, self._hold_hook))

    def _stop_music(self, waiting: Call) -> None:
        music = self._music.pop(waiting, None)
        if music is not None:
            music.cancel()
