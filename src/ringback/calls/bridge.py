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
    the bridge before the block does.
    """

    def __init__(self, caller: Call, callee: Call, hold_hook: Hook | None = None) -> None:
        self.caller = caller
        self.callee = callee
        self.parted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Resolved when it has ended."""
        self._hold_hook = hold_hook
        self._music: dict[Call, asyncio.Task[None]] = {}
        self._watching = ExitStack()

    def other(self, call: Call) -> Call:
        """The one that a call is connected with."""
        return self.callee if call is self.caller else self.caller

    def __enter__(self) -> Self:
        self.caller.leg.bridge(self.callee.leg)
        for call in (self.caller, self.callee):
            call.bridge = self
            call.append(Bridged(other=self.other(call).record.id))
            self._watching.enter_context(call.watching(partial(self._happened, call)))
            if call.leg.held:
                self._hold(call, True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.part()

    def part(self) -> None:
        """End it now; the calls stay up."""
        if self.parted.done():
            return
        self.parted.set_result(None)
        self._watching.close()
        for music in self._music.values():
            music.cancel()
        self.caller.leg.unbridge()
        for call in (self.caller, self.callee):
            call.bridge = None
            if not call.over:
                call.append(Unbridged(other=self.other(call).record.id))

    def _happened(self, call: Call, event: CallEvent) -> None:
        match event:
            case DigitReceived(key=key, method="info"):  # the media plane passes on what comes in the media
                self.other(call).leg.send_digits(key, _KEY_MS)
            case Held(held=held):
                self._hold(call, held)

    def _hold(self, holder: Call, held: bool) -> None:
        waiting = self.other(holder)
        music = self._music.pop(waiting, None)
        if music is not None:
            music.cancel()
        if held:
            self._music[waiting] = waiting.beside(entertain(waiting, holder, self.caller, self._hold_hook))
