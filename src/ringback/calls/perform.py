"""Which coroutine does which verb. A verb that takes more than a line or two has a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.calls.configure import configure
from ringback.calls.dial import dial
from ringback.calls.events import CallTagged
from ringback.calls.gather import gather
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.pressing import send_digits
from ringback.calls.prompt import play, say
from ringback.calls.record_verb import control_recording, record
from ringback.calls.refer import refer
from ringback.calls.sending import send_request
from ringback.calls.verbs import (
    Answer,
    Answering,
    Configure,
    ControlRecording,
    Dial,
    Gather,
    HangUp,
    Pause,
    Play,
    Record,
    Redirect,
    Refer,
    Reject,
    Ring,
    Say,
    SendDigits,
    SendRequest,
    Tag,
    Transfer,
    Unbuilt,
    Verb,
)

if TYPE_CHECKING:
    from ringback.calls.call import Call

HUNG_UP = Outcome(end=EndOfVerb.HUNG_UP)
DONE = Outcome()
_Brief = Answer | Ring | Reject | HangUp | Tag | Configure | Redirect
"""Nothing comes of these but that they were done."""


async def perform(call: Call, verb: Verb) -> Outcome:
    """Do one verb on the call. It never raises for what the call, the network or the far end does."""
    if verb.answering is Answering.ANSWER:
        await call.answer()
    elif verb.answering is Answering.EARLY_MEDIA:
        call.early_media()
    if call.over:
        return HUNG_UP
    if isinstance(verb, _Brief):
        await _do(call, verb)
        return HUNG_UP if call.over else DONE
    match verb:
        case Say():
            return await say(call, verb)
        case Play():
            return await play(call, verb)
        case Gather():
            return await gather(call, verb)
        case Pause():
            return await pause(call, verb)
        case SendDigits():
            return await send_digits(call, verb)
        case Dial():
            return await dial(call, verb)
        case Record():
            return await record(call, verb)
        case ControlRecording():
            return control_recording(call, verb)
        case Refer():
            return await refer(call, verb)
        case SendRequest():
            return await send_request(call, verb)
        case Transfer():
            return await perform(call, verb.by)
        case Unbuilt():
            return Outcome(end=EndOfVerb.FAILED, error=verb.note.message)


async def _do(call: Call, verb: _Brief) -> None:
    match verb:
        case Answer():
            await call.answer()
        case Ring():
            call.ring(verb.headers)
        case Reject():
            await call.reject(verb)
        case HangUp():
            await call.hang_up(verb)
        case Tag():
            call.append(CallTagged(data=verb.data))
        case Configure():
            configure(call, verb)
        case Redirect():
            pass  # the script asks for the other document


async def pause(call: Call, verb: Pause) -> Outcome:
    """Wait, until the time is over or the call is."""
    return HUNG_UP if await call.wait_over(verb.seconds) else DONE
