"""Gather: prompts, keys and timers brought together round the digit collector."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ringback.calls.collector import DigitCollector
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.prompt import play, say
from ringback.calls.verbs import Gather, HangUp, Pause, Play, Say
from ringback.calls.waiting import first_of
from ringback.media import model as media

if TYPE_CHECKING:
    from ringback.calls.call import Call

_PROMPTS_ENDED = ""


async def gather(call: Call, verb: Gather) -> Outcome:
    """Play the prompts and collect keys, from the first moment on."""
    loop = asyncio.get_running_loop()
    collector = DigitCollector(verb)
    inbox: asyncio.Queue[str] = asyncio.Queue()
    with call.hearing(inbox.put_nowait):
        prompting = loop.create_task(_prompts(call, verb))
        prompting.add_done_callback(lambda _: inbox.put_nowait(_PROMPTS_ENDED))
        try:
            while collector.outcome is None:
                key = await _step(call, collector, inbox)
                if key and verb.barge_in and verb.accepts_digits:
                    # In the audio the tick has stopped the prompt already. A key by INFO, or one that came
                    # while the prompt was being fetched, stops it here.
                    prompting.cancel()
                if prompting.done() and not prompting.cancelled():
                    prompting.result()  # a fault of ours ends the verb, not just its prompts
        finally:
            prompting.cancel()
            await asyncio.wait({prompting})
    if verb.expected is not None and collector.outcome.digits != verb.expected:
        await call.hang_up(HangUp(cause=f"it did not press {verb.expected}"))
    return collector.outcome


async def _step(call: Call, collector: DigitCollector, inbox: asyncio.Queue[str]) -> str:
    """Wait for the next thing to happen, and tell the collector; the key that it was, if it was one."""
    loop = asyncio.get_running_loop()
    heard = loop.create_task(inbox.get())
    timeout = None if collector.deadline is None else max(0.0, collector.deadline - loop.time())
    try:
        await first_of(heard, call.over_future, timeout=timeout)
    finally:
        if not heard.done():
            heard.cancel()
    if heard.done() and not heard.cancelled():
        key = heard.result()
        if key == _PROMPTS_ENDED:
            collector.prompts_ended(loop.time())
        else:
            collector.key(key, loop.time())
        return key
    if call.over:
        collector.hung_up()
    else:
        collector.expire()
    return ""


async def _prompts(call: Call, verb: Gather) -> None:
    """The prompts one after the other; a key cancels them."""
    stop_on = media.StopOn(digits=verb.barge_in and verb.accepts_digits)
    for prompt in verb.prompts:
        outcome = await _prompt(call, prompt, stop_on)
        if outcome.end is EndOfVerb.HUNG_UP:
            return


async def _prompt(call: Call, prompt: Say | Play | Pause, stop_on: media.StopOn) -> Outcome:
    match prompt:
        case Say():
            return await say(call, prompt, stop_on)
        case Play():
            return await play(call, prompt, stop_on)
        case Pause():
            return await _pause(call, prompt, stop_on)


async def _pause(call: Call, prompt: Pause, stop_on: media.StopOn) -> Outcome:
    """A pause between prompts is played as silence, so that a key ends it within the tick as well."""
    playback = call.leg.play([media.Silence(int(prompt.seconds * 1000))], stop_on=stop_on)
    if playback is None:
        return Outcome(end=EndOfVerb.FAILED)
    await first_of(playback.done, call.over_future)
    return Outcome(end=EndOfVerb.HUNG_UP if call.over else EndOfVerb.DONE)
