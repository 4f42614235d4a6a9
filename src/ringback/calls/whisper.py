"""Speaking or playing to one party of a call alone, over whatever it hears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ringback.calls.prompt import play, say
from ringback.calls.verbs import OnError, Play, Say

if TYPE_CHECKING:
    from ringback.calls.call import Call


async def whisper(call: Call, verbs: Sequence[Say | Play]) -> None:
    """One after the other; what cannot be had is noted and left out."""
    for verb in verbs:
        match msgspec.structs.replace(verb, on_error=OnError.CONTINUE):
            case Say() as words:
                await say(call, words, over=True)
            case Play() as clips:
                await play(call, clips, over=True)
