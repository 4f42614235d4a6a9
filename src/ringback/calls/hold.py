"""What is played to a party that was put on hold, until it is taken off again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from ringback.audio.errors import AudioError
from ringback.calls.application import Holding
from ringback.calls.prompt import play, play_sources, say
from ringback.calls.verbs import Clip, Hook, OnError, Pause, Play, Say, Verb
from ringback.media.tones import HOLD_MUSIC

if TYPE_CHECKING:
    from ringback.calls.call import Call

_ROUND = 0.5
"""Seconds: a round of the application's that takes less was nothing to hear."""


async def entertain(waiting: Call, holder: Call, caller: Call, hook: Hook | None) -> None:
    """Play music to `waiting`, until cancelled: that of the call that dialled, else what `hook` answers for
    the one who holds, again and again, else a tune of our own."""
    if caller.settings.hold_music is not None:
        await _play_for_ever(waiting, caller.settings.hold_music)
    elif hook is not None:
        await _ask_for_ever(waiting, holder, caller, hook)
    await play_sources(waiting, HOLD_MUSIC, loop=0)


async def _play_for_ever(waiting: Call, clip: Clip) -> None:
    """Returns when there is no such clip, or the call is over."""
    account = str(waiting.record.account_id)
    try:
        source = await waiting.engine.audio.url(clip.url, account=account)
    except AudioError as error:
        waiting.note("warning", "hold-music", f"the music on hold cannot be had: {error}", urls=[clip.url])
    else:
        await play_sources(waiting, [source], loop=0)


async def _ask_for_ever(waiting: Call, holder: Call, caller: Call, hook: Hook) -> None:
    """Returns when the application has nothing to say, or the call is over."""
    loop = asyncio.get_running_loop()
    question = Holding(hook=hook, from_=holder.record.from_, to=holder.record.to)
    while not waiting.over:
        document = await caller.ask(question)
        began = loop.time()
        for verb in document.verbs if document is not None else ():
            await _entertain_with(waiting, verb)
        if loop.time() - began < _ROUND:
            return


async def _entertain_with(waiting: Call, verb: Verb) -> None:
    """A prompt that cannot be had ends nothing."""
    match verb:
        case Say():
            await say(waiting, msgspec.structs.replace(verb, on_error=OnError.CONTINUE))
        case Play():
            await play(waiting, msgspec.structs.replace(verb, on_error=OnError.CONTINUE))
        case Pause():
            await waiting.wait_over(verb.seconds)
        case _:
            name = type(verb).__name__
            waiting.note("warning", "hold", f"{name} cannot be used to entertain a party on hold")
