"""Pressing keys: sent one after the other, for as long as the far end listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.verbs import SendDigits
from ringback.calls.waiting import first_of
from ringback.media.keying import PAUSES

if TYPE_CHECKING:
    from ringback.calls.call import Call

_GAP_MS = 100
_GRACE = 2.0
"""Seconds beyond what the keys take; whoever holds the call gets none of them in this time."""


async def send_digits(call: Call, verb: SendDigits) -> Outcome:
    """Send the keys and wait until the last one has gone out. What keeps them from it is noted."""
    try:
        sent = call.leg.send_digits(verb.digits, verb.duration_ms)
    except ValueError as error:
        return _failed(call, str(error))
    if sent is None:
        return _failed(call, "there is no media to send digits on")
    await first_of(sent, call.over_future, timeout=_lasts(verb) + _GRACE)
    if call.over:
        return Outcome(end=EndOfVerb.HUNG_UP)
    if not sent.done():
        return _failed(call, "the far end holds the call: keys go out when it listens again")
    return Outcome()


def _lasts(verb: SendDigits) -> float:
    """Seconds."""
    return sum(PAUSES.get(key, verb.duration_ms + _GAP_MS) for key in verb.digits) / 1000


def _failed(call: Call, problem: str) -> Outcome:
    call.note("warning", "send-digits", problem)
    return Outcome(end=EndOfVerb.FAILED, error=problem)
