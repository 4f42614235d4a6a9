"""What a call does from its first document to its end. This file should read like the specification of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ringback.calls.application import Action, Ask, Document, Failed, Redirected
from ringback.calls.events import Noted, VerbEnded, VerbStarted
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.part import Part
from ringback.calls.perform import perform
from ringback.calls.runaway import DOCUMENTS, SECONDS, Runaway
from ringback.calls.status import CallStatus
from ringback.calls.transferred import what_follows
from ringback.calls.verbs import (
    Dial,
    Gather,
    HangUp,
    Hook,
    Play,
    Record,
    Redirect,
    Refer,
    SendRequest,
    Transfer,
    Unbuilt,
    Verb,
)

if TYPE_CHECKING:
    from ringback.calls.call import Call


class Script(Part):
    """The documents of one call, run one verb after the other.

    Hanging up is a value, not a cancellation: a verb on a call that ends returns `HUNG_UP`, and no further
    verb runs. What came of a Dial, a Record, a Refer or a Transfer is reported even then; what is answered to
    that comes too late.
    Only control from outside cancels `run`, and it never touches the leg.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._verbs: deque[Verb] = deque()
        self._at_end: Verb | None = None
        self._more = asyncio.Event()
        self._runaway = Runaway()

    async def run(self, first: Ask | Document) -> None:
        """Ask (or take the given document), then do what it says until the call is over."""
        await self._open(first)
        await self._go_on()

    async def resume(self, verb: Verb, *, at_end: Verb | None = None) -> None:
        """Go on after an interruption: this verb first. `at_end` is due at the end in place of what was."""
        self._verbs.appendleft(verb)
        self._at_end = at_end or self._at_end
        await self._go_on()

    async def _go_on(self) -> None:
        call = self._call
        while not call.over:
            verb = self._next()
            if verb is None:
                self._more.clear()
                await call.while_up(self._more.wait())
            else:
                await self._step(verb)

    async def run_out(self, first: Ask | Document) -> None:
        """The same until the verbs are used up; what would be due then is left out."""
        await self._open(first)
        while self._verbs and not self._call.over:
            await self._step(self._verbs.popleft())

    def append(self, verbs: Sequence[Verb]) -> None:
        """Run these after what is still to do."""
        self._verbs.extend(verbs)
        self._more.set()

    async def _open(self, first: Ask | Document) -> None:
        document = first if isinstance(first, Document) else await self._call.ask(first)
        if document is not None:
            self._take(document)

    async def _step(self, verb: Verb) -> None:
        following = await self._do(verb)
        if following is not None:
            self._take(following)
            await self._check_runaway()

    def _take(self, document: Document) -> None:
        self._call.set_application(document.application)
        for note in document.notes:
            self._call.append(Noted(note=note))
        if document.goes_on:
            return
        self._verbs = deque(document.verbs)
        self._at_end = document.at_end

    def _next(self) -> Verb | None:
        if self._verbs:
            return self._verbs.popleft()
        last = self._at_end
        if last is not None:
            # Should that not end the call, hanging up does.
            self._at_end = HangUp()
        return last

    async def _check_runaway(self) -> None:
        if self._runaway.document(asyncio.get_running_loop().time()):
            cause = f"{DOCUMENTS} documents within {SECONDS:g} s: they lead to each other without end"
            self._call.note("error", "runaway", cause)
            await self._call.hang_up(HangUp(ended_as=CallStatus.FAILED, cause=cause, sip_status=500))

    async def _do(self, verb: Verb) -> Document | None:
        """Run one verb; the document that takes over, or None to go on with this one."""
        call = self._call
        if isinstance(verb, Unbuilt):
            return await self._not_built(verb)
        call.append(VerbStarted(verb=verb))
        outcome = await perform(call, verb)
        call.append(VerbEnded(verb=type(verb).__name__, outcome=outcome))
        if isinstance(verb, Redirect):
            return await call.ask(Redirected(hook=verb.hook, status_hook=verb.status_hook))
        if isinstance(verb, Transfer):
            self._verbs.extendleft(reversed(what_follows(verb, outcome)))
        action = _action_of(verb, outcome)
        if action is None:
            return None
        ask = Action(verb=verb, hook=action, outcome=outcome)
        if not call.over:
            return await call.ask(ask)
        if isinstance(verb, Dial | Record | Refer | Transfer):
            await call.report(ask)
        return None

    async def _not_built(self, verb: Unbuilt) -> Document | None:
        self._call.append(Noted(note=verb.note))
        if verb.failure:
            return await self._call.ask(Failed(verb=verb, note=verb.note))
        if verb.then:
            self._verbs = deque(verb.then)
        return None


def _action_of(verb: Verb, outcome: Outcome) -> Hook | None:
    """Where the outcome is reported, if it is."""
    if isinstance(verb, Dial | Refer | Transfer):
        return verb.action
    if isinstance(verb, Record):
        return verb.action if outcome.recording or verb.report_empty else None
    if outcome.end is EndOfVerb.HUNG_UP:
        return None
    if isinstance(verb, Gather):
        return verb.action if outcome.digits or verb.report_empty else None
    if isinstance(verb, Play | SendRequest):
        return verb.action
    return None
