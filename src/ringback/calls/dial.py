"""Dial: others are called, and the first who accepts is connected with the caller until one of them
leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import msgspec

from ringback.calls.bridge import Bridge
from ringback.calls.dial_recording import DialRecording
from ringback.calls.dialling import Dialling
from ringback.calls.events import KeysMatched
from ringback.calls.lease import Lease
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.patterns import PatternMatcher
from ringback.calls.record import CallRecord
from ringback.calls.ringing import Ringing
from ringback.calls.status import CallStatus, EndedBy
from ringback.calls.verbs import Dial, HangUp, KeyPatterns
from ringback.calls.waiting import first_of

if TYPE_CHECKING:
    from ringback.calls.call import Call

_END = 5.0
"""Seconds that a leg gets to end in."""

_BEST = (
    CallStatus.BUSY,
    CallStatus.DECLINED,
    CallStatus.COMPLETED,
    CallStatus.NO_ANSWER,
    CallStatus.UNAVAILABLE,
    CallStatus.CANCELED,
    CallStatus.FAILED,
)
"""Of several who were not connected, whose failure says most. `COMPLETED` is one that was screened out."""


async def dial(call: Call, verb: Dial, *, on_ringing: Callable[[int], None] | None = None) -> Outcome:
    """Call the callees and connect the first that is accepted; ends when the two part, or nobody was.

    `on_ringing` is told the status of what says that a callee's telephone rings.
    """
    if not verb.answer_on_bridge:
        await call.answer()
    with Lease() as lease, DialRecording(call, verb) as recording:
        with Ringing(call, verb, on_ringing) as ringing:
            dialling = Dialling(call, verb, lease, ringing)
            leg = await dialling.accepted()
        if leg is not None:
            outcome = await _connect(call, verb, leg, lease, recording)
        else:
            lease.drop("the caller hung up")
            outcome = await _not_connected(call, dialling.legs)
    return msgspec.structs.replace(outcome, recording=await recording.made())


async def _connect(call: Call, verb: Dial, leg: Call, lease: Lease, recording: DialRecording) -> Outcome:
    loop = asyncio.get_running_loop()
    await call.answer()
    began = loop.time()
    bridged = lease.holds(leg) and not (call.over or leg.over)
    if bridged:
        if verb.gain_db:
            leg.leg.amplify(verb.gain_db)
        recording.connected()
        leg = await _together(call, verb, leg)
    talked = loop.time() - began
    if lease.holds(leg):
        lease.drop("the connection ended")
        await asyncio.wait({leg.closed}, timeout=_END)
    return _outcome(call, leg, bridged=bridged, talk_seconds=round(talked) if bridged else 0)


async def _together(call: Call, verb: Dial, leg: Call) -> Call:
    """Until one of the two hangs up or goes its own way, a key of the caller's ends it, or time runs out.

    Returns the leg that the caller was connected with last: a transfer may have put another in its place.
    """
    loop = asyncio.get_running_loop()
    key_pressed: asyncio.Future[None] = loop.create_future()

    def pressed(key: str) -> None:
        if key in verb.hang_up_keys and not key_pressed.done():
            key_pressed.set_result(None)

    bridge = Bridge(call, leg, hold_hook=verb.hold_hook, refer_hook=verb.refer_hook)
    with bridge, call.hearing(pressed), _matching(call, leg, verb.keys):
        if verb.announcement:
            call.whisper(verb.announcement)
            leg.whisper(verb.announcement)
        await first_of(bridge.over, key_pressed, timeout=verb.time_limit)
        timed_out = not (bridge.over.done() or key_pressed.done())
    if timed_out and verb.hang_up_after_limit:
        await call.hang_up(HangUp(cause="the time limit of its dial passed"), EndedBy.SERVER)
    return bridge.callee


@contextmanager
def _matching(call: Call, leg: Call, keys: KeyPatterns | None) -> Iterator[None]:
    """Tell of the sequences of keys that either presses."""
    with ExitStack() as hearing:
        if keys is not None:
            hearing.enter_context(call.hearing(_matcher(call, keys.caller, keys)))
            hearing.enter_context(leg.hearing(_matcher(leg, keys.callee, keys)))
        yield


def _matcher(call: Call, patterns: Sequence[str], keys: KeyPatterns) -> Callable[[str], None]:
    matcher, loop = PatternMatcher(patterns), asyncio.get_running_loop()

    def pressed(key: str) -> None:
        match = matcher.key(key, loop.time())
        if match is not None:
            call.append(KeysMatched(keys=match, hook=keys.hook))

    return pressed


async def _not_connected(call: Call, legs: Sequence[Call]) -> Outcome:
    """Nobody was: the failure that says most."""
    if legs:
        await asyncio.wait({leg.closed for leg in legs}, timeout=_END)
    failed = min(legs, key=lambda leg: _rank(leg.record), default=None)
    if failed is None:
        return Outcome(end=EndOfVerb.FAILED, error="nobody was to be called")
    return _outcome(call, failed)


def _rank(record: CallRecord) -> int:
    return _BEST.index(record.status) if record.status in _BEST else len(_BEST)


def _outcome(call: Call, leg: Call, *, bridged: bool = False, talk_seconds: int = 0) -> Outcome:
    record = leg.record
    end = EndOfVerb.DONE if bridged else EndOfVerb.FAILED
    return Outcome(
        end=EndOfVerb.HUNG_UP if call.over else end,
        error=None if bridged else record.cause,
        callee=record.id,
        callee_status=CallStatus.COMPLETED if bridged else record.status,
        sip_status=200 if record.answered_at else record.sip_status,
        sip_reason="OK" if record.answered_at else record.sip_reason,
        sip_call_id=record.sip_call_id,
        sip_headers=tuple(leg.leg.response_headers),
        bridged=bridged,
        talk_seconds=talk_seconds,
        ring_seconds=_ring_seconds(record),
    )


def _ring_seconds(record: CallRecord) -> int:
    until = record.answered_at or record.ended_at
    if record.initiated_at is None or until is None:
        return 0
    return round((until - record.initiated_at).total_seconds())
