"""Dial in virtual time, on a network in memory: who is called when, who wins, what becomes of the rest."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any, cast

import pytest
from tests.calls.making import FakeApplication, FakeStore, answered_record, document, fake_engine

from ringback.calls import verbs
from ringback.calls.call import Call
from ringback.calls.control import CallerNotOwned, Unroutable
from ringback.calls.ending import Ending
from ringback.calls.events import Bridged, CallEnded, CallInitiated, Unbridged, VerbEnded
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.placing import Placement, Placing
from ringback.calls.status import CallStatus, EndedBy
from ringback.calls.verbs import Callee, Dial, HangUp, Pause, Target
from ringback.routing.outbound import Routed
from ringback.store.errors import StoreError
from ringback.testing.virtual_time import in_virtual_time

Behaviour = Callable[[Call], None]
"""What a telephone does when it is called."""


def answers(after: float, *, stays: float | None = None) -> Behaviour:
    """Somebody picks up, and hangs up again after a while."""

    def behave(leg: Call) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(after, leg.reports.leg_answered, 200, "OK")
        if stays is not None:
            loop.call_later(after + stays, leg.reports.leg_ended, "remote", (), "")

    return behave


def refuses(status: int, after: float = 1.0) -> Behaviour:
    """A final response that is none of the good ones."""

    def behave(leg: Call) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(after, leg.reports.leg_failed, status, "No", "rejected")

    return behave


def rings(leg: Call) -> None:
    """Nobody is at home."""
    asyncio.get_running_loop().call_later(1.0, leg.reports.leg_ringing, 180, "Ringing", False)


class Network(Placing):
    """Everybody who can be called, and what they do then."""

    def __init__(self, **them: Behaviour) -> None:
        nothing = cast("Any", None)
        super().__init__(nothing, nothing, nothing, nothing, domain="ringback.example")
        self._them = them
        self.called: list[tuple[str, float]] = []
        """Who was, and when."""
        self.legs: dict[str, Call] = {}

    def verify(self, caller_id: str, account_id: object) -> None:
        if caller_id == "stolen":
            raise CallerNotOwned("stolen is no number of this account")

    def routes(self, account_id: object, target: Target, **_: object) -> Routed:
        if target.address not in self._them:
            raise Unroutable(f"no way to {target.address}", 480)
        return Routed(())

    async def place(self, call: Call, placement: Placement) -> bool:
        name = call.record.to
        self.called.append((name, asyncio.get_running_loop().time()))
        self.legs[name] = call
        call.append(CallInitiated(sip_call_id=call.record.sip_call_id, target=f"sip:{name}@far.example"))
        self._them[name](call)
        await asyncio.wait({call.answered}, timeout=placement.ring_timeout)
        if call.answered.done():
            return call.answered.result()
        call.end(Ending(status=CallStatus.NO_ANSWER, cause="no answer", by=EndedBy.SERVER, sip_status=487))
        return False


class Dialled:
    """A call that dials, on such a network."""

    def __init__(self, verb: Dial, *others: verbs.Verb, **them: Behaviour) -> None:
        self.store = FakeStore()
        self.app = FakeApplication()
        self.network = Network(**them)
        engine = dataclasses.replace(fake_engine(self.store), placing=self.network)
        self.call = Call(answered_record(), self.app, engine)
        engine.roster.take(self.call)
        self.began = asyncio.get_running_loop().time()
        self.call.runner.run(document(self.app, verb, *others, at_end=HangUp()))

    async def outcome(self) -> Outcome:
        """How the Dial ended, once the call is over."""
        await self.call.engine.roster.emptied(100_000)
        [outcome] = [e.outcome for e in self.app.told if isinstance(e, VerbEnded) and e.verb == "Dial"]
        return outcome

    @property
    def status(self) -> dict[str, str]:
        """How each of those that were called ended."""
        return {name: leg.record.status.value for name, leg in self.network.legs.items()}

    @property
    def called(self) -> list[tuple[str, float]]:
        """Who was called, and after how many seconds."""
        return [(name, at - self.began) for name, at in self.network.called]


def to(*names: str, **more: Any) -> tuple[Callee, ...]:
    return tuple(Callee(target=Target(kind="client", address=name), shown=name, **more) for name in names)


@in_virtual_time
async def test_the_first_who_answers_is_connected() -> None:
    run = Dialled(
        Dial(callees=to("bob", "carol", "dave")),
        bob=rings,
        carol=answers(5.0, stays=60.0),
        dave=refuses(486, after=2.0),
    )
    outcome = await run.outcome()
    carol = run.network.legs["carol"].record
    assert outcome.end is EndOfVerb.DONE
    assert (outcome.callee, outcome.callee_status, outcome.sip_status) == (carol.id, "completed", 200)
    assert (outcome.bridged, outcome.talk_seconds) == (True, 60)
    assert run.status == {"bob": "canceled", "carol": "completed", "dave": "busy"}
    assert run.called == [("bob", 0.0), ("carol", 0.0), ("dave", 0.0)]


@in_virtual_time
async def test_of_two_who_answer_at_once_one_is_hung_up() -> None:
    run = Dialled(Dial(callees=to("bob", "carol")), bob=answers(5.0, stays=60.0), carol=answers(5.0))
    outcome = await run.outcome()
    assert outcome.callee == run.network.legs["bob"].record.id
    carol = run.network.legs["carol"].record
    assert (carol.status, carol.cause, carol.ended_by) == ("completed", "answered elsewhere", "server")
    assert sum(isinstance(event, Bridged) for event in run.app.told) == 2


@in_virtual_time
async def test_one_after_the_other_each_for_as_long_as_it_may_ring() -> None:
    run = Dialled(
        Dial(callees=to("bob", "carol", "dave"), sequential=True, ring_timeout=20.0),
        bob=rings,
        carol=refuses(486, after=3.0),
        dave=answers(1.0, stays=10.0),
    )
    outcome = await run.outcome()
    assert outcome.callee == run.network.legs["dave"].record.id
    assert run.called == [("bob", 0.0), ("carol", 20.0), ("dave", 23.0)]
    assert run.status == {"bob": "no-answer", "carol": "busy", "dave": "completed"}


@in_virtual_time
@pytest.mark.parametrize(
    ("them", "worst"),
    [
        pytest.param({"bob": rings, "carol": refuses(486)}, "carol", id="busy over no answer"),
        pytest.param({"bob": refuses(500), "carol": rings}, "carol", id="no answer over failure"),
        pytest.param({"bob": refuses(500), "carol": refuses(603)}, "carol", id="declined over failure"),
        pytest.param({"bob": refuses(480), "carol": refuses(404)}, "bob", id="unavailable over failure"),
        pytest.param({"bob": refuses(500), "carol": refuses(503)}, "bob", id="of equals the first"),
        pytest.param({"bob": refuses(486)}, "bob", id="busy over who cannot be reached"),
    ],
)
async def test_of_all_failures_the_one_that_says_most_is_told(them: dict[str, Behaviour], worst: str) -> None:
    run = Dialled(Dial(callees=to("bob", "carol")), **them)
    outcome = await run.outcome()
    told = run.network.legs[worst].record
    assert (outcome.end, outcome.bridged) == (EndOfVerb.FAILED, False)
    assert (outcome.callee, outcome.callee_status) == (told.id, told.status)
    assert (outcome.sip_status, outcome.error) == (told.sip_status, told.cause)


@in_virtual_time
async def test_who_cannot_be_reached_is_a_call_that_failed() -> None:
    callees = (*to("nobody"), *to("bob", caller_id="stolen"))
    run = Dialled(Dial(callees=callees), bob=answers(1.0))
    outcome = await run.outcome()
    ends = [event for event in run.app.told if isinstance(event, CallEnded)]
    assert [(end.status, end.sip_status, end.cause) for end in ends[:2]] == [
        ("failed", 480, "no way to nobody"),
        ("failed", 403, "stolen is no number of this account"),
    ]
    assert (outcome.end, outcome.callee_status, outcome.sip_status) == (EndOfVerb.FAILED, "failed", 480)
    assert run.called == []


@in_virtual_time
async def test_a_store_that_takes_no_calls_fails_those_of_the_dial_only() -> None:
    run = Dialled(Dial(callees=to("bob")), Pause(seconds=1), bob=answers(1.0))
    run.store.refuses = StoreError("the disk is full")
    outcome = await run.outcome()
    assert (outcome.end, outcome.callee_status, outcome.sip_status) == (EndOfVerb.FAILED, "failed", 503)
    assert run.called == []


@in_virtual_time
@pytest.mark.parametrize("callees", [(), to("bob", "bob")])
async def test_nobody_twice_and_nobody_at_all(callees: tuple[Callee, ...]) -> None:
    run = Dialled(Dial(callees=callees), bob=refuses(486))
    outcome = await run.outcome()
    assert outcome.end is EndOfVerb.FAILED
    assert len(run.called) == len(callees) // 2


@in_virtual_time
@pytest.mark.parametrize("both", [True, False])
async def test_time_runs_out(both: bool) -> None:
    verb = Dial(callees=to("bob"), time_limit=3600.0, hang_up_after_limit=both)
    run = Dialled(verb, Pause(seconds=60), bob=answers(1.0))
    outcome = await run.outcome()
    assert outcome.talk_seconds == 3600
    assert outcome.end is (EndOfVerb.HUNG_UP if both else EndOfVerb.DONE)
    took = asyncio.get_running_loop().time() - run.began
    assert took == pytest.approx(3601 + (0 if both else 60), abs=1)


@in_virtual_time
@pytest.mark.parametrize("when", [0.0, 2.0, 10.0], ids=["at once", "while it rings", "while they talk"])
async def test_a_caller_who_hangs_up(when: float) -> None:
    run = Dialled(Dial(callees=to("bob", "carol")), bob=answers(5.0), carol=rings)
    asyncio.get_running_loop().call_later(when, run.call.reports.leg_ended, "remote", (), "")
    outcome = await run.outcome()
    assert outcome.end is EndOfVerb.HUNG_UP
    assert outcome.bridged is (when > 5)
    assert all(leg.over for leg in run.network.legs.values())
    if when:
        assert run.status == {"bob": "completed" if when > 5 else "canceled", "carol": "canceled"}


@in_virtual_time
@pytest.mark.parametrize("when", [2.0, 10.0], ids=["while it rings", "while they talk"])
async def test_a_caller_who_is_given_something_else_to_do(when: float) -> None:
    run = Dialled(Dial(callees=to("bob", "carol")), bob=answers(5.0), carol=rings)
    await asyncio.sleep(when)
    await run.call.runner.replace(document(run.app, Pause(seconds=100), at_end=HangUp()))
    assert not run.call.over
    assert all(leg.over for leg in run.network.legs.values())
    await run.call.engine.roster.emptied(1000)
    took = asyncio.get_running_loop().time() - run.began
    assert took == pytest.approx(when + 100, abs=1)
    assert not [event for event in run.app.told if isinstance(event, VerbEnded) and event.verb == "Dial"]


@in_virtual_time
async def test_a_callee_who_is_given_something_else_to_do() -> None:
    run = Dialled(Dial(callees=to("bob")), Pause(seconds=10), bob=answers(5.0))
    await asyncio.sleep(10)
    bob = run.network.legs["bob"]
    await bob.runner.replace(document(run.app, Pause(seconds=100), at_end=HangUp()))
    await run.call.closed
    assert not bob.over
    outcome = await run.outcome()
    assert (outcome.end, outcome.talk_seconds, outcome.callee_status) == (EndOfVerb.DONE, 5, "completed")
    assert sum(isinstance(event, Unbridged) for event in run.app.told) == 2
    took = asyncio.get_running_loop().time() - run.began
    assert took == pytest.approx(110, abs=1)
