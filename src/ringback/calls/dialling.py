"""Calling the callees of a Dial, all at once or one after the other, until one of them is accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ringback.calls.branches import ELSEWHERE
from ringback.calls.control import CallerNotOwned, Overloaded, Unroutable
from ringback.calls.detection import at_answer
from ringback.calls.ending import Ending
from ringback.calls.lease import Lease
from ringback.calls.placing import Placement, begin
from ringback.calls.pressing import send_digits
from ringback.calls.record import CallRecord
from ringback.calls.ringing import Ringing
from ringback.calls.screening import briefed, screened
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.timeline import current_call
from ringback.calls.verbs import Callee, Dial, SendDigits, Target
from ringback.calls.waiting import first_of

if TYPE_CHECKING:
    from ringback.calls.application import Application
    from ringback.calls.call import Call


class Dialling:
    """The callees of one Dial. Each is a call of its own, held by the Dial's lease."""

    def __init__(self, caller: Call, verb: Dial, lease: Lease, ringing: Ringing) -> None:
        self._caller = caller
        self._lease = lease
        self._sequential = verb.sequential
        self._waiting = [Attempt(caller, verb, callee, lease, ringing) for callee in _once_each(verb.callees)]
        self._tried: list[Attempt] = []

    @property
    def legs(self) -> Sequence[Call]:
        """Those that were called, in the order in which the verb names them."""
        return [attempt.leg for attempt in self._tried if attempt.begun]

    async def accepted(self) -> Call | None:
        """The first leg that is there to be connected; None when there is none, or the caller is gone.

        By then nobody else's telephone rings any more.
        """
        all_at_once = [self._waiting] if self._waiting else []
        for group in [[each] for each in self._waiting] if self._sequential else all_at_once:
            winner = await self._first_of(group)
            if winner is not None or self._caller.over:
                return winner
        return None

    async def _first_of(self, attempts: Sequence[Attempt]) -> Call | None:
        loop = asyncio.get_running_loop()
        self._tried += attempts
        tasks = {loop.create_task(attempt.run()): attempt for attempt in attempts}
        under_way: set[asyncio.Future[bool]] = set(tasks)
        try:
            while under_way and not self._caller.over:
                await first_of(*under_way, self._caller.over_future)
                for task, attempt in tasks.items():
                    if task in under_way and task.done():
                        under_way.discard(task)
                        if task.result():
                            self._lease.drop("answered elsewhere", but=attempt.leg, headers=ELSEWHERE)
                            return attempt.leg
            return None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


class Attempt:
    """One callee: called, at the answer sent keys and screened, and then accepted or not."""

    def __init__(self, caller: Call, verb: Dial, callee: Callee, lease: Lease, ringing: Ringing) -> None:
        self._caller = caller
        self._verb = verb
        self._callee = callee
        self._lease = lease
        self._ringing = ringing
        application = caller.application.for_callee(callee, caller.record)
        self.begun = False
        """Whether it was called at all."""
        self.leg = caller.dialled(self._record(application), application)
        self.leg.leg.codecs = callee.codecs

    async def run(self) -> bool:
        """Call it; whether it is there to be connected. A leg that is not has mostly ended by then."""
        leg, callee = self.leg, self._callee
        current_call.set(str(leg.record.id))
        if not await self._begun():
            return False
        self._ringing.follow(leg)
        placement = self._placement()
        if placement is None or not await leg.engine.placing.place(leg, placement):
            return False
        if callee.send_digits:
            await send_digits(leg, SendDigits(digits=callee.send_digits))
        await at_answer(leg, callee.detection or self._verb.detection)
        if (callee.briefing or callee.screening is not None) and self._lease.holds(leg) and not leg.over:
            self._ringing.hush(leg)
            self._ringing.ring()
            return await briefed(leg, callee.briefing) and await screened(leg, callee)
        return not leg.over and self._lease.holds(leg)

    async def _begun(self) -> bool:
        """Let the leg exist; whether it does once that is durable, as a call that nobody knew would not be
        hung up after a crash."""
        leg = self.leg
        self.begun = True
        try:
            begin(leg)
        except Overloaded as error:
            self._fail(503, error.message)
            return False
        leg.engine.roster.take(leg)
        self._lease.take(leg)
        legs = self._caller.legs
        legs.add(leg)
        leg.closed.add_done_callback(lambda _: legs.discard(leg))
        assert leg.stored is not None
        await first_of(leg.stored, leg.over_future)
        if not leg.over and leg.stored.exception() is not None:
            self._fail(503, "the call cannot be stored")
        return not leg.over

    def _forwarded_by(self) -> str:
        """Our number that passes the call on, where the callee is shown the caller's own."""
        caller = self._caller.record
        own = self._callee.caller_id or self._verb.caller_id
        ours = caller.number_id is not None or caller.trunk is not None  # not what a device dialled
        return caller.to if own is None and ours and caller.direction is Direction.INBOUND else ""

    def _placement(self) -> Placement | None:
        """How to reach the callee; None, and the leg has failed, where there is no way."""
        leg, verb, callee = self.leg, self._verb, self._callee
        placing, record, caller = leg.engine.placing, leg.record, self._caller.record
        caller_id = callee.caller_id or verb.caller_id
        try:
            if caller_id is not None:
                placing.verify(caller_id, record.account_id)
            routed = placing.routes(
                record.account_id,
                callee.target,
                caller_id=record.from_,
                caller_name=record.caller_name or "",
                forwarded_by=self._forwarded_by(),
                from_trunk=caller.direction is Direction.INBOUND and caller.trunk is not None,
            )
        except (Unroutable, CallerNotOwned) as error:
            status = error.sip_status if isinstance(error, Unroutable) else 403
            self._fail(status, error.message)
            return None
        return Placement(
            routed=routed,
            ring_timeout=verb.ring_timeout,
            headers=(*verb.headers, *callee.target.headers),
            from_host=callee.from_host,
            session_expires=callee.session_expires,
        )

    def _fail(self, sip_status: int, cause: str) -> None:
        self.leg.end(Ending(status=CallStatus.FAILED, cause=cause, by=EndedBy.SERVER, sip_status=sip_status))

    def _record(self, application: Application) -> CallRecord:
        caller, verb, callee = self._caller.record, self._verb, self._callee
        name = callee.caller_name or verb.caller_name
        caller_id = callee.caller_id or verb.caller_id
        return self._caller.engine.placing.record(
            application,
            Direction.OUTBOUND_DIAL,
            account_id=caller.account_id,
            application_id=caller.application_id,
            parent_id=caller.id,
            from_=caller_id or caller.from_,
            from_uri="" if caller_id else caller.from_uri,
            to=callee.shown,
            caller_name=caller.caller_name if name is None else name,
            client=callee.target.address if callee.target.kind == "client" else None,
            custom=callee.custom,
        )


def _once_each(callees: Sequence[Callee]) -> Sequence[Callee]:
    """Identical targets once: the first that names one counts."""
    first: dict[Target, Callee] = {}
    for callee in callees:
        first.setdefault(callee.target, callee)
    return list(first.values())
