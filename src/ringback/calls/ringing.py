"""What the caller of a Dial hears until somebody is connected: ringing, music, or a callee's early media."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ringback.audio.errors import AudioError
from ringback.calls.events import CallEvent, CallRinging
from ringback.calls.hold import entertain
from ringback.calls.verbs import Clip, Dial
from ringback.media.tones import ringing_tone

if TYPE_CHECKING:
    from ringback.calls.call import Call


class Ringing:
    """For the length of a block: what the legs that it follows do, told to the caller.

    A caller that is answered, or hears early media already, hears a tone where one that is not gets 180.
    Early media of a leg are passed on, as 183. Music, or what a party on hold hears, is there from the
    beginning, in place of all that.
    """

    def __init__(self, caller: Call, verb: Dial, told: Callable[[int], None] | None = None) -> None:
        self._caller = caller
        self._told = told
        self._verb = verb
        self._entertained = verb.music is not None or verb.parks
        self._heard: Call | None = None
        self._sounding = False
        self._watching = ExitStack()

    def __enter__(self) -> Self:
        caller, verb = self._caller, self._verb
        if verb.music is not None:
            self._watching.callback(caller.beside(self._play(verb.music)).cancel)
        elif verb.parks:
            self._watching.callback(caller.beside(entertain(caller, caller, caller, verb.hold_hook)).cancel)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching.close()
        if self._sounding:
            self._caller.leg.stop_playback()
        if self._heard is not None:
            self._caller.leg.unbridge()
        self._heard = None

    def follow(self, leg: Call) -> None:
        """Listen to a leg that is being called."""
        self._watching.enter_context(leg.watching(partial(self._happened, leg)))
        leg.over_future.add_done_callback(lambda _: self.hush(leg))

    def ring(self) -> None:
        """Somebody's telephone rings."""
        if self._heard is not None or self._entertained or self._sounding:
            return
        if self._caller.leg.has_media:
            self._sounding = True
            self._caller.leg.play(ringing_tone(self._verb.ringback), loop=0)
        else:
            self._caller.ring()

    def hush(self, leg: Call) -> None:
        """What this leg says is not, or no longer, for the caller's ears."""
        if self._heard is leg:
            self._heard = None
            self._caller.leg.unbridge()
            self.ring()

    def _happened(self, leg: Call, event: CallEvent) -> None:
        if isinstance(event, CallRinging):
            if self._told is not None:
                self._told(event.sip_status)
            if event.early_media and self._verb.passes_early_media and not self._entertained:
                self._listen_to(leg)
            else:
                self.ring()

    def _listen_to(self, leg: Call) -> None:
        """The first that says something is heard; of several that do, nobody could understand a word."""
        caller = self._caller
        if self._heard is not None:
            return
        caller.early_media()
        if not caller.leg.has_media:
            self.ring()
            return
        if self._sounding:
            self._sounding = False
            caller.leg.stop_playback()
        self._heard = leg
        caller.leg.bridge(leg.leg)

    async def _play(self, music: Clip) -> None:
        caller = self._caller
        try:
            source = await caller.engine.audio.url(music.url, account=str(caller.record.account_id))
        except AudioError as error:
            caller.note("warning", "dial-music", f"the music cannot be had: {error}", urls=[music.url])
            self._entertained = False
            self.ring()
            return
        caller.early_media()
        self._sounding = caller.leg.play([source], loop=0) is not None
